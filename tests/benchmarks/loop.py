"""Time the whole of an evaluation against its floor, the forward pass alone, and against the plain library's loop.

    python -m tests.benchmarks.loop [--output loop.json] [--device cuda] [--small] [--size 480 640] [MODEL ...]

MODEL is as in `models`; weights are random and of the true size. In one process, with one network, per image:

    floor     the network's own calls for a batch again, on the tensors that they were made on
    loop      src.eval from picture files to records, for every --batch
    library   transformers' pipeline over the files and numpy scoring, one image at a time; of Marigold its authors' two
              passes: predictions to .npy files, which a second pass reads and scores

They take turns, so that a machine whose speed drifts is as fast for one as for another; the table has the best turn of
each, the JSON all of them. "ratio" is loop over floor: the price of everything around the network. On a GPU its inverse
is the share of the time in which the GPU computes the network ("busy"). "forward" is the same share as a profile of the
loop itself has it, start-up left out: on the CPU of the runs that are timed, on a GPU of one more.
"""

# ruff: noqa: T201

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from src.engine.process.clock import synchronise
from src.records.schema import PROFILE_FILE, RunManifest
from tests.benchmarks.running import (
    DEPTH_SCALE,
    FAMILIES,
    interleaved,
    library_loop,
    load_model,
    machine,
    read_images,
    require_device,
    run,
    words_of,
    write_pictures,
)
from tests.benchmarks.scoring import CASES, numpy_form

CPU_MODELS = ("depth_anything_v2_small",)
SIZES = ((480, 640), (352, 1216))
BATCHES = {"cpu": (1,), "cuda": (1, 8)}
PROTOCOL = {"affine_disparity": "affine_disparity", "affine_depth": "affine_depth", "metric_depth": "metric"}


class Floor:
    """The network's calls for a batch, without what lies before, between and behind them."""

    @torch.inference_mode()
    def __init__(self, model: Any, images: torch.Tensor, times: int) -> None:
        self._calls: list[Callable[[], object]] = []
        self._model, self._device = model, images.device
        self._images, self._times = len(images), times

        def note(module: Any, arguments: Any, keywords: Any) -> None:
            self._calls.append(lambda: module(*arguments, **keywords))

        hooks = [module.register_forward_pre_hook(note, with_kwargs=True) for module in model.entry_points]
        model.infer(images, tuple(str(number) for number in range(len(images))))
        for hook in hooks:
            hook.remove()

    @torch.inference_mode()
    def __call__(self) -> float:
        """Return its seconds per image."""
        self._model.to(self._device)  # a run brings its model back to the processor
        synchronise(self._device)
        start = time.perf_counter()
        for _ in range(self._times):
            for call in self._calls:
                call()
        synchronise(self._device)
        return (time.perf_counter() - start) / (self._images * self._times)


class Loop:
    """src.eval with batches of one size.

    Attributes:
        manifests: of its runs.
        forward: the forward pass's share of those that were profiled, start-up left out.
    """

    def __init__(self, model: Any, words: Sequence[str], outputs: Path) -> None:
        self.manifests: list[RunManifest] = []
        self.forward: list[float] = []
        self._model, self._words, self._outputs = model, words, outputs

    def __call__(self, *, profile: bool) -> float:
        """Run it and return its seconds per image."""
        cell = run([*self._words, "force=true", f"profile={profile}"], self._outputs, self._model)
        self.manifests.append(cell.manifest)
        if profile:
            (measured,) = json.loads((cell.folder / PROFILE_FILE).read_text(encoding="utf-8"))
            spent = {stage: row["seconds"] for stage, row in measured["stages"].items()}
            self.forward.append(spent["forward"] / (measured["seconds"] - spent["start_up"]))
        return 1 / cell.manifest.images_per_second


class Library:
    """The plain loop over files with numpy scoring."""

    def __init__(self, model: Any, folder: Path, images: int, device: torch.device, protocol: str) -> None:
        self._case = next(case for case in CASES if case.name == protocol)
        self._predict = library_loop(model, device)
        self._model, self._folder, self._device = model, folder, device
        self._in_two_passes = hasattr(model, "unet")
        self._paths = sorted((folder / "rgb").iterdir())[:images]
        self._first(0, self._paths[0])  # pays for start-up

    def _score(self, path: Path, prediction: np.ndarray) -> None:
        stored = np.asarray(Image.open(self._folder / "depth" / path.name))
        depth = stored.astype(np.float32)[None, None] * np.float32(DEPTH_SCALE)
        numpy_form(self._case, prediction[None, None], depth, depth > 0)

    def _first(self, number: int, path: Path) -> None:
        prediction = self._predict(Image.open(path).convert("RGB"), number)
        if self._in_two_passes:
            np.save(self._folder / f"{path.stem}.npy", prediction)
        else:
            self._score(path, prediction)

    def __call__(self) -> float:
        """Return its seconds per image."""
        self._model.to(self._device)
        start = time.perf_counter()
        for number, path in enumerate(self._paths):
            self._first(number, path)
        if self._in_two_passes:
            for path in self._paths:
                self._score(path, np.load(self._folder / f"{path.stem}.npy"))
        return (time.perf_counter() - start) / len(self._paths)


