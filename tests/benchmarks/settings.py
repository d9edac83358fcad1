"""Time what trades digits, memory or start-up for speed, each setting in turn with the default, and say what it costs.

    python -m tests.benchmarks.settings [--output settings.json] [--device cuda] [--small] [--settings WORDS ...]
        [MODEL ...]

MODEL is as in `models`; WORDS are those of the command line, several of them joined by a comma, as in
`attention=flash,precision=bfloat16`. Timed is prediction alone, of pictures that are on the device already, one at a
time unless `batch_size` says otherwise. Default and setting take turns, so "gain" is a ratio of two times that were
measured in the same minutes; "largest" and "median" are differences of pixels from the default's prediction of the same
pictures, as a part of its range. Weights are random and of the true size: times are those of trained ones, differences
only hint at theirs. What a model or machine cannot do is listed with the reason.
On a processor half precision and compile are tried only if --settings names them: both can take many minutes.
"""

# ruff: noqa: T201

import argparse
import dataclasses
import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from src.core.errors import LeadlineError
from src.engine.process.clock import synchronise
from src.engine.process.environment import make_repeatable
from src.records.writer import finite
from tests.benchmarks.running import (
    NETWORKS,
    interleaved,
    load_model,
    machine,
    read_images,
    require_device,
    words_of,
    write_pictures,
)

CPU_MODELS = ("depth_anything_v2_small",)
CUDA_MODELS = (*NETWORKS, "marigold,model.steps=1")
HALF = ("precision=bfloat16", "precision=float16")
KERNELS = ("precision=tf32", "attention=eager", "attention=sdpa", "channels_last=true")
RUNTIMES = ("runtime=onnxruntime", "runtime=openvino")
TOGETHER = ("batch_size=2", "batch_size=4")
CUDA_ONLY = ("attention=flash,precision=bfloat16", "compile=true")
MARIGOLD_HALF = ("model.dtype=bfloat16", "model.dtype=float16")
MEMBERS = "model.ensemble=4,model.ensembling=closed_form"  # in one batch
MARIGOLD_CUDA = (MEMBERS, f"{MEMBERS},model.vae_slicing=true")
HEADS = ("default", "with it", "gain", "largest", "median", "GiB")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A model and how it is called."""

    model: Any
    images: torch.Tensor
    batch: int = 1
    precision: str = "float32"

    @torch.inference_mode()
    def predict(self) -> torch.Tensor:
        """Return the predictions of all images, on their device."""
        make_repeatable(self.precision, self.images.device)
        names = [str(number) for number in range(len(self.images))]
        parts = [slice(start, start + self.batch) for start in range(0, len(names), self.batch)]
        return torch.cat([self.model.infer(self.images[part], tuple(names[part])) for part in parts])

    def seconds(self) -> float:
        """Return the seconds per image."""
        synchronise(self.images.device)
        start = time.perf_counter()
        self.predict()
        synchronise(self.images.device)
        return (time.perf_counter() - start) / len(self.images)

    def peak(self) -> int | None:
        """Return the most bytes on a GPU that its weights and a prediction hold; another model may be there too."""
        device = self.images.device
        if device.type != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        self.predict()
        weights = sum(tensor.numel() * tensor.element_size() for tensor in self.model.state_dict().values())
        return torch.cuda.max_memory_allocated(device) - before + weights


def settings_for(model: Any, device: torch.device) -> tuple[str, ...]:
    """Return what there is to try; of a processor, many of which emulate half precision, only what takes minutes."""
    if device.type != "cuda":
        return (*KERNELS, *RUNTIMES, *TOGETHER)
    half, more = (MARIGOLD_HALF, MARIGOLD_CUDA) if hasattr(model, "unet") else (HALF, ())
    return (*half, *KERNELS, *TOGETHER, *CUDA_ONLY, *more)


def with_setting(default: Way, words: Sequence[str], setting: str, outputs: Path) -> Way:
    """Return the default's way with a setting; its model is another one only if the setting concerns it.

    Raises:
        LeadlineError, RuntimeError: if it cannot be had.
    """
    asked = dict(word.split("=", 1) for word in setting.split(","))
    batch, precision = int(asked.pop("batch_size", "1")), asked.get("precision", "float32")
    device = default.images.device
    make_repeatable(precision, device)  # refuses before weights are made
    own = [f"{key}={value}" for key, value in asked.items()]
    model = load_model([*words, *own], device, outputs) if own else default.model
    return Way(model=model, images=default.images, batch=batch, precision=precision)


def differences(values: torch.Tensor, reference: torch.Tensor) -> tuple[float | None, float | None]:
    """Return the largest and the median difference of (b, 1, h, w) as parts of the reference's range in each image.

    None where a value is not finite, as after an overflow of half precision.
    """
    low, high = torch.aminmax(reference.flatten(1), dim=1)
    parts = (values - reference).abs().flatten(1) / (high - low)[:, None]
    return finite(float(parts.max())), finite(float(parts.median()))


def measure(spec: str, folder: Path, options: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """Time one model with every setting."""
    words = words_of(spec, small=options.small)
    images = read_images(sorted((folder / "rgb").iterdir()), device)
    default = Way(model=load_model(words, device, folder / "outputs"), images=images)
    reference = default.predict()
    rows: list[dict[str, Any]] = [{"model": spec, "setting": "default", "peak_bytes": default.peak()}]
    for setting in options.settings or settings_for(default.model, device):
        row: dict[str, Any] = {"model": spec, "setting": setting}
        try:
            way = with_setting(default, words, setting, folder / "outputs")
            row["largest"], row["median"] = differences(way.predict(), reference)
            turns = interleaved({"default": default.seconds, "with_it": way.seconds}, options.repeats)
            without, with_it = min(turns["default"]), min(turns["with_it"])
            row |= {"default": without, "with_it": with_it, "gain": without / with_it, "turns": turns}
            row["peak_bytes"] = way.peak()
            del way
        except (LeadlineError, RuntimeError) as error:  # torch's own kernels and compilers refuse with the latter
            row["refused"] = (str(error).strip() or type(error).__name__).splitlines()[0].partition("; ")[0]
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        rows.append(row)
        print_row(row)
    return rows


def print_row(row: dict[str, Any]) -> None:
    """Print a line of the table."""
    head = f"{row['model']:42} {row['setting']:36}"
    if "refused" in row:
        print(f"{head}  refused: {row['refused']}", flush=True)
        return
    parts = ("not finite" if row[key] is None else f"{row[key]:.1e}" for key in ("largest", "median"))
    peak = "–" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**30:.2f}"
    cells = (f"{row['default']:.3f}", f"{row['with_it']:.3f}", f"{row['gain']:.2f}x", *parts, peak)
    print(head + "".join(f"{cell:>11}" for cell in cells), flush=True)


def main() -> int:
    """Try every setting with every model and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--settings", nargs="+", metavar="WORDS", help="in place of all; name models before it")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("H", "W"))
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="tiny networks and pictures: shows that it works")
    options = parser.parse_args()
    device = require_device(options.device)
    models = options.models or (CUDA_MODELS if options.device == "cuda" else CPU_MODELS)
    size = (48, 64) if options.small else tuple(options.size)
    heads = "".join(f"{head:>11}" for head in HEADS)
    print(f"{'random weights, seconds an image':79}{heads}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        write_pictures(Path(place), options.images, size)
        rows = [row for spec in models for row in measure(spec, Path(place), options, device)]
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        about = {"machine": machine(device), "size": size, "images": options.images, "small": options.small}
        text = json.dumps({**about, "repeats": options.repeats, "results": rows}, indent=1)
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
