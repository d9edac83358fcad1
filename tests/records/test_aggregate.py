import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import stats

from src.records import aggregate
from src.records.aggregate import Estimate, unranked_because
from src.records.schema import ImageStatus, RunManifest, SampleRecord
from src.records.table import from_records


def estimates(records: list[SampleRecord], **options: int) -> dict[str, dict[str, Estimate]]:
    return aggregate.estimates(from_records(records), **options)


def record(
    index: int,
    errors: dict[str, float | None],
    *,
    protocol: str = "metric",
    status: ImageStatus = "ok",
    weights: dict[str, float] | None = None,
) -> SampleRecord:
    return SampleRecord(
        index=index,
        sample_id=f"image/{index}",
        cluster="",
        slice="",
        protocol=protocol,
        protocol_version=1,
        status=status,
        valid_pixels=0 if status == "skipped" else 100,
        scale=1.0,
        shift=0.0,
        errors=errors,
        weights=weights or {},
        input_size=(384, 512),
        seconds=0.1,
    )


def manifest(**changes: object) -> RunManifest:
    plain = RunManifest(
        model="ramp",
        data="sample",
        resolution="default",
        fingerprint="0" * 12,
        config={},
        output_space="metric_depth",
        weights="none",
        revision="",
        random_weights=False,
        uses_ground_truth=False,
        parameters=0,
        protocols={},
        not_applicable=[],
        expected=4,
        limited=False,
        scored={"metric": 4, "scale": 4},
        skipped={"metric": 0, "scale": 0},
        failed={"metric": 0, "scale": 0},
        seed=0,
        world_size=1,
        device="cpu",
        dtype="float32",
        images_per_second=1.0,
        git_revision="",
        versions={},
        started="2026-11-22T09:00:00+00:00",
        finished="2026-11-22T09:05:00+00:00",
    )
    return dataclasses.replace(plain, **changes)


def test_mean_and_standard_error_by_hand() -> None:
    found = estimates([record(i, {"abs_rel": value}) for i, value in enumerate([1.0, 2.0, 3.0, 6.0])])
    estimate = found["metric"]["abs_rel"]
    # deviations from 3: -2, -1, 0, 3; their squares sum to 14; sqrt(14 / 3) / sqrt(4)
    assert estimate.mean == 3.0
    assert estimate.standard_error == pytest.approx(math.sqrt(14 / 3) / 2, rel=1e-14)
    assert (estimate.n, estimate.undefined) == (4, 0)


def test_the_interval_is_near_that_of_scipys_bootstrap_for_many_images() -> None:
    values = np.random.default_rng(7).lognormal(size=300)
    found = estimates([record(i, {"rmse": value}) for i, value in enumerate(values)])
    reference = stats.bootstrap((values,), np.mean, n_resamples=4000, method="BCa").confidence_interval
    estimate = found["metric"]["rmse"]
    width = reference.high - reference.low
    assert estimate.low == pytest.approx(reference.low, abs=0.1 * width)
    assert estimate.high == pytest.approx(reference.high, abs=0.1 * width)
    assert estimate.standard_error == pytest.approx(stats.sem(values), rel=1e-12)


def test_fewer_than_five_images_have_no_interval() -> None:
    for count, has in ((4, False), (5, True)):
        found = estimates([record(i, {"rmse": 0.1 * i}) for i in range(count)])["metric"]["rmse"]
        assert (found.low is not None, found.high is not None) == (has, has)
        assert found.standard_error is not None


def test_the_same_records_give_the_same_digits_in_any_order() -> None:
    records = [record(i, {"rmse": value}) for i, value in enumerate([0.1, 0.4, 0.2, 0.9, 0.3])]
    assert estimates(records) == estimates(records) == estimates(records[::-1])


def test_only_images_that_are_ok_count() -> None:
    records = [
        record(0, {"abs_rel": 0.2}),
        record(1, {"abs_rel": None}, status="skipped"),
        record(2, {"abs_rel": None}, status="failed"),
        record(3, {"abs_rel": 0.4}),
    ]
    estimate = estimates(records)["metric"]["abs_rel"]
    assert estimate.mean == pytest.approx(0.3)
    assert (estimate.n, estimate.undefined) == (2, 0)


def test_undefined_values_are_left_out_and_counted() -> None:
    records = [
        record(0, {"abs_rel": 0.2, "edge_accuracy": None}),
        record(1, {"abs_rel": 0.4, "edge_accuracy": 2.0}),
        record(2, {"abs_rel": 0.6, "edge_accuracy": 4.0}),
    ]
    found = estimates(records)["metric"]
    assert found["abs_rel"].mean == pytest.approx(0.4)
    edges = found["edge_accuracy"]
    assert (edges.mean, edges.n, edges.undefined) == (3.0, 2, 1)
    assert edges.standard_error == pytest.approx(1.0)
    assert (edges.low, edges.high) == (None, None)


def test_one_image_has_a_mean_and_no_uncertainty() -> None:
    found = estimates([record(0, {"abs_rel": 0.25})])["metric"]["abs_rel"]
    assert found == Estimate(mean=0.25, standard_error=None, low=None, high=None, n=1, undefined=0)


def test_no_image_has_no_mean() -> None:
    nothing = Estimate(mean=None, standard_error=None, low=None, high=None, n=0, undefined=0)
    assert estimates([record(0, {"abs_rel": None}, status="skipped")])["metric"]["abs_rel"] == nothing
    undefined = estimates([record(0, {"abs_rel": None}), record(1, {"abs_rel": None})])["metric"]["abs_rel"]
    assert undefined == dataclasses.replace(nothing, undefined=2)
    assert estimates([]) == {}


