import dataclasses

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from src.alignment.affine import AffineDepth, AffineDisparity
from src.alignment.identity import Unaligned
from src.alignment.scale import LeastAbsoluteScale, MedianScale
from src.alignment.selection import NearestGrid
from src.core.aligned import FittedIn
from src.core.errors import ConfigError, DataError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample, concatenate
from src.engine.cell.build import build_protocols
from src.metrics.mean import MeanError
from src.protocol.aggregation import ProtocolMetric
from src.protocol.evaluation import EvalProtocol
from src.protocol.scores import Status
from src.protocols.__main__ import PROTOCOLS


def make_sample(depth, valid=None, depth_range=(0.1, 10.0), edges=None):
    depth = torch.tensor(depth, dtype=torch.float32)
    depth = depth.reshape(-1, 1, 1, depth.shape[-1])
    valid = torch.ones_like(depth, dtype=torch.bool) if valid is None else torch.tensor(valid).reshape(depth.shape)
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
        edges=None if edges is None else torch.tensor(edges).reshape(depth.shape),
    )


def make_prediction(values, space=OutputSpace.METRIC_DEPTH):
    values = torch.tensor(values, dtype=torch.float32)
    return Prediction(values=values.reshape(-1, 1, 1, values.shape[-1]), space=space, input_size=(1, 1))


def make_protocol(**changes):
    keywords = {"name": "p", "version": 1, "alignment": Unaligned(), "clip": "none", "metrics": ["abs_rel", "delta1"]}
    return EvalProtocol(**(keywords | changes))


def shipped(name):
    return build_protocols(DictConfig(OmegaConf.load(PROTOCOLS / f"{name}.yaml")))[name]


def test_errors_by_hand():
    scores = make_protocol().evaluate(make_prediction([[1.0, 3.0], [2.0, 2.0]]), make_sample([[1.0, 2.0], [2.0, 2.0]]))
    assert scores.errors["abs_rel"].tolist() == [0.25, 0]
    assert scores.errors["delta1"].tolist() == [0.5, 1]
    assert scores.status.tolist() == [Status.OK, Status.OK]
    assert scores.valid_pixels.tolist() == [2, 2]
    assert (scores.scale.tolist(), scores.shift.tolist()) == ([1, 1], [0, 0])


def test_skipping_is_the_fault_of_data_and_failing_of_the_model():
    sample = make_sample([[1.0, 2.0]] * 4, [[True, True], [False, False], [True, True], [True, False]])
    prediction = make_prediction([[1.0, 2.0], [np.nan, 2.0], [1.0, np.nan], [1.0, np.nan]])
    scores = make_protocol().evaluate(prediction, sample)
    assert scores.status.tolist() == [Status.OK, Status.SKIPPED, Status.FAILED, Status.OK]
    assert scores.errors["abs_rel"].isnan().tolist() == [False, True, True, False]
    assert scores.valid_pixels.tolist() == [2, 0, 2, 1]


AFFINE = [
    "affine_depth",
    "affine_disparity",
    "marigold",
    "midas",
    "midas_ssi",
    "moge_affine",
    "moge_disparity",
    "slowtv",
]
FACTORS = ["scale", "median_scaled", "moge_scale_invariant", "unidepth_si", "robodepth"]


@pytest.mark.parametrize("name", [*AFFINE, *FACTORS, "metric"])
def test_true_depth_with_fewer_values_than_a_fit_has_unknowns_scores_nothing(name):
    protocol = shipped(name)
    two, one, pixel, none = [1.0, 2.0, 2.0], [2.0, 2.0, 2.0], [2.0, 1.0, 1.0], [1.0, 1.0, 1.0]
    valid = [[True, True, True], [True, True, True], [True, False, False], [False, False, False]]
    space = OutputSpace.METRIC_DEPTH
    scores = protocol.evaluate(
        make_prediction([[1.0, 2.5, 2.0]] * 4, space), make_sample([two, one, pixel, none], valid)
    )
    undetermined = Status.SKIPPED if name in AFFINE else Status.OK
    assert scores.status.tolist() == [Status.OK, undetermined, undetermined, Status.SKIPPED]
    assert scores.valid_pixels.tolist() == [3, 3, 1, 0]
    for error in scores.errors.values():
        assert error.isnan().tolist() == [status != Status.OK for status in scores.status.tolist()]


