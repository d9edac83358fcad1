"""Assemble what is known about a complete cell."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from src.engine.cell.request import CellRequest
from src.engine.process.clock import median_and_p95
from src.engine.process.environment import git_revision, versions
from src.engine.scoring.report import rank_report
from src.protocol.evaluation import EvalProtocol
from src.records.card import parse_card
from src.records.schema import MetricInfo, ProtocolInfo, RunManifest
from src.records.table import Scored


def collect_reports(folder: Path) -> list[dict[str, Any]]:
    """Read what every process reported and remove the files."""
    first = json.loads(rank_report(folder, 0).read_text(encoding="utf-8"))
    files = [rank_report(folder, rank) for rank in range(first["world_size"])]
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    for file in files:
        file.unlink()
    return reports


def model_card(request: CellRequest) -> dict[str, Any]:
    """Return the card of the model as plain values; an empty one of a model that has none.

    Raises:
        ConfigError: if it is no card.
    """
    return dataclasses.asdict(parse_card(request.card, of=request.measured.model)) if request.card else {}


def build_manifest(
    request: CellRequest,
    *,
    model: LightningModule,
    datamodule: LightningDataModule,
    card: dict[str, Any],
    protocols: Mapping[str, EvalProtocol],
    not_applicable: Sequence[str],
    scores: Mapping[str, Scored],
    reports: Sequence[Mapping[str, Any]],
    content: Mapping[str, Mapping[str, Any]],
    started: str,
    finished: str,
) -> RunManifest:
    """Describe a cell: what was measured, with what, and what came of it.

    Args:
        request: what was asked for.
        model: as built; what is known only after loading comes from the reports.
        datamodule: as built.
        card: of the model, see `model_card`.
        protocols: those that were scored.
        not_applicable: names of those that cannot score the model's output space.
        scores: of the cell, by protocol.
        reports: one of each process, that of process 0 first.
        content: summary of the files that were read.
        started: UTC, ISO 8601.
        finished: UTC, ISO 8601.
    """
    measured, images = request.measured, request.images
    dataset = datamodule.dataset  # type: ignore[attr-defined]
    expected = len(datamodule.sample_ids)  # type: ignore[attr-defined]
    counts = {name: Counter(scored.status.tolist()) for name, scored in scores.items()}
    median, p95 = median_and_p95([seconds for report in reports for seconds in report["latencies"]])
    return RunManifest(
        model=measured.model,
        data=measured.data,
        resolution=str(measured.resolution),
        fingerprint=measured.fingerprint,
        config=dict(measured.resolved),
        output_space=str(model.space),
        card=card,
        data_family=dataset.family,
        **reports[0]["provenance"],
        protocols={name: _protocol_info(protocol, dataset.depth_range) for name, protocol in protocols.items()},
        not_applicable=list(not_applicable),
        expected=expected,
        limited=expected < len(dataset),
        scored={name: counts[name]["ok"] for name in protocols},
        skipped={name: counts[name]["skipped"] for name in protocols},
        failed={name: counts[name]["failed"] for name in protocols},
        seed=measured.seed,
        world_size=len(reports),
        halved=sum(report["halved"] for report in reports),
        device=reports[0]["device"],
        dtype=measured.precision,
        compute=measured.arithmetic,
        batch_size=reports[0]["batch_size"],
        batch_trials=reports[0]["batch_trials"],
        latency_median=median,
        latency_p95=p95,
        peak_memory=max(report["peak_memory"] for report in reports),
        flops=reports[0]["operations"],
        images_per_second=_images_per_second(scores, reports),
        git_revision=git_revision(),
        versions=versions(),
        started=started,
        finished=finished,
        content={what: dict(summary) for what, summary in content.items()},
        saved_predictions=request.run.save_predictions or "",
        unreadable=int(next(iter(scores.values())).unreadable.sum()),
        corruption=images.corruption,
        severity=0 if images.corruption == "none" else images.severity,
        depth_edges=list(next((protocol.depth_edges for protocol in protocols.values() if protocol.depth_edges), ())),
    )


def _images_per_second(scores: Mapping[str, Scored], reports: Sequence[Mapping[str, Any]]) -> float:
    """Return the speed of the prediction loop, or of inference alone if a resumed run had nothing left to score."""
    seconds = max(report["seconds"] for report in reports)
    if seconds > 0:
        return float(sum(report["images"] for report in reports) / seconds)
    return float(1 / next(iter(scores.values())).seconds.mean())


def _protocol_info(protocol: EvalProtocol, depth_range: tuple[float, float]) -> ProtocolInfo:
    metrics = {
        metric.name: MetricInfo(
            unit=metric.unit, higher_is_better=bool(metric.higher_is_better), mean_over=metric.mean_over
        )
        for metric in protocol.metrics
    }
    return ProtocolInfo(
        version=protocol.version,
        fitted_in=str(protocol.fitted_in),
        clip=protocol.clip_bounds(depth_range),
        metrics=metrics,
        fit_over=protocol.fit_over.label if protocol.fit_over is not None else "image",
    )