def test_weights_pool_what_is_smaller_than_an_image() -> None:
    # 90 of 100 point pairs wrong in one image, 0 of 300 in the other: 90 of 400 pairs
    records = [
        record(0, {"whdr": 0.9, "abs_rel": 0.9}, weights={"whdr": 100.0}),
        record(1, {"whdr": 0.0, "abs_rel": 0.0}, weights={"whdr": 300.0}),
    ]
    found = estimates(records)["metric"]
    assert found["whdr"].mean == pytest.approx(90 / 400)
    assert found["abs_rel"].mean == pytest.approx(0.45)


def test_standard_error_of_a_weighted_mean_is_that_of_a_ratio() -> None:
    generator = np.random.default_rng(11)
    weights = generator.integers(1, 9, 400).astype(float)
    values = generator.normal(size=400)
    records = [
        record(i, {"whdr": v}, weights={"whdr": w}) for i, (v, w) in enumerate(zip(values, weights, strict=True))
    ]
    estimate = estimates(records)["metric"]["whdr"]
    drawn = generator.integers(0, 400, (4000, 400))
    means = (weights * values)[drawn].sum(1) / weights[drawn].sum(1)
    assert estimate.standard_error == pytest.approx(means.std(), rel=0.05)
    assert estimate.low == pytest.approx(np.quantile(means, 0.025), abs=0.02)


def test_an_image_of_weight_zero_counts_as_undefined() -> None:
    records = [record(0, {"whdr": 0.5}, weights={"whdr": 0.0}), record(1, {"whdr": 0.1}, weights={"whdr": 4.0})]
    estimate = estimates(records)["metric"]["whdr"]
    assert (estimate.mean, estimate.n, estimate.undefined) == (pytest.approx(0.1), 1, 1)


def test_protocols_and_metrics_keep_their_order() -> None:
    records = [
        record(i, {"rmse": 1.0, "abs_rel": 0.1}, protocol=protocol)
        for i in range(2)
        for protocol in ("scale", "metric")
    ]
    found = estimates(records)
    assert [(protocol, list(values)) for protocol, values in found.items()] == [
        ("scale", ["rmse", "abs_rel"]),
        ("metric", ["rmse", "abs_rel"]),
    ]


def test_the_summary_is_json_without_nan() -> None:
    records = [record(0, {"abs_rel": 0.25, "rmse": None})]
    text = json.dumps(aggregate.summarise(from_records(records)), allow_nan=False)
    assert json.loads(text)["metric"]["abs_rel"]["mean"] == 0.25
    assert json.loads(text)["metric"]["rmse"] == {
        "mean": None, "standard_error": None, "low": None, "high": None, "n": 0, "undefined": 1, "clusters": None,
    }  # fmt: skip


def test_a_plain_cell_is_ranked() -> None:
    assert unranked_because(manifest(skipped={"metric": 2}), "metric") == ()


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"random_weights": True}, ("random weights",)),
        ({"uses_ground_truth": True}, ("uses ground truth",)),
        ({"limited": True, "expected": 8}, ("limited to 8 images",)),
        ({"limited": True, "expected": 1}, ("limited to 1 image",)),
        ({"corruption": "fog", "severity": 3}, ("corrupted: fog 3",)),
        ({"failed": {"metric": 3}}, ("3 failed",)),
        ({"random_weights": True, "failed": {"metric": 1}}, ("random weights", "1 failed")),
    ],
)
def test_reasons_not_to_rank(changes: dict[str, object], reasons: tuple[str, ...]) -> None:
    assert unranked_because(manifest(**changes), "metric") == reasons


def test_failures_count_under_the_protocol_they_happened_in() -> None:
    one = manifest(failed={"metric": 0, "scale": 2})
    assert unranked_because(one, "metric") == ()
    assert unranked_because(one, "scale") == ("2 failed",)


def test_scenes_are_drawn_anew_where_a_data_set_has_them() -> None:
    """Twelve drives of ten frames that agree within each: as sure as twelve images, not as a hundred and twenty."""
    offsets = np.random.default_rng(0).normal(1.0, 0.2, size=12)
    frames = [
        dataclasses.replace(record(10 * drive + i, {"abs_rel": offsets[drive]}), cluster=f"drive {drive:02}")
        for drive in range(12)
        for i in range(10)
    ]
    found = estimates(frames)["metric"]["abs_rel"]
    alone = estimates([record(i, {"abs_rel": offset}) for i, offset in enumerate(offsets)])["metric"]["abs_rel"]
    assert (found.clusters, alone.clusters, found.n) == (12, None, 120)
    assert found.standard_error == pytest.approx(alone.standard_error)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize(("scenes", "few"), [(1, True), (2, True), (4, True), (5, False)])
def test_few_scenes_are_called_few(scenes: int, few: bool) -> None:
    frames = [dataclasses.replace(record(i, {"abs_rel": 0.1 + 0.01 * i}), cluster=f"{i % scenes}") for i in range(20)]
    found = estimates(frames)["metric"]["abs_rel"]
    assert (found.clusters, found.few) == (scenes, few)
    assert (found.low is None) == (scenes == 1)


def test_a_cell_with_unreadable_images_is_not_ranked() -> None:
    assert unranked_because(manifest(unreadable=3), "metric") == ("3 unreadable",)
