"""What one fit holds for: which images share it, and which pixels of an image are known."""

import dataclasses

import numpy as np
import pytest
import torch

from src.core.errors import ConfigError
from src.protocol.fit_over.points import KnownPoints
from src.protocol.fit_over.shared import Calibration, DataSet, Sequences
from src.protocol.named import protocol_named
from tests.test_no_host_sync import make_batch


def names_and_clusters(clusters, each):
    names = [f"{c}/{i}" for c in range(clusters) for i in range(each)]
    return names, [name.split("/")[0] for name in names]


@pytest.mark.parametrize(("clusters", "each", "images", "folds"), [(12, 3, 3, 10), (4, 30, 10, 10), (50, 1, 1, 10)])
def test_calibration_draws_are_disjoint_and_never_score_their_own_cluster(clusters, each, images, folds):
    names, own = names_and_clusters(clusters, each)
    groups = Calibration(images=images, folds=folds, seed=0).groups(names, own)

    assert len(groups) == min(folds, clusters)
    drawn = [place for group in groups for place in group.fitted]
    assert len(set(drawn)) == len(drawn) == images * len(groups)
    for group in groups:
        fitted, scored = ({own[place] for place in part} for part in (group.fitted, group.scored))
        assert fitted.isdisjoint(scored)
    times = np.bincount([place for group in groups for place in group.scored], minlength=len(names))
    assert set(times) <= {len(groups) - 1, len(groups)}


def test_draws_depend_on_seed_and_names_not_on_order():
    names, own = names_and_clusters(9, 4)

    def drawn(seed, order):
        groups = Calibration(images=2, folds=4, seed=seed).groups([names[i] for i in order], [own[i] for i in order])
        return [{names[order[place]] for place in group.fitted} for group in groups]

    order = np.random.default_rng(0).permutation(len(names)).tolist()
    assert drawn(0, range(len(names))) == drawn(0, order)
    assert drawn(0, range(len(names))) != drawn(1, range(len(names)))


def test_too_few_clusters_leave_no_calibration():
    assert Calibration(images=1, folds=10, seed=0).groups(["a", "b"], ["one", "one"]) == []
    assert Calibration(images=3, folds=10, seed=0).groups(["a", "b", "c", "d"], [""] * 4) == []
    assert DataSet().groups([], []) == []


def test_sequences_are_clusters():
    groups = Sequences().groups(["a", "b", "c", "d"], ["x", "", "y", "x"])
    assert [(group.name, group.fitted, group.scored) for group in groups] == [("x", (0, 3), (0, 3)), ("y", (2,), (2,))]


@pytest.mark.parametrize("layout", ["random", "grid"])
def test_known_points_are_valid_and_alike_for_every_batch(layout):
    _, sample = make_batch()
    points = KnownPoints(points=9, layout=layout, seed=0)
    known = points.known(sample)

    assert not (known & ~sample.valid).any()
    enough = sample.valid.flatten(1).sum(1) > 9
    assert enough.any()
    counts = known.flatten(1).sum(1)
    assert not counts[~enough].any()
    counts = counts[enough]
    assert (counts == 9).all() if layout == "random" else ((counts > 4) & (counts <= 9)).all()
    alone = points.known(sample.part(slice(1, 2)))
    assert torch.equal(alone, known[1:2])
    if layout == "random":
        assert not torch.equal(dataclasses.replace(points, seed=1).known(sample), known)
        few = dataclasses.replace(sample, valid=torch.zeros_like(sample.valid))
        few.valid[:, :, 0, :9] = True
        assert not points.known(few).any()


def test_known_pixels_are_drawn_evenly():
    _, sample = make_batch()
    one = sample.part(slice(0, 1))
    one = dataclasses.replace(one, valid=torch.ones_like(one.valid))
    n, k, draws = one.valid.numel(), 5, 400
    times = torch.zeros(n)
    for seed in range(draws):
        times += KnownPoints(points=k, layout="random", seed=seed).known(one).flatten()
    expected = draws * k / n
    chi_squared = ((times - expected) ** 2 / expected).sum() / (1 - k / n)
    assert abs(chi_squared - (n - 1)) < 5 * (2 * (n - 1)) ** 0.5


def test_known_pixels_are_fitted_and_not_scored():
    prediction, sample = make_batch()
    protocol = protocol_named("affine_depth_points_25")
    scores = protocol.evaluate(prediction, sample)
    assert protocol.fit_over is not None
    known = protocol.fit_over.known(sample)

    for i in range(len(sample)):
        x, y = (m[i][known[i]].double().numpy() for m in (prediction.values, sample.depth))
        rest = sample.valid[i] & ~known[i]
        if len(x) < 25:
            assert scores.valid_pixels[i] == rest.sum()
            continue
        scale, shift = np.polyfit(x, y, 1)
        assert scores.scale[i].item() == pytest.approx(scale, rel=1e-8)
        nearest, farthest = sample.depth_range
        fitted = np.clip(scale * prediction.values[i][rest].double().numpy() + shift, max(nearest, 1e-6), farthest)
        truth = sample.depth[i][rest].double().numpy()
        assert scores.errors["abs_rel"][i].item() == pytest.approx(np.mean(abs(fitted - truth) / truth), rel=1e-7)
        assert scores.valid_pixels[i] == rest.sum()


def test_what_cannot_be_is_refused_with_the_reason():
    prediction, sample = make_batch()
    with pytest.raises(ConfigError, match=r"whose fits need a run: python -m src\.eval"):
        protocol_named("scale_per_data_set").evaluate(prediction, sample)
    with pytest.raises(ConfigError, match="of a grid a square number"):
        KnownPoints(points=24, layout="grid", seed=0)
    with pytest.raises(ConfigError, match="images >= 1 and folds >= 2"):
        Calibration(images=3, folds=1, seed=0)
    from src.alignment.identity import Unaligned
    from src.protocol.evaluation import EvalProtocol

    with pytest.raises(ConfigError, match="expected an alignment that fits something"):
        EvalProtocol(name="p", version=1, alignment=Unaligned(), clip="none", metrics=["abs_rel"], fit_over=DataSet())
    with pytest.raises(ConfigError, match="metrics that look at each pixel alone"):
        EvalProtocol(
            name="p",
            version=1,
            alignment=protocol_named("scale").alignment,
            clip="none",
            metrics=["boundary_f1"],
            fit_over=DataSet(),
        )
