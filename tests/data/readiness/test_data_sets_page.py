"""docs/data_sets.md lists every variant of conf/data, as it is."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]

# what the papers say, or their lists hold
PUBLISHED_COUNTS = {
    100: "ibims moge_ibims",
    161: "kitti_midas161",
    325: "diode_indoor",
    400: "syns_val",
    446: "diode_outdoor",
    454: "eth3d eth3d_marigold moge_eth3d",
    652: "kitti kitti_full kitti_marigold kitti_metric3d kitti_zoedepth moge_kitti",
    654: "nyu nyu_full nyu_bts nyu_marigold moge_nyu",
    697: "kitti_eigen_raw697",
    700: "kitti_eigen_zhou",
    771: "diode moge_diode",
    775: "syns_test",
    800: "scannet",
    1000: "kitti_val_selection",
    1030: "moge_gso",
    1064: "sintel moge_sintel",
    1701: "vkitti2_zoedepth",
    1815: "tum",
    3950: "ddad ddad_zoedepth",
    5050: "sunrgbd",
    7386: "hypersim_val",
    7690: "hypersim",
    74441: "diw",
}


@pytest.mark.parametrize("count", PUBLISHED_COUNTS)
def test_variants_hold_as_many_images_as_published(count):
    for name in PUBLISHED_COUNTS[count].split():
        assert settings(name)["count"] == count, name


def settings(name):
    """A yaml of conf/data with those it builds on; interpolations stay as they are."""
    content = yaml.safe_load((ROOT / "conf/data" / f"{name}.yaml").read_text(encoding="utf-8"))
    bases = [base for base in content.pop("defaults", []) if base != "_self_"]
    return {key: value for base in [*map(settings, bases), content] for key, value in base.items()}


def row(name):
    """One line of the table."""
    values = settings(name)
    headline = (ROOT / "conf/data" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    count = values.get("count", values.get("n"))
    ranges = [values.get("valid_range"), values.get("depth_range")]
    counts, clipped = (f"{r[0]:g} to {r[1]:g}" if isinstance(r, list) else "" for r in ranges)
    reader = values["_target_"].removeprefix("src.data.")
    return (
        f"| `{name}` | {headline} | {'' if count is None else count} | {counts or clipped} | {clipped} | `{reader}` |"
    )


def table():
    names = sorted(path.stem for path in (ROOT / "conf/data").glob("*.yaml"))
    return "\n".join(row(name) for name in names)


def test_the_page_lists_every_variant_as_it_is():
    lines = (ROOT / "docs/data_sets.md").read_text(encoding="utf-8").splitlines()
    listed = "\n".join(line for line in lines if line.startswith("| `"))
    assert listed == table(), f"put this table into docs/data_sets.md:\n{table()}"
