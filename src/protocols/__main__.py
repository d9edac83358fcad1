"""List the protocols, or explain one: `python -m src.protocols [--explain <name>]`."""

import argparse
import difflib
import sys
from pathlib import Path

from src.core.errors import ConfigError, LeadlineError
from src.core.shipped import CONF
from src.core.shown import shown

PROTOCOLS = CONF / "protocol"


def listing(folder: Path) -> str:
    """Return one line for each protocol, from the first line of its file."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    width = max(map(len, names))
    return "\n".join(f"{name:{width}}  {_headline(folder, name)}" for name in names)


def explanation(folder: Path, name: str) -> str:
    """Return the steps, constants, formulas, source and traps of a protocol in plain words.

    Raises:
        ConfigError: if there is no protocol of that name; the message names those that are alike.
    """
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        alike = difflib.get_close_matches(name, known, n=3)
        near = f"; did you mean {' or '.join(alike)}?" if alike else ""
        msg = f"unknown protocol {name!r}: expected one of {', '.join(known)}{near}"
        raise ConfigError(msg)
    # building a protocol imports torch, which takes seconds that the list need not pay
    from omegaconf import DictConfig, OmegaConf

    from src.engine.cell.build import build_protocols
    from src.protocols.prose import describe

    protocols = build_protocols(DictConfig(OmegaConf.load(folder / f"{name}.yaml")))
    return describe(protocols[name], _headline(folder, name))


def _headline(folder: Path, name: str) -> str:
    with (folder / f"{name}.yaml").open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def main(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m src.protocols", description="List the protocols, or explain one.")
    parser.add_argument("--explain", metavar="NAME", help="print what a protocol does, step by step")
    name = parser.parse_args(arguments).explain
    try:
        print(listing(PROTOCOLS) if name is None else explanation(PROTOCOLS, name))  # noqa: T201  # the command's result
    except LeadlineError as error:
        print(shown(str(error), lines=True), file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
