"""One cell, from configuration to records."""

import dataclasses
import json
import math

import pytest

from src.core.errors import ConfigError, DataError, PredictionError
from src.records.reader import read_cell
from src.records.table import read_table, to_records
from src.records.writer import dump


def errors(cell, protocol, metric):
    return cell.scores[protocol].errors[metric].tolist()


def rows(cell):
    return list(to_records(cell.scores))


def unfinish(folder):
    """Make a finished cell one that was killed; return the lines of its log, one per image and protocol."""
    lines = [dump(dataclasses.asdict(record)) + "\n" for record in to_records(read_table(folder / "records.parquet"))]
    for name in ("manifest.json", "records.parquet", "summary.json"):
        (folder / name).unlink()
    return lines


def test_every_image_is_scored_under_every_applicable_protocol(run, outside):
    cell = run("model=broken", "data=ragged", "batch_size=3", conf=outside)

    # the model says 2 m everywhere, the truth of image i is i + 1 metres, but for one pixel of the next smaller number
    assert errors(cell, "metric", "abs_rel") == pytest.approx([abs(2 - g) / g for g in range(1, 8)], abs=1e-8)
    assert errors(cell, "scale", "abs_rel") == pytest.approx([0.0] * 7, abs=1e-8)
    assert cell.manifest.protocols.keys() == {"metric", "median_scaled", "scale", "affine_depth", "affine_disparity"}
    assert cell.manifest.scored == dict.fromkeys(cell.manifest.protocols, 7)
    assert cell.scores["scale"].sample_id.tolist() == [f"image/{i}" for i in range(7)]
    assert set(cell.scores["scale"].slice) == {"even", "odd"}
    assert cell.scores["scale"].input_size[1].tolist() == [4, 6]
    assert not cell.manifest.limited


def test_a_cell_on_disk_reads_back_as_it_was_returned(run, outside):
    cell = run("model=broken", "data=ragged", conf=outside)

    again = read_cell(cell.folder)
    assert (again.manifest, rows(again)) == (cell.manifest, rows(cell))
    summary = json.loads((cell.folder / "summary.json").read_text())
    assert summary["metric"]["abs_rel"]["mean"] == pytest.approx(sum(abs(2 - g) / g for g in range(1, 8)) / 7)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 50])
def test_batch_size_changes_neither_digits_nor_folder(run, outside, batch_size):
    first = run("model=ramp", "data=ragged", "batch_size=4", conf=outside)
    second = run("model=ramp", "data=ragged", f"batch_size={batch_size}", "force=true", conf=outside)

    assert second.folder == first.folder
    assert errors(second, "affine_disparity", "rmse") == errors(first, "affine_disparity", "rmse")


def test_nan_prediction_is_failed_and_empty_mask_is_skipped(run, outside):
    cell = run("model=broken", "model.broken=[image/2]", "data=ragged", "data.empty=4", conf=outside)

    assert cell.scores["metric"].status.tolist() == ["ok", "ok", "failed", "ok", "skipped", "ok", "ok"]
    assert cell.manifest.scored["metric"] == 5
    assert cell.manifest.failed["metric"] == cell.manifest.skipped["metric"] == 1
    assert [math.isnan(value) for value in errors(cell, "metric", "abs_rel")] == [i in (2, 4) for i in range(7)]
    mean = json.loads((cell.folder / "summary.json").read_text())["metric"]["abs_rel"]["mean"]
    assert mean == pytest.approx(sum(abs(2 - g) / g for g in (1, 2, 4, 6, 7)) / 5)


def test_limit_marks_the_cell_and_gets_a_folder_of_its_own(run, outside):
    whole = run("model=ramp", "data=ragged", conf=outside)
    part = run("model=ramp", "data=ragged", "limit=3", conf=outside)

    assert part.manifest.limited
    assert part.manifest.expected == 3
    assert part.folder != whole.folder


def test_a_finished_cell_is_not_run_again_unless_forced(run, outside, caplog):
    caplog.set_level("INFO")
    first = run("model=ramp", "data=ragged", conf=outside)
    again = run("model=ramp", "data=ragged", "batch_size=2", conf=outside)
    assert "Already finished" in caplog.text
    assert again.manifest == first.manifest

    caplog.clear()
    forced = run("model=ramp", "data=ragged", "force=true", conf=outside)
    assert "Already finished" not in caplog.text
    assert forced.manifest.images_per_second != first.manifest.images_per_second


def test_oracle_is_exact_with_scale_and_shift_spoilt(run):
    cell = run("model=oracle", "data=sample", "model.scale=0.3", "model.shift=0.7")

    assert max(errors(cell, "affine_disparity", "abs_rel")) < 1e-6
    assert cell.manifest.uses_ground_truth


def test_panels_keep_scored_values(run, outside):
    import numpy as np

    cell = run("model=broken", "data=ragged", "panels=2", conf=outside)

    assert len(cell.manifest.depth_edges) == cell.scores["metric"].depth_pixels.shape[1] + 1
    # 2 m is predicted for 1, 2 ... 7 m: 1 and 5 are spread over the split, 0 and 6 the worst, 1 the best, 4 the median
    assert sorted(int(path.stem) for path in (cell.folder / "panels").iterdir()) == [0, 1, 4, 5, 6]
    panel = np.load(cell.folder / "panels" / "000001.npz")
    assert panel["image"].shape == (4, 6, 3)
    expected = np.full((4, 6), 2.0, np.float32)
    expected[-1, -1] = np.nextafter(expected[-1, -1], np.float32(0))
    assert np.array_equal(panel["depth"], expected)
    assert (panel["aligned_metric"] == 2.0).all()
    assert str(panel["sample_id"]) == "image/1"


