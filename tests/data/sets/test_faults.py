"""The published sets with one broken, missing or empty file: it is named; and with nothing measured: no error."""

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from src.core.errors import DataError
from src.data.base import DepthDataset
from src.data.sets import eth3d, frames, hypersim
from src.data.sets.eth3d import ETH3D
from src.data.sets.ordinal import DA2K, DIW
from src.data.sets.scannet import ScanNet
from tests.data.sets import (
    test_diode,
    test_eth3d,
    test_hypersim,
    test_ibims,
    test_kitti,
    test_nyu,
    test_ordinal,
    test_scannet,
    test_sintel,
    test_sunrgbd,
)

SMALL = (40, 60)
NAN_AND_THE_LIKE = (np.nan, np.inf, -np.inf, -1.0, 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """A look-alike of a set.

    Attributes:
        write: it below a folder.
        read: the data set that lies there.
        files: by path: those of sample `number`, image first, then depth if that is another file.
        number: of the sample looked at.
        fill: overwrites the sample's ground truth with one (h, w) map in metres; None for ordinal sets.
        size: of that map.
        floats: whether the files can hold NaN.
        packed: whether it is read in archives too.
    """

    write: Callable[[Path], None]
    read: Callable[[Path], DepthDataset]
    files: tuple[str, ...]
    number: int = 0
    fill: Callable[[Path, np.ndarray], None] | None = None
    size: tuple[int, int] = (480, 640)
    floats: bool = True
    packed: bool = True


def write_eth3d(root):
    test_eth3d.write(root, "bundle")
    test_eth3d.paths(root, "bundle", "office", "DSC_0999")[0].unlink()
    Image.new("RGB", SMALL[::-1], (9, 99, 199)).save(root / ETH3D_FILES[0])
    np.full(SMALL, 2, "<f4").tofile(root / ETH3D_FILES[1])


def fill_nyu(path, depth):
    with h5py.File(path, "r+") as file:
        file["rawDepths"][0] = depth.T


def fill_hypersim(path, depth):
    with h5py.File(path, "w") as file:
        file["dataset"] = depth.astype(np.float16)


def fill_ibims(path, depth):
    ones = np.ones(depth.shape, np.uint8)
    test_ibims.write(path.parent, {path.stem: test_ibims.content(depth=depth, mask_invalid=ones, mask_transp=ones)})


def fill_png(path, depth):
    Image.fromarray(depth.astype(np.uint16)).save(path)  # of nothing measured only: the units are not looked at


ETH3D_FILES = tuple(str(path) for path in test_eth3d.paths(Path(), "bundle", "office", "DSC_0219"))
DIODE_NAME = next(iter(test_diode.NAMES))
KITTI_DATE = f"{test_kitti.DRIVE[:10]}/{test_kitti.DRIVE}/image_02/data/{test_kitti.FRAME}.png"
KITTI_DEPTH = f"{test_kitti.DRIVE}/proj_depth/groundtruth/image_02/{test_kitti.FRAME}.png"
HYPERSIM = "ai_003_010/images/scene_cam_00_{}/frame.0003.{}"
SUNRGBD = f"SUNRGBD/{list(test_sunrgbd.FRAMES)[1]}"
LOOKS = {
    "nyu": Look(
        write=lambda root: test_nyu.write(root, numbers=(1,), n=3),
        read=lambda root: test_nyu.nyu(root, count=1),
        files=("nyu_depth_v2_labeled.mat",),
        fill=fill_nyu,
        packed=False,
    ),
    "kitti": Look(
        write=lambda root: test_kitti.write(root, root, folders=("", ""), calibration=False),
        read=lambda root: test_kitti.kitti(root, count=1),
        files=(KITTI_DATE, KITTI_DEPTH),
        fill=fill_png,
        size=test_kitti.SIZE,
        floats=False,
    ),
    "eth3d": Look(
        write=write_eth3d,
        read=lambda root: ETH3D(root=root, count=3, **test_eth3d.SETTINGS),
        files=ETH3D_FILES,
        fill=lambda path, depth: depth.astype("<f4").tofile(path),
        size=SMALL,
    ),
    "scannet": Look(
        write=test_scannet.write,
        read=lambda root: ScanNet(root=root, **{**test_scannet.SETTINGS, "count": 2}),
        files=("scene0011_00/color/001200.jpg", "scene0011_00/depth/001200.png"),
        number=1,
        fill=fill_png,
        floats=False,
    ),
    "diode": Look(
        write=lambda root: test_diode.write(root, {DIODE_NAME: 1}),
        read=lambda root: test_diode.diode(root, count=1),
        files=(f"{DIODE_NAME}.png", f"{DIODE_NAME}_depth.npy"),
        fill=lambda path, depth: np.save(path, depth.astype(np.float32)),
        size=SMALL,
    ),
    "sintel": Look(
        write=test_sintel.write,
        read=test_sintel.sintel,
        files=("final/alley_1/frame_0001.png", "depth/alley_1/frame_0001.dpt"),
        fill=lambda path, depth: path.write_bytes(path.read_bytes()[:12] + depth.astype("<f4").tobytes()),
        size=test_sintel.SIZE,
    ),
    "ibims": Look(
        write=lambda root: test_ibims.write(root, {"küche b_01": test_ibims.content()}),
        read=lambda root: test_ibims.ibims(root, count=1),
        files=("küche b_01.mat",),
        fill=fill_ibims,
        size=SMALL,
    ),
    "sunrgbd": Look(
        write=test_sunrgbd.write,
        read=test_sunrgbd.sunrgbd,
        files=(f"{SUNRGBD}/image/0000065.jpg", f"{SUNRGBD}/depth_bfx/0000065_abs.png"),
        number=1,
        fill=fill_png,
        size=test_sunrgbd.FRAMES["xtion/sun3ddata/a b/harvard/c1"],
        floats=False,
    ),
    "hypersim": Look(
        write=test_hypersim.write,
        read=test_hypersim.hypersim,
        files=(HYPERSIM.format("final_preview", "tonemap.jpg"), HYPERSIM.format("geometry_hdf5", "depth_meters.hdf5")),
        fill=fill_hypersim,
        size=SMALL,
    ),
    "da2k": Look(
        write=test_ordinal.write_da2k,
        read=lambda root: DA2K(root=root, count=2),
        files=("images/indoor/küche 1.jpg",),
    ),
    "diw": Look(
        write=test_ordinal.write_diw,
        read=lambda root: DIW(root=root, count=2),
        files=("DIW_test/0000.thumb",),
    ),
}
MEASURED = [name for name, look in LOOKS.items() if look.fill]
FILES = [(name, which) for name, look in LOOKS.items() for which in range(len(look.files))]


@pytest.fixture(scope="module", autouse=True)
def short_lists():
    """Splits of one or two frames, and small images where no reader or writer insists on the real size."""
    kitti, scannet = frames.kitti_eigen(annotated=True)[:1], frames.scannet_800()[:2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "nyu_test", lambda: (1,))
        patch.setattr(frames, "kitti_eigen", lambda **_: kitti)
        patch.setattr(frames, "scannet_800", lambda: scannet)
        for module in (eth3d, hypersim, test_hypersim, test_diode, test_ibims):
            patch.setattr(module, "SIZE", SMALL)
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory, short_lists):
    """The folder with the intact sets, each written when it is first asked for."""
    folder = tmp_path_factory.mktemp("intact")

    def write(name):
        if not (folder / name).exists():
            LOOKS[name].write(folder / name)
        return folder / name

    return write


