"""The same digits, exactly once, however many processes share the images."""

import dataclasses
import json
from pathlib import Path

import pytest

from src.records.schema import SampleRecord
from src.records.table import read_table, to_records

pytestmark = pytest.mark.slow

WORLDS = {
    2: ("trainer=ddp_cpu",),  # processes started from the command line
    3: ("trainer=ddp_spawn", "trainer.accelerator=cpu", "trainer.devices=3"),
}


def read(folder: Path) -> tuple[list[SampleRecord], dict, dict]:
    assert not list(folder.glob("*rank*")), "files of single processes were left behind"
    records = [dataclasses.replace(r, seconds=0.0) for r in to_records(read_table(folder / "records.parquet"))]
    manifest = json.loads((folder / "manifest.json").read_text())
    return records, json.loads((folder / "summary.json").read_text()), manifest


@pytest.mark.parametrize(
    ("n", "worlds"), [(7, (2, 3)), (2, (3,))], ids=["ragged shards", "fewer images than processes"]
)
def test_processes_change_no_digit(command, run, outside, tmp_path, n, worlds):
    words = ["model=ramp", "data=ragged", f"data.n={n}", "batch_size=2"]
    alone, summary_alone, manifest_alone = read(run(*words, conf=outside).folder)
    assert [record.index for record in alone] == list(range(n))

    for world in worlds:
        done = command("--config-dir", str(outside), *words, f"paths.output_dir={tmp_path}/{world}", *WORLDS[world])
        assert done.returncode == 0, done.stderr
        (folder,) = tmp_path.glob(f"{world}/ramp/ragged/*")
        records, summary, manifest = read(folder)
        assert records == alone, world
        assert summary == summary_alone, world
        assert manifest["fingerprint"] == manifest_alone["fingerprint"]
        assert manifest["world_size"] == world


def test_a_failing_process_fails_the_run_with_its_own_words(command, outside, tmp_path):
    done = command(
        "--config-dir",
        str(outside),
        "model=ramp",
        "data=ragged",
        "data.unreadable=3",
        "batch_size=1",
        "trainer=ddp_spawn",
        "trainer.accelerator=cpu",
    )
    assert done.returncode == 1
    assert "error: image/3.png: expected a PNG, got garbage" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("outputs/**/manifest.json"))
