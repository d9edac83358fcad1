"""docs/how_it_works.md draws the rooms as the code has them."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how_it_works.md").read_text(encoding="utf-8")


def arrows():
    """Yield (room, room it imports from) for every import between first-level rooms."""
    for file in (ROOT / "src").rglob("*.py"):
        room = file.relative_to(ROOT / "src").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("src."):
                yield room, node.module.split(".")[1]


def test_the_picture_has_exactly_the_arrows_of_the_code():
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", PAGE, re.MULTILINE))
    assert drawn == {arrow for arrow in arrows() if arrow[0] != arrow[1]}


def test_every_path_on_the_page_exists():
    named = re.findall(r"`((?:src|conf)/[\w./]+)`", PAGE)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
