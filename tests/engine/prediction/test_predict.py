"""Predictions of one's own pictures: written, resumed, never mixed, and the same as an evaluation sees."""

import contextlib
import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError, PredictionError
from src.engine.prediction.predict import print_predictions
from src.engine.process.interrupt import Interrupted

MORE = """
import os, signal, time
import torch
from outside import Broken
from src.core.prediction import OutputSpace


class Bright(Broken):
    space = OutputSpace.AFFINE_DISPARITY
    stop = None
    seconds = float(os.environ.get("SECONDS_PER_BATCH", "0"))

    def infer(self, image, sample_id):
        time.sleep(self.seconds)
        if self.stop in sample_id:
            os.kill(os.getpid(), signal.SIGINT)
        return image.float().mean(1, keepdim=True)
"""


@pytest.fixture
def photos(tmp_path):
    """Three pictures of two sizes."""
    rng = np.random.default_rng(0)
    for name, size in {"a": (4, 6), "b": (4, 6), "sub/c": (5, 3)}.items():
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def bright(outside, monkeypatch):
    """A model whose disparity is the brightness."""
    (outside.parent / "code" / "more.py").write_text(MORE)
    (outside / "model" / "bright.yaml").write_text("# brightness\n_target_: more.Bright\nbroken: []\n")
    return outside


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("npy/**/*.npy")}


def test_every_picture_gets_its_files_and_what_they_are(predict, photos, bright):
    done = predict("model=bright", f"images={photos}", "batch_size=3", conf=bright)

    assert list(done.written) == ["a", "b", "sub/c"]
    for name in done.written:
        values = np.load(done.folder / "npy" / f"{name}.npy")
        pixels = np.asarray(Image.open(photos / f"{name}.png")).astype(np.float32)
        np.testing.assert_allclose(values, pixels.mean(2), rtol=1e-6)
        assert values.dtype == np.float32
        with Image.open(done.folder / "colour" / f"{name}.png") as colour:
            assert colour.size == (values.shape[1], values.shape[0])
    assert done.written["sub/c"].size == (5, 3)
    assert json.loads((done.folder / "predictions.json").read_text())["settings"]["images"] == str(photos)


def test_what_is_there_is_kept_and_what_has_changed_is_predicted_again(predict, photos, bright):
    first = predict("model=bright", f"images={photos}", conf=bright)
    before = stamps(first.folder)
    again = predict("model=bright", f"images={photos}", "batch_size=2", conf=bright)
    assert again.folder == first.folder
    assert again.kept == 3
    assert stamps(first.folder) == before

    Image.new("RGB", (2, 2), "white").save(photos / "a.png")
    (first.folder / "npy" / "b.npy").unlink()
    third = predict("model=bright", f"images={photos}", conf=bright)
    assert third.kept == 1
    assert np.load(first.folder / "npy" / "a.npy").tolist() == [[255, 255], [255, 255]]
    assert (
        stamps(first.folder)[first.folder / "npy" / "sub" / "c.npy"] == before[first.folder / "npy" / "sub" / "c.npy"]
    )


def test_another_format_of_the_same_prediction_joins_it(predict, photos, bright):
    first = predict("model=bright", f"images={photos}", "write=[npy]", conf=bright)
    second = predict("model=bright", f"images={photos}", "write=[png16]", conf=bright)
    assert first.folder == second.folder
    assert second.kept == 0
    assert len(list(first.folder.glob("*/sub/c.*"))) == 3


def test_other_settings_have_another_folder_and_are_refused_in_this_one(predict, photos, bright):
    first = predict("model=ramp", f"images={photos}")
    other = predict("model=ramp", f"images={photos}", "resolution=native")
    assert other.folder != first.folder
    with pytest.raises(ConfigError, match="resolution: default -> native"):
        predict("model=ramp", f"images={photos}", "resolution=native", f"output={first.folder}")
    forced = predict("model=constant", f"images={photos}", f"output={first.folder}", "write=[npy]", "force=true")
    assert forced.kept == 0
    assert not (first.folder / "colour").exists()
    assert json.loads((first.folder / "predictions.json").read_text())["settings"]["model"]["_target_"].endswith(
        "Constant"
    )


def test_other_weights_under_the_same_name_are_not_mixed(predict, photos, bright):
    first = predict("model=bright", f"images={photos}", conf=bright)
    stamp = first.folder / "predictions.json"
    content = json.loads(stamp.read_text())
    content["provenance"]["revision"] = "of yesterday"
    stamp.write_text(json.dumps(content))
    (first.folder / "npy" / "a.npy").unlink()
    with pytest.raises(ConfigError, match="weights none of yesterday"):
        predict("model=bright", f"images={photos}", conf=bright)


