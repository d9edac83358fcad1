"""What data sets there are, how they come here, and whether they are whole: `python -m src.data list|fetch|verify`."""

import argparse
import contextlib
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from src.core.errors import ConfigError, DataError, LeadlineError
from src.core.sample import Sample
from src.core.shipped import CONF
from src.core.shown import shown
from src.core.terminal import terminal
from src.data.base import DepthDataset
from src.data.readiness.download import Report
from src.data.readiness.fetch import fetch
from src.data.readiness.sources import Source, read_sources, source_of
from src.data.readiness.verify import verify

_MARK = {True: "ok", False: "WRONG", None: "unknown"}


def listing(conf: Path, overrides: Sequence[str]) -> str:
    """Describe every data set: its data sheet in short, and a line for each variant.

    Args:
        conf: folder of the configuration.
        overrides: paths.data_dir=<folder>, if it is not the default one.

    Raises:
        ConfigError: if they are something else.
    """
    sheets: dict[str, list[str]] = {}
    variants = _all_arguments(conf, overrides)
    ways = {name: _way(source) for source in read_sources() for name in source.variants}
    width = max(map(len, variants))
    for name, arguments in variants.items():
        kind = _class(arguments.pop("_target_"))
        count = arguments.get("count", arguments.get("n"))
        line = f"  {name:{width}} {count or '-':>6}  {_readiness(kind, arguments):9}  {_headline(conf, name)}"
        sheets.setdefault(_sheet(kind), []).append(f"{line}{ways.get(name, '')}")
    return "\n\n".join("\n".join([sheet, *lines]) for sheet, lines in sheets.items())


def report(conf: Path, overrides: Sequence[str]) -> tuple[str, bool]:
    """Check that a data set is whole and what it should be, and write a page of what was seen.

    Args:
        conf: folder of the configuration.
        overrides: data=<name>, and whatever else an evaluation would be given.

    Returns:
        What was found, and whether nothing speaks against the files.

    Raises:
        DataError: if files are missing.
        ConfigError: if the words do not name a data set.
    """
    from src.data.readiness.verify_page import (
        render,  # draws with matplotlib, which takes a second that the list need not pay
    )

    cfg = _compose(conf, overrides)
    arguments = _plain(cfg, overrides)
    missing = [f"data.{key}=" for key, value in arguments.items() if value == "???"]
    if missing:
        msg = f"expected values that only you know: {' '.join(missing)}"
        raise ConfigError(msg)
    dataset = _class(arguments.pop("_target_"))(**arguments)
    variant = _variant(overrides)
    findings = verify(dataset, count=arguments.get("count"), source=source_of(variant), arguments=arguments)
    page = Path(cfg.paths.output_dir) / "verify" / f"{variant}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render(variant, _headline(conf, variant), findings), encoding="utf-8")
    lines = [f"{_MARK[check.passed]:7} {check.name}: {check.detail}" for check in findings.checks]
    lines += ["decoded:", *map(_describe, findings.samples), f"{page}"]
    return "\n".join(lines), findings.passed


def bring(conf: Path, overrides: Sequence[str]) -> str:
    """Fetch the files of a data set.

    Args:
        conf: folder of the configuration.
        overrides: data=<name>, and whatever else an evaluation would be given.

    Raises:
        DataError: if it needs handwork, with the steps, or if a file cannot be had.
        ConfigError: if the words do not name a data set.
    """
    arguments = _arguments(conf, overrides)
    variant = _variant(overrides)
    return "\n".join(fetch(variant, source_of(variant), arguments, progress=_progress))


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Report]:
    columns = TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=terminal(stderr=True)) as display:
        task = display.add_task(name, total=None)
        yield lambda here, whole: display.update(task, completed=here, total=whole)


def _way(source: Source) -> str:
    """How a download comes here, for the list."""
    size = "size unknown" if source.gigabytes is None else f"{source.gigabytes:g} GB"
    if not source.files:
        return f" [by hand, {size}: fetch tells the steps]"
    return f" [fetch, {size}{'; a part by hand' if source.steps else ''}]"


