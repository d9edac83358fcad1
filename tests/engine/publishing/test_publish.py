"""What reaches CSV files and Weights & Biases, read back from disk."""

import csv
import json
import struct

import pytest
from hydra.core.hydra_config import HydraConfig

from src.core.errors import ConfigError
from src.engine.publishing.publish_wandb import WandbLogger
from src.engine.terminal.job import run_job
from src.engine.terminal.secrets import refuse_secrets
from src.records.reader import read_cell
from src.report.__main__ import main as report
from src.report.findings.leaderboard import build_tables
from tests.engine.conftest import job


def test_csv_holds_the_summary(run, tmp_path, outside):
    cell = run("model=broken", "data=ragged", "logger=csv", f"logger.folder={tmp_path}", conf=outside)

    with (tmp_path / "csv" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["protocol"], row["metric"]): row for row in csv.DictReader(file)}
    summary = json.loads((cell.folder / "summary.json").read_text())
    assert rows.keys() == {(protocol, metric) for protocol, metrics in summary.items() for metric in metrics}
    assert float(rows["metric", "abs_rel"]["mean"]) == summary["metric"]["abs_rel"]["mean"]
    assert float(rows["metric", "abs_rel"]["standard_error"]) == summary["metric"]["abs_rel"]["standard_error"]


