"""Synthetic scenes with exact ground truth: indoor and outdoor, from a seed alone."""

from collections.abc import Sequence

import numpy as np

from src.core.errors import ConfigError
from src.data.base import DepthDataset, Frame
from src.data.built_in.layout import STYLES, lay_out
from src.data.built_in.scene import cast, occlusion_edges
from src.data.built_in.texture import Noise, render


class Synthetic(DepthDataset):
    """Ray-cast rooms and streets of textured planes, boxes and spheres in sunlight: nothing measured, nothing guessed.

    Source: computed.
    Licence: that of this package.
    Counts: as many images as asked for.
    Units: z-depth in metres, exact to float32 rounding, at pixel centres; the sky has none.
    Camera: perspective, without distortion; its focal length varies from image to image.
    Edges: occlusion boundaries, one pixel wide, on the nearer surface, up to the farthest depth of the range.
    Crop: none. Image i depends on the seed, its style and i alone: a longer split starts with the shorter one, and
    the same scenes appear at any size. Styles take turns.
    A model's rank on these scenes says little about photographs; they serve to prove a pipeline, not a model.

    Args:
        n: number of images.
        size: (height, width) in pixels.
        seed: of the scenes.
        styles: from "indoor" and "outdoor"; also the slice of each image.
        depth_range: (nearest, farthest) in metres.
    """

    family = "synthetic"

    def __init__(
        self, *, n: int, size: Sequence[int], seed: int, styles: Sequence[str], depth_range: Sequence[float]
    ) -> None:
        super().__init__(depth_range=depth_range)
        if n < 1 or seed < 0 or len(size) != 2 or min(size) < 1:
            msg = f"expected n >= 1, seed >= 0 and a size [height, width], got n={n}, seed={seed}, size={list(size)}"
            raise ConfigError(msg)
        unknown = sorted(set(styles) - set(STYLES))
        if unknown or not styles:
            msg = f"expected styles from {list(STYLES)}, at least one, got {list(styles)}"
            raise ConfigError(msg)
        self.n = n
        self.size = (int(size[0]), int(size[1]))
        self.seed = seed
        self.styles = tuple(styles)

    def index(self) -> Sequence[str]:
        """Style and number of each image."""
        return [f"{self.styles[i % len(self.styles)]}/{i:05d}" for i in range(self.n)]

    def stamps(self, i: int) -> Sequence[str]:
        """None are needed: a scene is made from this code and the arguments alone."""
        return ()

    def read(self, i: int) -> Frame:
        """Lay out, cast and paint scene number `i`."""
        style = self.styles[i % len(self.styles)]
        rng = np.random.default_rng([self.seed, i])
        scene = lay_out(style, rng, self.size)
        rays = scene.camera.rays()
        depth, surface = cast(scene.shapes, scene.camera, rays)
        image = render(scene.shapes, scene.materials, scene.light, scene.camera, rays, depth, surface, Noise(rng))
        return Frame(
            image=image,
            depth=np.where(np.isfinite(depth), depth, 0).astype(np.float32),
            valid=np.isfinite(depth),
            intrinsics=scene.camera.intrinsics.astype(np.float32),
            edges=occlusion_edges(depth, surface) & (depth < self.depth_range[1]),
            slice=style,
        )
