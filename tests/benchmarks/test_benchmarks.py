"""The benchmarks of whole runs run, on networks too small for their figures to mean anything."""

import json
import sys

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from PIL import Image

from tests.benchmarks import gpu, loop, models, settings
from tests.benchmarks.running import interleaved, library_loop, load_model, require_device, words_of
from tests.benchmarks.scoring import CASES


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
def test_the_loop_takes_turns_with_its_floor_and_the_plain_one(figures):
    words = ("--small", "--repeats", "2", "--batch", "1", "2", "--batches", "2", "--workers", "0")
    found = figures(loop, *words, "marigold,model.steps=1", "zoedepth_nk")["results"]

    assert [(row["model"], row["batch"]) for row in found[::2]] == [("marigold,model.steps=1", 1), ("zoedepth_nk", 1)]
    for row in found:
        assert row["ratio"] == pytest.approx(min(row["turns"]["loop"]) / min(row["turns"]["floor"]))
        assert {name: len(turns) for name, turns in row["turns"].items()} == dict.fromkeys(row["turns"], 2)
        assert 0 < row["forward_share"] < 1
        assert row["gpu_busy"] is None
        assert min(row["library"], row["flops"], row["parameters"], row["peak_memory"]) > 0
    assert found[0]["turns"]["library"] == found[1]["turns"]["library"]


@pytest.mark.slow
def test_the_table_of_a_gpu_has_all_its_parts(figures, capsys):
    words = ("--device", "cpu", "--small", "--repeats", "1", "--workers", "0", "--models", "depth_anything_v2_small")
    found = figures(gpu, *words)
    shown = capsys.readouterr().out

    assert [(row["model"], row["batch"]) for row in found["loops"]] == [("depth_anything_v2_small", n) for n in (1, 16)]
    assert all(min(row["floor"], row["loop"], row["library"], row["peak_memory"]) > 0 for row in found["loops"])
    assert len(found["scoring"]) == 2 * len(CASES)
    assert [row["precision"] for row in found["arithmetic"]] == ["float32", "bfloat16", "bfloat16, as graphs"]
    speed = found["full_speed"]
    assert speed["limit"] in ("network alone", "loader alone", "neither: what lies around them")
    assert f"limit: {speed['limit']}" in shown


@pytest.mark.slow
def test_every_setting_is_timed_beside_the_default_or_refused_with_its_reason(figures, capsys):
    tried = ("precision=bfloat16", "batch_size=2", "attention=flash", "precision=tf32", "model.bound=sideways")
    words = ("--small", "--repeats", "2", "--images", "2", "depth_anything_v2_small", "--settings", *tried)
    default, *rows = figures(settings, *words)["results"]
    shown = capsys.readouterr().out

    assert default["setting"] == "default"
    assert [row["setting"] for row in rows] == list(tried)
    half, batch, *refused = rows
    for row in (half, batch):
        assert row["gain"] == pytest.approx(min(row["turns"]["default"]) / min(row["turns"]["with_it"]))
        assert len(row["turns"]["default"]) == len(row["turns"]["with_it"]) == 2
    # bfloat16 keeps 8 bits of a number, float32 24
    assert 1e-4 < half["median"] <= half["largest"] < 0.5
    assert batch["largest"] < 1e-5
    assert (
        refused[0]["refused"] == "attention=flash computes in half precision only: add precision=bfloat16, not float32"
    )
    if not torch.cuda.is_available():
        assert refused[1]["refused"].startswith("precision=tf32: expected a CUDA device from Ampere on")
    assert all(row["refused"] in shown for row in rows if "refused" in row)


def test_a_difference_is_a_part_of_the_range_of_its_own_image():
    reference = torch.tensor([[0.0, 1, 2, 4], [10, 20, 30, 50]]).reshape(2, 1, 2, 2)
    values = reference + torch.tensor([[0.0, 0.4, 0.4, 0], [0, 4, 0, 20]]).reshape(2, 1, 2, 2)

    # parts of the range: 0 0.1 0.1 0, 0 0.1 0 0.5; of an even number the lower median
    assert settings.differences(values, reference) == pytest.approx((0.5, 0.0))
    assert settings.differences(values[1:], reference[1:]) == pytest.approx((0.5, 0.0))
    assert settings.differences(torch.full_like(values, torch.inf), reference) == (None, None)


def test_forms_take_turns_and_every_second_round_backwards():
    calls = []
    forms = {name: lambda name=name: calls.append(name) or float(len(calls)) for name in "abc"}

    assert interleaved(forms, 3) == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}
    assert "".join(calls) == "abccbaabc"


@pytest.mark.parametrize("resolution", ["default", "42"])
def test_the_librarys_network_sees_pictures_of_the_same_size_as_here(tmp_path, resolution):
    words = [*words_of("depth_anything_v2_small", small=True), f"resolution={resolution}"]
    model = load_model(words, torch.device("cpu"), tmp_path)
    seen = []
    model.network.register_forward_pre_hook(
        lambda _, args, keywords: seen.append(tuple((args or tuple(keywords.values()))[0].shape)), with_kwargs=True
    )
    picture = Image.new("RGB", (128, 96))  # the library chooses the scale nearest to 1: shrinks least, too
    library_loop(model, torch.device("cpu"))(picture, 0)
    with torch.inference_mode():
        model.infer(torch.zeros(1, 3, 96, 128, dtype=torch.uint8), ("a",))

    assert seen[0] == seen[1]
    assert min(seen[0][2:]) == (70 if resolution == "default" else 42)


def test_a_family_without_a_tiny_model_is_named():
    with pytest.raises(SystemExit, match="depth_pro: --small knows tiny models of depth_anything"):
        words_of("depth_pro", small=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_figures_of_a_gpu_are_refused_without_one():
    with pytest.raises(SystemExit, match="expected a CUDA device, found none"):
        require_device("cuda")