def read_offline(path):
    """Parse the log of an offline run: 32 KiB blocks of (crc, length, type) framed protobuf records after 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    data, position, whole = path.read_bytes(), 7, b""
    while position < len(data):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        if kind == 0:
            return
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


@pytest.fixture
def wandb_home(tmp_path, monkeypatch):
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.mark.slow
def test_wandb_offline_keeps_one_run_per_cell(run, tmp_path, outside, wandb_home):
    words = ["data=ragged", "logger=wandb_offline"]
    cells = {
        name: run(f"model={name}", *words, f"logger.folder={tmp_path / name}", conf=outside)
        for name in ("ramp", "broken")
        if (tmp_path / name).mkdir() is None
    }

    identities = set()
    for name, cell in cells.items():
        (log,) = (tmp_path / name).glob("wandb/offline-run-*/run-*.wandb")
        config, summary, history, group, tags = {}, {}, set(), "", set()
        for record in read_offline(log):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                identities.add(record.run.run_id)
                group, tags = record.run.run_group, set(record.run.tags) or tags
                config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            elif kind == "config":
                config |= {item.key: json.loads(item.value_json) for item in record.config.update}
            elif kind == "history":
                history |= {item.key or ".".join(item.nested_key) for item in record.history.item}
            elif kind == "summary":
                summary |= {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.summary.update
                }
        assert config["fingerprint"] == cell.manifest.fingerprint
        assert config["data"]["n"] == 7
        assert group == "ragged"
        assert {name, *cell.manifest.protocols, summary["domain"]} <= tags
        assert summary["images_per_second"] == pytest.approx(cell.manifest.images_per_second)
        # the table of runs is the leaderboard: the same keys, the same numbers
        for table in build_tables([cell]):
            (row,) = table.rows
            assert summary[f"{row.protocol}/ranked"] == (not row.unranked)
            for metric, estimate in row.estimates.items():
                assert summary[f"{row.protocol}/{metric}"] == pytest.approx(estimate.mean)
                assert summary[f"{row.protocol}/{metric}_high"] == pytest.approx(estimate.high)
                assert summary[f"{row.protocol}/{metric}_n"] == estimate.n
                assert f"histogram/{row.protocol}/{metric}.values" in history
        drawn = list((tmp_path / name).glob("wandb/offline-run-*/files/media/images/pictures_*.png"))
        assert 4 <= len(drawn) <= len(list((cell.folder / "panels").glob("*.npz")))
        saved = json.loads((cell.folder / "summary.json").read_text())
        for protocol, metrics in saved.items():
            assert summary[f"{protocol}/abs_rel"] == pytest.approx(metrics["abs_rel"]["mean"])
            assert summary[f"{protocol}/scored"] == 7
            (table,) = (tmp_path / name).glob(f"wandb/offline-run-*/files/media/table/*/{protocol}_*.table.json")
            content = json.loads(table.read_text())
            column = content["columns"].index("abs_rel")
            expected = cell.scores[protocol].errors["abs_rel"]
            assert [row[column] for row in content["data"]] == pytest.approx(expected)
            assert {"sample_id", "status", "reason", "input_height", "seconds"} <= set(content["columns"])
    assert len(identities) == 2


@pytest.mark.slow
def test_a_failing_cell_still_finishes_its_wandb_run(run, tmp_path, outside, wandb_home):
    import wandb

    from src.core.errors import PredictionError

    with pytest.raises(PredictionError):
        run("model=wrong_shape", "data=ragged", "logger=wandb_offline", f"logger.folder={tmp_path}", conf=outside)
    assert wandb.run is None


def test_processes_but_the_first_open_no_run(monkeypatch, tmp_path):
    monkeypatch.setattr("src.engine.publishing.publish_wandb.is_first_process", lambda: False)
    with WandbLogger(project="p", entity=None, offline=True, folder=str(tmp_path), group="g"):
        assert not list(tmp_path.iterdir())


@pytest.fixture
def keys(monkeypatch):
    values = {"WANDB_API_KEY": "a1" * 20, "HF_TOKEN": "hf_" + "Zq7" * 12}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.mark.slow
def test_an_unreachable_service_costs_no_result_and_no_key_is_written_anywhere(
    run, outside, monkeypatch, tmp_path, wandb_home, keys, caplog, capfd
):
    import wandb

    caplog.set_level("INFO")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    wandb.teardown()  # what was known of the environment before
    try:
        cell = run("model=ramp", "data=ragged", "logger=wandb", "logger.timeout=1",
                   f"logger.folder={tmp_path}/outputs", conf=outside)  # fmt: skip
    finally:
        wandb.teardown()

    assert "so its run is kept on disk" in caplog.text
    (place,) = tmp_path.glob("outputs/wandb/offline-run-*")
    assert f"wandb sync {place}" in caplog.text
    assert read_cell(cell.folder).manifest == cell.manifest
    assert report(["--output", f"{tmp_path}/outputs/report.html", str(tmp_path / "outputs")]) == 0
    said = "".join([caplog.text, *capfd.readouterr()]).encode()
    written = {path: path.read_bytes() for path in (tmp_path / "outputs").rglob("*") if path.is_file()}
    assert {cell.folder / "config.yaml", tmp_path / "outputs" / "report.html"} < written.keys()
    assert any(path.suffix == ".wandb" for path in written)
    for value in keys.values():
        assert value.encode() not in said
        assert [path for path, content in written.items() if value.encode() in content] == []


@pytest.mark.parametrize(
    ("word", "setting"),
    [
        ("logger.project={WANDB_API_KEY}", "logger.project holds the value of WANDB_API_KEY"),
        ("+model.note='https://me:{HF_TOKEN}@example.org'", "model.note holds the value of HF_TOKEN"),
        ("+api_key=short", "api_key holds a key"),
        ("+model.note=hf_{other}", "model.note holds a key"),
    ],
)
def test_a_key_in_the_configuration_is_refused_before_anything_is_written(tmp_path, keys, word, setting):
    word = word.format(**keys, other="x" * 34)
    cfg, folder = job("eval", ["model=ramp", "data=sample", "logger=wandb", word], tmp_path / "outputs")
    try:
        with pytest.raises(ConfigError, match=f"^{setting}, and configurations are kept") as raised:
            run_job(cfg)
    finally:
        HydraConfig.instance().cfg = None
    assert not any(value in str(raised.value) for value in (*keys.values(), "short", "x" * 34))
    assert not list(folder.iterdir())


def test_settings_that_only_sound_like_keys_are_let_pass(tmp_path, keys):
    words = ["model=depth_pro", "data=folder", "data.images=a", "data.depth=b", "data.depth_key=distances"]
    cfg, _ = job("eval", [*words, "data.depth_scale=1.0", "data.depth_range=[0.1,10.0]"], tmp_path / "outputs")
    try:
        refuse_secrets(cfg)
    finally:
        HydraConfig.instance().cfg = None


def test_the_services_own_switch_is_obeyed(run, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    caplog.set_level("INFO")
    cell = run("model=ramp", "data=sample", "logger=wandb_offline", "logger.folder=" + str(tmp_path))
    assert cell is not None
    assert "since WANDB_MODE=disabled" in caplog.text
    assert not (tmp_path / "wandb").exists()


def test_a_logger_that_is_asked_for_later_publishes_from_the_records(run, monkeypatch):
    first = run("model=ramp", "data=sample")
    assert not (first.folder / "csv").exists()
    monkeypatch.setattr("src.engine.cell.run.make_plan", lambda *_: pytest.fail("something was run again"))
    again = run("model=ramp", "data=sample", "logger=csv", f"logger.folder={first.folder}")
    assert again.manifest == first.manifest
    rows = (first.folder / "csv" / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + sum(len(scored.errors) for scored in first.scores.values())
