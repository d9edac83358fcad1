"""Hand-made records and manifests."""

import pytest

from src.records.schema import MetricInfo, ProtocolInfo, RunManifest, SampleRecord


@pytest.fixture
def record():
    """Return a function that makes a record, `index` and anything else by keyword."""

    def make(index: int, protocol: str = "metric", **changes) -> SampleRecord:
        values = {
            "sample_id": f"scene/{index}",
            "cluster": "",
            "slice": "",
            "protocol_version": 1,
            "status": "ok",
            "valid_pixels": 100,
            "scale": 1.0,
            "shift": 0.0,
            "errors": {"abs_rel": 0.1 * (index + 1)},
            "input_size": (4, 6),
            "seconds": 0.5,
        }
        return SampleRecord(index=index, protocol=protocol, **{**values, **changes})

    return make


@pytest.fixture
def manifest():
    """Return a function that makes a manifest, any field by keyword."""

    def make(**changes) -> RunManifest:
        info = ProtocolInfo(
            version=1,
            fitted_in="nothing",
            clip=(0.001, 10.0),
            metrics={"abs_rel": MetricInfo(unit="fraction", higher_is_better=False)},
        )
        values = {
            "model": "ramp",
            "data": "sample",
            "resolution": "default",
            "fingerprint": "0123456789ab",
            "config": {"seed": 0},
            "output_space": "metric_depth",
            "weights": "none",
            "revision": "",
            "random_weights": False,
            "uses_ground_truth": False,
            "parameters": 0,
            "protocols": {"metric": info},
            "not_applicable": [],
            "expected": 2,
            "limited": False,
            "scored": {"metric": 2},
            "skipped": {"metric": 0},
            "failed": {"metric": 0},
            "seed": 0,
            "world_size": 1,
            "device": "cpu",
            "dtype": "32-true",
            "images_per_second": 3.0,
            "git_revision": "",
            "versions": {"torch": "2.14.1"},
            "started": "2026-01-01T00:00:00+00:00",
            "finished": "2026-01-01T00:01:00+00:00",
        }
        return RunManifest(**{**values, **changes})

    return make
