"""Fits that hold for more than one image, from predictions of one pass to records: two made-up models as in the issue.

One is sharp, and its scale wanders from image to image; the other is coarse and keeps its scale.
"""

import dataclasses
import json

import numpy as np
import pytest

from src.core.errors import ConfigError
from src.records.reader import read_cell
from src.records.schema import CONTENT_FILE, FITS_FILE
from src.records.table import to_records
from src.records.writer import dump
from tests.launching import shared_by

SEQUENCES, LENGTH = 6, 4
MADE_UP = f"""
import numpy as np
import torch

from src.core.prediction import OutputSpace
from src.core.seeding import derive_seed
from src.data.base import DepthDataset, Frame
from src.model.base import DepthModel, Provenance


class Clips(DepthDataset):
    '''Images that show their depth, 1 to 5 m: red and green are its bits. Number `empty` has no ground truth.'''

    def __init__(self, *, empty, named):
        super().__init__(depth_range=(0.1, 20.0))
        self.empty, self.named = empty, named

    def index(self):
        return [f"clip{{i // {LENGTH}}}/{{i % {LENGTH}}}" for i in range({SEQUENCES * LENGTH})]

    def read(self, i):
        rng = np.random.default_rng(i)
        code = rng.integers(0, 65536, (16, 20)).astype(np.uint16)
        image = np.stack([code >> 8, code & 255, np.zeros_like(code)], -1).astype(np.uint8)
        depth = (1 + code * np.float32(4 / 65535)).astype(np.float32)
        cluster = self.index()[i].split("/")[0] if self.named else ""
        return Frame(image=image, depth=np.zeros_like(depth) if i == self.empty else depth, cluster=cluster)


class MadeUp(DepthModel):
    '''Disparity as the image shows it, off by noise, times a scale that wanders; NaN for images that are listed.'''

    space = OutputSpace.AFFINE_DISPARITY

    def __init__(self, *, noise, wander, broken):
        super().__init__()
        self.noise, self.wander, self.broken = noise, wander, set(broken)

    def load(self):
        pass

    def input_size(self, size):
        return size

    def infer(self, image, sample_id):
        code = image[:, 0].double() * 256 + image[:, 1]
        disparity = 1 / (1 + code * (4 / 65535))
        rows = []
        for name, exact in zip(sample_id, disparity):
            rng = np.random.default_rng(derive_seed(0, name))
            noisy = exact * torch.from_numpy(np.exp(self.noise * rng.standard_normal(exact.shape)))
            row = noisy * float(np.exp(self.wander * rng.standard_normal())) * 3 + 0.5
            rows.append(torch.full_like(row, torch.nan) if name in self.broken else row)
        return torch.stack(rows)[:, None].float()

    @property
    def provenance(self):
        return Provenance(weights="none")


class Metric(MadeUp):
    '''Depth in one factor too large.'''

    space = OutputSpace.METRIC_DEPTH

    def infer(self, image, sample_id):
        return 3 / (super().infer(image, sample_id) - 0.5)
"""
YAMLS = {
    "model/sharp.yaml": "# sharp, wanders\n_target_: made_up.MadeUp\nnoise: 0.017\nwander: 0.15\nbroken: []\n",
    "model/steady.yaml": "# coarse, steady\n_target_: made_up.MadeUp\nnoise: 0.034\nwander: 0.0\nbroken: []\n",
    "model/exact.yaml": "# exact\n_target_: made_up.MadeUp\nnoise: 0.0\nwander: 0.0\nbroken: []\n",
    "model/metric_steady.yaml": "# factor\n_target_: made_up.Metric\nnoise: 0.034\nwander: 0.0\nbroken: []\n",
    "data/clips.yaml": "# clips\n_target_: made_up.Clips\nempty: null\nnamed: true\n",
}
SCOPES = ("affine_disparity_per_sequence", "affine_disparity_per_data_set", "affine_disparity_calibrated_3")
ALL = f"protocol=[affine_disparity,{','.join(SCOPES)}]"


@pytest.fixture
def made_up(own_code):
    return own_code("made_up", MADE_UP, YAMLS)


def mean(cell, protocol, metric="abs_rel"):
    return json.loads((cell.folder / "summary.json").read_text())[protocol][metric]["mean"]


def fits(cell):
    return json.loads((cell.folder / FITS_FILE).read_text())


