"""evaluate, load_results and predict: the engine's own path from Python."""

import numpy as np
import pytest
import torch
from hydra.core.hydra_config import HydraConfig

import src.api
from src.api import evaluate, load_results, predict, predict_arrays
from src.api.composing import composed, words
from src.core.errors import ConfigError, DataError
from src.data.built_in.sample import FOLDER


def settings(folder):
    return {"paths": {"output_dir": str(folder)}, "num_workers": 0, "panels": 0}


def ramp(image):
    height, width = image.shape[-2:]
    return torch.arange(height, dtype=torch.float32)[:, None].expand(height, width)


def errors(cell, protocol="affine_disparity"):
    return {name: values.tolist() for name, values in cell.scores[protocol].errors.items()}


def test_a_callable_is_scored_as_the_model_that_it_imitates(recorded, tmp_path):
    cell = evaluate(ramp, "sample", space="affine_disparity", protocol="affine_disparity", **settings(tmp_path))
    for name, (value,) in errors(recorded).items():  # ramp rounds its values elsewhere
        assert errors(cell)[name] == [pytest.approx(value, rel=1e-8)]
    assert cell.folder.parent == tmp_path / "mine" / "sample"
    assert (cell.manifest.model, cell.manifest.space_declared) == ("mine", True)
    assert cell.manifest.weights.endswith(":ramp")


def test_a_callable_is_run_anew_since_nothing_names_what_it_computes(tmp_path):
    def scaled(factor):
        def depth(image):
            return factor * np.ones(tuple(image.shape[-2:]), np.float32)

        return depth

    first, second = (
        evaluate(scaled(factor), "sample", space="metric_depth", name="ones", protocol="metric", **settings(tmp_path))
        for factor in (1, 2)
    )
    assert first.folder == second.folder
    assert errors(first, "metric")["abs_rel"] > errors(second, "metric")["abs_rel"]


def test_a_finished_cell_is_found_again_and_read_as_a_table(recorded):
    output = recorded.folder.parents[2]
    again = evaluate("ramp", "sample", protocol=list(recorded.scores), save_predictions="float32", **settings(output))
    assert (again.folder, again.manifest.finished) == (recorded.folder, recorded.manifest.finished)
    table = load_results(output)
    rows = {(row["protocol"], row["metric"]): row for row in table.to_pylist()}
    assert len(rows) == len(table) == sum(len(scored.errors) for scored in recorded.scores.values())
    row = rows["affine_disparity", "abs_rel"]
    assert row["mean"] == recorded.scores["affine_disparity"].errors["abs_rel"][0]
    assert (row["model"], row["data"], row["scored"], row["failed"], row["low"]) == ("ramp", "sample", 1, 0, None)
    images = load_results(str(output), per="image")
    assert images.column("abs_rel").to_pylist()[0] == row["mean"]
    assert len(images) == len(recorded.scores)


def test_the_job_of_the_caller_is_at_hand_again_afterwards():
    before = HydraConfig.instance().cfg
    with composed("eval", ["model=ramp", "data=sample"]) as (cfg, _):
        assert HydraConfig.get().runtime.choices["model"] == "ramp"
        assert "hydra" not in cfg
    assert HydraConfig.instance().cfg is before


@pytest.mark.parametrize(
    "value", ["a b", "it's", "x,y", "{a: b}", "[1]", "a=b", "1e3", "null", "c:\\d", "true", "", "é"]
)
def test_any_text_arrives_as_it_is(value):
    with composed("predict", words(model="ramp", images=value)) as (cfg, _):
        assert cfg.images == value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "rampp"}, "Could not find 'model/rampp'; did you mean ramp"),
        ({"limt": 3}, "no key limt; did you mean limit"),
        ({"protocol": "metrik"}, "did you mean metric"),
        ({"protocol": "metric"}, r"none of the requested protocols \(metric\) can score affine_disparity"),
        (
            {"model": {"name": "auto", "weights": "https://me:pass@host/x"}},
            r"model\.weights holds .*leave it out|download",
        ),
        ({"batch_size": -1}, "batch_size: expected a whole number >= 1"),
        ({"model": ramp}, "space: expected what is unknown about predictions, one of metric_depth"),
        ({"model": ramp, "space": "metric_depth", "name": "a/b"}, "name: expected letters"),
        ({"model": ramp, "space": "metric_depth", "trainer": "ddp_spawn"}, "a callable lives in this process"),
    ],
)
def test_what_cannot_run_is_refused_as_on_the_command_line(arguments, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        evaluate(**{"model": "ramp", "data": "sample", **settings(tmp_path), **arguments})


def test_predicts_for_pictures_on_disk_and_in_memory(tmp_path):
    paths = {"paths": {"output_dir": str(tmp_path)}}
    maps = predict("ramp", FOLDER / "motorcycle_left.png", **paths)
    assert list(maps) == ["motorcycle_left"]
    assert maps["motorcycle_left"].shape == (500, 741)
    images = [np.zeros((20, 30, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)]
    assert [found.shape for found in predict_arrays("ramp", images, **paths)] == [(20, 30), (8, 9)]
    with pytest.raises(DataError, match=r"image 1: expected \(h, w, 3\) uint8 sRGB, got uint8 of shape \(8, 9\)"):
        predict_arrays("ramp", [images[0], images[1][..., 0]], **paths)


def test_every_name_of_the_room_is_there():
    assert all(callable(getattr(src.api, name)) for name in src.api.__all__)
    assert dir(src.api) == sorted(src.api.__all__)
    with pytest.raises(AttributeError, match="expected one of ArrayScores, DepthErrors"):
        src.api.nothing  # noqa: B018
