"""A key on the command line or in a configuration: refused before anything is printed or written."""

import json
import logging
from pathlib import Path

import pytest

from src.engine.terminal.command_line import execute
from src.engine.terminal.log_lines import CleanFormatter
from src.records.writer import write_json

CONF = Path(__file__).parents[3] / "conf"
KEY = "Zq7xK2" * 6


@pytest.fixture
def execute_here(tmp_path, monkeypatch):
    """Return a function that takes a command line, in an empty folder, as far as hydra, which it must not reach."""
    monkeypatch.chdir(tmp_path)

    def execute_here(*words):
        arguments = ["eval", *words]
        return execute(lambda: pytest.fail("hydra"), conf=CONF, config="eval", arguments=arguments, failures=[])

    return execute_here


def _left(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("sweep", [[], ["-m"]])
@pytest.mark.parametrize(
    "word",
    [
        f"+api_key={KEY}",
        f"+api_keys=[{KEY}]",
        f"+token1={KEY}",
        f"+hub={{api_key: {KEY}}}",
        f"+logger.headers.Authorization='Bearer {KEY}'",
        f"model.weights=https://me:{KEY}@host/model.pth",
        f"model.weights='https://host/model.pth?sig={KEY}'",
        f"logger.project={KEY}y",
        f"hydra.job.env_set.HUB_TOKEN={KEY}",
        "+password=12345678",
        f"{KEY}y",
    ],
)
def test_a_key_on_the_command_line_is_neither_printed_nor_written(
    execute_here, tmp_path, capfd, word, sweep, monkeypatch
):
    monkeypatch.setenv("CI_PAT", f"{KEY}y")
    assert execute_here(*sweep, "model=ramp,constant" if sweep else "model=ramp", "data=sample", word) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert "configurations are kept beside the results" in err
    assert KEY not in err
    assert "12345678" not in err
    assert not list(tmp_path.iterdir())


def test_a_key_in_ones_own_yaml_is_refused_before_the_sweep_writes_or_prints_it(command, tmp_path):
    mine = tmp_path / "conf" / "model"
    mine.mkdir(parents=True)
    text = f"_target_: src.model.families.baseline.Ramp\napi_keys: [{KEY}]\n"
    (mine / "mine.yaml").write_text(text)
    words = ["-m", "--config-dir", str(tmp_path / "conf"), "data=sample"]
    for models in ("mine", "ramp,mine"):
        done = command(*words, f"model={models}")
        assert done.returncode == 1
        assert "model.api_keys holds a key" in done.stderr
        assert KEY not in done.stdout + done.stderr
        assert "Launching" not in done.stderr
        assert [path for path in _left(tmp_path) if KEY in path.read_text(errors="replace")] == [mine / "mine.yaml"]
        assert not list(tmp_path.rglob("multirun.yaml"))


def test_a_defect_and_a_message_show_no_key_and_no_escape(execute_here, capfd, monkeypatch):
    def broken(*_, **__):
        msg = f"got https://me:{KEY}@host \x1b[2J"
        raise RuntimeError(msg)

    monkeypatch.setattr("src.engine.terminal.command_line.check", broken)
    assert execute_here("model=ramp", "data=sample") == 1
    err = capfd.readouterr().err
    assert "RuntimeError: got https://***@host \\x1b[2J" in err
    assert "Traceback" in err
    assert KEY not in err
    assert "\x1b" not in err


def test_logs_show_no_key_and_no_escape():
    record = logging.LogRecord(
        "a", logging.INFO, "", 1, "fetching %s\nfor %s", (f"http://h/?s={KEY}", "\x1b]0;x\x07"), None
    )
    assert CleanFormatter("%(message)s").format(record) == "fetching http://h/?s=***\nfor \\x1b]0;x\\x07"


def test_what_is_kept_beside_results_has_no_key(tmp_path):
    write_json(tmp_path / "status.json", {"state": "failed", "reason": f"Bearer {KEY}", "tokens": [KEY]})
    kept = json.loads((tmp_path / "status.json").read_text())
    assert kept == {"state": "failed", "reason": "Bearer ***", "tokens": ["***"]}
