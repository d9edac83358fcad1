"""What must not change a number, and what must: properties of the shipped protocols on random images."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.engine.cell.build import build_protocols
from src.protocol.scores import Status
from src.protocols.__main__ import PROTOCOLS as FOLDER
from tests.reference import alignment as reference

PROTOCOLS = {
    name: build_protocols(DictConfig(OmegaConf.load(FOLDER / f"{name}.yaml")))[name]
    for name in sorted(path.stem for path in FOLDER.glob("*.yaml"))
}
# what they need beyond depth is not in the random images
PLAIN = [
    name
    for name, protocol in PROTOCOLS.items()
    if protocol.score_on == "valid"
    and protocol.fit_over is None
    and not any(metric.requires for metric in protocol.metrics)
]
SCALE_FREE = ["median_scaled", "scale", "moge_scale_invariant", "unidepth_si", "robodepth", "metric3d_median"]
AFFINE_DEPTH = ["affine_depth", "marigold", "marigold_eth3d", "moge_affine", "unidepth_ssi", "metric3d_global"]
AFFINE_DISPARITY = ["affine_disparity", "midas", "depth_anything_relative", "moge_disparity"]


def batches(b):
    return st.builds(
        lambda seed, b, h, w, density: random_images(seed, b, h, w, density),
        seed=st.integers(0, 2**32 - 1),
        b=b,
        h=st.integers(4, 20),
        w=st.integers(4, 20),
        density=st.sampled_from([1.0, 0.6, 0.2]),
    )


images = batches(st.integers(1, 3))
quick = settings(max_examples=15, deadline=None, derandomize=True)


def random_images(seed, b, h, w, density):
    """True depth, noise and mask; at least five valid pixels each, so that a fit has something to decide."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(0.5, 40, (b, 1, h, w)).astype(np.float32)
    valid = rng.random(target.shape) < density
    valid.reshape(b, -1)[:, :5] = True
    return target, rng.normal(size=target.shape), valid


def as_sample(target, valid):
    target, valid = torch.from_numpy(target), torch.from_numpy(valid)
    b, _, h, w = target.shape
    return Sample(
        image=torch.zeros(b, 3, h, w, dtype=torch.uint8),
        depth=torch.where(valid, target, 0.0),
        valid=valid,
        depth_range=(1e-3, 80.0),
        sample_id=tuple(map(str, range(b))),
        index=tuple(range(b)),
        cluster=("",) * b,
        slice=("",) * b,
    )


def as_prediction(values, space):
    values = torch.from_numpy(np.asarray(values, dtype=np.float32))
    return Prediction(values=values, space=space, input_size=(1, 1))


def errors(name, values, sample, space=OutputSpace.METRIC_DEPTH):
    """(b, k) of a protocol that all images pass, or NaN rows for images that fail."""
    scores = PROTOCOLS[name].evaluate(as_prediction(values, space), sample)
    return torch.stack(tuple(scores.errors.values()), 1).numpy()


@pytest.mark.parametrize("name", SCALE_FREE)
@given(images=images, exponent=st.integers(-60, 60))
@quick
def test_scale_changes_nothing_where_scale_is_fitted(name, images, exponent):
    target, noise, valid = images
    sample, values = as_sample(target, valid), target * np.exp(0.2 * noise)
    values = values.astype(np.float32)
    before = errors(name, values, sample, OutputSpace.SCALE_INVARIANT_DEPTH)
    after = errors(name, values * np.float32(2.0) ** exponent, sample, OutputSpace.SCALE_INVARIANT_DEPTH)
    assert np.isfinite(before).all()
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", AFFINE_DEPTH + AFFINE_DISPARITY)
@given(images=images, scale=st.floats(0.1, 10), shift=st.floats(-20, 20))
@quick
def test_scale_and_shift_change_nothing_where_both_are_fitted(name, images, scale, shift):
    target, noise, valid = images
    sample = as_sample(target, valid)
    is_disparity = name in AFFINE_DISPARITY
    space = OutputSpace.AFFINE_DISPARITY if is_disparity else OutputSpace.AFFINE_DEPTH
    # in double precision, so that only the prediction is rounded and not what is compared
    values = (10 / target if is_disparity else target) * np.exp(0.05 * noise)
    before, after = (errors(name, changed, sample, space) for changed in (values, scale * values + shift))
    both = np.isfinite(before).all(1) & np.isfinite(after).all(1)
    # float32 predictions around an offset of 20 resolve 2e-6
    np.testing.assert_allclose(after[both], before[both], rtol=1e-3, atol=1e-6)


@given(images=images, scale=st.sampled_from([0.5, 1.5]))
@quick
def test_scale_changes_metric_errors(images, scale):
    target, _, valid = images
    sample = as_sample(target, valid)
    np.testing.assert_allclose(errors("metric", target, sample)[:, 0], 0, atol=1e-12)
    names = PROTOCOLS["unidepth_metric"].metric_names
    changed = errors("unidepth_metric", scale * target, sample)[:, names.index("abs_rel")]
    np.testing.assert_allclose(changed, abs(scale - 1), rtol=1e-6)


