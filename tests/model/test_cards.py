"""Cards inherit as hydra composes them, and listing them needs neither hydra nor torch."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from src.core.errors import ConfigError
from src.model.__main__ import listing, main, sheet
from src.model.cards import model_names, read_card

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Two models, of which one has a card that changes one field of another."""
    for name in ("mine", "other"):
        path = tmp_path / "model" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# what {name} is\n_target_: somewhere\n")
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "base.yaml").write_text((CONF / "card" / "midas.yaml").read_text())
    (tmp_path / "card" / "mine.yaml").write_text("# mine\ndefaults:\n  - base\n  - _self_\nyear: 2031\n")
    return tmp_path


def test_a_card_inherits_and_overrides(conf):
    card, base = read_card(conf, "mine"), read_card(CONF, "midas")
    assert card.year == 2031
    assert card.training_data == base.training_data


def test_a_model_may_have_no_card(conf):
    assert read_card(conf, "other") is None
    assert "no card" in sheet(conf, "other")


def test_an_unknown_model_is_told_what_is_alike(conf):
    with pytest.raises(ConfigError, match=r"unknown model 'minee'.*did you mean mine\?"):
        read_card(conf, "minee")


def test_the_table_has_a_row_for_every_model(conf, capsys):
    console = Console(width=300)
    console.print(listing(conf, width=300))
    rows = capsys.readouterr().out.splitlines()
    assert any(row.split()[:2] == ["mine", "midas"] and "nyu, kitti, diml and 9 more" in row for row in rows)
    assert any(row.split() == ["other", "what", "other", "is"] for row in rows)


def test_on_a_narrow_terminal_every_model_has_one_line(capsys):
    console = Console(width=80)
    console.print(listing(CONF, width=80))
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert sorted(line[0] for line in lines[1:]) == model_names(CONF)
    assert ["depth_anything_v2_base_hf", "98", "affine_disparity", "CC-BY-NC-4.0"] in lines


def test_the_sets_that_results_are_reported_on_come_first_and_every_card_has_its_model():
    """So that the table shows them, and an orphan is found."""
    known = {"nyu", "kitti", "hypersim", "vkitti2", "scannet"}
    for path in (CONF / "card").glob("*.yaml"):
        assert path.stem in model_names(CONF)
        data = read_card(CONF, path.stem).training_data
        seen = [name in known for name in data]
        assert seen == sorted(seen, reverse=True), path
        assert [name.lower() for name in data] == data
        assert len(set(data)) == len(data), path


def test_the_command_prints_one_card_and_refuses_an_unknown_name(capsys):
    assert main(["list", "--card", "zoedepth_k"]) == 0
    shown = capsys.readouterr().out
    assert "nyu, kitti" in shown
    assert "2302.12288" in shown
    assert main(["list", "--card", "zoedepht"]) == 1
    assert "did you mean zoedepth" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("zoedepth_k_infer", "Intel/zoedepth-kitti, commit 0347db85b019f309d5544c70ad2ac998ad570899"),
        ("marigold_lcm", "prs-eth/marigold-depth-lcm-v1-0, main branch: no commit is pinned"),
        ("midas_v21", "https://github.com/isl-org/MiDaS/releases/download/v2_1/midas_v21_384.pt"),
        ("auto", "to be given"),
        ("ramp", "none"),
    ],
)
def test_a_sheet_says_whether_weights_are_tied_to_a_commit(name, weights):
    assert sheet(CONF, name).splitlines()[1] == f"  weights       {weights}"


def test_listing_imports_nothing_heavy():
    words = "import sys, src.model.__main__; print(sorted({'torch', 'hydra', 'numpy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, cwd=CONF.parent)
    assert done.stdout.strip() == "[]"
