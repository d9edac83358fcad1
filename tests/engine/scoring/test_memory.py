"""Batches that do not fit into the memory of the device."""

import pytest

from src.core.errors import PredictionError
from src.records.table import to_records

HUNGRY = """
import torch

from outside import Broken


class Hungry(Broken):
    def __init__(self, *, broken, most):
        super().__init__(broken=broken)
        self.most = most

    def infer(self, image, sample_id):
        if len(sample_id) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return super().infer(image, sample_id) + image[:, :1] / 100
"""


@pytest.fixture
def hungry(outside):
    (outside.parent / "code" / "hungry.py").write_text(HUNGRY)
    (outside / "model" / "hungry.yaml").write_text("# needs room\n_target_: hungry.Hungry\nbroken: []\nmost: 99\n")
    return outside


def test_a_batch_that_does_not_fit_is_halved_and_no_digit_changes(run, hungry):
    words = ["model=hungry", "model.broken=[image/3]", "data=ragged", "data.n=12", "batch_size=12"]
    whole = run(*words, conf=hungry)
    halved = run(*words, "model.most=1", conf=hungry)

    assert whole.manifest.halved == 0
    assert halved.manifest.halved == 9  # three sizes of four images each: 4 -> 2 + 2 -> 1 + 1 + 1 + 1
    errors = [[(record.status, record.errors) for record in to_records(cell.scores)] for cell in (whole, halved)]
    assert errors[0] == errors[1]
    assert halved.manifest.failed["metric"] == 1


def test_one_image_that_does_not_fit_stops_the_run_and_is_named(run, hungry):
    with pytest.raises(PredictionError, match=r"image/0: the memory .* one image of \(4, 5\) pixels.*lower resolution"):
        run("model=hungry", "model.most=0", "data=ragged", conf=hungry)
