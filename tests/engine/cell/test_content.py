"""A cell is finished only for the files that it was computed from."""

import os
import shutil
import signal

import numpy as np
import pytest
from lightning.pytorch import LightningDataModule, LightningModule
from omegaconf import OmegaConf
from PIL import Image

from src.core.errors import ConfigError
from src.engine.cell import content
from src.engine.cell.build import Builder
from src.engine.cell.content import _local_files
from src.engine.process.interrupt import Interrupted

WORDS = ("data.depth_scale=1.0", "data.depth_range=[0.1,10.0]", "protocol=[affine_disparity]", "batch_size=1")


@pytest.fixture
def own(tmp_path):
    """Four images with ground truth and predictions; returns the words that score them."""
    rng = np.random.default_rng(0)
    for kind in ("images", "depth", "maps"):
        (tmp_path / kind).mkdir()
    for name in "abcd":
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "images" / f"{name}.png")
        np.save(tmp_path / "depth" / f"{name}.npy", rng.uniform(1, 9, (40, 60)).astype(np.float32))
        np.save(tmp_path / "maps" / f"{name}.npy", rng.uniform(1, 9, (40, 60)).astype(np.float32))
    images = ("data=folder", f"data.images={tmp_path / 'images'}", f"data.depth={tmp_path / 'depth'}", *WORDS)
    return ("model=saved", f"model.folder={tmp_path / 'maps'}", "model.space=affine_disparity", *images)


def rewrite(path, seed=1):
    """Other content of the same size, and the same time of change."""
    before = path.stat()
    values = np.load(path)
    np.save(path, np.random.default_rng(seed).uniform(1, 9, values.shape).astype(np.float32))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def abs_rel(cell):
    return cell.scores["affine_disparity"].errors["abs_rel"].tolist()


@pytest.mark.parametrize(("what", "folder"), [("data", "depth"), ("model", "maps")])
def test_a_finished_cell_notices_files_of_other_content_and_the_same_size(run, own, tmp_path, what, folder):
    first = run(*own)
    assert first.manifest.content.keys() == {"data", "model"}
    rewrite(tmp_path / folder / "c.npy")
    with pytest.raises(
        ConfigError, match=rf"is finished, but the files of its {what} have changed since: .*force=true"
    ):
        run(*own)
    forced = run(*own, "force=true")
    assert [a == b for a, b in zip(abs_rel(first), abs_rel(forced), strict=True)] == [True, True, False, True]
    assert run(*own).manifest == forced.manifest


def test_more_images_are_noticed_and_copies_and_other_files_are_not(run, own, tmp_path, caplog):
    caplog.set_level("INFO")
    first = run(*own)
    for folder in ("images", "depth", "maps"):  # as unpacked anew
        shutil.copytree(tmp_path / folder, tmp_path / "copy")
        shutil.rmtree(tmp_path / folder)
        (tmp_path / "copy").rename(tmp_path / folder)
        os.utime(next((tmp_path / folder).iterdir()), (0, 0))
    np.save(tmp_path / "maps" / "of another set.npy", np.zeros((2, 2), np.float32))
    assert run(*own).manifest == first.manifest
    assert "Already finished" in caplog.text

    for folder, suffix in {"images": "png", "depth": "npy", "maps": "npy"}.items():
        shutil.copy(tmp_path / folder / f"a.{suffix}", tmp_path / folder / f"e.{suffix}")
    with pytest.raises(ConfigError, match=r"the files of its data have changed since \(4 then, 5 now\)"):
        run(*own)


def test_results_can_be_seen_where_the_data_are_not(run, own, tmp_path):
    first = run(*own)
    shutil.rmtree(tmp_path / "images")
    shutil.rmtree(tmp_path / "maps")
    assert run(*own).manifest == first.manifest


def test_a_checkpoint_or_folder_that_the_configuration_names_counts(tmp_path):
    weights = tmp_path / "weights"
    (weights / ".git").mkdir(parents=True)
    (weights / "__pycache__").mkdir()
    for name in ("model.bin", ".git/HEAD", "__pycache__/code.pyc", "config.json"):
        (weights / name).write_bytes(b"1")
    single = tmp_path / "released.pt"
    single.touch()
    cfg = OmegaConf.create({"model": {"weights": str(weights), "repository": str(single), "hub": "owner/name"}})
    assert [path.name for path in _local_files(Builder(cfg))] == ["config.json", "model.bin", "released.pt"]


