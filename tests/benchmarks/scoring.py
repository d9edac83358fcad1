"""Time solver and metrics on a batch, here and in the per-image numpy form of the published evaluators.

    python tests/benchmarks/scoring.py [--output scoring.json] [--repeats 9] [--threads 2]

Both run in turn in one process on the same float32 arrays, and the digits must agree. The table shows the best
time of each, in milliseconds per batch of 16; the file holds every time. The published evaluators compute in float32,
the one here in float64, so the numpy form is timed in both; the ratios are those of its times to the time here. What
is timed here also bins errors by depth, which the numpy form does not. "all" is a run that scores one prediction under
all protocols.
"""

# ruff: noqa: T201

import argparse
import dataclasses
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.alignment.affine import AffineDepth, AffineDisparity
from src.alignment.base import Alignment
from src.alignment.identity import Unaligned
from src.alignment.scale import MedianScale
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.engine.process.allocation import keep_freed_memory
from src.protocol.evaluation import EvalProtocol

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")
RANGE = (1e-3, 80.0)
BATCH = 16
FLOOR = 0.001

Array = np.ndarray[Any, Any]


def median_scaled(p: Array, g: Array, m: Array) -> Array:
    """Ratio of medians."""
    return p * (np.median(g[m]) / np.median(p[m]))


def affine(p: Array, g: Array, m: Array) -> Array:
    """Least squares with a column of ones, as Marigold solves it."""
    design = np.concatenate([p[m][:, None], np.ones_like(p[m])[:, None]], axis=1)
    scale, shift = np.linalg.lstsq(design, g[m], rcond=None)[0]
    return p * scale + shift


def affine_disparity(p: Array, g: Array, m: Array) -> Array:
    """The same on inverse depth, with a floor before inverting."""
    inverse = np.zeros_like(g)
    inverse[m] = 1 / g[m]
    return 1 / np.maximum(affine(p, inverse, m), FLOOR)


@dataclasses.dataclass(frozen=True)
class Case:
    """A protocol here and its numpy form."""

    name: str
    alignment: Alignment
    space: OutputSpace
    align: Callable[[Array, Array, Array], Array]


CASES = (
    Case("metric", Unaligned(), OutputSpace.METRIC_DEPTH, lambda p, g, m: p),  # noqa: ARG005
    Case("median_scaled", MedianScale(), OutputSpace.SCALE_INVARIANT_DEPTH, median_scaled),
    Case("affine_depth", AffineDepth(), OutputSpace.AFFINE_DEPTH, affine),
    Case("affine_disparity", AffineDisparity(floor=FLOOR), OutputSpace.AFFINE_DISPARITY, affine_disparity),
)


def numpy_form(case: Case, prediction: Array, depth: Array, valid: Array) -> Array:
    """Score image by image as the evaluators of Eigen's line do (BTS, ZoeDepth, Depth Anything).

    They align, clip, mend what is not finite, select the pixels in range, and have one expression per metric.
    """
    nearest, farthest = RANGE
    rows = []
    for p, g, m in zip(prediction[:, 0], depth[:, 0], valid[:, 0], strict=True):
        aligned = case.align(p, g, m).copy()
        aligned[aligned < nearest] = nearest
        aligned[aligned > farthest] = farthest
        aligned[np.isinf(aligned)] = farthest
        aligned[np.isnan(aligned)] = nearest
        selected = np.logical_and(m, np.logical_and(g > nearest, g < farthest))
        pred, gt = aligned[selected], g[selected]
        thresh = np.maximum(gt / pred, pred / gt)
        error = np.log(pred) - np.log(gt)
        rows.append(
            (
                np.mean(np.abs(gt - pred) / gt),
                np.mean((gt - pred) ** 2 / gt),
                np.sqrt(((gt - pred) ** 2).mean()),
                np.sqrt(((np.log(gt) - np.log(pred)) ** 2).mean()),
                np.abs(np.log10(gt) - np.log10(pred)).mean(),
                np.sqrt(np.mean(error**2) - np.mean(error) ** 2) * 100,
                *((thresh < 1.25**k).mean() for k in (1, 2, 3)),
            )
        )
    return np.array(rows)


def nyu_mask(rng: np.random.Generator) -> Array:
    """480 x 640: the Eigen window with one pixel in thirty missing."""
    mask = np.zeros((BATCH, 1, 480, 640), dtype=bool)
    mask[..., 45:471, 41:601] = rng.random((BATCH, 1, 426, 560)) > 1 / 30
    return mask