def test_protocols_that_cannot_apply_are_listed(run):
    cell = run("model=ramp", "data=sample")
    assert cell.manifest.not_applicable == ["metric", "median_scaled", "scale", "affine_depth"]


def test_a_run_that_nothing_applies_to_is_refused_at_once(run):
    with pytest.raises(ConfigError, match=r"none of the requested protocols \(metric\) can score affine_disparity"):
        run("model=ramp", "data=sample", "protocol=[metric]")


def test_a_prediction_of_the_wrong_shape_is_refused(run, outside):
    with pytest.raises(PredictionError, match=r"expected floating-point values of shape \(1, 1, 4, 5\)"):
        run("model=wrong_shape", "data=ragged", "batch_size=1", conf=outside)


def test_an_unreadable_file_stops_the_run_and_keeps_what_was_scored(run, outside):
    with pytest.raises(DataError, match=r"image/5\.png: expected a PNG"):
        run("model=ramp", "data=ragged", "data.unreadable=5", "batch_size=2", conf=outside)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("limit=0", "limit: expected null or a whole number >= 1, got 0; type limit=100"),
        ("batch_size=0", "batch_size: expected a whole number >= 1 or auto, got 0"),
        ("model._target_=nowhere.Model", "model: cannot be built"),
        ("model._target_=pathlib.PurePath", "takes no key|cannot be built|expected _target_"),
    ],
)
def test_wrong_values_are_refused(run, word, message):
    with pytest.raises(ConfigError, match=message):
        run("model=ramp", "data=sample", word)


def test_manifest_says_what_made_the_numbers(run, outside):
    manifest = run("model=ramp", "data=ragged", conf=outside).manifest

    assert manifest.model == "ramp"
    assert manifest.data == "ragged"
    assert manifest.config["data"]["n"] == 7
    assert manifest.versions["torch"].startswith("2.")
    assert manifest.world_size == 1
    assert manifest.protocols["affine_disparity"].metrics["delta1"].higher_is_better
    assert manifest.protocols["affine_disparity"].fitted_in == "disparity"
    assert manifest.protocols["affine_disparity"].clip == (0.1, 100.0)
    assert math.isfinite(manifest.images_per_second)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_an_interrupted_cell_goes_on_where_it_stopped_and_ends_with_the_same_digits(run, outside, caplog, batch_size):
    caplog.set_level("INFO")
    whole = run("model=broken", "model.broken=[image/1]", "data=ragged", "data.empty=2", conf=outside)
    lines = unfinish(whole.folder)
    # two processes died: four whole images, one under three of five protocols, and a torn line
    (whole.folder / "records.rank0.jsonl").write_text("".join(lines[:10] + lines[25:28]))
    (whole.folder / "records.rank1.jsonl").write_text("".join(lines[10:20]) + lines[20][:50])

    resumed = run(
        "model=broken", "model.broken=[image/1]", "data=ragged", "data.empty=2", f"batch_size={batch_size}",
        conf=outside,
    )  # fmt: skip

    assert "Resuming: 4 of 7 images" in caplog.text
    strip = dataclasses.replace
    assert [strip(r, seconds=0.0) for r in rows(resumed)] == [strip(r, seconds=0.0) for r in rows(whole)]
    assert resumed.manifest.failed == whole.manifest.failed
    assert resumed.scores["metric"].seconds[:4].tolist() == whole.scores["metric"].seconds[:4].tolist()
    assert [path.name for path in resumed.folder.glob("records.*")] == ["records.parquet"]


def test_a_cell_interrupted_after_its_last_image_only_needs_finishing(run, outside):
    whole = run("model=ramp", "data=ragged", conf=outside)
    (whole.folder / "records.rank0.jsonl").write_text("".join(unfinish(whole.folder)))

    finished = run("model=ramp", "data=ragged", conf=outside)

    assert rows(finished) == rows(whole)
    assert finished.manifest.images_per_second > 0


def test_records_of_another_protocol_version_are_scored_again(run, outside, caplog):
    caplog.set_level("INFO")
    whole = run("model=ramp", "data=ragged", conf=outside)
    text = "".join(unfinish(whole.folder))
    (whole.folder / "records.rank0.jsonl").write_text(text.replace('"protocol_version": 1', '"protocol_version": 0'))

    again = run("model=ramp", "data=ragged", conf=outside)

    assert "Resuming" not in caplog.text
    assert errors(again, "affine_disparity", "rmse") == errors(whole, "affine_disparity", "rmse")


def test_protocols_that_need_other_annotations_are_not_applicable(run):
    words = ["data=synthetic", "data.n=2", "data.size=[48,64]", "protocol=[affine_disparity,da2k,mdec2025_edges]"]

    manifest = run("model=ramp", *words).manifest

    assert manifest.protocols.keys() == {"affine_disparity", "mdec2025_edges"}  # the scenes have edges, but no pairs
    assert manifest.not_applicable == ["da2k"]
    with pytest.raises(
        ConfigError, match=r"\(da2k\) can score affine_disparity predictions on this data: expected one"
    ):
        run("model=ramp", *words[:-1], "protocol=[da2k]")
