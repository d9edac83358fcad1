import json
import re

import pytest
from PIL import Image

from src.data.__main__ import CONF, _all_arguments, main
from src.data.readiness.sources import read_sources


@pytest.fixture
def da2k(tmp_path):
    (tmp_path / "DA-2K/images/indoor").mkdir(parents=True)
    Image.new("RGB", (6, 4)).save(tmp_path / "DA-2K/images/indoor/1.png")
    pairs = {"images/indoor/1.png": [{"point1": [0, 0], "point2": [1, 1], "closer_point": "point1"}]}
    (tmp_path / "DA-2K/annotations.json").write_text(json.dumps(pairs))
    return f"paths.data_dir={tmp_path}"


def test_the_list_names_every_variant_once_with_count_licence_and_readiness(capsys, da2k):
    assert main(["list", da2k]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ") and ":" not in line.split()[0]}
    assert rows.keys() == {path.stem for path in (CONF / "data").glob("*.yaml")}
    assert rows["kitti_midas161"].split()[1:4] == ["161", "not", "ready"]
    assert rows["da2k"].split()[1:3] == ["-", "ready"]
    assert rows["sample"].split()[2] == "ready"
    assert rows["folder"].split()[2] == "yours"
    built_in = {"sample", "synthetic", "synthetic_small"}
    way = r"(fetch, {size}(; a part by hand)?|by hand, {size}: fetch tells the steps)"
    way = way.replace("{size}", r"(size unknown|[\d.]+ GB)")
    told = {name for name, line in rows.items() if re.search(rf" \[{way}\]$", line)}
    assert rows.keys() - told == built_in | {"folder"}
    assert rows["ddad_zoedepth"].endswith(" [by hand, 257 GB: fetch tells the steps]")
    assert rows["kitti_eigen_zhou"].endswith(" [fetch, size unknown; a part by hand]")
    sheets = [sheet for sheet in out.split("\n\n") if sheet]
    assert [s for s in sheets if "\n  Licence: " not in s or "\n  Source: " not in s] == []
    assert "  Licence: CC BY-SA 3.0." in out
    assert "  Source: DA-2K.zip (huggingface.co/datasets/depth-anything/DA-2K), as downloaded or unpacked." in out


def test_the_list_takes_the_folder_of_all_sets_and_nothing_else(capsys):
    assert main(["list", "model=midas"]) == 1
    assert capsys.readouterr().err.startswith("error: expected nothing but paths.data_dir=<folder of all data sets>")


def test_the_steps_of_every_variant_name_its_own_places(tmp_path):
    sources = {name: source for source in read_sources() for name in source.variants}
    for name, arguments in _all_arguments(CONF, [f"paths.data_dir={tmp_path}"]).items():
        source = sources.get(name)
        places = [*source.steps, *(file.to for file in source.files)] if source else []
        told = " ".join(place.format(**arguments) for place in places)
        assert (str(tmp_path) in told) == (source is not None), name


def test_verify_counts_decodes_and_writes_a_page(capsys, da2k, tmp_path):
    out_dir = f"paths.output_dir={tmp_path}/out"
    assert main(["verify", "data=sample", out_dir]) == 0
    out = capsys.readouterr().out
    assert "unknown images: 1, all their files are there; published: not stated" in out
    assert "motorcycle: 500 x 741, 92.7% of pixels count, 2.1" in out
    page = (tmp_path / "out/verify/sample.html").read_text()
    assert page.count("data:image/png;base64,") == 1
    assert "nothing speaks against these files" in page
    assert main(["verify", "data=da2k", da2k, out_dir]) == 0
    assert "  indoor/1: 4 x 6, 1 pairs of points" in capsys.readouterr().out


def test_verify_says_what_is_missing(capsys, tmp_path):
    assert main(["verify", "data=eth3d", f"paths.data_dir={tmp_path}"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/eth3d/eth3d: expected ETH3D's training images")
    assert main(["verify", "data=folder", "data.images=x"]) == 1
    assert (
        "expected values that only you know: data.depth= data.depth_scale= data.depth_range=" in capsys.readouterr().err
    )
    for words in (["data=nothing"], []):
        assert main(["verify", *words]) == 1
        assert capsys.readouterr().err.startswith("error: expected data=<name>")
