"""Predictions that are kept: whole after any interruption, and scored again to the digit without the model."""

import json
import os
import signal
import zipfile

import numpy as np
import pytest
import torch

from src.core.errors import ConfigError, DataError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.engine.process.interrupt import Interrupted
from src.engine.scoring.saved_predictions import PredictionWriter, is_whole, prediction_file, read_prediction

WAVY = """
import os, signal
import torch
from outside import Broken
from src.core.prediction import OutputSpace


class Wavy(Broken):
    \"\"\"Depth that no short number writes; counts what it is asked for, and can stop or die at an image.\"\"\"

    asked, stop_at, factor = [], {}, 1.0

    def infer(self, image, sample_id):
        type(self).asked += sample_id
        for name in sample_id:
            number = self.stop_at.get(name) or os.environ.get(f"stop at {name}")
            if number:
                os.kill(os.getpid(), int(number))
        steps = torch.arange(image[0, 0].numel()) * 7.3
        waves = torch.stack([torch.sin(steps + int(name[-1])) for name in sample_id])
        values = self.factor * (3 + waves.reshape(len(image), 1, *image.shape[-2:]))
        return torch.where(super().infer(image, sample_id).isnan(), torch.nan, values)
"""
WORDS = ("model=wavy", "model.broken=[image/3]", "data=ragged", "data.empty=4", "batch_size=2")


@pytest.fixture
def wavy(outside):
    (outside.parent / "code" / "wavy.py").write_text(WAVY)
    (outside / "model" / "wavy.yaml").write_text("# waves\n_target_: wavy.Wavy\nbroken: []\n")
    return outside


@pytest.fixture
def model(wavy):
    """The class, which `wavy` made importable, forgotten afterwards."""
    import sys

    import wavy as module

    yield module.Wavy
    sys.modules.pop("wavy")


def columns(scored):
    """Everything of a protocol but the time it took; NaN equals NaN in `repr`."""
    names = ("index", "sample_id", "cluster", "slice", "status", "valid_pixels", "scale", "shift", "input_size")
    names = (*names, "depth_pixels")
    lists = {name: getattr(scored, name).tolist() for name in names}
    return repr(
        [lists, {name: values.tolist() for name, values in scored.errors.items()}, scored.depth_abs_rel.tolist()]
    )


@pytest.mark.parametrize("batch_size", [1, 7])
def test_saved_predictions_score_as_the_model_did_to_the_last_bit(run, wavy, model, batch_size):
    original = run(*WORDS, "save_predictions=float32", conf=wavy)
    assert original.manifest.saved_predictions == "float32"
    model.asked.clear()
    again = run(*WORDS, "protocol=[scale,metric]", "rescore=true", f"batch_size={batch_size}", conf=wavy)

    assert model.asked == []
    assert again.folder != original.folder
    assert list(again.scores) == ["scale", "metric"]
    for name, scored in again.scores.items():
        assert columns(scored) == columns(original.scores[name])
        assert scored.seconds.tolist() == original.scores[name].seconds.tolist()
    assert again.manifest.failed["metric"] == again.manifest.skipped["metric"] == 1
    assert (again.manifest.rescored_from, again.manifest.rescored_precision) == (
        original.manifest.fingerprint, "float32"
    )  # fmt: skip
    for name in ("model", "output_space", "weights", "device", "images_per_second"):
        assert getattr(again.manifest, name) == getattr(original.manifest, name)


def test_half_precision_is_close_and_never_ranked(run, wavy, model):
    from src.records.aggregate import unranked_because

    original = run(*WORDS, "save_predictions=float16", conf=wavy)
    again = run(*WORDS, "protocol=[metric]", "rescore=true", conf=wavy)

    exact, close = (cell.scores["metric"].errors["rmse"] for cell in (original, again))
    np.testing.assert_allclose(close, exact, rtol=1e-3)
    assert not np.array_equal(close, exact, equal_nan=True)
    assert "scored from float16 predictions" in unranked_because(again.manifest, "metric")
    assert "scored from float16 predictions" not in unranked_because(original.manifest, "metric")


def test_float16_refuses_what_it_cannot_hold(run, wavy, model, monkeypatch):
    monkeypatch.setattr(model, "factor", 1e5)
    with pytest.raises(PredictionError, match=r"holds values up to 65504, and the prediction reaches .*save float32"):
        run(*WORDS, "save_predictions=float16", conf=wavy)