def measure(
    spec: str, size: tuple[int, int], options: argparse.Namespace, device: torch.device
) -> list[dict[str, Any]]:
    """Time one model at one size; a row for every batch."""
    is_cuda = device.type == "cuda"
    batches = options.batch or BATCHES[device.type]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = words_of(spec, small=options.small)
        data = write_pictures(folder, max(batches) * options.batches, size)
        model = load_model(words, device, folder / "outputs")
        protocol = PROTOCOL[str(model.space)]  # one, as the library's form has
        around = [*words, *data, f"protocol=[{protocol}]", f"num_workers={options.workers}"]
        around.append("trainer=gpu" if is_cuda else "trainer=cpu")
        paths = sorted((folder / "rgb").iterdir())
        counted = options.batches - 1  # the first batch of a run is not
        forms: dict[str, Callable[[], float]] = {}
        loops = {}
        for batch in batches:
            limit = f"limit={batch * options.batches}"
            loops[batch] = Loop(model, [*around, f"batch_size={batch}", limit], folder / "outputs")
            forms[f"loop_{batch}"] = partial(loops[batch], profile=not is_cuda)
            forms[f"floor_{batch}"] = Floor(model, read_images(paths[:batch], device), counted)
        forms["library"] = Library(model, folder, counted, device, protocol)
        raw = interleaved(forms, options.repeats)
        if is_cuda:
            for timed in loops.values():
                timed(profile=True)
    rows = []
    for batch, timed in loops.items():
        own = {form: raw[key] for form, key in (("loop", f"loop_{batch}"), ("floor", f"floor_{batch}"))}
        row = {"model": spec, "weights": "random", "size": size, "batch": batch, **summary(own, raw["library"], timed)}
        rows.append({**row, "gpu_busy": 1 / row["ratio"] if is_cuda else None})
        print_row(rows[-1])
    return rows


def summary(own: dict[str, list[float]], library: list[float], timed: Loop) -> dict[str, Any]:
    """Return the best turn of every form, what follows from it, and all turns."""
    loop, floor, plain = min(own["loop"]), min(own["floor"]), min(library)
    first = timed.manifests[0]
    return {
        "floor": floor, "loop": loop, "library": plain, "ratio": loop / floor, "gain": plain / loop,
        "forward_share": statistics.median(timed.forward), "images_per_second": 1 / loop,
        # what the forms before have left in the process can only add to it
        "peak_memory": min(manifest.peak_memory for manifest in timed.manifests),
        "latency_median": first.latency_median, "parameters": first.parameters, "flops": first.flops,
        "turns": {**own, "library": library, "forward_share": timed.forward},
    }  # fmt: skip


HEADS = ("floor", "loop", "ratio", "forward", "busy", "library", "gain", "images/s", "GiB")


def print_row(row: dict[str, Any]) -> None:
    """Print a line of the table."""
    busy = "–" if row["gpu_busy"] is None else f"{row['gpu_busy']:.1%}"
    cells = (
        *(f"{row['floor']:.3f}", f"{row['loop']:.3f}", f"{row['ratio']:.3f}", f"{row['forward_share']:.1%}", busy),
        *(f"{row['library']:.3f}", f"{row['gain']:.2f}x", f"{row['images_per_second']:.2f}"),
        f"{row['peak_memory'] / 2**30:.2f}",
    )
    size = f"{row['size'][0]}x{row['size'][1]}"
    print(f"{row['model']:34}{size:>9}{row['batch']:>6}" + "".join(f"{cell:>9}" for cell in cells), flush=True)


def main() -> int:
    """Time every model at every size and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--every", action="store_true", help="every family in place of MODEL, as on a GPU")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of pictures, in place of both sizes")
    parser.add_argument("--batch", type=int, nargs="+", help="sizes of batches; 1, and on a GPU 8")
    parser.add_argument("--batches", type=int, default=3, help="of a run, at least 2: the first is left out")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="tiny networks and pictures: shows that it works")
    options = parser.parse_args()
    if options.batches < 2:
        parser.error(f"--batches: expected at least 2, of which the first is left out, got {options.batches}")
    device = require_device(options.device)
    models = options.models or (FAMILIES if options.every or options.device == "cuda" else CPU_MODELS)
    heads = "".join(f"{head:>9}" for head in HEADS)
    print(f"{'random weights, seconds per image':34}{'size':>9}{'batch':>6}{heads}", flush=True)
    sizes = ((48, 64),) if options.small else (tuple(options.size),) if options.size else SIZES
    rows = [row for spec in models for size in sizes for row in measure(spec, size, options, device)]
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        about = {"machine": machine(device), "small": options.small, "repeats": options.repeats}
        options.output.write_text(json.dumps({**about, "results": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
