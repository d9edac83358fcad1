"""Time and memory of an evaluation against the number of its images, with a model that costs nothing.

    python -m tests.benchmarks.linear [--output linear.json] [--images 100 1000 10000] [--processes 1 2]

Every run is a process of its own. The images are one pair of files of 24 x 32 pixels under many names, so that what
grows is what a run does and keeps per image.
Seconds are those of the prediction loop and of the whole process, memory is the most that the first process held. With
two processes (trainer=ddp_cpu) the images are shared.
"""

# ruff: noqa: T201

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
WORDS = (
    *("model=ramp", "data=folder", "data.depth_scale=0.001", "data.depth_range=[0.1,80.0]"),
    *("protocol=[affine_disparity]", "batch_size=8", "panels=0", "num_workers=0"),
    "trainer.enable_progress_bar=false",
)


def write_pictures(folder: Path, count: int) -> None:
    """Write one picture and its depth, and link them under as many names as there are to be images."""
    rng = np.random.default_rng(0)
    content = {
        "rgb": rng.integers(0, 256, (24, 32, 3), np.uint8),
        "depth": rng.integers(500, 20000, (24, 32)).astype(np.uint16),
    }
    for name, values in content.items():
        (folder / name).mkdir()
        first = folder / f"{name}.png"
        Image.fromarray(values).save(first)
        for number in range(count):
            (folder / name / f"{number:06}.png").hardlink_to(first)


def measure(images: int, processes: int, outputs: Path) -> dict[str, Any]:
    """Run one cell."""
    trainer = "trainer=cpu" if processes == 1 else "trainer=ddp_cpu"
    write_pictures(outputs, images)
    data = (f"data.images={outputs / 'rgb'}", f"data.depth={outputs / 'depth'}")
    words = (*WORDS, *data, trainer, f"paths.output_dir={outputs / 'outputs'}")
    if processes > 1:
        words = (*words, f"trainer.devices={processes}")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    start = time.perf_counter()
    subprocess.run(
        (sys.executable, "-m", "src.eval", *words),
        check=True, stdout=subprocess.DEVNULL, cwd=outputs, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    whole = time.perf_counter() - start
    (file,) = outputs.rglob("manifest.json")
    manifest = json.loads(file.read_text(encoding="utf-8"))
    row = {
        "images": images, "processes": processes, "whole_seconds": whole,
        "loop_ms_per_image": 1000 / manifest["images_per_second"], "peak_memory_mb": manifest["peak_memory"] / 2**20,
    }  # fmt: skip
    print(
        f"{images:9}{processes:11}{whole:10.1f} s{row['loop_ms_per_image']:10.2f} ms{row['peak_memory_mb']:10.0f} MB",
        flush=True,
    )
    return row


def main() -> int:
    """Run every size and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=(100, 1000, 10_000))
    parser.add_argument("--processes", type=int, nargs="+", default=(1, 2))
    options = parser.parse_args()
    print(f"{'images':>9}{'processes':>11}{'whole':>12}{'an image':>13}{'memory':>13}")
    rows = []
    for processes in options.processes:
        for images in options.images:
            with tempfile.TemporaryDirectory() as outputs:
                rows.append(measure(images, processes, Path(outputs)))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
