import torch
from torch import nn

from src.model.checkpoints.randomise import randomise


def network():
    return nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 1, 1), nn.ReLU())


def test_weights_keep_the_signal_and_leave_the_last_relu_open():
    net = network()
    randomise(net, seed=0)
    first, norm, last = net[0], net[1], net[3]
    assert abs(first.weight.std() - (1 / 27) ** 0.5) < 0.02
    assert torch.equal(first.bias, torch.zeros(64))
    assert torch.equal(norm.weight, torch.ones(64))
    assert (last.weight > 0).all()
    prediction = net.eval()(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert prediction.std() > 0.1 * prediction.mean() > 0
    assert (prediction > 0).all()


def test_the_seed_decides_and_the_global_generator_does_not():
    nets = [network() for _ in range(3)]
    for net, seed in zip(nets, (5, 5, 6), strict=True):
        torch.manual_seed(seed)
        torch.rand(seed)
        randomise(net, seed)
    states = [net.state_dict() for net in nets]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["0.weight"], states[2]["0.weight"])
