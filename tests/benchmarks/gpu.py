"""What a GPU makes of everything here, in minutes: one table of whole runs, and what lies behind it.

    python -m tests.benchmarks.gpu [--output gpu.json] [--workers 8] [--small] [--device cpu]

Weights are random and of the true size, pictures 480x640. The first table is that of `loop`: per image, the network's
own calls (floor), `src.eval` from picture files to records (loop), and the plain library one by one. Then scoring,
kernel by kernel and as a graph; the network alone in every arithmetic; and pictures per second of a run of 512 in
bfloat16 beside those of its parts alone, of which the slowest is the limit. Forms that are compared take turns in one
process.
"""

# ruff: noqa: T201

import argparse
import contextlib
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from src.core.prediction import OutputSpace, Prediction
from src.core.replayed import kernel_by_kernel
from src.core.sample import Sample
from src.engine.process.clock import synchronise
from src.engine.process.environment import make_repeatable
from src.engine.scoring.replayed import replayed_scoring, score
from src.protocol.evaluation import EvalProtocol
from tests.benchmarks.loop import PROTOCOL, Floor, Library, Loop
from tests.benchmarks.running import (
    best_seconds,
    datamodule_of,
    interleaved,
    load_model,
    machine,
    read_images,
    require_device,
    run,
    words_of,
    write_pictures,
)
from tests.benchmarks.scoring import CASES, METRICS, RANGE

ROWS: Mapping[str, Sequence[int]] = {
    "depth_anything_v2_small": (1, 16),
    "depth_anything_v2_large": (1, 8),
    "midas": (1, 8),
    "zoedepth_nk": (1, 8),
    "marigold,model.steps=1": (1, 4),
}
"""Model and batches."""
IN_EVERY_ARITHMETIC = ("depth_anything_v2_small", "depth_anything_v2_large")
FULL = ("float32", "tf32_convolutions", "tf32")
HALF = ("bfloat16", "bfloat16, as graphs")
AT_FULL_SPEED = ("depth_anything_v2_small", 16)
PICTURES = 512


