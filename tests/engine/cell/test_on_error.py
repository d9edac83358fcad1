"""Damaged, missing and odd files through a whole run: raise stops it, skip counts and lists them."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from src.core.errors import ConfigError, DataError
from src.engine.terminal.table import print_cell
from src.records.aggregate import unranked_because
from src.records.reader import read_cell
from src.records.table import to_records

SIZE = (12, 16)


def ramp():
    return np.linspace(500, 4000, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)


@pytest.fixture
def shots(tmp_path):
    """Six good pairs with a space and umlauts in their names."""
    for folder in ("rgb", "depth"):
        (tmp_path / "my shots" / folder / "küche").mkdir(parents=True)
    for k in range(6):
        colour = np.random.default_rng(k).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(colour).save(tmp_path / f"my shots/rgb/küche/{k} a.png")
        Image.fromarray(ramp()).save(tmp_path / f"my shots/depth/küche/{k} a.png")
    return tmp_path / "my shots"


@pytest.fixture
def words(shots):
    return [
        "model=ramp", "data=folder", f"data.images='{shots}/rgb'", f"data.depth='{shots}/depth'",
        "data.depth_scale=0.001", "data.depth_range=[0.1,10.0]", "batch_size=2", "protocol=[affine_disparity]",
    ]  # fmt: skip


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def save_npy(values):
    def save(path):
        path.unlink()
        np.save(path.with_suffix(".npy"), values)

    return save


FAULTS = {
    "truncated image": ("rgb", cut, r"2 a\.png: expected a readable image"),
    "foreign image": ("rgb", lambda path: path.write_text("<html>404"), r"2 a\.png: expected a readable image"),
    "empty image": ("rgb", lambda path: path.write_bytes(b""), r"2 a\.png: expected a readable image"),
    "truncated depth": ("depth", cut, r"2 a\.png: expected a readable \.png map"),
    "missing depth": ("depth", lambda path: path.unlink(), r"küche/2 a"),
    "8-bit depth": (
        "depth", lambda path: Image.new("L", SIZE[::-1]).save(path), r"2 a\.png: expected a 16-bit grey PNG",
    ),
    "complex depth": ("depth", save_npy(np.ones(SIZE, complex)), r"2 a\.npy: expected real numbers"),
    "depth without pixels": ("depth", save_npy(np.ones((0, 16), np.float32)), r"2 a\.npy: expected a map of shape"),
    "depth of another size": ("depth", save_npy(np.ones((5, 16), np.float32)), r"2 a: expected image and ground truth"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_stops_a_run_or_is_counted_and_named(run, words, shots, fault):
    folder, harm, message = FAULTS[fault]
    harm(shots / folder / "küche/2 a.png")

    with pytest.raises(DataError, match=message):
        run(*words)
    cell = run(*words, "on_error=skip")

    manifest = cell.manifest
    assert (manifest.scored, manifest.skipped, manifest.failed) == (
        {"affine_disparity": 5}, {"affine_disparity": 1}, {"affine_disparity": 0},
    )  # fmt: skip
    assert manifest.unreadable == 1
    assert unranked_because(manifest, "affine_disparity") == ("1 unreadable",)
    scored = cell.scores["affine_disparity"]
    assert scored.status.tolist() == ["ok", "ok", "skipped", "ok", "ok", "ok"]
    assert scored.sample_id[2] == "küche/2 a"
    np.testing.assert_array_equal(scored.unreadable, scored.index == 2)
    assert [reason for reason in scored.reason if reason] == [scored.reason[2]]
    with pytest.raises(DataError, match=message):
        raise DataError(scored.reason[2])


@pytest.mark.slow
def test_two_processes_that_decode_ahead_count_an_unreadable_image_once_and_end(command, run, words, shots, tmp_path):
    cut(shots / "rgb/küche/3 a.png")  # of the second process
    alone = run(*words, "on_error=skip")
    done = command(
        *words, "on_error=skip", "num_workers=1", "trainer=ddp_spawn", "trainer.accelerator=cpu",
        f"paths.output_dir={tmp_path}/two",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 of 6 images could not be read and are skipped:" in done.stdout
    (folder,) = tmp_path.glob("two/ramp/folder/*")
    together = read_cell(folder)
    assert (together.manifest.world_size, together.manifest.unreadable) == (2, 1)
    assert together.manifest.skipped == alone.manifest.skipped == {"affine_disparity": 1}
    left, right = ([dataclasses.replace(row, seconds=0.0) for row in to_records(c.scores)] for c in (alone, together))
    assert left == right
    assert [record.index for record in right if record.reason] == [3]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (np.full(SIZE, np.nan), "skipped"),
        (np.full(SIZE, np.inf), "skipped"),
        (np.full(SIZE, 0.0), "skipped"),
        (np.where(ramp() > 900, ramp(), np.nan), "ok"),
    ],
    ids=["all NaN", "all infinite", "all invalid", "some NaN"],
)
def test_depth_without_a_valid_pixel_is_skipped_but_was_read(run, words, shots, values, status):
    save_npy(values.astype(np.float32))(shots / "depth/küche/2 a.png")
    cell = run(*words)
    assert cell.scores["affine_disparity"].status[2] == status
    assert cell.scores["affine_disparity"].reason.tolist() == [""] * 6
    assert cell.manifest.unreadable == 0
    assert not unranked_because(cell.manifest, "affine_disparity")


def test_whole_sets_score_the_same_whatever_is_asked_for(run, words):
    strict, lenient = run(*words), run(*words, "on_error=skip", "force=true")
    assert strict.folder == lenient.folder
    np.testing.assert_array_equal(
        strict.scores["affine_disparity"].errors["abs_rel"], lenient.scores["affine_disparity"].errors["abs_rel"]
    )


def test_the_terminal_lists_the_first_and_the_disk_keeps_all(run, words, shots, capsys):
    for k in range(1, 6):
        cut(shots / f"rgb/küche/{k} a.png")
    (shots / "depth/küche/0 a.png").rename(shots / "depth/küche/9 a.png")
    shutil.copy(shots / "rgb/küche/0 a.png", shots / "rgb/küche/9 a.png")
    cell = run(*words, "on_error=skip")

    print_cell(cell, Console(width=200))
    out = capsys.readouterr().out
    assert "1 / 6 / 0" in out
    assert "NOT RANKED: 6 unreadable" in out
    assert "6 of 7 images could not be read and are skipped:" in out
    assert "4 a.png: expected a readable image" in out
    assert "5 a.png: expected a readable image" not in out
    assert "and 1 more, see reason in records.parquet" in out
    assert read_cell(cell.folder).scores["affine_disparity"].unreadable.sum() == 6
    assert json.loads((cell.folder / "manifest.json").read_text())["unreadable"] == 6


def test_an_unreadable_first_image_does_not_hide_what_the_set_is_annotated_with(run, words, shots):
    cut(shots / "rgb/küche/0 a.png")
    cell = run(*words, "on_error=skip", "protocol=[affine_disparity,da2k]")
    assert cell.manifest.not_applicable == ["da2k"]
    assert cell.manifest.unreadable == 1


def test_a_set_of_which_nothing_can_be_read_is_an_error(run, words, shots):
    for k in range(6):
        cut(shots / f"rgb/küche/{k} a.png")
    with pytest.raises(DataError, match=r"none of the 6 images can be read; the first: .*0 a\.png"):
        run(*words, "on_error=skip")


def test_what_could_not_be_read_is_tried_again_when_a_run_goes_on(run, words, shots, caplog):
    image = shots / "rgb/küche/2 a.png"
    content = image.read_bytes()
    cut(image)
    cell = run(*words, "on_error=skip")

    assert run(*words, "on_error=skip").manifest.unreadable == 1
    assert "1 images could not be read then; force=true tries again" in caplog.text
    image.write_bytes(content)
    with pytest.raises(ConfigError, match=r"the files of its data have changed since: .*force=true"):
        run(*words)

    (cell.folder / "manifest.json").unlink()
    (cell.folder / "records.parquet").rename(cell.folder / "records.kept.parquet")
    whole = run(*words)
    assert whole.manifest.unreadable == 0
    assert whole.manifest.scored == {"affine_disparity": 6}


def test_an_unknown_wish_is_refused(run, words):
    with pytest.raises(Exception, match="on_error: expected raise or skip, got 'ignore'"):
        run(*words, "on_error=ignore")