def test_a_run_that_goes_on_scores_again_what_has_changed(run, own, tmp_path, monkeypatch, caplog):
    from src.model.families.saved import Saved

    asked, infer = [], Saved.infer

    def stopping(self, image, sample_id):
        asked.extend(sample_id)
        if sample_id == ("c",) and len(asked) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return infer(self, image, sample_id)

    monkeypatch.setattr(Saved, "infer", stopping)
    with pytest.raises(Interrupted):
        run(*own)
    rewrite(tmp_path / "depth" / "b.npy")
    rewrite(tmp_path / "depth" / "d.npy")
    resumed = run(*own)
    assert asked == ["a", "b", "c", "b", "d"]
    assert "have other files than when they were scored" in caplog.text
    fresh = run(*own, "force=true")
    assert abs_rel(resumed) == abs_rel(fresh)
    assert not (fresh.folder / "files.json").exists()

    asked.clear()
    with pytest.raises(Interrupted):
        run(*own, "force=true")
    rewrite(tmp_path / "maps" / "a.npy")
    again = run(*own)
    assert asked == ["a", "b", "c", *"abcd"]
    assert "The files of the model have changed" in caplog.text
    assert abs_rel(again)[0] != abs_rel(fresh)[0]
    assert abs_rel(again)[1:] == abs_rel(fresh)[1:]


def test_saved_predictions_of_other_images_are_not_scored_again(run, own, tmp_path):
    run(*own, "save_predictions=float32", "limit=3")
    again = (*own[:-2], "protocol=[midas]", "rescore=true")
    assert run(*again, "limit=2").manifest.expected == 2
    rewrite(tmp_path / "depth" / "c.npy")
    with pytest.raises(ConfigError, match="has predicted what is to be scored again, but the files of its data"):
        run(*again, "limit=1")


def test_results_of_threads_keep_their_order_however_many_wait(monkeypatch):
    monkeypatch.setattr(content, "_AT_ONCE", 3)
    assert list(content._on_threads(str, iter(range(10)))) == [str(i) for i in range(10)]


def test_a_file_of_many_images_is_marked_once(monkeypatch, tmp_path):
    (tmp_path / "all.zip").write_bytes(b"x")
    images = [(f"{i}", [tmp_path / "all.zip"]) for i in range(50)]
    marked = []
    monkeypatch.setattr(content, "_mark", lambda file: marked.append(file) or file.name)
    monkeypatch.setattr(content, "_THREADS", 1)
    module = LightningDataModule()
    module.sample_ids, module.files = tuple(name for name, _ in images), lambda: iter(images)
    found = content.content_of(Builder(OmegaConf.create({"model": {}})), module, None)
    assert list(found["data"]) == [name for name, _ in images]
    assert len(set(found["data"].values())) == 1
    assert marked == [tmp_path / "all.zip"]


class Plain(LightningModule):
    def files(self, names):
        return None


def test_weights_that_were_trained_anew_in_one_tensor_are_another_model(tmp_path):
    file = tmp_path / "model.bin"
    weights = bytearray(os.urandom(1 << 20))
    file.write_bytes(weights)
    build, module = Builder(OmegaConf.create({"model": {"weights": str(file)}})), LightningDataModule()
    module.sample_ids, module.files = (), lambda: iter(())
    before = content.content_of(build, module, Plain())
    weights[333_333] ^= 1  # in no block that a sample of the file would look at
    file.write_bytes(weights)
    assert content.content_of(build, module, Plain())["model"] != before["model"]


def test_an_edit_in_the_middle_of_a_file_of_ordinary_size_is_seen(tmp_path):
    file = tmp_path / "depth.npy"
    file.write_bytes(bytes(60_000))
    before = content._mark(file)
    file.write_bytes(bytes(30_000) + b"1" + bytes(29_999))
    assert content._mark(file) != before
