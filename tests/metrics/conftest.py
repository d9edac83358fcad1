"""Batches of bare depth maps set beside their ground truth."""

import numpy as np
import pytest
import torch

from src.core.aligned import Aligned, FittedIn
from src.core.sample import Sample
from src.metrics.comparison import Comparison


@pytest.fixture(scope="session")
def make_pair():
    """Make a batch of aligned predictions (b, h, w) beside their ground truth; all pixels valid unless told."""

    def make(depth, target, valid=None, *, index=None, **fields):
        depth = torch.as_tensor(np.asarray(depth, dtype=np.float64))
        depth = depth.reshape(-1, 1, *depth.shape[-2:])
        target = torch.as_tensor(np.asarray(target, dtype=np.float32)).reshape(depth.shape)
        ones = torch.ones_like(depth, dtype=torch.bool)
        valid = ones if valid is None else torch.as_tensor(np.asarray(valid)).reshape(depth.shape)
        b, _, h, w = depth.shape
        index = tuple(range(b)) if index is None else tuple(index)
        sample = Sample(
            image=torch.zeros(b, 3, h, w, dtype=torch.uint8),
            depth=torch.where(valid, target, 0.0),
            valid=valid,
            depth_range=(1e-3, 80.0),
            sample_id=tuple(str(i) for i in index),
            index=index,
            cluster=("",) * b,
            slice=("",) * b,
            **fields,
        )
        scale = torch.ones(b, dtype=torch.float64)
        aligned = Aligned(depth=depth, scale=scale, shift=0 * scale, fitted_in=FittedIn.NOTHING)
        return Comparison(aligned, sample)

    return make


@pytest.fixture(scope="session")
def random_maps():
    """Make positive predicted and true depth, a third of it off by more than a factor 1.25, and a mask, all (b, h, w).

    The last image has one valid pixel.
    """

    def make(seed, shape=(3, 12, 17), spread=0.25):
        rng = np.random.default_rng(seed)
        target = rng.uniform(0.5, 20, shape).astype(np.float32)
        depth = target * np.exp(spread * rng.normal(size=shape) + 0.1)
        valid = rng.random(shape) < rng.uniform(0.05, 1)
        valid[:, 0, 0] = True
        valid[-1] = False
        valid[-1, 4, 5] = True
        return depth, target, valid

    return make


@pytest.fixture
def annotated_pair(make_pair, random_maps):
    """A batch with every annotation."""
    depth, target, valid = random_maps(seed=0)
    generator = torch.Generator().manual_seed(0)
    maps = (len(depth), 1, *depth.shape[1:])
    return make_pair(
        depth,
        target,
        valid,
        point_pairs=torch.tensor([[[1, 2, 3, 4, 1], [5, 6, 0, 0, -1]]]).expand(3, 2, 5),
        segments=torch.randint(0, 3, maps, generator=generator),
        edges=torch.rand(maps, generator=generator) < 0.1,
        plane_normals=torch.tensor([0.0, 0.0, 1.0]).expand(3, 2, 3),
        intrinsics=torch.tensor([[20.0, 0.0, 8.0], [0.0, 20.0, 6.0], [0.0, 0.0, 1.0]]).expand(3, 3, 3),
    )