def test_an_interrupt_stops_after_the_batch_and_the_same_command_goes_on(predict, photos, bright):
    import more  # the fixture made it importable

    before = signal.getsignal(signal.SIGINT)
    more.Bright.stop = "b"
    with pytest.raises(Interrupted):
        predict("model=bright", f"images={photos}", conf=bright)
    assert signal.getsignal(signal.SIGINT) is before
    more.Bright.stop = None
    done = predict("model=bright", f"images={photos}", conf=bright)
    assert done.kept == 2
    assert len(done.written) == 3
    assert not (done.folder / "running.json").exists()


@pytest.mark.slow
def test_two_processes_share_the_pictures_and_stop_together(start, predict, photos, bright, tmp_path):
    for number in range(20):
        Image.new("RGB", (3, 2), (number, number, number)).save(photos / f"more {number:02}.png")
    words = ["model=bright", f"images={photos}", "write=[npy]", f"output={tmp_path}/maps"]
    words_of_two = ["--config-dir", str(bright), *words, "trainer=ddp_cpu"]
    process = start(*words_of_two, module="src.predict", session=True, SECONDS_PER_BATCH="0.5")
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("maps/about/*.json"))) < 2:
            assert process.poll() is None, process.stderr
            assert time.monotonic() < deadline, "nothing was written in two minutes"
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)  # this process only: it tells the other one
        assert process.wait(60) == 75
        message = process.stderr
        assert "interrupted by SIGTERM after a whole batch; the same command goes on from here" in message
        assert "Traceback" not in message
        with pytest.raises(ProcessLookupError):  # nobody of the group is left
            os.killpg(process.pid, 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    done = predict(*words, conf=bright)
    assert 2 <= done.kept < 23
    assert len(done.written) == 23
    for name in done.written:
        pixels = np.asarray(Image.open(photos / f"{name}.png")).astype(np.float32)
        np.testing.assert_allclose(np.load(done.folder / "npy" / f"{name}.npy"), pixels.mean(2), rtol=1e-6)


def test_points_need_a_space_and_a_camera(predict, photos, bright):
    with pytest.raises(ConfigError, match="points in space need depth up to scale"):
        predict("model=bright", f"images={photos}", "write=[ply]", conf=bright)
    with pytest.raises(PredictionError, match=r"no camera is known for 'a'.*field_of_view"):
        predict("model=broken", f"images={photos}", "write=[ply]", conf=bright)
    done = predict("model=broken", f"images={photos}", "write=[ply]", "field_of_view=60.0", conf=bright)
    assert [one.files["ply"]["points"] for one in done.written.values()] == [24, 24, 15]
    assert done.written["a"].camera[0] == pytest.approx([3 / np.tan(np.pi / 6), 0, 3])


def test_an_unknown_format_and_a_broken_picture_say_so(predict, photos, bright):
    with pytest.raises(ConfigError, match=r"write: expected some of npy, png16, colour, ply, got \[jpg\]"):
        predict("model=ramp", f"images={photos}", "write=[jpg]")
    (photos / "b.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"b.png: expected a readable image"):
        predict("model=ramp", f"images={photos}")


def test_the_summary_names_changes_and_values_that_are_not_finite(predict, photos, bright, capsys):
    from rich.console import Console

    Image.new("RGBA", (2, 2)).save(photos / "a.png")
    done = predict("model=broken", f"images={photos}", "model.broken=[sub/c]", conf=bright)
    print_predictions(done, Console(width=200))
    shown = capsys.readouterr().out
    assert "3 pictures predicted, 0 were there" in shown
    assert "changed before prediction: a: transparency filled with white" in shown
    assert "NOT FINITE: sub/c: 1 pixels" in shown


def test_scoring_the_files_equals_scoring_the_model(predict, run, photos, bright, tmp_path):
    for path in photos.rglob("*.png"):
        size = np.asarray(Image.open(path)).shape[:2]
        truth = tmp_path / "truth" / path.relative_to(photos).with_suffix(".npy")
        truth.parent.mkdir(parents=True, exist_ok=True)
        np.save(truth, np.random.default_rng(1).uniform(1, 9, size).astype(np.float32))
    done = predict("model=bright", f"images={photos}", conf=bright)
    data = [
        "data=folder", f"data.images={photos}", f"data.depth={tmp_path / 'truth'}", "data.depth_scale=1.0",
        "data.depth_range=[0.1,10.0]", "protocol=[affine_disparity]",
    ]  # fmt: skip
    saved = run("model=saved", f"model.folder={done.folder / 'npy'}", "model.space=affine_disparity", *data)
    direct = run("model=bright", *data, conf=bright)

    def errors(cell):
        return {name: values.tolist() for name, values in cell.scores["affine_disparity"].errors.items()}

    assert errors(saved) == errors(direct)


@pytest.mark.slow
def test_the_command_shows_help_and_refuses_what_is_wrong(command, photos):
    done = command("model=ramp", f"images={photos / 'nothing'}", module="src.predict")
    assert done.returncode == 1
    assert "expected a folder, a file or a pattern" in done.stderr
    assert "Traceback" not in done.stderr
    done = command("--help", module="src.predict")
    assert "images=???" in done.stdout
    assert "protocol=" not in done.stdout