def _all_arguments(conf: Path, overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The configuration of every variant, composed at once: one by one would take longer than looking at the files."""
    if any(not word.startswith("paths.") for word in overrides):
        msg = f"expected nothing but paths.data_dir=<folder of all data sets>, got {' '.join(overrides)!r}"
        raise ConfigError(msg)
    names = sorted(path.stem for path in (conf / "data").glob("*.yaml"))
    groups = ["+paths=default", *(f"+data@variants.{name}={name}" for name in names)]
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            cfg = compose(overrides=[*groups, *overrides])
    except HydraException as error:
        msg = f"expected paths.data_dir=<folder of all data sets>, got {' '.join(overrides)!r}: {error}"
        raise ConfigError(msg) from error
    # a variant may refer to itself by its place in an evaluation, data
    alone = {name: OmegaConf.create({"paths": cfg.paths, "data": cfg.variants[name]}) for name in names}
    return {name: _plain(config, overrides) for name, config in alone.items()}


def _arguments(conf: Path, overrides: Sequence[str]) -> dict[str, Any]:
    return _plain(_compose(conf, overrides), overrides)


def _compose(conf: Path, overrides: Sequence[str]) -> DictConfig:
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            return compose("eval", ["model=constant", *overrides])
    except HydraException as error:
        raise _not_a_data_set(overrides, f": {error}") from error


def _plain(cfg: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    if not OmegaConf.is_config(cfg.get("data")):
        raise _not_a_data_set(overrides)
    content: dict[Any, Any] = OmegaConf.to_container(cfg.data, resolve=True)  # type: ignore[assignment]
    return {str(key): value for key, value in content.items() if key != "_convert_"}


def _variant(overrides: Sequence[str]) -> str:
    """The last data=<name>, which is the one that hydra takes."""
    return [word.removeprefix("data=") for word in overrides if word.startswith("data=")][-1]


def _not_a_data_set(overrides: Sequence[str], reason: str = "") -> ConfigError:
    return ConfigError(
        f"expected data=<name> and values as an evaluation takes them, got {' '.join(overrides)!r}{reason}"
    )


def _class(target: str) -> type[DepthDataset]:
    module, _, name = target.rpartition(".")
    kind: type[DepthDataset] = getattr(importlib.import_module(module), name)
    return kind


def _readiness(kind: type[DepthDataset], arguments: dict[str, Any]) -> str:
    if "???" in arguments.values():
        return "yours"
    try:
        len(kind(**arguments))
    except DataError:
        return "not ready"
    return "ready"


def _sheet(kind: type[DepthDataset]) -> str:
    """The first paragraph, licence and source of a data sheet."""
    text = re.sub(r"\n +", "\n", kind.__doc__ or "")
    entries = [text.partition("\n\n")[0].replace("\n", " ")]
    for name in ("Licence", "Source"):
        match = re.search(rf"^{name}: (.+?)(?=\n[A-Z][a-z]+: |\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
        entries += [f"  {name}: {' '.join(match[1].split())}"] if match else []
    return "\n".join(entries)


def _describe(sample: Sample) -> str:
    (h, w), (name,) = sample.size, sample.sample_id
    share = f"{sample.valid.double().mean():.1%} of pixels count"
    depth = sample.depth[sample.valid]
    if sample.point_pairs is not None:
        return f"  {name}: {h} x {w}, {sample.point_pairs.shape[1]} pairs of points"
    if not len(depth):
        return f"  {name}: {h} x {w}, no pixel counts"
    return f"  {name}: {h} x {w}, {share}, {depth.min():.3f} to {depth.max():.3f} m, median {depth.median():.3f} m"


def _headline(conf: Path, name: str) -> str:
    with (conf / "data" / f"{name}.yaml").open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m src.data", description="List the data sets, fetch or verify one.")
    parser.add_argument("command", choices=("list", "fetch", "verify"), help="list takes paths.data_dir=<folder> only")
    parser.add_argument("overrides", nargs="*", help="data=<name>, and values as an evaluation takes them")
    words = parser.parse_args(arguments)
    try:
        if words.command == "verify":
            text, passed = report(CONF, words.overrides)
        else:
            text, passed = {"list": listing, "fetch": bring}[words.command](CONF, words.overrides), True
        print(shown(text, lines=True))  # noqa: T201  # the command's result
    except LeadlineError as error:
        print(f"error: {shown(str(error), lines=True)}", file=sys.stderr)  # noqa: T201
        return 1
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
