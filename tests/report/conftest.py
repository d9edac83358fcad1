"""Made-up cells in the layout that a run writes, with plausible numbers and pictures."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.records.schema import (
    MANIFEST_FILE,
    PANELS_FOLDER,
    RECORDS_FILE,
    ImageStatus,
    MetricInfo,
    ProtocolInfo,
    RunManifest,
    SampleRecord,
)
from src.records.table import from_records, write_table

METRICS = {
    "abs_rel": MetricInfo(unit="fraction", higher_is_better=False),
    "rmse": MetricInfo(unit="m", higher_is_better=False),
    "silog": MetricInfo(unit="", higher_is_better=False),
    "delta1": MetricInfo(unit="fraction", higher_is_better=True),
}
FITTED_IN = {"metric": "nothing", "affine_depth": "depth", "affine_disparity": "disparity"}


def write_cell(
    folder: Path,
    *,
    images: int = 5,
    quality: float = 0.1,
    protocols: Sequence[str] = ("metric", "affine_depth"),
    metrics: Mapping[str, MetricInfo] = METRICS,
    version: int = 1,
    statuses: Mapping[int, ImageStatus] | None = None,
    valid_pixels: int = 3000,
    panels: int | Sequence[int] = 0,
    size: tuple[int, int] = (48, 64),
    spoil: Callable[[np.ndarray], np.ndarray] = lambda depth: depth,
    prefix: str = "scene/",
    cluster: Callable[[int], str] = lambda _: "",
    place: Callable[[int], str] = lambda _: "indoor",
    change: Callable[[SampleRecord], SampleRecord] = lambda record: record,
    **manifest: Any,
) -> Path:
    """Write a finished cell.

    Args:
        folder: to make.
        images: how many, named `<prefix>000` on.
        quality: typical abs_rel.
        statuses: of images that are not ok, by position.
        panels: how many images to keep pictures of, or which.
        size: (height, width) of the pictures.
        spoil: changes the aligned depth of the pictures.
        cluster: of an image, by position.
        place: its slice, by position.
        change: adds to a record.
        manifest: fields of the manifest that matter to the caller.
    """
    state = dict(statuses or {})
    records = [
        change(
            _record(
                position,
                protocol,
                version,
                metrics,
                quality,
                state.get(position, "ok"),
                valid_pixels,
                prefix,
                (cluster, place),
            )
        )
        for position in range(images)
        for protocol in protocols
    ]
    folder.mkdir(parents=True)
    write_table(folder / RECORDS_FILE, from_records(records))

    def counted(status: ImageStatus) -> dict[str, int]:
        found = [record.protocol for record in records if record.status == status]
        return {protocol: found.count(protocol) for protocol in protocols}

    info = {
        protocol: ProtocolInfo(
            version=version, fitted_in=FITTED_IN[protocol], clip=(0.001, 10.0), metrics=dict(metrics)
        )
        for protocol in protocols
    }
    fields: dict[str, Any] = {
        "model": "ramp",
        "data": "rooms",
        "resolution": "default",
        "fingerprint": folder.name,
        "config": {"model": {}, "data": {"depth_range": [0.001, 10.0]}, "seed": 0, "limit": None},
        "output_space": "metric_depth",
        "weights": "none",
        "revision": "",
        "random_weights": False,
        "uses_ground_truth": False,
        "parameters": 0,
        "not_applicable": [],
        "limited": False,
        "seed": 0,
        "world_size": 1,
        "device": "a processor, 2 threads",
        "dtype": "float32",
        "images_per_second": 12.5,
        "git_revision": "0123456789abcdef0123456789abcdef01234567",
        "versions": {"python": "3.11.7", "torch": "2.14.1"},
        "started": "2026-11-22T09:00:00+00:00",
        "finished": "2026-11-22T09:05:00+00:00",
    }
    content = RunManifest(
        **fields | manifest,
        protocols=info,
        expected=images,
        scored=counted("ok"),
        skipped=counted("skipped"),
        failed=counted("failed"),
    )
    (folder / MANIFEST_FILE).write_text(json.dumps(dataclasses.asdict(content)), encoding="utf-8")
    for position in range(panels) if isinstance(panels, int) else panels:
        _write_panel(folder, position, size, quality, protocols, spoil, f"{prefix}{position:03}")
    return folder


def _record(
    position: int,
    protocol: str,
    version: int,
    metrics: Mapping[str, MetricInfo],
    quality: float,
    status: ImageStatus,
    valid_pixels: int,
    prefix: str,
    kinds: tuple[Callable[[int], str], Callable[[int], str]],
) -> SampleRecord:
    difficulty = np.random.default_rng(position).lognormal(sigma=0.4)
    own = np.random.default_rng([position, int(1e6 * quality)]).lognormal(sigma=0.15)
    error = quality * difficulty * own * (1.0 if protocol == "metric" else 0.6)
    values = {"abs_rel": error, "rmse": 4 * error, "silog": 120 * error, "delta1": float(np.exp(-3 * error**1.5))}
    return SampleRecord(
        index=position,
        sample_id=f"{prefix}{position:03}",
        cluster=kinds[0](position),
        slice=kinds[1](position),
        protocol=protocol,
        protocol_version=version,
        status=status,
        valid_pixels=0 if status == "skipped" else valid_pixels,
        scale=1.0,
        shift=0.1 if protocol.startswith("affine") else 0.0,
        errors={metric: float(values[metric]) if status == "ok" else None for metric in metrics},
        input_size=(384, 512),
        seconds=0.08,
    )


def _write_panel(
    folder: Path,
    position: int,
    size: tuple[int, int],
    quality: float,
    protocols: Sequence[str],
    spoil: Callable[[np.ndarray], np.ndarray],
    name: str,
) -> None:
    image, depth, valid = room(size, seed=position)
    wobble = smooth_noise(size, seed=[position, int(1e6 * quality)])
    aligned = {
        f"aligned_{protocol}": spoil(
            (depth * (1 + quality * wobble * (1.0 if protocol == "metric" else 0.6))).astype(np.float32)
        )
        for protocol in protocols
    }
    (folder / PANELS_FOLDER).mkdir(exist_ok=True)
    np.savez_compressed(
        folder / PANELS_FOLDER / f"{position:06d}.npz",
        image=image,
        depth=np.where(valid, depth, 0).astype(np.float32),
        valid=valid,
        sample_id=np.str_(name),
        **aligned,
    )


def room(size: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look into a room with balls on its floor: image (h, w, 3), z-depth (h, w) in metres, valid (h, w)."""
    height, width = size
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    x, y = (columns + 0.5 - width / 2) / width, (rows + 0.5 - height / 2) / width
    depth = np.minimum.reduce([np.full(size, 6.5), 1.3 / np.maximum(y, 1e-6), 2.6 / np.maximum(np.abs(x), 1e-6)])
    checks = (np.floor(4 * x * depth) + np.floor(depth)) % 2
    shade = 0.9 - 0.06 * depth + 0.05 * checks
    tint = np.stack([shade, 0.97 * shade, 0.9 * shade], axis=-1)
    for _ in range(5):
        z, radius = generator.uniform(2.2, 5.5), generator.uniform(0.3, 0.7)
        centre = np.array([generator.uniform(-0.45, 0.45) * z, 1.3 - radius, z])
        ray = np.stack([x, y, np.ones_like(x)], axis=-1)
        along, square = ray @ centre, (ray**2).sum(-1)
        inside = along**2 - square * (centre @ centre - radius**2)
        distance = (along - np.sqrt(np.maximum(inside, 0))) / square
        closer = (inside > 0) & (distance < depth)
        light = (ray * distance[..., None] - centre) @ np.array([-0.5, -0.7, -0.5]) / radius
        depth = np.where(closer, distance, depth)
        colour = generator.uniform(0.25, 0.9, 3) * (0.55 + 0.45 * np.clip(light, 0, 1))[..., None]
        tint = np.where(closer[..., None], colour, tint)
    edge = np.abs(np.diff(depth, axis=1, append=depth[:, -1:])) > 0.15
    valid = ~(edge | np.roll(edge, 1, axis=1))
    valid[:, : width // 40] = False
    return (255 * np.clip(tint, 0, 1)).astype(np.uint8), depth, valid


def smooth_noise(size: tuple[int, int], seed: Any) -> np.ndarray:
    """Draw a random field of unit spread that varies over a fifth of the picture."""
    height, width = size
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / width
    field = np.zeros(size)
    for _ in range(12):
        u, v = generator.normal(scale=9, size=2)
        field += np.cos(u * x + v * y + generator.uniform(0, 2 * np.pi))
    return field / field.std()


@pytest.fixture
def make_cell(tmp_path: Path) -> Callable[..., Path]:
    """Return `write_cell`, writing below a temporary folder `outputs` by name."""

    def make(name: str = "cell", **options: Any) -> Path:
        return write_cell(tmp_path / "outputs" / name, **options)

    return make
