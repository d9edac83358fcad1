import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DPTForDepthEstimation

from src.core.errors import CheckpointError
from src.model.checkpoints.loading import load_network


@pytest.fixture
def snapshot(publish, tiny_network):
    return publish(tiny_network(DPTForDepthEstimation, "dpt_vit"), "Tiny/dpt")


def test_every_weight_arrives(snapshot, tiny_network):
    loaded = load_network(DPTForDepthEstimation, snapshot).state_dict()
    for key, value in tiny_network(DPTForDepthEstimation, "dpt_vit").state_dict().items():
        assert torch.equal(loaded[key], value), key


def test_keys_that_do_not_fit_are_listed(snapshot):
    weights = load_file(snapshot / "model.safetensors")
    for number in range(6):
        weights[f"surplus.{number}"] = torch.zeros(1)
    weights["head.head.4.bias"] = torch.zeros(3)
    del weights["neck.convs.0.weight"]
    save_file(weights, snapshot / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError) as caught:
        load_network(DPTForDepthEstimation, snapshot)
    message = str(caught.value)
    assert "1 keys missing: neck.convs.0.weight;" in message
    assert "6 keys unexpected: surplus.0, surplus.1, surplus.2, surplus.3, surplus.4 and 1 more;" in message
    assert "1 keys of another shape: head.head.4.bias (3,) instead of (1,)" in message


def test_a_truncated_file_is_reported(snapshot):
    file = snapshot / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot be loaded as DPTForDepthEstimation"):
        load_network(DPTForDepthEstimation, snapshot)


def test_keys_that_no_forward_pass_reads_are_let_pass(snapshot):
    weights = load_file(snapshot / "model.safetensors")
    del weights["neck.convs.0.weight"]
    weights["surplus"] = torch.zeros(1)
    save_file(weights, snapshot / "model.safetensors", metadata={"format": "pt"})
    load_network(DPTForDepthEstimation, snapshot, unused=(r"^surplus$", r"^neck\.convs\.0\."))
    with pytest.raises(CheckpointError, match=r"1 keys missing: neck\.convs\.0\.weight$"):
        load_network(DPTForDepthEstimation, snapshot, unused=(r"^surplus$",))
