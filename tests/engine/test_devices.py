"""The same digits, exactly once, however many processes share the images."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WORLDS = {
    "one process": ("trainer=cpu",),
    "two processes": ("trainer=ddp_cpu",),
    "two spawned": ("trainer=ddp_spawn", "trainer.accelerator=cpu"),
    "three spawned": ("trainer=ddp_spawn", "trainer.accelerator=cpu", "trainer.devices=3"),
}


def score(command, conf: Path, folder: Path, n: int, world: str) -> tuple[list[dict], dict, dict]:
    done = command(
        "--config-dir",
        str(conf),
        "model=ramp",
        "data=ragged",
        f"data.n={n}",
        "batch_size=2",
        f"paths.output_dir={folder}",
        *WORLDS[world],
    )
    assert done.returncode == 0, done.stderr
    (cell,) = folder.glob("ramp/ragged/*")
    assert not list(cell.glob("*rank*")), "files of single processes were left behind"
    records = [json.loads(line) for line in (cell / "records.jsonl").read_text().splitlines()]
    for record in records:
        del record["seconds"]
    manifest = json.loads((cell / "manifest.json").read_text())
    return records, json.loads((cell / "summary.json").read_text()), manifest


@pytest.mark.parametrize("n", [7, 2], ids=["ragged shards", "fewer images than processes"])
def test_processes_change_no_digit(command, outside, tmp_path, n):
    alone = score(command, outside, tmp_path / "one", n, "one process")
    assert [record["index"] for record in alone[0]] == list(range(n))

    for world in list(WORLDS)[1:] if n == 7 else ["three spawned"]:
        records, summary, manifest = score(command, outside, tmp_path / world.replace(" ", "_"), n, world)
        assert records == alone[0], world
        assert summary == alone[1], world
        assert manifest["fingerprint"] == alone[2]["fingerprint"]
        assert manifest["world_size"] == {"two": 2, "three": 3}[world.split()[0]]


def test_a_failing_process_fails_the_run_with_its_own_words(command, outside, tmp_path):
    done = command(
        "--config-dir",
        str(outside),
        "model=ramp",
        "data=ragged",
        "data.unreadable=3",
        "batch_size=1",
        *WORLDS["two spawned"],
    )
    assert done.returncode == 1
    assert "error: image/3.png: expected a PNG, got garbage" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("outputs/**/manifest.json"))