def kitti_mask(rng: np.random.Generator) -> Array:
    """352 x 1216: the Eigen box of Marigold with one pixel in four measured."""
    mask = np.zeros((BATCH, 1, 352, 1216), dtype=bool)
    mask[..., 117:321, 43:1172] = rng.random((BATCH, 1, 204, 1129)) < 1 / 4
    return mask


def every_pixel(height: int, width: int) -> Callable[[np.random.Generator], Array]:
    """No mask at all."""
    return lambda _: np.ones((BATCH, 1, height, width), dtype=bool)


MASKS = {
    "480x640 window": nyu_mask,
    "352x1216 laser": kitti_mask,
    "480x640 full": every_pixel(480, 640),
    "352x1216 full": every_pixel(352, 1216),
}


def make_batch(case: Case, mask: Callable[[np.random.Generator], Array]) -> tuple[Array, Array, Array]:
    """Make smooth depth with noise, its prediction and its mask."""
    rng = np.random.default_rng(0)
    valid = mask(rng)
    row = np.linspace(60, 2, valid.shape[2])[:, None]
    depth = (row * rng.uniform(0.5, 1, valid.shape)).astype(np.float32)
    source = 1 / depth if case.space.is_disparity else depth
    prediction = (source * np.exp(0.1 * rng.normal(size=valid.shape))).astype(np.float32)
    return prediction, np.where(valid, depth, np.float32(0)), valid


def time_both(case: Case, name: str, device: torch.device, repeats: int) -> dict[str, Any]:
    """Time the two forms in turn and compare their digits."""
    prediction, depth, valid = make_batch(case, MASKS[name])
    sample = Sample(
        image=torch.zeros(BATCH, 3, *depth.shape[2:], dtype=torch.uint8),
        depth=torch.from_numpy(depth),
        valid=torch.from_numpy(valid),
        depth_range=RANGE,
        sample_id=tuple(map(str, range(BATCH))),
        index=tuple(range(BATCH)),
        cluster=("",) * BATCH,
        slice=("",) * BATCH,
    ).to(device)
    ours = Prediction(values=torch.from_numpy(prediction).to(device), space=case.space, input_size=(1, 1))
    protocol = EvalProtocol(
        name=case.name, version=1, alignment=case.alignment, clip="depth_range", metrics=list(METRICS)
    )

    def batched() -> Array:
        scores = protocol.evaluate(ours, sample)
        return torch.stack(tuple(scores.errors.values()), 1).cpu().numpy()

    doubled = prediction.astype(np.float64), depth.astype(np.float64)
    forms: dict[str, Callable[[], Array]] = {
        "here": batched,
        "numpy32": lambda: numpy_form(case, prediction, depth, valid),
        "numpy64": lambda: numpy_form(case, *doubled, valid),
    }
    difference = float(np.abs(batched() / forms["numpy64"]() - 1).max())
    seconds: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(repeats):
        for form, run in forms.items():
            start = time.perf_counter()
            run()
            seconds[form].append(time.perf_counter() - start)
    return {
        "protocol": case.name,
        "images": name,
        "device": str(device),
        "milliseconds": {form: 1e3 * min(times) for form, times in seconds.items()},
        "largest_relative_difference": difference,
        "seconds": seconds,
    }


def total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum the times of all protocols on one batch."""
    forms = rows[0]["milliseconds"]
    return rows[0] | {
        "protocol": "all",
        "milliseconds": {form: sum(row["milliseconds"][form] for row in rows) for form in forms},
        "largest_relative_difference": max(row["largest_relative_difference"] for row in rows),
        "seconds": {},
    }


def line(row: dict[str, Any]) -> str:
    """Return one line of the table."""
    here, single, double = (row["milliseconds"][form] for form in ("here", "numpy32", "numpy64"))
    return (
        f"{row['protocol']:18}{row['images']:16}{row['device']:8}{here:8.1f}{single:9.1f}{single / here:7.2f}"
        f"{double:9.1f}{double / here:7.2f}{row['largest_relative_difference']:12.1e}"
    )


def main() -> int:
    """Run every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, help="write all times as JSON")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2, help="of torch; numpy's own are up to OMP_NUM_THREADS")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as src.eval does
    devices = [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])
    results = []
    titles = f"{'here':>8}{'numpy32':>9}{'ratio':>7}{'numpy64':>9}{'ratio':>7}{'difference':>12}"
    print(f"{'protocol':18}{'batch of 16':16}{'device':8}{titles}")
    for device in devices:
        for name in MASKS:
            rows = [time_both(case, name, device, options.repeats) for case in CASES]
            rows.append(total(rows))
            results += rows
            for row in rows:
                print(line(row))
    if options.output:
        machine = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__}
        report = {"machine": machine | {"numpy": np.__version__, "threads": options.threads}, "results": results}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
