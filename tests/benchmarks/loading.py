"""Time the data loader: folder, .tar and .zip, with and without workers, decoding and from the decoded cache.

    python tests/benchmarks/loading.py [--output loading.json] [--images 40] [--repeats 2]

The images are of KITTI's size and layout (val_selection_cropped: 352 x 1216, 16-bit depth), filled with smooth noise.
The table shows images per second of the best pass; the digits of all passes must agree. The cache is cold in the pass
that fills it and warm after; files are in the system's page cache throughout, so that decoding is what is timed.
"""

# ruff: noqa: T201

import argparse
import json
import platform
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from src.data.serving.module import DepthDataModule
from src.data.sets.kitti_selection import KITTISelection

SIZE = (352, 1216)
DRIVE = "2011_09_26_drive_0002_sync"


def write_set(folder: Path, images: int) -> None:
    """Write so many look-alike files in the official layout."""
    for name in ("image", "groundtruth_depth", "intrinsics"):
        (folder / name).mkdir(parents=True)
    for k in range(images):
        rng = np.random.default_rng(k)
        coarse = rng.integers(0, 256, (SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8)
        name = f"{DRIVE}_image_{k:010d}_image_02"
        Image.fromarray(coarse).resize(SIZE[::-1], Image.Resampling.BICUBIC).save(folder / "image" / f"{name}.png")
        depth = np.where(rng.random(SIZE) < 0.2, rng.integers(500, 20000, SIZE), 0).astype(np.uint16)
        depth_name = f"{DRIVE}_groundtruth_depth_{k:010d}_image_02.png"
        Image.fromarray(depth).save(folder / "groundtruth_depth" / depth_name)
        (folder / "intrinsics" / f"{name}.txt").write_text("721.5 0 596.5 0 721.5 149.8 0 0 1")


def pack(folder: Path) -> None:
    """Write the same files as .tar and .zip beside the folder."""
    with tarfile.open(f"{folder}.tar", "w") as archive:
        archive.add(folder, arcname=".")
    with zipfile.ZipFile(f"{folder}.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))


def one_pass(root: Path, images: int, workers: int, cache: Path | None) -> tuple[float, float]:
    """Load everything once; return images per second, and the sum of all depths to compare."""
    data = DepthDataModule(
        dataset=KITTISelection(root=root, count=images, depth_range=(1e-3, 80.0)),
        batch_size=4,
        num_workers=workers,
        prefetch=2,
        limit=None,
        on_error="raise",
        cache=cache,
    )
    start, total, seen = time.perf_counter(), 0.0, 0
    for batch in data.predict_dataloader():
        for sample in batch:
            seen += len(sample)
            total += float(sample.depth.double().sum())
    assert seen == images
    return images / (time.perf_counter() - start), total


def main() -> None:
    """Run all passes and print the table."""
    parser = argparse.ArgumentParser(description="Time the data loader.")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=2)
    words = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "set"
        write_set(folder, words.images)
        pack(folder)
        totals = set()
        for form in ("folder", "tar", "zip"):
            root = folder if form == "folder" else Path(f"{folder}.{form}")
            for workers in (0, 1, 2):
                for cached in (False, True):
                    cache = Path(temporary) / f"cache {form} {workers}" if cached else None
                    passes = [one_pass(root, words.images, workers, cache) for _ in range(words.repeats + cached)]
                    totals |= {total for _, total in passes}
                    speeds = [speed for speed, _ in passes]
                    row: dict[str, Any] = {"form": form, "workers": workers, "cached": cached}
                    row |= {"cold": speeds[0], "speeds": speeds[1:]} if cached else {"speeds": speeds}
                    results.append(row)
                    text = f"{max(row['speeds']):8.1f} images/s"
                    print(f"{form:7} {workers} workers {'cache' if cached else 'decode':7} {text}", flush=True)
        assert len(totals) == 1, "the passes differ"
    if words.output:
        words.output.parent.mkdir(parents=True, exist_ok=True)
        machine = {"machine": platform.processor() or platform.machine(), "images": words.images, "size": SIZE}
        words.output.write_text(json.dumps({**machine, "results": results}, indent=1))


if __name__ == "__main__":
    main()
