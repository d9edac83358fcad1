"""A second view from the same place, turned to the image's centre and cut to a shape, as MoGe's evaluator shows it."""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped, UInt8
from PIL import Image

_STEPS = 32  # OpenCV's bilinear remapping knows this many positions between two pixels
_NOISE = 1e-6  # relative; keeps a size that is whole but for rounding


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """How to show one image of a pinhole camera in another shape.

    The camera turns about its centre until its axis meets the image's centre, and looks through the largest window of
    the wanted shape around that axis that the image fills. What is shown is resized first, so that a pixel of the
    centre keeps about its size, and then warped.

    Attributes:
        size: (height, width) shown.
        resized: (height, width) of the image before it is warped.
        rows, columns: (h, w) where each shown pixel's centre lies in the resized image, pixel centres at integers.
        lengths: (h, w) length of the ray through each shown pixel, per metre of depth.
        ray_lengths: the same of the resized image.
        intrinsics: of the shown view, in pixels, pixel centres at integer + 0.5.
    """

    size: tuple[int, int]
    resized: tuple[int, int]
    rows: Float64[np.ndarray, "h w"]
    columns: Float64[np.ndarray, "h w"]
    lengths: Float64[np.ndarray, "h w"]
    ray_lengths: Float64[np.ndarray, "H W"]
    intrinsics: Float32[np.ndarray, "3 3"]

    def image(self, image: UInt8[np.ndarray, "a b 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """Show an image: Lanczos, then bilinear between 32 positions as in OpenCV; black outside."""
        h, w = self.resized
        picture = np.array(Image.fromarray(image).resize((w, h), Image.Resampling.LANCZOS)).astype(np.int64)
        fine_rows, fine_columns = (np.rint(axis * _STEPS).astype(np.int64) for axis in (self.rows, self.columns))
        total = np.zeros((*self.size, 3), np.int64)
        for down in (0, 1):
            for right in (0, 1):
                rows, columns = fine_rows // _STEPS + down, fine_columns // _STEPS + right
                weight = abs(1 - down - fine_rows % _STEPS / _STEPS) * abs(1 - right - fine_columns % _STEPS / _STEPS)
                inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
                part = picture[rows.clip(0, h - 1), columns.clip(0, w - 1)]
                total += np.where(inside, weight * _STEPS**2, 0).astype(np.int64)[..., None] * part
        return ((total + _STEPS**2 // 2) // _STEPS**2).astype(np.uint8)

    def depth(
        self, depth: Float32[np.ndarray, "a b"], valid: Bool[np.ndarray, "a b"]
    ) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """Show a depth map, by nearest valid pixels; the distance along the ray is what both views share."""
        rows, columns, found = nearest_valid(valid, self.resized)
        distance = np.where(found, depth[rows, columns].astype(np.float64) * self.ray_lengths, 0)
        seen, shown = self._nearest(found), self._nearest(distance) / self.lengths
        return np.where(seen, shown, 0).astype(np.float32), seen

    def labels(self, labels: Int64[np.ndarray, "a b"]) -> Int64[np.ndarray, "h w"]:
        """Show a map of labels, by nearest pixels; 0 outside."""
        picks = [
            np.minimum(np.arange(new) * old // new, old - 1)
            for new, old in zip(self.resized, labels.shape, strict=True)
        ]
        return self._nearest(labels[np.ix_(*picks)])

    def _nearest(self, array: Shaped[np.ndarray, "H W"]) -> Shaped[np.ndarray, "h w"]:
        rows, columns = np.rint(self.rows).astype(np.int64), np.rint(self.columns).astype(np.int64)
        h, w = self.resized
        inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
        return np.where(inside, array[rows.clip(0, h - 1), columns.clip(0, w - 1)], np.zeros((), array.dtype))


def viewport(camera: Float64[np.ndarray, "3 3"], size: tuple[int, int]) -> Viewport:
    """The view of a size, (height, width), on an image.

    Args:
        camera: intrinsics of the image in units of its width and height.
        size: to show.
    """
    to_ray = np.linalg.inv(camera)
    turn = _turn_to_axis(to_ray @ (0.5, 0.5, 1.0))
    window = _window(turn @ to_ray, (1 / abs(camera[0, 0]), 1 / abs(camera[1, 1])), size[1] / size[0])
    pixel = window[1] / size[0], window[0] / size[1]
    resized = tuple(
        int(1 / abs(focal) / side * (1 + _NOISE))
        for focal, side in zip((camera[1, 1], camera[0, 0]), pixel, strict=True)
    )
    shown = np.diag([1 / window[0], 1 / window[1], 1.0])
    shown[:2, 2] = 0.5
    rays = _centres(size) @ np.linalg.inv(shown).T
    points = rays @ (camera @ turn.T).T
    points /= points[..., 2:]
    return Viewport(
        size=size,
        resized=(resized[0], resized[1]),
        rows=points[..., 1] * resized[0] - 0.5,
        columns=points[..., 0] * resized[1] - 0.5,
        lengths=np.linalg.norm(rays, axis=-1),
        ray_lengths=np.linalg.norm(_centres((resized[0], resized[1])) @ to_ray.T, axis=-1),
        intrinsics=(np.diag([size[1], size[0], 1.0]) @ shown).astype(np.float32),
    )


def nearest_valid(
    valid: Bool[np.ndarray, "a b"], size: tuple[int, int]
) -> tuple[Int64[np.ndarray, "h w"], Int64[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """For each pixel of a resized map, row and column of the valid pixel nearest to its centre, and if there is one.

    It looks at the ceil(a / h) x ceil(b / w) pixels from its own corner on, rounded half to even; the first of equally
    near ones wins. (utils3d, on which MoGe's evaluator builds.)
    """
    (rows, down), (columns, across) = (_looks(old, new) for old, new in zip(valid.shape, size, strict=True))
    best = np.full(size, np.inf)
    row, column = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for i in range(rows.shape[1]):
        for j in range(columns.shape[1]):
            r, c = rows[:, i, None], columns[None, :, j]
            inside = (r >= 0) & (r < valid.shape[0]) & (c >= 0) & (c < valid.shape[1])
            r, c = r.clip(0, valid.shape[0] - 1), c.clip(0, valid.shape[1] - 1)
            away = down[:, i, None] ** 2 + across[None, :, j] ** 2
            nearer = inside & valid[r, c] & (away < best)
            best, row, column = (np.where(nearer, *pair) for pair in ((away, best), (r, row), (c, column)))
    return row, column, np.isfinite(best)


def _looks(old: int, new: int) -> tuple[Int64[np.ndarray, "n k"], Float64[np.ndarray, "n k"]]:
    """Pixels that each new pixel looks at along one side, and how far they are from its centre."""
    step = max(1.0, old / new)
    centres = (np.arange(new) + 0.5) * old / new
    pixels = np.rint(centres - step / 2).astype(np.int64)[:, None] + np.arange(math.ceil(step))
    return pixels, pixels + 0.5 - centres[:, None]


def _turn_to_axis(ray: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """The smallest rotation that takes a direction to (0, 0, 1)."""
    x, y, z = ray / np.linalg.norm(ray)
    across = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    rotation: Float64[np.ndarray, "3 3"] = np.eye(3) + across + across @ across / (1 + z)
    return rotation


def _window(to_view: Float64[np.ndarray, "3 3"], limit: tuple[float, float], aspect: float) -> tuple[float, float]:
    """Width and height, at depth 1, of the largest window around the axis: within the image and within `limit`.

    Args:
        to_view: from (u, v, 1) in units of the image's width and height to a ray of the turned camera.
        limit: width and height of the image's own window.
        aspect: width per height.
    """
    corners = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 0, 1]]) @ to_view.T
    corners = corners[:, :2] / corners[:, 2:]
    width = min(limit[0], limit[1] * aspect)
    for start, end in zip(np.roll(corners, 1, axis=0), corners, strict=True):
        normal = np.array([end[1] - start[1], start[0] - end[0]])  # of the edge
        for diagonal in ((aspect, 1.0), (aspect, -1.0)):
            along = abs(normal @ diagonal)
            if along > 0:
                width = min(width, 2 * aspect * float(abs(normal @ start) / along))
    return width, width / aspect


def _centres(size: tuple[int, int]) -> Float64[np.ndarray, "h w 3"]:
    """(u, v, 1) of each pixel's centre, in units of width and height."""
    v, u = ((np.arange(side) + 0.5) / side for side in size)
    return np.stack([*np.meshgrid(u, v), np.ones(size)], -1)