def test_a_model_without_contrast_is_not_skipped():
    scores = shipped("affine_depth").evaluate(make_prediction([[3.0, 3.0, 3.0]]), make_sample([[1.0, 2.0, 4.0]]))
    assert scores.status.tolist() == [Status.OK]
    assert scores.errors["abs_rel"] > 0.1


@pytest.mark.parametrize(("name", "status"), [("scale", 2), ("median_scaled", 2), ("unidepth_si", 0), ("robodepth", 0)])
def test_a_factor_below_zero_fails_where_no_published_evaluator_says_otherwise(name, status):
    sample = make_sample([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    space = OutputSpace.SCALE_INVARIANT_DEPTH
    scores = shipped(name).evaluate(make_prediction([[-1.0, -2.0, -4.0], [2.0, 4.0, 8.0]], space), sample)
    assert scores.scale.tolist() == pytest.approx([-1.0, 0.5])  # kept, for the records
    assert scores.status.tolist() == [status, Status.OK]


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_a_clip_does_not_repair_infinity(bad):
    scores = make_protocol(clip="depth_range").evaluate(make_prediction([[1.0, bad]]), make_sample([[1.0, 2.0]]))
    assert scores.status.tolist() == [Status.FAILED]


def test_depth_that_has_no_disparity_fails():
    protocol = make_protocol(alignment=AffineDisparity(floor=0.001), clip="depth_range")
    scores = protocol.evaluate(make_prediction([[1.0, 2.0, 0.0]]), make_sample([[1.0, 2.0, 3.0]]))
    assert scores.status.tolist() == [Status.FAILED]


def test_a_fitted_disparity_below_zero_fails_only_under_that_rule():
    prediction = make_prediction([[1.0, 0.9, 0.3, 0.2]], OutputSpace.AFFINE_DISPARITY)
    sample = make_sample([[1.0, 1.1, 100.0, 100.0]], depth_range=(0.1, 1000.0))
    for floor, status in (("fail", Status.FAILED), (0.001, Status.OK)):
        protocol = make_protocol(alignment=AffineDisparity(floor=floor), clip="depth_range")
        assert protocol.evaluate(prediction, sample).status.tolist() == [status]


@pytest.mark.parametrize(
    ("clip", "expected", "bounds"),
    [
        ("none", [0.01, 5, 50], None),
        ("depth_range", [0.1, 5, 10], (0.1, 10.0)),
        ([1.0, 20.0], [1, 5, 20], (1.0, 20.0)),
    ],
)
def test_clips(clip, expected, bounds):
    protocol = make_protocol(clip=clip)
    aligned = protocol.align(make_prediction([[0.01, 5.0, 50.0]]), make_sample([[1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(aligned.depth.flatten(), expected, rtol=1e-6)
    assert protocol.clip_bounds((0.1, 10.0)) == bounds


def test_a_range_from_zero_keeps_logarithms_finite():
    protocol = make_protocol(alignment=AffineDepth(), clip="depth_range", metrics=["rmse_log"])
    sample = make_sample([[1.0, 2.0, 0.1]], depth_range=(0.0, 10.0))
    scores = protocol.evaluate(make_prediction([[1.0, 2.0, -5.0]]), sample)
    assert scores.status.tolist() == [Status.OK]
    assert protocol.clip_bounds((0.0, 10.0)) == (1e-6, 10.0)


@pytest.mark.parametrize("score_on", ["all", ""])
def test_unknown_pixels_are_refused(score_on):
    with pytest.raises(ConfigError, match="protocol p: score_on: expected valid or edges"):
        make_protocol(score_on=score_on)


@pytest.mark.parametrize("clip", ["range", [1.0], [2.0, 1.0], [-1.0, 1.0]])
def test_an_unknown_clip_is_refused(clip):
    with pytest.raises(ConfigError, match="protocol p: clip: expected depth_range, none or"):
        make_protocol(clip=clip)


def test_what_does_not_exist_is_refused_with_what_does():
    with pytest.raises(ConfigError, match="unknown metric 'abs_rle': expected one of abs_rel"):
        make_protocol(metrics=["abs_rle"])
    with pytest.raises(ConfigError, match="protocol p: expected at least one metric"):
        make_protocol(metrics=[])


def test_an_unsupported_space_is_refused_by_both_ways_in():
    protocol = make_protocol(alignment=MedianScale())
    prediction, sample = make_prediction([[1.0]], OutputSpace.AFFINE_DEPTH), make_sample([[1.0]])
    for refuse in (protocol.evaluate, protocol.align):
        message = "protocol p: expected predictions that are metric_depth, scale_invariant_depth, got affine_depth"
        with pytest.raises(ConfigError, match=message):
            refuse(prediction, sample)


def test_a_prediction_of_another_size_is_refused():
    with pytest.raises(
        PredictionError, match=r"expected .* grid of the ground truth, \(1, 1, 1, 2\), got \(1, 1, 1, 3\)"
    ):
        make_protocol().evaluate(make_prediction([[1.0, 1.0, 1.0]]), make_sample([[1.0, 1.0]]))


def test_integer_depth_is_refused():
    sample = make_sample([[1.0, 1.0]])
    object.__setattr__(sample, "depth", sample.depth.int())  # past the type check of the tests
    with pytest.raises(DataError, match=r"expected depth as floating-point metres, got torch\.int32 for '0'; convert"):
        make_protocol().evaluate(make_prediction([[1.0, 1.0]]), sample)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_ground_truth_that_is_no_depth_is_the_fault_of_the_data(bad):
    prediction, sample = make_prediction([[1.0, 1.0, 1.0]]), make_sample([[1.0, bad, 1.0]])
    message = rf"expected positive ground truth on every valid pixel, got {bad:g} m for '0'; mark what was not measured"
    for protocol in (make_protocol(), make_protocol(alignment=MedianScale(), metrics=["boundary_f1"])):
        with pytest.raises(DataError, match=message):
            protocol.evaluate(prediction, sample)
    masked = make_sample([[1.0, bad, 1.0]], [[True, False, True]])
    assert make_protocol().evaluate(prediction, masked).errors["abs_rel"].tolist() == [0]


def test_edges_narrow_what_is_fitted_and_scored():
    sample = make_sample([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]], edges=[[True, True, False], [False, False, False]])
    protocol = make_protocol(alignment=MedianScale(), score_on="edges")
    scores = protocol.evaluate(make_prediction([[2.0, 4.0, 9.0], [2.0, 4.0, 9.0]]), sample)
    assert scores.scale[0] == 0.5
    assert scores.errors["abs_rel"][0] == 0
    assert scores.status.tolist() == [Status.OK, Status.SKIPPED]
    assert scores.valid_pixels.tolist() == [2, 0]
    with pytest.raises(ConfigError, match="protocol p: expected data with annotated edges, got none for '0'"):
        protocol.evaluate(make_prediction([[1.0]]), make_sample([[1.0]]))


def test_pixel_metrics_and_grid_metrics_and_fits_that_need_the_grid_agree():
    generator = torch.Generator().manual_seed(0)
    depth = torch.rand(2, 1, 12, 10, generator=generator) * 5 + 1
    flat = make_sample(depth.reshape(2, 120).tolist(), (torch.rand(2, 120, generator=generator) < 0.6).tolist())
    grid = {name: value.reshape(*value.shape[:2], 12, 10) for name, value in flat.tensors().items()}
    sample = dataclasses.replace(flat, **grid)
    values = depth * 3 + torch.rand(depth.shape, generator=generator)
    prediction = Prediction(values=values, space=OutputSpace.METRIC_DEPTH, input_size=(1, 1))
    alignment = LeastAbsoluteScale(weighting="inverse_depth", fit_on=NearestGrid(cells=4))
    protocol = make_protocol(alignment=alignment, metrics=["abs_rel", "boundary_f1_radius1"])
    scores, aligned = protocol.evaluate(prediction, sample), protocol.align(prediction, sample)
    for metric in protocol.metrics:
        mean = MeanError(metric)
        mean.update(aligned, sample)
        np.testing.assert_allclose(mean.compute(), scores.errors[metric.name].mean(), rtol=1e-12)
    assert torch.equal(scores.scale, alignment.fit(prediction, sample).scale)


def test_digits_do_not_depend_on_the_batch():
    generator = torch.Generator().manual_seed(0)
    depth = (torch.rand(5, 400, generator=generator) * 9 + 1).tolist()
    samples = [make_sample([row]) for row in depth]
    predictions = [make_prediction([[value**0.9 for value in row]]) for row in depth]
    together = dataclasses.replace(concatenate(samples), index=tuple(range(5)))
    batch = make_prediction([[value**0.9 for value in row] for row in depth])
    protocol = make_protocol(alignment=AffineDepth(), metrics=["abs_rel", "silog", "rmse"])
    whole = protocol.evaluate(batch, together)
    for i, (prediction, sample) in enumerate(zip(predictions, samples, strict=True)):
        alone = protocol.evaluate(prediction, sample)
        for name in protocol.metric_names:
            assert alone.errors[name][0] == whole.errors[name][i]


def test_the_metric_means_over_images_it_has_seen():
    protocol = make_protocol()
    metric = ProtocolMetric(protocol)
    sample = make_sample([[1.0, 2.0], [2.0, 2.0], [1.0, 1.0]], [[True, True], [True, True], [False, False]])
    metric.update(protocol.evaluate(make_prediction([[1.0, 3.0], [2.0, 2.0], [1.0, 1.0]]), sample), sample)
    assert metric.compute()["abs_rel"] == 0.125
    assert metric.compute()["delta1"] == 0.75


def test_what_a_record_says_of_a_protocol():
    protocol = shipped("midas")
    assert protocol.fitted_in is FittedIn.DISPARITY
    assert protocol.clip_bounds((0.1, 10.0)) is None
    assert protocol.metric_names == ("abs_rel", "delta1_error")
    assert shipped("mdec2023").clip_bounds((0.1, 10.0)) == (0.001, 100.0)
    assert shipped("metric").fitted_in is FittedIn.NOTHING


SPACES = {
    "marigold": {"metric_depth", "scale_invariant_depth", "affine_depth"},
    "midas": {"metric_depth", "scale_invariant_depth", "affine_disparity"},
    "mdec2023": {"metric_depth", "scale_invariant_depth"},
    "mdec2025": set(OutputSpace),
    "zoedepth": {"metric_depth"},
    "da2k": set(OutputSpace),
}


@pytest.mark.parametrize("name", SPACES)
def test_shipped_protocols_accept_what_their_papers_score(name):
    assert {space for space in OutputSpace if shipped(name).supports(space)} == SPACES[name]


def test_the_sign_of_a_disparity_below_zero_is_midas_far_and_slowtv_near():
    sample = make_sample([[1.0, 2.0, 5.0, 10.0]], [[True, True, True, False]], depth_range=(0.001, 10.0))
    prediction = make_prediction([[1.0, 0.5, 0.2, -1.0]], OutputSpace.AFFINE_DISPARITY)
    last = {
        name: shipped(name).align(prediction, sample).depth.flatten()[-1].item()
        for name in ("midas", "slowtv", "genpercept_disparity", "moge_disparity")
    }
    np.testing.assert_allclose(list(last.values()), [10, 0.001, 10, 5], rtol=1e-6)


def test_a_protocol_applies_to_data_annotated_with_what_its_metrics_read():
    plain = make_sample([[1.0, 2.0]])
    edged = dataclasses.replace(plain, edges=torch.zeros_like(plain.valid))
    ordinal = dataclasses.replace(plain, point_pairs=torch.tensor([[[0, 0, 0, 1, -1]]]))
    needs = {"abs_rel": (True, True, False), "dbe_accuracy": (False, True, False), "whdr": (False, False, True)}

    for metric, expected in needs.items():
        protocol = make_protocol(metrics=[metric])
        assert tuple(protocol.applies_to(sample) for sample in (plain, edged, ordinal)) == expected, metric