def loops(spec: str, batches: Sequence[int], options: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """Time whole runs of one model; a row for every batch."""
    steps = 3 if options.small else 5 if spec.startswith("marigold") else 10
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = words_of(spec, small=options.small)
        data = write_pictures(folder, max(batches) * steps, options.size)
        model = load_model(words, device, folder / "outputs")
        protocol = PROTOCOL[str(model.space)]
        around = [
            *words,
            *data,
            f"protocol=[{protocol}]",
            f"num_workers={options.workers}",
            f"trainer={options.trainer}",
        ]
        paths = sorted((folder / "rgb").iterdir())
        library = Library(model, folder, min(steps, 8), device, protocol)
        for batch in batches:
            timed = Loop(model, [*around, f"batch_size={batch}", f"limit={batch * steps}"], folder / "outputs")
            forms: dict[str, Callable[[], float]] = {
                "floor": Floor(model, read_images(paths[:batch], device), steps - 1),
                "loop": partial(timed, profile=False),
            }
            if batch == batches[0]:
                forms["library"] = library
            turns = interleaved(forms, options.repeats)
            best = {form: min(seconds) for form, seconds in turns.items()}
            plain = best.get("library", rows[0]["library"] if rows else 0.0)
            peak = min(manifest.peak_memory for manifest in timed.manifests)
            rows.append({"model": spec, "batch": batch, **best, "library": plain, "peak_memory": peak, "turns": turns})
            print_loop(rows[-1])
    return rows


def print_loop(row: dict[str, Any]) -> None:
    """Print a line of the first table."""
    seconds = "".join(f"{row[form]:9.4f}" for form in ("floor", "loop", "library"))
    ratio, gain = row["loop"] / row["floor"], row["library"] / row["loop"]
    peak = f"{row['peak_memory'] / 2**30:9.2f}"
    print(f"{row['model']:28}{row['batch']:>6}{seconds}{ratio:9.2f}{gain:9.2f}{peak}", flush=True)


def scoring(options: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """Time the protocols on one prediction, kernel by kernel and as a graph, milliseconds a batch."""
    rows = []
    for batch in (1, 3):
        generator = torch.Generator().manual_seed(0)
        depth = torch.rand(batch, 1, *options.size, generator=generator) * 9 + 0.5
        valid = torch.rand(depth.shape, generator=generator) < 0.8
        sample = Sample(
            image=torch.zeros(batch, 3, *options.size, dtype=torch.uint8), depth=torch.where(valid, depth, 0.0),
            valid=valid, depth_range=RANGE, sample_id=tuple("abc"[:batch]), index=tuple(range(batch)),
            cluster=("",) * batch, slice=("",) * batch,
        ).to(device)  # fmt: skip
        prediction = Prediction(values=(depth**0.9).to(device), space=OutputSpace.METRIC_DEPTH, input_size=(1, 1))
        for case in CASES:
            protocol = EvalProtocol(
                name=case.name, version=1, alignment=case.alignment, clip="depth_range", metrics=list(METRICS)
            )
            forms = {form: make({case.name: protocol}) for form, make in SCORING.items()}
            times = {form: 1e3 * repeated(scored, prediction, sample, device) for form, scored in forms.items()}
            rows.append({"protocol": case.name, "batch": batch, "milliseconds": times})
            print(f"{case.name:28}{batch:>6}" + "".join(f"{value:16.2f}" for value in times.values()), flush=True)
    return rows


SCORING: Mapping[str, Callable[[dict[str, EvalProtocol]], Callable[..., object]]] = {
    "kernel by kernel": lambda protocols: partial(score, protocols),
    "as a graph": replayed_scoring,
}


@torch.inference_mode()
def repeated(scored: Callable[..., object], prediction: Prediction, sample: Sample, device: torch.device) -> float:
    """Return seconds of a call, as a mean over twenty that nothing waits between."""
    for _ in range(4):  # the third records
        scored(prediction, sample)

    def twenty() -> None:
        for _ in range(20):
            scored(prediction, sample)

    return best_seconds(twenty, 2, device) / 20


def arithmetic(spec: str, options: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """Time the network alone in every arithmetic, milliseconds an image."""
    rows: list[dict[str, Any]] = []
    for precisions, own in ((FULL if device.type == "cuda" else FULL[:1], []), (HALF, ["precision=bfloat16"])):
        with tempfile.TemporaryDirectory() as place:
            model = load_model([*words_of(spec, small=options.small), *own], device, Path(place))
        images = torch.randint(0, 256, (8, 3, *options.size), dtype=torch.uint8, device=device)
        floors = {batch: Floor(model, images[:batch], 3 if options.small else 10) for batch in (1, 8)}
        for precision in precisions:
            make_repeatable(precision.partition(",")[0], device)
            with contextlib.nullcontext() if precision.endswith("graphs") else kernel_by_kernel():
                times = {batch: 1e3 * min(floor() for _ in range(3)) for batch, floor in floors.items()}
            rows.append({"model": spec, "precision": precision, "milliseconds": times})
            print(f"{spec:28}{precision:20}" + "".join(f"{value:10.2f}" for value in times.values()), flush=True)
        make_repeatable("float32", device)
        del model, floors
        free(device)
    return rows


def full_speed(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Time a run of many pictures in bfloat16 and its parts alone, pictures a second, and say which is its limit."""
    spec, batch = AT_FULL_SPEED
    count = 4 * batch if options.small else PICTURES
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = [*words_of(spec, small=options.small), "precision=bfloat16"]
        data = write_pictures(folder, count, options.size)
        model = load_model(words, device, folder / "outputs")
        around = [*words, *data, "protocol=[affine_disparity]", f"num_workers={options.workers}"]
        around += [f"trainer={options.trainer}", f"batch_size={batch}", "force=true"]
        floor = Floor(model, read_images(sorted((folder / "rgb").iterdir())[:batch], device), 4)
        floor()
        network = 1 / min(floor() for _ in range(2))
        whole = max(run(around, folder / "outputs", model).manifest.images_per_second for _ in range(2))
        loader = count / loading(around, folder, options.workers)
    parts = {"network alone": network, "loader alone": loader}
    found = {"model": spec, "batch": batch, "pictures": count, "workers": options.workers, "run": whole, **parts}
    limit = min(parts, key=lambda part: parts[part])
    if whole < 0.85 * parts[limit]:
        limit = "neither: what lies around them"
    rates = "".join(f"{found[name]:16.1f}" for name in ("network alone", "loader alone", "run"))
    print(f"{spec:28}{batch:>6}{rates}   limit: {limit}", flush=True)
    return {**found, "limit": limit}


def loading(words: Sequence[str], folder: Path, workers: int) -> float:
    """Return the seconds in which the loader reads and decodes all pictures while nobody else wants anything."""
    datamodule = datamodule_of(words, folder / "outputs")
    loader: DataLoader[Any] = datamodule.predict_dataloader()
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start


def free(device: torch.device) -> None:
    """Give memory back before the next model comes."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def main() -> int:
    """Time everything and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="MODEL")
    parser.add_argument("--small", action="store_true", help="tiny networks and pictures: shows that it works")
    options = parser.parse_args()
    device = require_device(options.device)
    options.trainer = "gpu" if device.type == "cuda" else "cpu"
    options.size = (48, 64) if options.small else (480, 640)
    start = time.perf_counter()
    about = {"machine": machine(device), "small": options.small}
    print(f"{about['machine']['device']}, torch {torch.__version__}, random weights, seconds an image", flush=True)
    print(
        f"{'':28}{'batch':>6}" + "".join(f"{head:>9}" for head in ("floor", "loop", "library", "ratio", "gain", "GiB"))
    )
    rows = []
    for spec in options.models:
        rows += loops(spec, ROWS[spec], options, device)
        free(device)
    print(f"\n{'scoring, ms a batch':34}" + "".join(f"{form:>16}" for form in SCORING), flush=True)
    scored = scoring(options, device)
    print(f"\n{'network alone, ms an image':48}{'batch 1':>10}{'batch 8':>10}", flush=True)
    arithmetics = [
        row for spec in IN_EVERY_ARITHMETIC if spec in options.models for row in arithmetic(spec, options, device)
    ]
    print(f"\n{'bfloat16, pictures a second':34}{'network alone':>16}{'loader alone':>16}{'run':>16}", flush=True)
    speed = full_speed(options, device)
    synchronise(device)
    seconds = time.perf_counter() - start
    print(f"\nall of it took {seconds:.0f} s", flush=True)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        found = {**about, "loops": rows, "scoring": scored, "arithmetic": arithmetics, "full_speed": speed}
        options.output.write_text(json.dumps({**found, "seconds": seconds}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
