"""A tiny checkpoint in the hub's cache through the real command line, without a network."""

import json

import numpy as np
import pytest
from transformers import DPTForDepthEstimation

from src.records.table import read_table, to_records

WORDS = ("data=sample", "trainer=cpu", "num_workers=0")


@pytest.mark.slow
def test_a_cached_checkpoint_is_scored_with_its_commit_on_record(command, publish, tiny_network, tmp_path):
    publish(tiny_network(DPTForDepthEstimation, "dpt_beit"), "Tiny/dpt")
    # from nothing: the library reads where its cache is when it is imported
    done = command("model=midas", "model.weights=Tiny/dpt", "model.target_size=[64,64]", *WORDS, fresh=True)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(next(tmp_path.glob("outputs/midas/sample/*/manifest.json")).read_text())
    assert manifest["weights"] == "Tiny/dpt"
    assert manifest["revision"] == "0123456789abcdef0123456789abcdef01234567"
    assert manifest["random_weights"] is False
    assert manifest["output_space"] == "affine_disparity"
    assert manifest["scored"]["affine_disparity"] == 1


@pytest.mark.slow
def test_without_a_network_the_error_is_one_line_that_names_both_ways_out(command, hub_cache):
    done = command("model=depth_anything_v2", *WORDS, fresh=True)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "checkpoint depth-anything/Depth-Anything-V2-Large-hf is not" in last
    assert (
        "`hf download depth-anything/Depth-Anything-V2-Large-hf --revision 7581137eff8d4e94f6e796d3baea0e9fa79b22d2`"
        in last
    )
    assert "model.weights=<folder>" in last
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_predictions_from_disk_are_scored(command, tmp_path):
    first = command("model=ramp", *WORDS)
    assert first.returncode == 0, first.stderr
    ramp = next(to_records(read_table(next(tmp_path.glob("outputs/ramp/sample/*/records.parquet")))))
    height, width = ramp.input_size
    disparity = np.repeat((np.arange(height, dtype=np.float32) + 0.5)[:, None] / height, width, 1)
    path = tmp_path / "mine" / f"{ramp.sample_id}.npy"
    path.parent.mkdir(parents=True)
    np.save(path, disparity)
    done = command("model=saved", f"model.folder={tmp_path}/mine", "model.space=affine_disparity", *WORDS)
    assert done.returncode == 0, done.stderr
    mine = next(to_records(read_table(next(tmp_path.glob("outputs/saved/sample/*/records.parquet")))))
    assert mine.errors == ramp.errors
