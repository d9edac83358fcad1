"""One sanitiser for every way out: what no text may do to a terminal, a spreadsheet or a page."""

import csv
import io

import pytest

from src.core.sheet import NamedSheet, Sheet
from src.core.shown import cell, shown
from src.core.terminal import terminal
from src.report.export.typeset import latex, markdown

STEERING = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\r",
    "\x00",
    "\x08",
    "\u202e",
    "\u2066",
    "\u200b",
    "\udcff",
    "\x7f",
]


@pytest.mark.parametrize("sign", STEERING)
def test_what_steers_a_terminal_is_spelt_out_everywhere(sign):
    name = f"before{sign}after"
    file = io.StringIO()
    terminal(file=file, force_terminal=True, width=200, no_color=True).print(name, markup=False, highlight=False)
    sheet = io.StringIO()
    Sheet(sheet, lineterminator="").writerow([name])
    for spelt in (shown(name), latex(name), markdown(name), sheet.getvalue()):
        assert spelt.isprintable(), ascii(spelt)
        assert spelt.startswith("before\\")
    assert file.getvalue().rstrip("\n").isprintable(), ascii(file.getvalue())


def test_names_in_any_script_stay_as_they_are():
    for name in ("Zürich/写真 1.png", "می‌خواهم", "a_b-c (2) #3.jpg", "👩‍🔬"):
        assert shown(name) == name
    assert shown("two\nlines\tand a tab", lines=True) == "two\nlines\tand a tab"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", " =1", "\n=1", "＝1", "--"]
)
def test_no_text_is_a_formula(text):
    file = io.StringIO()
    sheet = NamedSheet(file, ["a", "b"])
    sheet.writeheader()
    sheet.writerows([{"a": text, "b": 1}])
    ((value, _),) = list(csv.reader(io.StringIO(file.getvalue())))[1:]
    assert value == cell(text)
    assert value[0] == "'"


def test_numbers_stay_numbers_in_a_sheet():
    file = io.StringIO()
    Sheet(file).writerow([-0.25, None, True, "-0.25", "+3", "1e-5", "-", "–"])
    assert file.getvalue() == "-0.25,,True,-0.25,+3,1e-5,-,–\r\n"
