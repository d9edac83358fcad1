import re
from pathlib import Path

import pytest

from src.core.errors import ConfigError
from src.protocols.__main__ import PROTOCOLS, explanation, listing, main

NAMES = sorted(path.stem for path in PROTOCOLS.glob("*.yaml"))
OF_OUR_OWN = {"metric", "median_scaled", "scale", "affine_depth", "affine_disparity"}
SCOPES = re.compile(r"(median|scale|affine_depth|affine_disparity)_(per|calibrated|points|grid)_\w+")
PUBLISHED = sorted(name for name in NAMES if name not in OF_OUR_OWN and not SCOPES.fullmatch(name))


def test_the_list_has_one_line_for_each_protocol(capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert all(len(line.split(maxsplit=1)[1]) > 20 for line in lines)


def test_the_field_is_covered():
    named = """marigold marigold_eth3d genpercept_disparity midas dpt_finetuned bts zoedepth depth_anything_relative
        depth_anything_v2_metric moge_metric moge_scale_invariant moge_affine moge_disparity unidepth_metric unidepth_si
        unidepth_ssi metric3d depth_pro_metric mdec2023 mdec2025 robodepth ibims1_official diw_whdr da2k metric
        median_scaled scale affine_depth affine_disparity"""
    assert set(named.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_explains_itself(name):
    text = explanation(PROTOCOLS, name)
    assert text.startswith(f"{name}, version ")
    for step in range(1, 6):
        assert f"\n  {step}. " in text
    assert "Traps:\n  - " in text
    assert ("\n\nSource: " in text) == (name in PUBLISHED)
    assert max(map(len, text.splitlines())) <= 100


def test_an_explanation_holds_constants_formulas_and_rules():
    text = re.sub(r"\s+", " ", explanation(PROTOCOLS, "genpercept_disparity"))
    for part in (
        "affine_disparity",
        "Minimise sum w (s x + t - y)^2",
        "floor = 0.001",
        "Valid pixels whose prediction is above 0",
        "clipped to the depth range of the data variant, but never below 1e-06 m",
        "delta1 (fraction, higher is better)",
        "100 sqrt(mean(e^2) - mean(e)^2)",
    ):
        assert part in text
    assert "zero_if_constant" not in text
    text = re.sub(r"\s+", " ", explanation(PROTOCOLS, "scale_calibrated_3"))
    assert "What one fit holds for, calibration(3, 10): A fit on a few images" in text
    assert "images = 3: that a fit is made on." in text
    assert "seed = 0: of the draws." in text
    text = re.sub(r"\s+", " ", explanation(PROTOCOLS, "mdec2025_edges"))
    assert "Pixels that count are valid and on an annotated edge." in text
    assert "clipped to 0.001 m to 100 m" in text
    assert "floor = farthest (d is floored at 1 / farthest" in re.sub(r"\s+", " ", explanation(PROTOCOLS, "midas"))
    assert "mean over point pairs" in re.sub(r"\s+", " ", explanation(PROTOCOLS, "da2k"))


def test_an_unknown_name_lists_those_that_are_alike(capsys):
    assert main(["--explain", "marigld"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "unknown protocol 'marigld': expected one of affine_depth, " in printed.err
    assert "did you mean marigold or marigold_eth3d?" in printed.err
    with pytest.raises(ConfigError, match=r"unknown protocol 'qqq': expected one of .*zoedepth$"):
        explanation(PROTOCOLS, "qqq")


def test_the_list_reads_the_folder_it_is_given(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("# my own way to score\nmine: {}\n")
    assert listing(tmp_path) == "mine  my own way to score"
