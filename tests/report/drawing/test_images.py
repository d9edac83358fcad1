"""One line per image: what the page holds, unpacked here without the page's script."""

import base64
import dataclasses
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.records.table import read_table
from src.report.drawing.images import MAX_BYTES, build_sheets, pack
from src.report.findings.cells import find
from src.report.findings.leaderboard import build_tables

Make = Callable[..., Path]


def inflated(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def numbers(text: str, decimals: int) -> np.ndarray:
    planes = np.frombuffer(inflated(text), dtype=np.uint8).astype(np.int64).reshape(4, -1)
    codes = ((planes[0] * 256 + planes[1]) * 256 + planes[2]) * 256 + planes[3]
    values = np.where(codes % 2 == 1, -(codes + 1) / 2, codes / 2) / 10.0**decimals
    return np.where(codes == 2**32 - 1, np.nan, np.where(codes == 2**32 - 2, np.inf, values))


def content(folder: Path, **options: Any) -> dict[str, Any]:
    return build_sheets(build_tables(find([folder]).cells), **options).content


def test_packing_keeps_what_is_shown_and_what_is_no_number() -> None:
    values = np.array([0.05829, 0.99987, -1234.5678, 0.0, 1e-30, np.nan, np.inf, 1e300])
    expected = [0.0583, 0.9999, -1234.5678, 0.0, 0.0, np.nan, np.inf, np.inf]
    np.testing.assert_allclose(numbers(pack(values, 4), 4), expected, rtol=1e-12)
    assert numbers(pack(np.array([1.0, -2.0]), 0), 0).tolist() == [1, -2]


def test_a_sheet_holds_what_the_records_say_in_one_order_for_all(make_cell: Make, tmp_path: Path) -> None:
    make_cell("good", model="good", quality=0.05, images=7, place=lambda i: "ab"[i % 2], statuses={3: "failed"})
    make_cell("poor", model="poor", quality=0.3, images=7, place=lambda i: "ab"[i % 2])
    found = content(tmp_path)
    assert len(found["images"]) == 1, "both protocols score the same images"
    (images,) = found["images"]
    names = inflated(images["names"]).decode().split("\n")
    assert names == [f"scene/{i:03}" for i in range(7)]
    assert inflated(images["slices"]).decode().split("\n") == list("abababa")
    assert numbers(images["pixels"], 0).tolist() == [3000] * 7
    sheet = next(sheet for sheet in found["sheets"] if sheet["protocol"] == "metric")
    assert [model["name"] for model in sheet["models"]] == ["poor", "good"], "what failed comes last"
    assert [model["unranked"] for model in sheet["models"]] == [False, True]
    assert np.frombuffer(inflated(sheet["status"]), np.uint8).reshape(2, 7).tolist() == [[0] * 7, [0, 0, 0, 1, 0, 0, 0]]
    for place, metric in enumerate(("abs_rel", "rmse", "silog", "delta1")):
        about = sheet["metrics"][place]
        values = numbers(about["values"], about["decimals"]).reshape(2, 7)
        for row, cell in zip(values, ("poor", "good"), strict=True):
            scored = read_table(tmp_path / "outputs" / cell / "records.parquet")["metric"]
            by_name = dict(zip(scored.sample_id.tolist(), scored.errors[metric].tolist(), strict=True))
            shown = [round(by_name[name], about["decimals"]) for name in names]
            np.testing.assert_allclose(row, shown, rtol=1e-12)


def test_rows_in_another_order_are_put_side_by_side_by_name(make_cell: Make, tmp_path: Path) -> None:
    make_cell("one", model="one")
    make_cell("two", model="two", quality=0.2)
    cells = find([tmp_path]).cells
    turned = dataclasses.replace(
        cells[1], scores={name: scored.select(np.arange(5)[::-1]) for name, scored in cells[1].scores.items()}
    )
    straight = build_sheets(build_tables(cells)).content
    assert build_sheets(build_tables((cells[0], turned))).content == straight


def test_first_metrics_come_first_where_room_is_short(make_cell: Make, tmp_path: Path) -> None:
    make_cell()
    full = content(tmp_path)["sheets"]
    first = [sheet["metrics"][0] for sheet in full]
    short = build_sheets(build_tables(find([tmp_path]).cells), room=len(first[0]["values"]) + 1)
    assert [sheet["metrics"] for sheet in short.content["sheets"]] == [[metric] for metric in first]
    assert short.left_out == 6
    assert short.megabytes == MAX_BYTES // 1_000_000


def test_tables_kept_apart_are_told_apart(make_cell: Make, tmp_path: Path) -> None:
    make_cell("one", images=5, protocols=["metric"])
    make_cell("two", images=6, protocols=["metric"])
    found = content(tmp_path)
    assert [sheet["title"] for sheet in found["sheets"]] == ["rooms (6 images)", "rooms (5 images)"]
    assert [sheet["images"] for sheet in found["sheets"]] == [0, 1]


@pytest.mark.parametrize("name", ["</script><b>", "a\nb"])
def test_strange_names_stay_text(make_cell: Make, tmp_path: Path, name: str) -> None:
    make_cell(place=lambda _: name)
    groups = inflated(content(tmp_path)["images"][0]["slices"]).decode().split("\n")
    assert groups == [name.replace("\n", " ")] * 5