def test_a_run_that_goes_on_predicts_what_is_not_kept_whole(run, wavy, model, monkeypatch):
    undisturbed = run(*WORDS, conf=wavy)
    monkeypatch.setattr(model, "stop_at", {"image/4": signal.SIGINT})
    with pytest.raises(Interrupted):
        run(*WORDS, "save_predictions=float32", "force=true", conf=wavy)
    monkeypatch.undo()
    folder = undisturbed.folder
    kept = [name for name in (f"image/{i}" for i in range(7)) if is_whole(folder, name)]
    assert "image/4" in kept
    assert len(kept) < 7
    # a power loss: one file lost its end, one is gone, whatever the records say
    whole = prediction_file(folder, kept[0]).read_bytes()
    prediction_file(folder, kept[0]).write_bytes(whole[:-40])
    prediction_file(folder, kept[1]).unlink()
    model.asked.clear()
    resumed = run(*WORDS, "save_predictions=float32", conf=wavy)

    assert sorted(model.asked) == sorted({f"image/{i}" for i in range(7)} - set(kept[2:]))
    assert prediction_file(folder, kept[0]).read_bytes() == whole
    for name, scored in resumed.scores.items():
        assert columns(scored) == columns(undisturbed.scores[name])
    rescored = run(*WORDS, "protocol=[metric]", "rescore=true", conf=wavy)
    assert columns(rescored.scores["metric"]) == columns(undisturbed.scores["metric"])


@pytest.mark.slow
def test_kill_9_while_predictions_are_written_loses_the_batch_in_flight_only(command, run, wavy, model):
    undisturbed = run(*WORDS, "protocol=[metric]", "save_predictions=float32", conf=wavy)
    words = [*WORDS, "save_predictions=float32", "num_workers=0", "trainer=cpu"]
    killed = command("--config-dir", str(wavy), *words, **{"stop at image/5": str(int(signal.SIGKILL))})
    assert killed.returncode == -signal.SIGKILL
    model.asked.clear()
    resumed = run(*WORDS, "save_predictions=float32", conf=wavy)

    assert 0 < len(model.asked) < 7
    assert columns(resumed.scores["metric"]) == columns(undisturbed.scores["metric"])
    for number in range(7):
        mine, other = (prediction_file(cell.folder, f"image/{number}") for cell in (resumed, undisturbed))
        assert mine.read_bytes() == other.read_bytes()


def test_scoring_again_goes_on_after_an_interruption_and_never_mixes_with_the_model(
    run, wavy, model, monkeypatch, caplog
):
    caplog.set_level("INFO")
    original = run(*WORDS, "save_predictions=float16", conf=wavy)
    words = (*WORDS, "protocol=[metric]")
    from src.engine.cell.rescore import Replay

    read = Replay.predict_step

    def interrupted(self, batch, batch_idx=0):
        if batch_idx == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return read(self, batch, batch_idx)

    monkeypatch.setattr(Replay, "predict_step", interrupted)
    with pytest.raises(Interrupted):
        run(*words, "rescore=true", conf=wavy)
    monkeypatch.undo()
    model.asked.clear()
    by_model = run(*words, conf=wavy)
    assert len(set(model.asked)) == 7
    assert not by_model.manifest.rescored_from
    assert columns(by_model.scores["metric"]) == columns(original.scores["metric"])

    monkeypatch.setattr(Replay, "predict_step", interrupted)
    with pytest.raises(Interrupted):
        run(*words, "rescore=true", "force=true", conf=wavy)
    monkeypatch.undo()
    model.asked.clear()
    caplog.clear()
    again = run(*words, "rescore=true", conf=wavy)
    assert "Resuming" in caplog.text
    assert model.asked == []
    assert again.manifest.rescored_precision == "float16"


def test_only_what_fits_is_scored_again(run, wavy, model):
    with pytest.raises(ConfigError, match="none of the 0 other finished cells"):
        run(*WORDS, "rescore=true", conf=wavy)
    run(*WORDS, conf=wavy)
    with pytest.raises(ConfigError, match=r"save_predictions=float32 first"):
        run(*WORDS, "protocol=[metric]", "rescore=true", conf=wavy)
    run(*WORDS, "limit=3", "save_predictions=float32", conf=wavy)
    with pytest.raises(ConfigError, match="of the first 3 images only, and limit=null asks for more"):
        run(*WORDS, "protocol=[metric]", "rescore=true", conf=wavy)
    with pytest.raises(ConfigError, match="none of the 2 other finished cells"):
        run(*WORDS, "seed=1", "protocol=[metric]", "rescore=true", "limit=2", conf=wavy)
    assert run(*WORDS, "protocol=[metric]", "rescore=true", "limit=2", conf=wavy).manifest.expected == 2
    with pytest.raises(ConfigError, match="leave save_predictions out"):
        run(*WORDS, "protocol=[scale]", "rescore=true", "limit=2", "save_predictions=float32", conf=wavy)
    with pytest.raises(ConfigError, match=r"expected null, float32 or float16, got 'float8'"):
        run(*WORDS, "protocol=[scale]", "save_predictions=float8", conf=wavy)


