"""The command `leadline`, and an install that is no checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from src import leadline

ROOT = Path(__file__).parents[1]


def run(*words, **variables):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **variables}
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=300)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_command_it_lists_them(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["leadline", *words])
    assert leadline.main() == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {name} " in printed for name in leadline.COMMANDS)


def test_an_unknown_command_is_refused_with_what_is_alike(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["leadline", "evl"])
    assert leadline.main() == 2
    assert capsys.readouterr().err.endswith("got 'evl'; did you mean eval?\n")


def test_every_command_is_a_module_and_every_module_that_is_run_is_a_command():
    files = {path.parent.name for path in (ROOT / "src").glob("*/__main__.py")}
    alone = {path.stem for path in (ROOT / "src").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert files | alone - {"leadline"} == set(leadline.COMMANDS)


def test_a_command_is_what_python_m_runs(command):
    direct, through = (
        command(*words, module=module)
        for module, words in (
            ("src.protocols", ["--explain", "midas"]),
            ("src.leadline", ["protocols", "--explain", "midas"]),
        )
    )
    assert through.stdout == direct.stdout
    assert "midas, version" in through.stdout
    failed = command("protocols", "--explain", "midass", module="src.leadline")
    assert (failed.returncode, "did you mean midas" in failed.stderr) == (1, True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that a wheel of this checkout is installed into, without the network and without what it depends on."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(source), str(source))
    assert built.returncode == 0, built.stderr
    (wheel,) = source.glob("*.whl")
    put = run(*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    assert put.returncode == 0, put.stderr
    return target, wheel


@pytest.mark.slow
def test_a_wheel_holds_every_file_that_is_read(installed):
    _, wheel = installed
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert f"src/{path.relative_to(ROOT)}" in names
    kept = {path for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {str(path.relative_to(ROOT)) for path in kept if ".egg-info" not in str(path)} <= names


@pytest.mark.slow
def test_an_install_that_is_no_checkout_scores(installed, tmp_path):
    target, _ = installed
    script = [sys.executable, str(target / "bin" / "leadline")]
    outputs = f"paths.output_dir={tmp_path}"
    words = ["eval", "model=ramp", "data=sample", "protocol=[affine_disparity]", "num_workers=0", "panels=0", outputs]
    variables = {"PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}
    done = run(*script, *words, **variables)
    assert done.returncode == 0, done.stderr
    assert "0.1409" in done.stdout
    where = run(sys.executable, "-c", "import src.core.shipped as s; print(s.CONF)", **variables)
    assert where.stdout.strip() == str(target / "src" / "conf")
