"""score: the digits of the records, from arrays."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from src.api import score
from src.core.errors import ConfigError, DataError, LeadlineError, PredictionError
from src.core.resize import resize
from src.data.built_in.sample import BuiltInSample
from src.engine.scoring.saved_predictions import read_prediction
from src.protocol.named import protocol_named, protocol_names
from tests.reference.alignment import least_squares_affine
from tests.reference.metrics import PIXEL_ERRORS

ROOT = Path(__file__).parents[2]


def test_gives_the_records_digits(recorded):
    frame = BuiltInSample(depth_range=(0.1, 10.0)).read(0)
    prediction, _ = read_prediction(recorded.folder, "motorcycle")
    assert set(recorded.scores) == {"affine_disparity", "depth_anything_relative", "midas", "genpercept_disparity"}
    for protocol, scored in recorded.scores.items():
        got = score(prediction, frame.depth, space="affine_disparity", protocol=protocol, depth_range=(0.1, 10.0))
        assert {name: float(value) for name, value in got.errors.items()} == {
            name: float(values[0]) for name, values in scored.errors.items()
        }
        assert (float(got.scale), float(got.shift)) == (scored.scale[0], scored.shift[0])
        assert (got.protocol_version, int(got.valid_pixels)) == (scored.protocol_version, scored.valid_pixels[0])
        assert str(got.status) == "ok"


@pytest.mark.parametrize("form", ["numpy", "torch", "float64", "channel", "big-endian", "half"])
def test_takes_arrays_of_any_kind(form, maps):
    prediction, depth, valid = maps()
    prediction = prediction.astype(np.float16).astype(np.float32)
    expected = score(prediction, depth, space="metric_depth", protocol="metric", valid=valid, depth_range=(0.1, 8))
    forms = {
        "numpy": lambda x: x[:, ::-1].copy()[:, ::-1],
        "torch": torch.from_numpy,
        "float64": lambda x: x.astype(np.float64) if x.dtype == np.float32 else x,
        "channel": lambda x: torch.from_numpy(x)[:, None],
        "big-endian": lambda x: x.astype(">f4") if x.dtype == np.float32 else x,
        "half": lambda x: x,
    }
    change = forms[form]
    given = torch.from_numpy(prediction).half() if form == "half" else change(prediction)
    truth = torch.from_numpy(depth) if form == "half" else change(depth)
    got = score(given, truth, space="metric_depth", protocol="metric", valid=change(valid), depth_range=(0.1, 8))
    for name, values in expected.errors.items():
        np.testing.assert_array_equal(got.errors[name], values)
        assert values.shape == (5,)


def test_equals_the_formulas_of_the_papers(maps):
    prediction, depth, valid = maps(seed=3)
    got = score(1 / prediction, depth, protocol="affine_disparity", valid=valid, depth_range=(0.1, 20.0))
    for i in range(len(depth)):
        p, g, v = (1 / prediction[i]).astype(np.float64), depth[i].astype(np.float64), valid[i]
        scale, shift = least_squares_affine(p, 1 / g, v)
        aligned = np.clip(1 / np.maximum(scale * p + shift, 0.001), 0.1, 20.0)
        for name in ("abs_rel", "rmse", "delta1"):
            assert got.errors[name][i] == pytest.approx(PIXEL_ERRORS[name](aligned[v], g[v]), rel=1e-6)


def test_one_image_gives_single_numbers_and_nothing_is_written_to(maps):
    prediction, depth, _ = maps()
    depth[0, :4] = np.nan
    before = prediction.copy(), depth.copy()
    got = score(prediction[0], depth[0], space="metric_depth", protocol="metric")
    assert got.errors["abs_rel"].shape == got.status.shape == ()
    assert got.valid_pixels == 8 * 17
    assert got.clip == (1e-6, np.inf)
    np.testing.assert_array_equal(prediction, before[0])
    np.testing.assert_array_equal(depth, before[1])


def test_another_size_is_brought_to_the_grid_bilinearly(maps):
    prediction, depth, _ = maps()
    small = prediction[:, :6, :9]
    whole = resize(torch.from_numpy(small)[:, None], (12, 17), mode="bilinear")
    arguments = {"space": "metric_depth", "protocol": "metric"}
    np.testing.assert_array_equal(
        score(small, depth, **arguments).errors["rmse"], score(whole, depth, **arguments).errors["rmse"]
    )


def test_what_went_wrong_with_an_image_is_said_and_its_neighbours_are_scored(maps):
    prediction, depth, valid = maps()
    prediction[1, 3, 4], valid[1, 3, 4] = np.nan, True
    valid[2] = False
    got = score(prediction, depth, space="metric_depth", protocol="metric", valid=valid)
    assert got.status.tolist() == ["ok", "failed", "skipped", "ok", "ok"]
    assert got.reason[1].startswith("image 1: 1 NaN and 0 infinite values on")
    assert np.isnan(got.errors["abs_rel"]).tolist() == [False, True, True, False, False]


D = np.ones((2, 4, 5), np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"protocol": "marigol"}, ConfigError, "unknown protocol 'marigol': expected one of .*did you mean marigold"),
        ({"protocol": "marigold"}, ConfigError, "protocol marigold: expected predictions that are .*, got affine_disp"),
        ({"space": "depth"}, ConfigError, "expected an output space out of metric_depth, .*got 'depth'"),
        ({"depth": D.astype(np.uint16)}, DataError, "expected floating-point metres, got torch.uint16; convert"),
        ({"prediction": D[None, None]}, PredictionError, r"expected one image \(h, w\), or .*got shape \(1, 1, 2"),
        ({"prediction": D[:1]}, PredictionError, "expected a map for each of 2 images of depth, got 1"),
        ({"prediction": D > 0}, PredictionError, "expected real numbers, got torch.bool"),
        ({"valid": D}, DataError, "valid: expected bool, .*got torch.float32; write valid > 0"),
        ({"valid": D[:, :2] > 0}, DataError, r"valid: expected the shape of depth, \(2, 4, 5\), got \(2, 2, 5\)"),
        ({"depth_range": (10, 1)}, ConfigError, r"depth_range: expected 0 <= nearest < farthest .*got \(10, 1\)"),
        ({"intrinsics": np.eye(4)}, DataError, r"intrinsics: expected shape \(3, 3\) or \(2, 3, 3\), got \(4, 4\)"),
        ({"protocol": "da2k", "space": "metric_depth"}, ConfigError, "expected data with point_pairs"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        score(**{"prediction": D, "depth": D, **arguments})
    assert isinstance(caught.value, LeadlineError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", protocol_names())
def test_a_protocol_by_name_is_what_hydra_makes_of_its_file(name):
    from omegaconf import DictConfig, OmegaConf

    from src.core.shipped import CONF
    from src.engine.cell.build import build_protocols
    from src.protocols.prose import describe

    built = build_protocols(DictConfig(OmegaConf.load(CONF / "protocol" / f"{name}.yaml")))[name]
    assert describe(protocol_named(name), "headline") == describe(built, "headline")
    assert protocol_named(name).clip == built.clip


ALONE = """
import resource, sys
import torch
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import numpy as np
from src.api import score
depth = np.random.default_rng(0).uniform(1, 9, (480, 640)).astype(np.float32)
got = score(1 / depth, depth, depth_range=(0.1, 10))
assert got.errors["abs_rel"] < 1e-6
taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
heavy = ["lightning", "hydra", "omegaconf", "transformers", "diffusers", "torchmetrics", "torchvision", "matplotlib"]
for wrong in ({"depth": [[1.0]]}, {"depth_range": 10}):
    try:
        score(**{"prediction": depth, "depth": depth, **wrong})
    except Exception as error:
        print(error)
print([name for name in heavy if name in sys.modules], taken < 400)
"""


@pytest.mark.slow
def test_needs_little_beside_torch():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.splitlines() == [
        "depth: expected a numpy array or torch tensor of numbers, got a list",
        "depth_range: expected 0 <= nearest < farthest in metres, such as (0.001, 10.0), got 10",
        "[] True",
    ], done.stderr