@pytest.fixture
def copied(tmp_path, written):
    """A set's copy that may be broken, below a name with a space and an umlaut."""
    return lambda name: Path(shutil.copytree(written(name), tmp_path / f"größe von {name}"))


def spoil(path, fault):
    """Break a file as disks and downloads do."""
    content = path.read_bytes()  # MATLAB files begin with 512 bytes that nobody reads, so the start is longer
    spoilt = {
        "cut off": content[: len(content) // 2],
        "empty": b"",
        "a web page": b"<html>404</html>",
        "overwritten start": b"\xff" * 1024 + content[1024:],
        "overwritten end": content[: len(content) // 3] + b"\xff" * (len(content) - len(content) // 3),
    }
    path.write_bytes(spoilt[fault])


def is_undetectable(name, which, fault):
    """Numbers without header or checksum are as good as others; JPEG shows grey where its data make no sense."""
    file = LOOKS[name].files[which]
    checked = file.endswith(".png") or name == "nyu"
    return (fault == "overwritten end" and not checked) or (fault == "overwritten start" and file == ETH3D_FILES[1])


FAULTS = ("cut off", "empty", "a web page", "overwritten start", "overwritten end")


@pytest.mark.parametrize(
    ("name", "which", "fault"),
    [(*file, fault) for file in FILES for fault in FAULTS if not is_undetectable(*file, fault)],
)
def test_a_broken_file_is_named(copied, name, which, fault):
    root, look = copied(name), LOOKS[name]
    spoil(root / look.files[which], fault)
    with pytest.raises(DataError, match=re.escape(str(root / look.files[which]))):
        look.read(root)[look.number]


@pytest.mark.parametrize(("name", "which"), FILES)
def test_a_missing_file_is_named(copied, name, which):
    root, look = copied(name), LOOKS[name]
    (root / look.files[which]).unlink()
    # SUN RGB-D's files have names that no list tells, so their folder is named. iBims-1 has a file an image
    named = str(Path(look.files[which]).parent) if name == "sunrgbd" else look.files[which]
    expected = "expected the 1 images of this split, found 0" if name == "ibims" else re.escape(named)
    with pytest.raises(DataError, match=expected):
        look.read(root)[look.number]


@pytest.mark.parametrize("name", MEASURED)
def test_nothing_measured_is_no_error(copied, name):
    root, look = copied(name), LOOKS[name]
    assert look.read(root)[look.number].valid.any()
    for nothing in (0.0, np.nan) if look.floats else (0.0,):
        look.fill(root / look.files[-1], np.full(look.size, nothing))
        sample = look.read(root)[look.number]
        assert not sample.valid.any()
        assert not sample.depth.any()


@pytest.mark.parametrize("name", [name for name in MEASURED if LOOKS[name].floats])
def test_no_number_and_no_depth_do_not_count(copied, name):
    root, look = copied(name), LOOKS[name]
    look.fill(root / look.files[-1], np.full(look.size, 2.0))
    counts = look.read(root)[look.number].valid[0, 0].numpy().copy()
    depth = np.full(look.size, 2.0)
    row, columns = look.size[0] // 2, np.flatnonzero(counts[look.size[0] // 2])[: len(NAN_AND_THE_LIKE)]
    depth[row, columns] = NAN_AND_THE_LIKE
    look.fill(root / look.files[-1], depth)
    sample = look.read(root)[look.number]
    counts[row, columns] = False
    np.testing.assert_array_equal(sample.valid[0, 0], counts)
    assert sample.depth.isfinite().all()


@pytest.mark.parametrize("packing", ["tar", "zip"])
@pytest.mark.parametrize("name", [name for name, look in LOOKS.items() if look.packed])
def test_archives_hold_the_same_and_a_broken_file_in_them_is_named(copied, written, pack, name, packing):
    look = LOOKS[name]
    expected = look.read(written(name))[look.number]
    folder = copied(name)
    whole = shutil.copytree(folder, folder.with_name("ganz neu"))
    sample = look.read(pack(whole, packing))[look.number]
    for field in ("image", "depth", "valid"):
        np.testing.assert_array_equal(getattr(sample, field), getattr(expected, field))
    assert sample.sample_id == expected.sample_id
    spoil(folder / look.files[-1], "cut off")
    with pytest.raises(DataError, match=re.escape(f"{folder}.{packing}/{look.files[-1]}")):
        look.read(pack(folder, packing))[look.number]
