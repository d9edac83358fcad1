"""What a setting that changes digits has cost: the means of a cell beside those of the same cell in float32."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from src.core.errors import RecordsError
from src.engine.cell.measurement import in_default_arithmetic
from src.records.reader import Cell, is_complete, read_manifest
from src.records.schema import SUMMARY_FILE, RunManifest


def print_cost_in_digits(cell: Cell, console: Console) -> None:
    """Print by how much the means of a cell differ from those of its twin; nothing of a cell in default arithmetic.

    Args:
        cell: complete.
        console: to print to.
    """
    config = cell.manifest.config
    plain = in_default_arithmetic(config)
    if plain == config:
        return
    changed = [f"{key}={value}" for key, value in config.items() if key not in plain]
    changed += [f"model.{key}={value}" for key, value in config["model"].items() if plain["model"][key] != value]
    twin = _find(cell, plain)
    if twin is None:
        text = "changes digits: run this without it, then once again, and the difference of the means is shown here"
        console.print(f"{' '.join(changed)} {text}", soft_wrap=True, markup=False, highlight=False)
        return
    folder, manifest = twin
    console.print(
        f"{' '.join(changed)}: means minus those of {folder.name}, the same in float32",
        soft_wrap=True, markup=False, highlight=False,
    )  # fmt: skip
    own, other = (json.loads((place / SUMMARY_FILE).read_text(encoding="utf-8")) for place in (cell.folder, folder))
    for protocol, estimates in own.items():
        if cell.manifest.scored[protocol] == manifest.scored[protocol]:
            text = ", ".join(f"{metric} {_difference(estimates, other[protocol], metric)}" for metric in estimates)
        else:
            text = f"not comparable: {cell.manifest.scored[protocol]} images scored, {manifest.scored[protocol]} there"
        console.print(f"  {protocol}: {text}", soft_wrap=True, markup=False, highlight=False)


def _find(cell: Cell, config: Mapping[str, Any]) -> tuple[Path, RunManifest] | None:
    """Return the finished cell of a configuration beside this one, of the same weights, images and protocols."""
    for folder in sorted(cell.folder.parent.iterdir()):
        if folder == cell.folder or not is_complete(folder):
            continue
        with contextlib.suppress(RecordsError):  # of another layout version
            manifest = read_manifest(folder)
            alike = manifest.config == config and manifest.rescored_precision in ("", "float32")
            if alike and (manifest.revision, manifest.content) == (cell.manifest.revision, cell.manifest.content):
                return folder, manifest
    return None


def _difference(own: Mapping[str, Any], other: Mapping[str, Any], metric: str) -> str:
    a, b = own[metric]["mean"], other[metric]["mean"]
    return "–" if a is None or b is None else f"{a - b:+.1e}"
