"""The text of --help: every group, its choices with one line each, and the run-wide values."""

from pathlib import Path
from typing import Any

import yaml


def overview(conf: Path, config: str) -> str:
    """Describe the command line from the configuration files themselves.

    The one line of a choice is the comment on the first line of its file.
    """
    primary = conf / f"{config}.yaml"
    values = yaml.safe_load(primary.read_text(encoding="utf-8"))
    groups = _groups(values["defaults"])
    lines = [_first_comment(primary), ""]
    for group in (conf / name for name in groups):
        choices = sorted(group.rglob("*.yaml"))
        if not choices:
            continue
        lines.append(f"{group.name}=")
        names = [str(choice.relative_to(group).with_suffix("")) for choice in choices]
        width = max(len(name) for name in names)
        lines += [f"  {name:{width}}  {_first_comment(path)}" for name, path in zip(names, choices, strict=True)]
        lines.append("")
    lines.append("values")
    for line in primary.read_text(encoding="utf-8").splitlines():
        key, separator, rest = line.partition(":")
        if separator and key.isidentifier() and not isinstance(values[key], dict) and key != "defaults":
            value, _, comment = rest.partition("#")
            lines.append(f"  {f'{key}={value.strip()}':{24}}{comment.strip()}")
    lines += [
        "",
        *(["Several protocols are selected as protocol=[midas,metric]."] if "protocol" in groups else []),
        "Any value below a choice can be set too, such as",
        "model.weights=<folder>. -m sweeps comma-separated choices: -m model=ramp,constant resolution=native,384.",
        "--cfg job prints the composed configuration and --config-dir <folder> adds your own choices.",
    ]
    return "\n".join(lines)


def _groups(defaults: list[str | dict[str, Any]]) -> list[str]:
    """Return the groups that the user chooses from: not those that follow from another choice."""
    names = [key for entry in defaults if isinstance(entry, dict) for key in entry]
    return sorted(name for name in names if not name.startswith(("optional ", "override ")))


def _first_comment(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        # hydra wants its own headers ("# @package ...") before everything else
        return next((line.removeprefix("#").strip() for line in file if not line.startswith("# @")), "")
