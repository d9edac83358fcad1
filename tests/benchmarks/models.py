"""Time models here and in the plain library, one image at a time, with the same network in one process.

    python -m tests.benchmarks.models [--output models.json] [--device cuda] [--small] [--repeats 2] [MODEL ...]

MODEL is `name` or `name,key=value,...`, as in `marigold,resolution=256,model.steps=1`. Weights are random, of the true
size. The library's way is transformers' depth-estimation pipeline, or diffusers' MarigoldDepthPipeline; both get
pictures that are decoded already and give predictions of their size. They resample in their own way, so the digits
differ. The table shows the best seconds per image: the library, here one by one, here in a batch.
"""

# ruff: noqa: T201

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from tests.benchmarks.running import (
    FAMILIES,
    best_seconds,
    library_loop,
    load_model,
    machine,
    read_images,
    require_device,
    words_of,
    write_pictures,
)

CPU_MODELS = ("depth_anything_v2_small", "marigold,resolution=256,model.steps=1")


def measure(spec: str, folder: Path, options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Time one model in its three ways."""
    model = load_model(words_of(spec, small=options.small), device, folder / "outputs")
    paths = sorted((folder / "rgb").iterdir())
    pictures = [Image.open(path).convert("RGB") for path in paths]
    batch = read_images(paths, torch.device("cpu"))
    names = tuple(path.stem for path in paths)
    predict = library_loop(model, device)

    @torch.inference_mode()
    def here(together: int) -> None:
        for start in range(0, len(names), together):
            part = slice(start, start + together)
            model.infer(batch[part].to(device), names[part]).cpu()

    def library() -> None:
        for number, picture in enumerate(pictures):
            predict(picture, number)

    ways = {"library": library, "here_single": lambda: here(1), "here_batch": lambda: here(len(names))}
    seconds = {way: best_seconds(run, options.repeats, device) / len(names) for way, run in ways.items()}
    text = f"{seconds['library']:10.3f}{seconds['here_single']:10.3f}{seconds['here_batch']:10.3f}"
    print(f"{spec:44}{text}{seconds['library'] / seconds['here_batch']:9.2f}x", flush=True)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    return {"model": spec, "weights": "random", "images": len(names), "peak_cuda_bytes": peak, **seconds}


def main() -> int:
    """Time every model and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("H", "W"))
    parser.add_argument("--images", type=int, default=2, help="in a batch")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="tiny networks and pictures: shows that it works")
    options = parser.parse_args()
    device = require_device(options.device)
    models = options.models or (FAMILIES if options.device == "cuda" else CPU_MODELS)
    size = (48, 64) if options.small else tuple(options.size)
    print(f"{'random weights, seconds per image':44}{'library':>10}{'single':>10}{'batch':>10}{'gain':>10}")
    rows = []
    with tempfile.TemporaryDirectory() as place:
        write_pictures(Path(place), options.images, size)
        for spec in models:
            rows.append(measure(spec, Path(place), options, device))
            if device.type == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        about = {"machine": machine(device), "size": size, "small": options.small, "repeats": options.repeats}
        options.output.write_text(json.dumps({**about, "results": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
