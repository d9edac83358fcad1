"""What is typed for the keys of a run, read into types or refused in one line that says what to type."""

import pytest

from src.core.errors import ConfigError
from src.engine.cell.request import read_cell_request
from src.engine.prediction.request import read_prediction_request
from tests.composing import compose_job

WRONG = {
    "limit": ("1.5", "true", "0", "-3", "ten", "[1]"),
    "seed": ("abc", "-1", "1.5", "null", "true"),
    "resolution": ("true", "0", "big", "1.5", "null"),
    "batch_size": ("0", "1.5", "true", "many", "null"),
    "num_workers": ("-1", "all", "true", "0.5"),
    "prefetch": ("0", "null", "two"),
    "cache": ("true", "3", "''"),
    "on_error": ("ignore", "true", "null"),
    "save_predictions": ("float64", "true", "16"),
    "rescore": ("1", "maybe", "null"),
    "force": ("1", "sure", "null"),
    "wait": ("-1", "true", "long", ".inf", "null"),
    "sync_seconds": ("-0.5", "never", "null"),
    "profile": ("all", "1", "null"),
    "panels": ("-1", "1.5", "true", "null"),
    "severity": ("-1", "high", "1.5", "true"),
    "corruption": ("null", "3", "true"),
    "precision": ("half", "16", "true", "null"),
    "attention": ("fast", "null", "true"),
    "channels_last": ("1", "yes please", "null"),
    "compile": ("1", "null"),
}
WRONG_IN_PREDICTION = {
    "seed": ("abc",),
    "resolution": ("0",),
    "batch_size": ("0",),
    "num_workers": ("-1",),
    "intrinsics": ("600", "[600,600]", "[a,b,c,d]", "[600,600,320,true]"),
    "field_of_view": ("0", "180", "wide", "true"),
    "write": ("npy", "[]", "[jpg]", "[npy,jpg]"),
    "force": ("1",),
    "precision": ("half",),
}


def cell(*words):
    return read_cell_request(compose_job("eval", ["model=ramp", "data=sample", *words])[0])


def prediction(*words):
    return read_prediction_request(compose_job("predict", ["model=ramp", "images=photos", *words])[0])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("key", "values"), WRONG.items())
def test_a_wrong_value_is_one_line_with_key_value_what_is_allowed_and_an_example(key, values):
    for value in values:
        with pytest.raises(ConfigError) as caught:
            cell(f"{key}={value}")
        message = str(caught.value)
        assert message.startswith(f"{key}: expected "), message
        assert f"; type {key}=" in message
        assert "\n" not in message
        example = message.rpartition("; type ")[2].removesuffix(", say")
        cell(example)  # what it tells to type can be typed


@pytest.mark.parametrize(("key", "values"), WRONG_IN_PREDICTION.items())
def test_a_wrong_value_of_a_prediction_is_refused_alike(key, values):
    for value in values:
        with pytest.raises(ConfigError, match=rf"^{key}: expected .+, got .+; type {key}=.+, say$") as caught:
            prediction(f"{key}={value}")
        prediction(str(caught.value).rpartition("; type ")[2].removesuffix(", say"))


def test_the_defaults_and_every_kind_of_value_are_read():
    request = cell()
    assert (request.measured.model, request.measured.data, request.measured.resolution) == ("ramp", "sample", "default")
    assert (request.images.limit, request.run.batch_size, request.run.profile) == (None, 4, False)
    request = cell("limit=3", "resolution=384", "batch_size=auto", "profile=trace", "wait=2", "sync_seconds=0.5")
    assert (request.images.limit, request.measured.resolution) == (3, 384)
    assert (request.run.batch_size, request.run.profile) == ("auto", "trace")
    assert (request.run.wait, request.run.sync_seconds) == (2.0, 0.5)
    assert "limit=3" in request.command
    request = prediction("intrinsics=[600,600,320,240]", "write=[npy,ply]")
    assert request.run.intrinsics == [600.0, 600.0, 320.0, 240.0]
    assert request.run.write == ["npy", "ply"]
    assert request.measured.data == ""


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("+resoluton=384", r"^resoluton: expected a key that something reads, .+; did you mean resolution\?$"),
        (
            "+paths.data_dri=/x",
            r"^paths\.data_dri: expected a key that something reads, .+did you mean paths\.data_dir",
        ),
        ("+whatever=1", r"^whatever: expected a key that something reads, got one that nothing does"),
    ],
)
def test_a_key_that_nothing_reads_is_refused_with_what_is_alike(word, message):
    with pytest.raises(ConfigError, match=message):
        cell(word)
    with pytest.raises(ConfigError, match=message):
        prediction(word)


def test_a_key_that_an_interpolation_reads_is_read():
    assert cell("+root=/fast", "cache=${root}/decoded").run.cache == "/fast/decoded"


def test_a_key_that_was_removed_is_missed():
    with pytest.raises(ConfigError, match=r"^panels: expected a whole number >= 0, got nothing; type panels=4, say$"):
        cell("~panels")
