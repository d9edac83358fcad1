import base64
import io
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.core.errors import RecordsError
from src.records.reader import read_cell
from src.report.drawing import pictures, values
from src.report.drawing.gallery import Picture, build_pictures
from src.report.findings.leaderboard import build_tables

Make = Callable[..., Path]


def pictures_of(*folders: Path, count: int = 4) -> list[Picture]:
    sets, left_out = build_pictures(build_tables([read_cell(folder) for folder in folders]), count=count)
    assert left_out == 0
    return [picture for shown in sets.values() for picture in shown]


def unpack(text: str, shape: tuple[int, ...]) -> np.ndarray:
    """Undo `values.pack` the way the page's script does."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1).astype(np.uint16)
    codes = np.cumsum(planes[0] * 256 + planes[1], dtype=np.uint16)
    return values.metres(codes.reshape(shape))


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def test_cells_that_saw_the_same_image_share_it(make_cell: Make) -> None:
    found = pictures_of(
        make_cell("a", model="one", quality=0.1, panels=2),
        make_cell("b", model="two", quality=0.2, panels=2),
    )
    assert [picture.sample_id for picture in found] == ["scene/000", "scene/001"]
    assert [(one.row.protocol, one.row.name) for one in found[0].predicted] == [
        ("metric", "one"),
        ("metric", "two"),
        ("affine_depth", "one"),
        ("affine_depth", "two"),
    ]
    assert {protocol: len(members) for protocol, members in found[0].by_protocol.items()} == {
        "metric": 2,
        "affine_depth": 2,
    }


def test_another_ground_truth_is_another_picture(make_cell: Make) -> None:
    other = make_cell("b", panels=1, size=(40, 60))
    assert len(pictures_of(make_cell("a", panels=1), other)) == 2


def test_images_that_most_cells_have_kept_come_first_and_extremes_of_each_cell_after(make_cell: Make) -> None:
    one = make_cell("a", model="one", images=40, panels=[0, 7, 20, 31])
    two = make_cell("b", model="two", images=40, panels=[7, 20])
    found = pictures_of(one, two, count=1)
    assert [(picture.sample_id, picture.shared) for picture in found[:1]] == [("scene/007", True)]
    assert {predicted.row.name for predicted in found[0].predicted} == {"one", "two"}
    assert not any(picture.shared for picture in found[1:])
    # extremes: under the first protocol only, and never an image that is shown already
    order = np.argsort(read_cell(one).scores["metric"].errors["abs_rel"]).tolist()
    kept = sorted([0, 7, 20, 31], key=order.index)
    median = min(kept, key=lambda index: abs(order.index(index) - 19.5))
    wanted = {kept[0], kept[-1], median} - {7}
    seen = {
        int(picture.sample_id[-3:]): predicted.standing
        for picture in found[1:]
        for predicted in picture.predicted
        if predicted.row.name == "one"
    }
    assert seen.keys() == wanted
    for index, standing in seen.items():
        assert (standing.rank, standing.of) == (order.index(index) + 1, 40)


def test_no_picture_is_drawn_unless_asked_for_and_kept(make_cell: Make) -> None:
    assert pictures_of(make_cell(panels=3), count=0) == []
    assert pictures_of(make_cell("without", panels=0)) == []


def test_pictures_stay_within_their_room_the_first_protocol_before_the_others(make_cell: Make) -> None:
    tables = build_tables([read_cell(make_cell(panels=3))])
    whole, _ = build_pictures(tables, count=3)
    some, left_out = build_pictures(tables, count=3, room=1)
    assert left_out == 5
    ((picture,),) = some.values()
    assert [one.row.protocol for one in picture.predicted] == ["metric"]
    assert picture.anchor == whole["rooms"][0].anchor


def test_values_in_the_page_are_those_of_the_run(make_cell: Make) -> None:
    folder = make_cell(panels=1, size=(300, 500))
    (picture,) = pictures_of(folder)
    assert picture.stride == 3
    with np.load(folder / "panels" / "000000.npz") as arrays:
        depth, valid, aligned = (arrays[name][1::3, 1::3] for name in ("depth", "valid", "aligned_metric"))
    truth, found = (unpack(one.values, depth.shape) for one in (picture, picture.predicted[0]))
    assert (np.isnan(truth) == ~valid).all()
    assert truth[valid] == pytest.approx(depth[valid], rel=1.26e-4)
    assert found == pytest.approx(aligned, rel=1.26e-4)


def test_the_camera_is_known_where_the_data_set_knows_it(make_cell: Make) -> None:
    folder = make_cell(panels=1)
    assert pictures_of(folder)[0].camera is None
    camera = np.array([[60.0, 0, 31.5], [0, 61.0, 24.5], [0, 0, 1]])
    assert pictures_of(change(folder, intrinsics=camera))[0].camera == (60.0, 61.0, 31.5, 24.5)


def test_a_file_that_is_not_named_by_a_position_is_refused(make_cell: Make) -> None:
    folder = make_cell(panels=1)
    (folder / "panels" / "000000.npz").rename(folder / "panels" / "first.npz")
    with pytest.raises(RecordsError, match=r"first\.npz: expected a file named by the position"):
        pictures_of(folder)


def test_a_perfect_prediction_has_the_colours_of_the_ground_truth_and_no_error(make_cell: Make) -> None:
    folder = make_cell(panels=1, quality=0.0)
    (picture,) = pictures_of(folder)
    with np.load(folder / "panels" / "000000.npz") as arrays:
        valid = arrays["valid"]
    one = picture.predicted[0]
    assert (pixels(one.prediction)[valid] == pixels(picture.truth)[valid]).all()
    assert (pixels(picture.truth)[~valid] == pictures.INVALID).all()
    assert (pixels(one.error)[~valid] == pictures.INVALID).all()
    assert (np.ptp(pixels(one.error)[valid].astype(int), axis=-1) <= 3).all()
    assert not one.broken


def test_predictions_are_drawn_in_the_range_of_the_ground_truth(make_cell: Make) -> None:
    (picture,) = pictures_of(make_cell(panels=1, quality=0.0, spoil=lambda depth: 100 * depth))
    far = np.array(pictures.colour_bar(pictures.DEPTH_COLOURS)[0, -1])
    assert (pixels(picture.predicted[0].prediction) == far).all()


def test_what_is_not_finite_is_marked(make_cell: Make) -> None:
    def spoil(depth: np.ndarray) -> np.ndarray:
        return np.where(np.arange(depth.shape[1]) == 30, np.float32(np.nan), depth)

    (picture,) = pictures_of(make_cell(panels=1, spoil=spoil, statuses={0: "failed"}))
    one = picture.predicted[0]
    assert one.broken
    assert one.standing.status == "failed"
    assert one.standing.label == "worst of 5"
    assert (pixels(one.prediction)[:, 30] == pictures.BROKEN).all()


def test_an_image_without_ground_truth_is_all_grey(make_cell: Make) -> None:
    folder = make_cell(panels=1, statuses={0: "skipped"})
    file = folder / "panels" / "000000.npz"
    with np.load(file) as arrays:
        content = dict(arrays)
    for name in ("depth", "aligned_metric", "aligned_affine_depth"):
        content[name] = np.full_like(content[name], np.nan if "aligned" in name else 0)
    np.savez(file, **content | {"valid": np.zeros_like(content["valid"])})
    (picture,) = pictures_of(folder)
    assert picture.limits is None
    assert not picture.predicted[0].broken
    for uri in (picture.truth, picture.predicted[0].prediction, picture.predicted[0].error):
        assert (pixels(uri) == pictures.INVALID).all()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip file"])
def test_a_damaged_file_is_named(make_cell: Make, content: bytes) -> None:
    file = make_cell(panels=1) / "panels" / "000000.npz"
    file.write_bytes(content)
    with pytest.raises(RecordsError, match=re.escape(str(file)) + ": expected panels written by a run"):
        pictures_of(file.parents[1])


def change(folder: Path, **arrays: np.ndarray) -> Path:
    file = folder / "panels" / "000000.npz"
    with np.load(file) as present:
        content = dict(present) | arrays
    np.savez(file, **{name: array for name, array in content.items() if array is not None})
    return folder


def test_a_missing_array_is_named(make_cell: Make) -> None:
    folder = change(make_cell(panels=1), aligned_metric=None)  # type: ignore[arg-type]
    with pytest.raises(RecordsError, match=r"000000\.npz: expected panels written by a run, but.*aligned_metric"):
        pictures_of(folder)


def test_maps_of_another_size_are_refused(make_cell: Make) -> None:
    folder = change(make_cell(panels=1), depth=np.ones((3, 4), np.float32))
    with pytest.raises(RecordsError, match=r"maps of one size, got \(48, 64, 3\), \(3, 4\), \(48, 64\)"):
        pictures_of(folder)


def test_panels_of_another_run_are_refused(make_cell: Make) -> None:
    folder = change(make_cell(panels=1), sample_id=np.str_("elsewhere"))
    with pytest.raises(RecordsError, match="got 'elsewhere' at position 0"):
        pictures_of(folder)
