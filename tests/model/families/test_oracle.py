import re

import pytest
import torch

from src.core.errors import ConfigError, PredictionError
from src.core.prediction import OutputSpace
from src.core.sample import Sample, concatenate
from src.model.families.oracle import Oracle


def sample(name: str = "a", **changes) -> Sample:
    generator = torch.Generator().manual_seed(sum(name.encode()))
    depth = 0.5 + 60 * torch.rand(1, 1, 24, 32, generator=generator)
    valid = torch.rand(1, 1, 24, 32, generator=generator) > 0.2
    fields = {
        "image": torch.zeros(1, 3, 24, 32, dtype=torch.uint8),
        "depth": depth * valid,
        "valid": valid,
        "depth_range": (0.1, 80.0),
        "sample_id": (name,),
        "index": (0,),
        "cluster": ("",),
        "slice": ("",),
    }
    return Sample(**{**fields, **changes})


def oracle(**changes) -> Oracle:
    return Oracle(**{"space": "affine_disparity", "scale": 2.5, "shift": 0.05, "noise": 0.0, "seed": 0, **changes})


@pytest.mark.parametrize(
    ("space", "recover"),
    [
        ("metric_depth", lambda p: p),
        ("scale_invariant_depth", lambda p: 2.5 * p),
        ("affine_depth", lambda p: 2.5 * p + 0.05),
        ("affine_disparity", lambda p: 1 / (2.5 * p + 0.05)),
    ],
)
def test_every_space_determines_depth_up_to_what_it_leaves_open(space, recover):
    truth = sample()
    prediction = oracle(space=space).predict(truth)
    assert prediction.space is OutputSpace(space)
    assert prediction.values.dtype == torch.float32
    assert prediction.input_size == (24, 32)
    recovered = recover(prediction.values.double())
    errors = (recovered - truth.depth).abs() / truth.depth.clamp(min=0.1)
    assert errors[truth.valid].max() < 1e-6
    assert prediction.values.isfinite().all()


def test_noise_has_the_stated_size_and_is_the_images_own():
    truths = [sample("a"), sample("b")]
    model = oracle(space="metric_depth", noise=0.1)
    together = model.predict(concatenate(truths)).values
    for i, truth in enumerate(truths):
        alone = model.predict(truth).values
        assert torch.equal(together[i], alone[0])
        log_error = (alone / truth.depth).log()[truth.valid]
        assert log_error.std() == pytest.approx(0.1, rel=0.1)
        assert abs(log_error.mean()) < 0.02
    assert not torch.equal(oracle(space="metric_depth", noise=0.1, seed=1).predict(truths[0]).values[0], together[0])


def test_says_that_it_has_seen_the_answer():
    assert Oracle.uses_ground_truth
    assert oracle().provenance.uses_ground_truth
    assert oracle().provenance.weights == "none"


def test_images_alone_are_refused():
    with pytest.raises(PredictionError, match="expected a call of predict with a whole sample"):
        oracle().infer(sample().image, ("a",))


def test_ordinal_annotations_are_refused():
    pairs = torch.tensor([[[0, 0, 1, 1, 1]]])
    with pytest.raises(PredictionError, match="needs ground-truth depth"):
        oracle().predict(sample(point_pairs=pairs))


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"scale": -1.0}, {"noise": -0.1}, {"scale": float("nan")}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match=re.escape("expected scale > 0 and noise >= 0, got")):
        oracle(**wrong)


def test_an_unknown_space_lists_the_known_ones():
    with pytest.raises(ConfigError, match="out of metric_depth, scale_invariant_depth, affine_depth, affine_disparity"):
        oracle(space="disparity")
