"""Batches made of bare depth maps."""

import numpy as np
import pytest
import torch

from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def make_sample():
    def make(depth, valid=None, depth_range=(1e-3, 80.0), edges=None):
        depth = torch.as_tensor(np.asarray(depth, dtype=np.float32))
        depth = depth.reshape(-1, 1, *depth.shape[-2:])
        valid = (
            torch.ones_like(depth, dtype=torch.bool) if valid is None else torch.as_tensor(valid).reshape(depth.shape)
        )
        b, _, h, w = depth.shape
        return Sample(
            image=torch.zeros(b, 3, h, w, dtype=torch.uint8),
            depth=torch.where(valid, depth, 0.0),
            valid=valid,
            depth_range=depth_range,
            sample_id=tuple(str(i) for i in range(b)),
            index=tuple(range(b)),
            cluster=("",) * b,
            slice=("",) * b,
            edges=edges,
        )

    return make


@pytest.fixture
def make_prediction():
    def make(values, space=OutputSpace.AFFINE_DEPTH):
        values = torch.as_tensor(np.asarray(values, dtype=np.float32))
        return Prediction(values=values.reshape(-1, 1, *values.shape[-2:]), space=space, input_size=(384, 384))

    return make


@pytest.fixture
def scene(rng):
    """True depth, a noisy affine prediction of it and a mask, (3, 12, 17) each; the last image has one valid pixel."""
    target = rng.uniform(0.5, 20, (3, 12, 17)).astype(np.float32)
    noise = rng.normal(size=target.shape)
    prediction = (0.3 * target + 2 + 0.2 * noise).astype(np.float32)
    valid = rng.random(target.shape) < 0.7
    valid[2] = False
    valid[2, 4, 5] = True
    return prediction, target, valid
