"""docs/data_sets.md lists every variant of conf/data, as it is."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


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