def test_the_sharp_model_wins_per_image_and_loses_with_every_fit_that_it_must_keep(run, made_up):
    sharp, steady = (run(f"model={name}", "data=clips", ALL, "panels=2", conf=made_up) for name in ("sharp", "steady"))

    assert mean(sharp, "affine_disparity") < 0.6 * mean(steady, "affine_disparity")
    for scope in SCOPES:
        assert mean(sharp, scope) > 2 * mean(steady, scope)
    assert mean(steady, "affine_disparity_calibrated_3") == pytest.approx(mean(steady, "affine_disparity"), rel=0.05)
    assert {name: info.fit_over for name, info in sharp.manifest.protocols.items()} == dict(
        zip(
            ("affine_disparity", *SCOPES),
            ("image", "sequence", "data_set", "calibration(3, 10)"),
            strict=True,
        )
    )
    draws = fits(sharp)["affine_disparity_calibrated_3"]
    assert len(draws) == SEQUENCES  # a fold has at least one clip
    spread = np.std([draw["errors"]["abs_rel"] for draw in draws], ddof=1)
    assert spread > 5 * np.std([draw["errors"]["abs_rel"] for draw in fits(steady)["affine_disparity_calibrated_3"]])

    panels = [dict(np.load(file)) for file in sorted((sharp.folder / "panels").glob("*.npz"))]
    for panel in panels:
        assert "predicted" not in panel
        scored = sharp.scores["affine_disparity_per_sequence"]
        (place,) = np.flatnonzero(scored.sample_id == str(panel["sample_id"]))
        off = np.abs(panel["aligned_affine_disparity_per_sequence"] - panel["depth"]) / panel["depth"]
        assert off.mean() == pytest.approx(scored.errors["abs_rel"][place], rel=1e-5)
    assert not list(sharp.folder.glob("pixels*"))


def test_a_fit_over_all_images_is_that_of_all_their_pixels_put_side_by_side(run, made_up, tmp_path):
    protocols = "[scale_per_data_set,median_per_data_set,affine_depth_per_data_set,affine_disparity_per_data_set]"
    words = ["model=metric_steady", "data=clips", f"protocol={protocols}", "data.empty=5", "save_predictions=float32"]
    cell = run(*words, conf=made_up)

    kept = [
        (np.load(cell.folder / "predictions" / f"{name}.npz")["values"].astype(np.float64).ravel(), i)
        for i, name in enumerate(cell.scores["scale_per_data_set"].sample_id)
        if i != 5
    ]
    x = np.concatenate([values for values, _ in kept])
    codes = [np.random.default_rng(i).integers(0, 65536, (16, 20)).astype(np.uint16) for _, i in kept]
    y = np.concatenate([(1 + code * np.float32(4 / 65535)).astype(np.float32).ravel() for code in codes]).astype(float)
    expected = {
        "scale_per_data_set": ((x * y).sum() / (x * x).sum(), 0.0),
        "median_per_data_set": (np.median(y) / np.median(x), 0.0),
        "affine_depth_per_data_set": np.polyfit(x, y, 1),
        "affine_disparity_per_data_set": np.polyfit(1 / x, 1 / y, 1),
    }
    for name, (scale, shift) in expected.items():
        (fit,) = fits(cell)[name]
        assert (fit["scale"], fit["shift"]) == pytest.approx((scale, shift), rel=1e-9, abs=1e-12)
        assert (fit["fitted"], fit["of"], fit["scored"]) == (23, 23, 23)
        scored = cell.scores[name]
        assert scored.status.tolist().count("ok") == 23
        assert scored.status[5] == "skipped"
        assert set(scored.scale[scored.status == "ok"]) == {fit["scale"]}


def test_an_exact_model_is_recovered_by_every_scope(run, made_up):
    more = ",affine_disparity_points_25,affine_disparity_grid_25]"
    cell = run("model=exact", "data=clips", ALL.replace("]", more), conf=made_up)

    for name, scored in cell.scores.items():
        assert mean(cell, name) < 1e-6
        assert set(scored.status) == {"ok"}
    known = cell.scores["affine_disparity_points_25"].valid_pixels
    assert set(known) == {16 * 20 - 25}