def test_a_finished_cell_says_that_its_predictions_were_not_saved(run, wavy, model, caplog):
    run(*WORDS, conf=wavy)
    run(*WORDS, "save_predictions=float32", conf=wavy)
    assert "force=true predicts again and saves them" in caplog.text


def test_a_damaged_or_missing_prediction_is_named(run, wavy, model):
    original = run(*WORDS, "save_predictions=float32", conf=wavy)
    path = prediction_file(original.folder, "image/2")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"image/2\.npz: expected the saved prediction for 'image/2'"):
        run(*WORDS, "protocol=[metric]", "rescore=true", conf=wavy)


def test_they_are_read_as_what_they_are_by_the_model_of_saved_maps(run, wavy, model):
    original = run(*WORDS, "save_predictions=float32", conf=wavy)
    folder = f"model.folder={original.folder / 'predictions'}"
    saved = run("model=saved", folder, *WORDS[2:], conf=wavy)

    assert saved.manifest.output_space == "metric_depth"
    assert columns(saved.scores["metric"]) == columns(original.scores["metric"])
    with pytest.raises(ConfigError, match=r"were predicted in metric_depth; leave model.space out"):
        run("model=saved", folder, "model.space=affine_disparity", *WORDS[2:], conf=wavy)
    oracle = run("model=oracle", "data=ragged", "save_predictions=float32", conf=wavy)
    by_saved = run("model=saved", f"model.folder={oracle.folder / 'predictions'}", "data=ragged", conf=wavy)
    assert by_saved.manifest.uses_ground_truth


def test_other_weights_or_another_precision_do_not_join_what_an_interrupted_run_has_kept(run, wavy, model, monkeypatch):
    monkeypatch.setattr(model, "stop_at", {"image/2": signal.SIGINT})
    with pytest.raises(Interrupted):
        run(*WORDS, "save_predictions=float32", conf=wavy)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="precision: float32 -> float16"):
        run(*WORDS, "save_predictions=float16", conf=wavy)
    done = run(*WORDS, "save_predictions=float16", "force=true", conf=wavy)
    about = json.loads((done.folder / "predictions" / "predictions.json").read_text())
    assert (about["space"], about["precision"]) == ("metric_depth", "float16")


def test_values_and_camera_come_back_as_they_were(tmp_path):
    generator = torch.Generator().manual_seed(0)
    values, camera = torch.rand(2, 1, 4, 5, generator=generator), torch.rand(2, 3, 3, generator=generator)
    values[1, 0, 0, :2] = torch.tensor([torch.nan, torch.inf])
    sample = Sample(
        image=torch.zeros(2, 3, 4, 5, dtype=torch.uint8), depth=torch.ones(2, 1, 4, 5),
        valid=torch.ones(2, 1, 4, 5, dtype=torch.bool), depth_range=(0.1, 9.0), sample_id=("a.b", "c/d"),
        index=(0, 1), cluster=("", ""), slice=("", ""),
    )  # fmt: skip
    prediction = Prediction(values=values, space=OutputSpace.METRIC_DEPTH, input_size=(4, 5), intrinsics=camera)
    writer = PredictionWriter(tmp_path, precision="float32", about={"space": "metric_depth"})
    writer.open({"weights": "none"})
    writer.write(sample, prediction)

    for position, name in enumerate(sample.sample_id):
        read, intrinsics = read_prediction(tmp_path, name)
        assert is_whole(tmp_path, name)
        assert torch.equal(read.view(torch.int32), values[position, 0].view(torch.int32))
        assert torch.equal(intrinsics, camera[position])
    assert not is_whole(tmp_path, "c")
    with zipfile.ZipFile(prediction_file(tmp_path, "e.f"), "w") as file:
        file.writestr("other.npy", b"")
    assert not is_whole(tmp_path, "e.f")
