import hashlib

import numpy as np
import pytest
from PIL import Image

from src.core.errors import DataError
from src.data.readiness.sources import RemoteFile, Source
from src.data.readiness.verify import verify
from src.data.readiness.verify_page import render
from src.data.sets.kitti_selection import KITTISelection

DRIVE = "2011_09_26_drive_0002_sync"
SOURCE = Source(variants=("kitti_val_selection",), median=(2.0, 60.0))


@pytest.fixture
def root(tmp_path):
    for folder in ("image", "groundtruth_depth", "intrinsics"):
        (tmp_path / folder).mkdir()
    for k in range(25):
        name = f"{DRIVE}_%s_{k:010d}_image_02"
        Image.new("RGB", (16, 8), (k, 0, 0)).save(tmp_path / "image" / f"{name % 'image'}.png")
        depth = np.linspace(5 * 256, 40 * 256, 128).reshape(8, 16).astype(np.uint16)
        Image.fromarray(depth).save(tmp_path / "groundtruth_depth" / f"{name % 'groundtruth_depth'}.png")
        (tmp_path / "intrinsics" / f"{name % 'image'}.txt").write_text("700 0 8 0 700 4 0 0 1")
    return tmp_path


def look(root, *, count=25, source=SOURCE, **changes):
    dataset = KITTISelection(**{"root": root, "count": 25, "depth_range": (1e-3, 80.0), **changes})
    return verify(dataset, count=count, source=source, arguments={"root": str(root)})


def verdicts(findings):
    return {check.name: check.passed for check in findings.checks}


def test_a_whole_set_passes(root):
    findings = look(root)
    assert verdicts(findings) == dict.fromkeys(
        ["images", "files decode", "ground truth", "median depth", "range"], True
    )
    assert findings.passed
    assert len(findings.samples) == 12
    assert (findings.samples[0].index, findings.samples[-1].index) == ((0,), (24,))
    page = render("kitti_val_selection", "1000 <images>", findings)
    assert page.count("data:image/png;base64,") == 3
    assert "1000 &lt;images&gt;" in page


def test_a_half_ready_set_is_refused_with_the_list_of_what_is_missing(root):
    for k in range(22):
        (root / "groundtruth_depth" / f"{DRIVE}_groundtruth_depth_{k:010d}_image_02.png").unlink()
    with pytest.raises(DataError, match=r"22 of 75 files are missing") as caught:
        look(root)
    lines = str(caught.value).splitlines()
    assert lines[2] == f"  groundtruth_depth/{DRIVE}_groundtruth_depth_0000000000_image_02.png"
    assert lines[-1] == "  and 2 more"
    assert len(lines) == 2 + 20 + 1


def test_damage_and_wrong_units_are_told(root):
    (root / "image" / f"{DRIVE}_image_0000000024_image_02.png").write_bytes(b"")
    findings = look(root, source=Source(variants=(), median=(0.1, 2.0)))
    assert verdicts(findings)["files decode"] is False
    assert verdicts(findings)["median depth"] is False
    assert not findings.passed
    assert "0000000024_image_02.png: expected a readable image" in findings.checks[1].detail
    assert "something is wrong" in render("x", "", findings)
    assert verdicts(look(root, depth_range=(1e-3, 6.0)))["range"] is False


def test_hashes_are_compared_where_they_are_known(root):
    (root / "list.csv").write_bytes(b"content")
    for digest, passed in ((hashlib.md5(b"content", usedforsecurity=False).hexdigest(), True), ("00", False)):
        remote = RemoteFile(url="https://x", to="{root}/list.csv", algorithm="md5", digest=digest)
        assert verdicts(look(root, source=Source(variants=(), files=(remote,))))["list.csv"] is passed
    absent = RemoteFile(url="https://x", to="{root}/other.csv", digest="00")
    assert verdicts(look(root, source=Source(variants=(), files=(absent,))))["other.csv"] is None
