import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import wandb

from src.core.errors import ConfigError
from src.records.reader import read_cell
from src.report.__main__ import main
from src.report.export.dashboard import layout, push
from src.report.findings.leaderboard import build_tables

Make = Callable[..., Path]


def test_the_layout_names_what_runs_log(make_cell: Make) -> None:
    pytest.importorskip("wandb_workspaces", reason="the extra `dashboard` is not installed")
    tables = build_tables([read_cell(make_cell("a")), read_cell(make_cell("b", model="two"))])
    spec = layout(tables, entity="someone", project="leadline")._to_model().model_dump_json()
    for key in ("metric/abs_rel", "affine_depth/abs_rel", "images_per_second", "pictures", "data_name"):
        assert key in spec


@pytest.mark.slow
def test_offline_the_page_waits_on_disk_for_one_command(
    make_cell: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()  # what an earlier run of this process has read from the environment is forgotten
    output = tmp_path / "talk" / "report.html"
    assert main([str(make_cell().parent), "--output", str(output), "--wandb", "someone/depth"]) == 0
    (place,) = output.parent.glob("wandb/offline-run-*")
    assert f"wandb sync {place}" in capsys.readouterr().out.replace("\n", "")
    (sent,) = place.glob("files/media/html/report_*.html")
    assert sent.read_text(encoding="utf-8") == output.read_text(encoding="utf-8")
    (table,) = place.glob("files/media/table/leaderboard_*.table.json")
    content = json.loads(table.read_text())
    with output.with_name("leaderboard.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [row[content["columns"].index("metric")] for row in content["data"]] == [line["metric"] for line in lines]
    means = [float(line["mean"]) for line in lines]
    assert [row[content["columns"].index("mean")] for row in content["data"]] == means


def test_a_service_that_refuses_is_an_error_that_says_what_to_do(
    make_cell: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**settings: object) -> None:
        msg = "no API key configured"
        raise wandb.errors.UsageError(msg)

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(ConfigError, match=r"no API key configured; .*page\.html is written.*WANDB_MODE=offline"):
        push(tmp_path / "page.html", [], project="leadline")
