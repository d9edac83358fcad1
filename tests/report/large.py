"""A large result folder as a benchmark has it, written by the product's own writer: 20 models, 5 data sets, 400 cells.

By hand: python -m tests.report.large folder [cells]
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from src.records.robustness import FAMILIES, SEVERITIES
from src.records.schema import SampleRecord

from .conftest import write_cell

CARDS: Final = Path(__file__).parents[2] / "conf" / "card"
MODELS: Final = (
    *("midas", "midas_v21", "midas_v21_small", "dpt_large", "dpt_hybrid", "dpt_swin2_tiny_256", "dpt_levit_224"),
    *("dpt_next_vit_large_384", "zoedepth", "zoedepth_n", "zoedepth_k", "depth_pro", "marigold", "marigold_lcm"),
    *("depth_anything_v2_small", "depth_anything_v2_base", "depth_anything_v2_large"),
    *("depth_anything_v1_large", "depth_anything_v2_metric_outdoor_large", "depth_anything_v2_metric_indoor_small"),
)
DATA: Final = {
    "nyu": ("nyu", 10.0, 24),
    "kitti": ("kitti", 80.0, 30),
    "eth3d": ("eth3d", 72.0, 20),
    "diode": ("diode", 50.0, 26),
    "sintel": ("sintel", 72.0, 22),
}
"""Name -> family, farthest metres, images."""
RESOLUTIONS: Final = ("default", "384", "768")
EDGES: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)


def write_large(folder: Path, *, models: int = 20, data: int = 5, corrupted: int = 100, panels: int = 3) -> int:
    """Write finished cells; return how many.

    Args:
        folder: to write below.
        models: how many, each on every data set under three resolutions and two protocols.
        data: how many data sets.
        corrupted: cells of corrupted images besides: five severities of as many corruptions and models as it takes.
        panels: images of which each cell of the first resolution keeps pictures.
    """
    count = 0
    for place, model in enumerate(MODELS[:models]):
        for name, (family, far, images) in list(DATA.items())[:data]:
            for resolution in RESOLUTIONS:
                _cell(folder, place, model, (name, family, far, images), resolution, panels)
                count += 1
    corruptions = [one for family in FAMILIES.values() for one in family]
    for k in range(corrupted // 5):
        place, corruption = k % 4, corruptions[k // 4]
        name, (family, far, images) = next(iter(DATA.items()))
        for severity in SEVERITIES:
            worse = {"corruption": corruption, "severity": severity}
            _cell(folder, place, MODELS[place], (name, family, far, images), "default", 0, **worse)
            count += 1
    return count


def _cell(
    folder: Path, place: int, model: str, data: tuple[str, str, float, int], resolution: str, panels: int, **more: Any
) -> None:
    name, family, far, images = data
    card_file = CARDS / f"{model}.yaml"
    card = yaml.safe_load(card_file.read_text(encoding="utf-8")) if card_file.is_file() else {}
    own = np.random.default_rng([place, len(name), int(far)])
    scale = {"default": 1.0, "384": 1.06, "768": 0.97}[resolution]
    quality = 0.05 * (1 + 0.06 * place) * scale * float(own.lognormal(sigma=0.1)) * (1 + 0.12 * more.get("severity", 0))
    word = "-".join(map(str, (model, name, resolution, *more.values())))
    write_cell(
        folder / word,
        model=model,
        data=name,
        resolution=resolution,
        images=images,
        quality=quality,
        prefix=f"{name}/scene_",
        cluster=lambda k: f"{name}-{k % 9}",
        place=lambda k: ("indoor", "outdoor", "night")[k % 3],
        statuses={3: "failed"} if (model, name, resolution) == ("midas_v21", "eth3d", "default") else {1: "skipped"},
        panels=panels if resolution == "default" else 0,
        size=(120, 160),
        change=_with_depth,
        depth_edges=list(EDGES),
        data_family=family,
        card=card,
        parameters=round(1e6 * float(card.get("parameters_m") or 24)),
        images_per_second=round(60 / (1 + place) / scale**6, 2),
        latency_median=round(0.02 * (1 + place) * scale**6, 4),
        latency_p95=round(0.025 * (1 + place) * scale**6, 4),
        batch_size=4,
        peak_memory=2**30 + place * 2**27,
        flops=int(1e10 * (1 + place)),
        device="NVIDIA H100 80GB HBM3",
        weights=f"somebody/{model}",
        random_weights=place == 17,
        limited=place == 18 and name == "nyu",
        config={
            "model": {"_target_": f"src.model.families.{model}.Model", "seed": 0},
            "data": {"depth_range": [0.001, far], "crop": "eigen" if name == "kitti" else None},
            "seed": 0,
            "limit": None,
        },
        **more,
    )


def _with_depth(record: SampleRecord) -> SampleRecord:
    """Add errors in five bins of depth; none of an image that was not scored."""
    bins = range(len(EDGES) - 1)
    error = record.errors["abs_rel"]
    found = tuple(None if error is None else error * (0.7 + 0.15 * k) for k in bins)
    return dataclasses.replace(record, depth_pixels=tuple(600 * (error is not None) for _ in bins), depth_abs_rel=found)


if __name__ == "__main__":
    print(write_large(Path(sys.argv[1])))  # noqa: T201
