"""Sample: a batch of images with ground truth, all on one evaluation grid."""

import builtins
import dataclasses
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A batch of b images of one size on the evaluation grid, which is the grid of the ground truth.

    Ground truth is never resampled: predictions come to its grid, not the other way round.

    Attributes:
        image: sRGB as stored, (b, 3, h, w) uint8. Normalising and resizing is the model's business.
        depth: z-depth along the optical axis in metres (never ray length), (b, 1, h, w) float32; finite everywhere,
            0 where `valid` is False, and everywhere in ordinal sets, which carry `point_pairs` instead.
        valid: the pixels that count, (b, 1, h, w) bool: measured, inside the range and crop of the data variant. In
            ordinal sets the annotated points.
        depth_range: (nearest, farthest) in metres of the data variant; protocols that clip, clip to it.
        sample_id: unique in the split and stable across machines (relative path without suffix).
        index: position of each image in the split, used to order and de-duplicate results across processes.
        cluster: images that are alike by construction have the same one (scene, drive, scan, sequence); "" where the
            files do not tell, which makes the image one of its own. What intervals and tests draw anew.
        slice: what reports break down by (kind of place, weather, camera); "" for none. Never a unit of sampling.
        intrinsics: (b, 3, 3) float32 in pixels of this grid, OpenCV axes, pixel centres at integer + 0.5; or None.
        edges: (b, 1, h, w) bool, annotated depth discontinuities; or None.
        segments: (b, 1, h, w) int64, instance labels (objects or planes), 0 for none; or None.
        plane_normals: (b, p, 3) float32, unit normal of the plane that segment label k (from 1) marks, at row k - 1,
            OpenCV axes; rows padded with NaN; or None.
        point_pairs: (b, n, 5) int64, rows (row 1, column 1, row 2, column 2, relation) with relation +1 where point 1
            is farther, -1 where it is nearer, 0 for padding; or None.
    """

    image: UInt8[Tensor, "b 3 h w"]
    depth: Float[Tensor, "b 1 h w"]
    valid: Bool[Tensor, "b 1 h w"]
    depth_range: tuple[float, float]
    sample_id: tuple[str, ...]
    index: tuple[int, ...]
    cluster: tuple[str, ...]
    slice: tuple[str, ...]
    intrinsics: Float[Tensor, "b 3 3"] | None = None
    edges: Bool[Tensor, "b 1 h w"] | None = None
    segments: Int[Tensor, "b 1 h w"] | None = None
    plane_normals: Float[Tensor, "b p 3"] | None = None
    point_pairs: Int[Tensor, "b n 5"] | None = None

    def __len__(self) -> int:
        """Return the number of images b."""
        return len(self.sample_id)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width (h, w) of the evaluation grid in pixels."""
        return self.depth.shape[-2], self.depth.shape[-1]

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensor fields that are present, by name."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}

    def part(self, rows: builtins.slice) -> "Sample":
        """Return some of the images as a smaller batch."""
        return dataclasses.replace(
            self._map(lambda value: value[rows]),
            sample_id=self.sample_id[rows],
            index=self.index[rows],
            cluster=self.cluster[rows],
            slice=self.slice[rows],
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Sample":
        """Return the same batch with its tensors on `device`."""
        return self._map(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Sample":
        """Return the same batch in page-locked memory; called by the data loader."""
        return self._map(lambda value: value.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Sample":
        changed = {name: change(value) for name, value in self.tensors().items()}
        return dataclasses.replace(self, **changed)  # type: ignore[arg-type]


def concatenate(samples: Sequence[Sample]) -> Sample:
    """Join samples of one image size into one batch, in the order given.

    Args:
        samples: at least one; all of one size and one depth range, with the same optional fields.

    Raises:
        ValueError: if they differ in one of these.
    """
    traits = {(sample.size, sample.depth_range, tuple(sample.tensors())) for sample in samples}
    if len(traits) != 1:
        msg = f"expected samples of one size and depth range with the same fields, got {sorted(traits, key=str)}"
        raise ValueError(msg)
    joined = {name: _join([sample.tensors()[name] for sample in samples], name) for name in samples[0].tensors()}
    return dataclasses.replace(
        samples[0],
        sample_id=tuple(name for sample in samples for name in sample.sample_id),
        index=tuple(position for sample in samples for position in sample.index),
        cluster=tuple(name for sample in samples for name in sample.cluster),
        slice=tuple(name for sample in samples for name in sample.slice),
        **joined,  # type: ignore[arg-type]
    )


def _join(parts: list[Tensor], name: str) -> Tensor:
    padding = {"plane_normals": torch.nan, "point_pairs": 0}
    if name in padding:
        rows = max(part.shape[1] for part in parts)
        parts = [F.pad(part, (0, 0, 0, rows - part.shape[1]), value=padding[name]) for part in parts]
    return torch.cat(parts)


def group_by_size(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Join samples into one batch per image size, in order of first appearance."""
    alike: dict[tuple[object, ...], list[Sample]] = {}
    for sample in samples:
        alike.setdefault((sample.size, *sample.tensors()), []).append(sample)
    return tuple(concatenate(members) for members in alike.values())