def test_a_failed_image_is_left_out_of_fits_and_counted(run, made_up):
    broken = ["clip1/0", "clip1/1", "clip1/2", "clip1/3", "clip2/0"]
    cell = run("model=exact", "data=clips", ALL, f"model.broken=[{','.join(broken)}]", conf=made_up)

    for name, scored in cell.scores.items():
        assert sorted(scored.sample_id[scored.status == "failed"]) == broken
        assert cell.manifest.scored[name] == SEQUENCES * LENGTH - len(broken)
        assert all("320 NaN" in reason for reason in scored.reason[scored.status == "failed"])
    by_name = {fit["name"]: fit for fit in fits(cell)["affine_disparity_per_sequence"]}
    assert (by_name["clip1"]["fitted"], by_name["clip1"]["of"], by_name["clip1"]["scale"]) == (0, 4, None)
    assert (by_name["clip2"]["fitted"], by_name["clip2"]["of"], by_name["clip2"]["scored"]) == (3, 4, 3)
    (whole,) = fits(cell)["affine_disparity_per_data_set"]
    assert (whole["fitted"], whole["of"]) == (19, 24)


def test_no_image_is_scored_by_a_fit_that_one_of_its_clip_is_part_of(run, made_up):
    cell = run("model=steady", "data=clips", "protocol=[affine_disparity_calibrated_3]", conf=made_up)

    drawn = [fit["images"] for fit in fits(cell)["affine_disparity_calibrated_3"]]
    assert [len(images) for images in drawn] == [3] * SEQUENCES
    clips = [{name.split("/")[0] for name in images} for images in drawn]
    assert all(len(own) == 1 for own in clips)  # six folds of one clip each
    assert len(set.union(*clips)) == SEQUENCES
    assert [fit["scored"] for fit in fits(cell)["affine_disparity_calibrated_3"]] == [20] * SEQUENCES
    other = run("model=sharp", "data=clips", "protocol=[affine_disparity_calibrated_3]", conf=made_up)
    assert [fit["images"] for fit in fits(other)["affine_disparity_calibrated_3"]] == drawn


def test_an_interrupted_run_ends_with_the_digits_of_an_undisturbed_one(run, made_up):
    words = ["model=sharp", "data=clips", ALL, "batch_size=5"]
    whole = run(*words, conf=made_up)
    before, files = records(whole), fits(whole)
    lines = [dump(dataclasses.asdict(record)) + "\n" for record in to_records(whole.scores)]
    for name in ("manifest.json", "records.parquet", "summary.json", FITS_FILE):
        (whole.folder / name).unlink()
    # half of the images have records, one of them lost its pixels
    (whole.folder / "records.rank0.jsonl").write_text("".join(lines[: len(lines) // 2]))

    again = run(*words, "batch_size=3", conf=made_up)
    assert (records(again), fits(again)) == (before, files)
    assert read_cell(again.folder).manifest.fingerprint == whole.manifest.fingerprint
    assert not (again.folder / CONTENT_FILE).exists()


@pytest.mark.slow
def test_processes_change_no_digit(run, made_up, tmp_path):
    words = ["model=sharp", "data=clips", ALL.replace("]", ",affine_disparity_points_25]"), "batch_size=2"]
    words += ["data.empty=9", "model.broken=[clip3/2]", "panels=2"]
    alone = run(*words, conf=made_up)
    for world in (2, 3):
        together = run(*words, *shared_by(world), f"paths.output_dir={tmp_path}/{world}", conf=made_up)
        assert together.manifest.world_size == world
        assert (records(together), fits(together)) == (records(alone), fits(alone))


def records(cell):
    return [dataclasses.replace(record, seconds=0.0) for record in to_records(cell.scores)]


def test_a_set_without_sequences_has_no_fit_per_sequence(run, made_up):
    cell = run("model=steady", "data=clips", "data.named=false", ALL, conf=made_up)
    assert cell.manifest.not_applicable == ["affine_disparity_per_sequence"]
    assert len(fits(cell)["affine_disparity_calibrated_3"]) == 8  # of 24 single images in threes
    with pytest.raises(ConfigError, match="none of the requested protocols"):
        run("model=steady", "data=clips", "data.named=false", f"protocol=[{SCOPES[0]}]", conf=made_up)


def test_predictions_that_were_saved_give_the_same_digits(run, made_up):
    run("model=sharp", "data=clips", "protocol=[affine_disparity]", "save_predictions=float32", conf=made_up)
    saved = run("model=sharp", "data=clips", ALL, "rescore=true", conf=made_up, outputs="outputs")
    own = run("model=sharp", "data=clips", ALL, conf=made_up, outputs="others")
    assert (records(saved), fits(saved)) == (records(own), fits(own))
