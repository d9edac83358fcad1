"""The result table a run prints."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.records.aggregate import estimates, unranked_because
from src.records.reader import Cell
from src.records.schema import RECORDS_FILE, RunManifest

_SHOWN = 5


def print_cell(cell: Cell, console: Console) -> None:
    """Print a cell's means with their protocol, uncertainty and counts, and where it lies."""
    manifest = cell.manifest
    title = f"{manifest.model} on {manifest.data}, resolution {manifest.resolution}"
    table = Table(title=Text(title), box=box.SIMPLE)
    table.add_column("protocol", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    for heading in ("value", "std. error", "scored / skipped / failed"):
        table.add_column(heading, justify="right")
    for protocol, by_metric in estimates(cell.scores).items():
        info = manifest.protocols[protocol]
        counts = " / ".join(str(count[protocol]) for count in (manifest.scored, manifest.skipped, manifest.failed))
        table.add_section()
        for row, (metric, estimate) in enumerate(by_metric.items()):
            table.add_row(
                f"{protocol} v{info.version}" if row == 0 else "",
                f"{metric} {'↑' if info.metrics[metric].higher_is_better else '↓'}",
                _number(estimate.mean),
                _number(estimate.standard_error),
                counts,
            )
    console.print(table)
    reasons = dict.fromkeys(
        reason for protocol in manifest.protocols for reason in unranked_because(manifest, protocol)
    )
    if reasons:
        console.print(f"NOT RANKED: {', '.join(reasons)}", style="bold", markup=False)
    _print_reasons(cell, console)
    if manifest.not_applicable:
        names = ", ".join(manifest.not_applicable)
        console.print(f"not applicable to {manifest.output_space} on {manifest.data}: {names}", markup=False)
    if manifest.space_declared:
        console.print(f"scored as {manifest.output_space}: as declared by model.space, not known here", markup=False)
    if manifest.rescored_from:
        console.print(
            f"scored from the {manifest.rescored_precision} predictions that {manifest.rescored_from} saved",
            highlight=False,
        )
    console.print(f"{manifest.images_per_second:.2f} images per second on {manifest.device}", highlight=False)
    costs = _costs(manifest)
    if costs:
        console.print("; ".join(costs), highlight=False)
    console.print(str(cell.folder), soft_wrap=True, highlight=False, markup=False)


def _print_reasons(cell: Cell, console: Console) -> None:
    """List the first images that could not be read, and those that the model failed on; the records have them all."""
    first = next(iter(cell.scores.values()))
    undetermined = {reason: None for scored in cell.scores.values() for reason in scored.reason[scored.undetermined]}
    failed = {reason: None for scored in cell.scores.values() for reason in scored.reason[scored.status == "failed"]}
    for reasons, outcome in (
        (first.reason[first.unreadable].tolist(), "could not be read and are skipped"),
        (list(undetermined), "have too few different true depths for a fit, and are skipped"),
        (list(failed), "were predicted without a number that can be scored, and failed"),
    ):
        if not reasons:
            continue
        console.print(f"{len(reasons)} of {len(first)} images {outcome}:", markup=False)
        for reason in reasons[:_SHOWN]:
            console.print(f"  {reason}", soft_wrap=True, highlight=False, markup=False)
        if len(reasons) > _SHOWN:
            more = f"  and {len(reasons) - _SHOWN} more, see reason in {RECORDS_FILE}"
            console.print(more, highlight=False, markup=False)


def _costs(manifest: RunManifest) -> list[str]:
    """Say what is known about the cost of a prediction."""
    costs = []
    if manifest.latency_median is not None and manifest.latency_p95 is not None:
        tried = ", ".join(f"{size}: {_seconds(value)}" for size, value in manifest.batch_trials.items())
        found = f" (the fastest; an image in a batch of {tried})" if tried else ""
        batch = "" if manifest.batch_size == 1 and not tried else f" for a batch of {manifest.batch_size}{found}"
        costs.append(f"{_seconds(manifest.latency_median)} median, {_seconds(manifest.latency_p95)} p95{batch}")
    if manifest.peak_memory:
        costs.append(f"peak memory {manifest.peak_memory / 2**30:.2f} GiB")
    if manifest.parameters:
        costs.append(f"{manifest.parameters / 1e6:.1f} M parameters")
    if manifest.flops:
        costs.append(f"{manifest.flops / 1e9:.3g} GFLOP an image")
    costs += [f"{name}={value}" for name, value in manifest.compute.items()]
    return costs


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"
