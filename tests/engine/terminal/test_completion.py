"""What bash offers behind `python -m src.eval`, asked of a real bash."""

import shutil
import subprocess
import sys

import pytest

from tests.launching import ROOT

BASH = shutil.which("bash") or ""


@pytest.mark.slow
@pytest.mark.skipif(not BASH, reason="there is no bash here")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("model=ram", ["model=ramp"]),
        ("model=ramp data=samp", ["data=sample"]),
        ("model=ramp data=nyu_m", ["data=nyu_marigold"]),
    ],
)
def test_choices_and_keys_are_offered(typed, offered):
    line = f"{sys.executable} -m src.eval {typed}"
    words = line.split()
    script = f"""
eval "$({sys.executable} -m src.eval -sc install=bash)"
COMP_LINE="{line}" COMP_POINT={len(line)} COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
hydra_bash_completion
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run([BASH, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == offered, done.stderr
