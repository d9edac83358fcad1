"""Time the whole of an evaluation against its floor, the forward pass alone, and against the plain library's loop.

    python -m tests.benchmarks.loop [--output loop.json] [--device cuda] [--small] [--size 480 640] [MODEL ...]

MODEL is as in `models`; weights are random and of the true size. In one process, per image:

    floor     the network's own calls of a batch again, on the tensors that they were made on
    here      src.eval from picture files to records, in batches
    single    the same, one image at a time
    library   transformers' pipeline over the files and numpy scoring; of Marigold its authors' two passes: predictions
              to .npy files, which a second pass reads and scores

"ratio" is here over floor: what everything around the network costs. On a GPU its inverse is the share of the time in
which the GPU computes the network. Every figure is the best of so many repeats.
"""

# ruff: noqa: T201

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from src.data.decode import read_rgb
from tests.benchmarks.running import (
    DEPTH_SCALE,
    best_seconds,
    library_loop,
    load_model,
    machine,
    require_device,
    run,
    words_of,
    write_pictures,
)
from tests.benchmarks.scoring import CASES, numpy_form

CPU_MODELS = ("depth_anything_v2_small",)
CUDA_MODELS = (
    *("depth_anything_v2_small", "depth_anything_v2_large", "midas", "zoedepth_nk"),
    *("marigold,model.steps=1", "marigold,model.steps=4"),
)
SIZES = ((480, 640), (352, 1216))
PROTOCOL = {"affine_disparity": "affine_disparity", "affine_depth": "affine_depth", "metric_depth": "metric"}


@torch.inference_mode()
def floor(model: Any, images: torch.Tensor, device: torch.device, repeats: int) -> float:
    """Return the seconds of the network's calls for a batch, without what lies before, between and behind them."""
    calls: list[Callable[[], object]] = []

    def note(module: Any, arguments: Any, keywords: Any) -> None:
        calls.append(lambda: module(*arguments, **keywords))

    hooks = [module.register_forward_pre_hook(note, with_kwargs=True) for module in model.entry_points]
    model.infer(images, tuple(str(number) for number in range(len(images))))
    for hook in hooks:
        hook.remove()
    return best_seconds(lambda: [call() for call in calls], repeats, device)


def here(words: list[str], options: argparse.Namespace, outputs: Path, batch: int) -> dict[str, Any]:
    """Run src.eval and return what its manifest says."""
    around = [f"batch_size={batch}", f"num_workers={options.workers}", "force=true"]
    around.append("trainer=gpu" if options.device == "cuda" else "trainer=cpu")
    manifests = [run([*words, *around], outputs).manifest for _ in range(options.repeats)]
    best = max(manifests, key=lambda manifest: manifest.images_per_second)
    return {
        "seconds": 1 / best.images_per_second, "latency_median": best.latency_median, "latency_p95": best.latency_p95,
        "peak_memory": best.peak_memory, "parameters": best.parameters, "flops": best.flops,
    }  # fmt: skip


def library(model: Any, folder: Path, images: int, device: torch.device, protocol: str) -> float:
    """Return the seconds per image of the plain loop over files; its first image is left out."""
    case = next(case for case in CASES if case.name == protocol)
    predict = library_loop(model, device)
    in_two_passes = hasattr(model, "unet")
    paths = sorted((folder / "rgb").iterdir())[:images]

    def score(path: Path, prediction: np.ndarray) -> np.ndarray:
        stored = np.asarray(Image.open(folder / "depth" / path.name))
        depth = stored.astype(np.float32)[None, None] * np.float32(DEPTH_SCALE)
        return numpy_form(case, prediction[None, None], depth, depth > 0)

    def first(number: int, path: Path) -> None:
        prediction = predict(Image.open(path).convert("RGB"), number)
        if in_two_passes:
            np.save(folder / f"{path.stem}.npy", prediction)
        else:
            score(path, prediction)

    first(0, paths[0])
    start = time.perf_counter()
    for number, path in enumerate(paths[1:]):
        first(number, path)
    if in_two_passes:
        for path in paths[1:]:
            score(path, np.load(folder / f"{path.stem}.npy"))
    return (time.perf_counter() - start) / (len(paths) - 1)


def measure(spec: str, size: tuple[int, int], options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Time one model at one size in its four ways."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = words_of(spec, small=options.small)
        data = write_pictures(folder, options.batch * options.batches, size)
        batched = here([*words, *data], options, folder / "outputs", options.batch)
        limit = f"limit={options.batches + 1}"  # as many steps, and a first one that is left out
        single = here([*words, *data, limit], options, folder / "outputs", 1)
        model = load_model(words, device, folder / "outputs")
        paths = sorted((folder / "rgb").iterdir())[: options.batch]
        images = torch.stack([torch.from_numpy(read_rgb(path)).movedim(-1, 0) for path in paths]).to(device)
        lowest = floor(model, images, device, options.repeats) / options.batch
        plain = library(model, folder, options.batches + 1, device, PROTOCOL[str(model.space)])
    ratio = batched["seconds"] / lowest
    figures = "".join(f"{value:9.3f}" for value in (lowest, batched["seconds"], single["seconds"], plain))
    memory = f"{batched['peak_memory'] / 2**30:8.2f}"
    print(
        f"{spec:34}{size[0]:5}x{size[1]:<5}{figures}{ratio:8.2f}{plain / batched['seconds']:8.2f}x{memory}", flush=True
    )
    row = {"model": spec, "weights": "random", "size": size, "floor": lowest, "here": batched, "single": single}
    return {**row, "library": plain, "ratio": ratio}


def main() -> int:
    """Time every model at every size and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of pictures, in place of both sizes")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--batches", type=int, default=3, help="the first one of them is left out")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="tiny networks and pictures: shows that it works")
    options = parser.parse_args()
    device = require_device(options.device)
    models = options.models or (CUDA_MODELS if options.device == "cuda" else CPU_MODELS)
    heads = "".join(f"{head:>9}" for head in ("floor", "here", "single", "library"))
    print(f"{'random weights, seconds per image':45}{heads}{'ratio':>8}{'gain':>9}{'GiB':>8}", flush=True)
    sizes = ((48, 64),) if options.small else (tuple(options.size),) if options.size else SIZES
    rows = [measure(spec, size, options, device) for spec in models for size in sizes]
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        about = {"machine": machine(device), "small": options.small, "batch": options.batch, "repeats": options.repeats}
        options.output.write_text(json.dumps({**about, "results": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