@given(images=images)
@quick
def test_a_shift_changes_what_only_a_scale_is_fitted_to(images):
    target, _, valid = images
    sample = as_sample(target, valid)
    assert (errors("median_scaled", target, sample)[:, 0] < 1e-12).all()
    assert (errors("median_scaled", target + 10, sample)[:, 0] > 1e-3).all()


@pytest.mark.parametrize("name", PLAIN)
@given(images=batches(st.just(3)), shuffled=st.permutations(range(3)).filter(lambda order: order != [0, 1, 2]))
@settings(quick, max_examples=7)  # each of them says something, unlike a single image or the same order
def test_the_order_of_a_batch_is_that_of_its_scores(name, images, shuffled):
    target, noise, valid = images
    values = target * np.exp(0.2 * noise)
    before = errors(name, values, as_sample(target, valid))
    after = errors(name, values[shuffled], as_sample(target[shuffled], valid[shuffled]))
    np.testing.assert_array_equal(after, before[shuffled])


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("junk", [np.nan, np.inf, -1e30])
def test_what_is_predicted_outside_the_mask_is_inert(name, junk):
    target, noise, valid = random_images(0, 3, 15, 14, 0.6)
    values = (target * np.exp(0.2 * noise)).astype(np.float32)
    sample = as_sample(target, valid)
    before = errors(name, values, sample)
    after = errors(name, np.where(valid, values, junk), sample)
    if "boundary" in name:  # edges are compared between neighbours that are both valid
        np.testing.assert_allclose(after, before, rtol=1e-12)
    else:
        np.testing.assert_array_equal(after, before)
    assert np.isfinite(before).any()


@given(images=images, kind=st.sampled_from(["median_scaled", "scale", "affine_depth", "affine_disparity"]))
@quick
def test_float32_inputs_give_the_digits_of_the_double_precision_reference(images, kind):
    target, noise, valid = images
    values = (target * np.exp(0.2 * noise)).astype(np.float32)
    found = errors(kind, values, as_sample(target, valid))
    for i in range(len(target)):
        x, z, mask = values[i, 0], target[i, 0], valid[i, 0]
        if kind == "affine_disparity":
            aligned = reference.affine_disparity_depth(1 / x.astype(np.float64), z, mask, floor=0.001)
        elif kind == "affine_depth":
            scale, shift = reference.least_squares_affine(x, z, mask)
            aligned = scale * x.astype(np.float64) + shift
        else:
            fit = reference.median_scale if kind == "median_scaled" else reference.least_squares_scale
            aligned = fit(x, z, mask) * x.astype(np.float64)
        p, g = np.clip(aligned, 1e-3, 80)[mask], z[mask].astype(np.float64)
        e, ratio = np.log(p) - np.log(g), np.maximum(p / g, g / p)
        expected = [
            np.mean(np.abs(p - g) / g),
            np.mean((p - g) ** 2 / g),
            np.sqrt(np.mean((p - g) ** 2)),
            np.sqrt(np.mean(e**2)),
            np.mean(np.abs(np.log10(p) - np.log10(g))),
            100 * np.std(e),
            *(np.mean(ratio < 1.25**k) for k in (1, 2, 3)),
        ]
        np.testing.assert_allclose(found[i], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["affine_depth", "marigold", "unidepth_ssi", "moge_affine"])
def test_offset_heavy_predictions_are_fitted(name):
    rng = np.random.default_rng(0)
    target = rng.uniform(1, 10, (2, 1, 60, 70)).astype(np.float32)
    # contrast of 1e-3 on an offset of 5: float32 resolves it to 5e-7 / 1e-3, and so abs_rel to about as much
    values = (5 + 1e-3 * (target.astype(np.float64) - 5.5) / 4.5).astype(np.float32)
    sample = as_sample(target, np.ones(target.shape, dtype=bool))
    column = next(i for i, metric in enumerate(PROTOCOLS[name].metric_names) if metric.startswith("abs_rel"))
    found = errors(name, values, sample, OutputSpace.AFFINE_DEPTH)[:, column]
    assert (found < 1e-3).all()


@pytest.mark.parametrize("name", PLAIN)
def test_an_empty_image_is_skipped_and_a_broken_one_fails_beside_good_ones(name):
    target, noise, valid = random_images(1, 4, 15, 14, 0.6)
    valid[1] = False
    values = target * np.exp(0.2 * noise)
    values[2, 0, 0, 0] = np.nan
    prediction = as_prediction(values, OutputSpace.METRIC_DEPTH)
    scores = PROTOCOLS[name].evaluate(prediction, as_sample(target, valid))
    assert scores.status.tolist() == [Status.OK, Status.SKIPPED, Status.FAILED, Status.OK]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PLAIN)
def test_what_is_scored_stays_as_it_is(name, dtype):
    target, noise, valid = random_images(2, 2, 15, 14, 1.0)  # all valid, so that pixels are scored where they lie
    values = torch.from_numpy(3 * target * np.exp(0.2 * noise)).to(dtype)  # some beyond every clip
    prediction, sample = (
        Prediction(values=values, space=OutputSpace.METRIC_DEPTH, input_size=(1, 1)),
        as_sample(target, valid),
    )
    before = values.clone(), sample.depth.clone()
    PROTOCOLS[name].evaluate(prediction, sample)
    PROTOCOLS[name].align(prediction, sample)
    assert torch.equal(values, before[0])
    assert torch.equal(sample.depth, before[1])
