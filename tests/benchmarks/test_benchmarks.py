"""The benchmarks of whole runs run, on networks too small for their figures to mean anything."""

import json
import sys

import pytest
import torch
from hydra.core.hydra_config import HydraConfig

from tests.benchmarks import loop, models
from tests.benchmarks.running import require_device


@pytest.fixture
def figures(tmp_path, monkeypatch):
    """Run a benchmark with some words; return what it wrote."""

    def figures(benchmark, *words):
        output = tmp_path / "bench" / "figures.json"
        monkeypatch.setattr(sys, "argv", ["benchmark", "--output", str(output), *words])
        assert benchmark.main() == 0
        return json.loads(output.read_text())

    yield figures
    HydraConfig.instance().cfg = None


@pytest.mark.slow
def test_models_are_timed_in_all_their_ways(figures, capsys):
    found = figures(models, "--small", "--repeats", "1", "depth_anything_v2_small", "marigold,model.steps=1")

    assert [row["model"] for row in found["results"]] == ["depth_anything_v2_small", "marigold,model.steps=1"]
    for row in found["results"]:
        assert row["weights"] == "random"
        assert min(row["library"], row["here_single"], row["here_batch"]) > 0
    assert found["machine"]["torch"] == torch.__version__
    assert "random weights" in capsys.readouterr().out


@pytest.mark.slow
def test_the_loop_is_timed_against_its_floor_and_the_plain_one(figures):
    words = ("--small", "--repeats", "1", "--batch", "2", "--batches", "2", "--workers", "0", "marigold,model.steps=1")
    (row,) = figures(loop, *words)["results"]

    assert row["ratio"] == pytest.approx(row["here"]["seconds"] / row["floor"])
    assert min(row["floor"], row["library"], row["single"]["seconds"]) > 0
    assert row["here"]["flops"] > 0
    assert row["here"]["parameters"] == row["single"]["parameters"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_figures_of_a_gpu_are_refused_without_one():
    with pytest.raises(SystemExit, match="expected a CUDA device, found none"):
        require_device("cuda")
