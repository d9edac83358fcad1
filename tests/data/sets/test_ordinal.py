import json

import pytest
from PIL import Image

from src.core.errors import DataError
from src.data.sets.ordinal import DA2K, DIW

PAIRS = {
    "images/indoor/küche 1.jpg": [
        {"point1": [0, 1], "point2": [3, 5], "closer_point": "point1"},
        {"point1": [2, 2], "point2": [1, 1], "closer_point": "point2"},
    ],
    "images/aerial/0002.png": [{"point1": [3, 0], "point2": [0, 5], "closer_point": "point1"}],
}


def write_da2k(root, pairs=PAIRS, size=(4, 6)):
    for name in pairs:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size[::-1], (9, 9, 9)).save(root / name)
    (root / "annotations.json").write_text(json.dumps(pairs))


@pytest.mark.parametrize("below", ["", "DA-2K"])
def test_da2k_in_every_form(tmp_path, pack, form, below):
    write_da2k(tmp_path / "d" / below)
    dataset = DA2K(root=pack(tmp_path / "d", form), count=None)
    assert dataset.sample_ids == ("indoor/küche 1", "aerial/0002")
    sample = dataset[0]
    assert sample.slice == ("indoor",)
    # +1 where point 1 is farther
    assert sample.point_pairs[0].tolist() == [[0, 1, 3, 5, -1], [2, 2, 1, 1, 1]]
    assert sample.valid[0, 0].nonzero().tolist() == [[0, 1], [1, 1], [2, 2], [3, 5]]
    assert not sample.depth.any()
    assert dataset[1].slice == ("aerial",)


def test_a_count_is_checked_where_it_is_given(tmp_path):
    write_da2k(tmp_path)
    assert len(DA2K(root=tmp_path, count=2)) == 2
    with pytest.raises(DataError, match="expected the 1000 images of this split, found 2"):
        len(DA2K(root=tmp_path, count=1000))


def test_points_outside_the_image_are_refused_by_name(tmp_path):
    write_da2k(tmp_path, size=(3, 6))
    with pytest.raises(
        DataError, match=r"indoor/küche 1: expected annotated points within the image, .* below \(3, 6\)"
    ):
        DA2K(root=tmp_path, count=None)[0]


def test_other_annotations_are_refused_by_name(tmp_path):
    write_da2k(tmp_path, {"images/indoor/1.png": [{"point1": [0, 0], "point2": [1, 1], "closer_point": "left"}]})
    with pytest.raises(
        DataError, match=r"indoor/1\.png: expected pairs with point1, point2 and closer_point: .*'left'"
    ):
        DA2K(root=tmp_path, count=None)[0]
    write_da2k(tmp_path, {"images/indoor/1.png": []})
    with pytest.raises(DataError, match=r"indoor/1: expected annotated points within the image"):
        DA2K(root=tmp_path, count=None)[0]
    for text, message in (("{", "expected JSON"), ("[]", "expected image paths with their pairs, got list")):
        (tmp_path / "annotations.json").write_text(text)
        with pytest.raises(DataError, match=rf"annotations\.json: {message}"):
            len(DA2K(root=tmp_path, count=None))


def write_diw(root, lines=("2,3,4,1,>,6,4", "1,1,4,6,<,6,4")):
    (root / "DIW_test").mkdir(parents=True)
    rows = []
    for k, line in enumerate(lines):
        Image.new("RGB", (6, 4), (k, 0, 0)).save(root / f"DIW_test/{k:04d}.thumb", format="JPEG")
        rows += [f"./DIW_test/{k:04d}.thumb", line]
    (root / "DIW_test.csv").write_text("\n".join(rows) + "\n")


def test_diw_in_every_form(tmp_path, pack, form):
    write_diw(tmp_path / "d")
    dataset = DIW(root=pack(tmp_path / "d", form), count=2)
    assert dataset.sample_ids == ("0000", "0001")
    assert dataset[0].point_pairs[0].tolist() == [[1, 2, 3, 0, 1]]
    assert dataset[1].point_pairs[0].tolist() == [[0, 0, 3, 5, -1]]
    assert dataset[1].valid[0, 0].nonzero().tolist() == [[0, 0], [3, 5]]


@pytest.mark.parametrize("line", ["2,3,4,1,=,6,4", "2,3,4,1,>,6", ""])
def test_other_lists_are_refused(tmp_path, line):
    write_diw(tmp_path, [line])
    with pytest.raises(DataError, match=r"DIW_test\.csv: expected row1,column1,row2,column2,< or >,width,height after"):
        len(DIW(root=tmp_path, count=1))


def test_images_that_are_not_as_listed_are_refused_by_name(tmp_path):
    write_diw(tmp_path, ["1,1,2,2,>,7,4", "0,1,2,2,>,6,4"])
    dataset = DIW(root=tmp_path, count=2)
    with pytest.raises(DataError, match=r"DIW_test/0000\.thumb: expected \(4, 7\) .* as the list says, got \(4, 6\)"):
        dataset[0]
    with pytest.raises(DataError, match="0001: expected annotated points within the image"):
        dataset[1]
    with pytest.raises(DataError, match="expected the 74441 images of this split, found 2"):
        len(DIW(root=tmp_path, count=74441))
