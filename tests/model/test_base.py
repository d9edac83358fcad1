import pytest
import torch

from src.core.errors import PredictionError
from src.core.prediction import OutputSpace
from src.core.sample import Sample
from src.model.base import DepthModel, Provenance


class Twice(DepthModel):
    """Predicts twice the red channel, or what `answer` says."""

    space = OutputSpace.SCALE_INVARIANT_DEPTH

    def __init__(self, answer=None):
        super().__init__()
        self.answer = answer
        self.loads = 0

    def load(self):
        self.loads += 1
        self.layer = torch.nn.Dropout(0.5)

    def input_size(self, size):
        return size[0] // 2, size[1] // 2

    @property
    def provenance(self):
        return Provenance(weights="none")

    def infer(self, image, sample_id):
        return self.layer(2 * image[:, :1].double()) if self.answer is None else self.answer


def sample(height, width, count=1):
    return Sample(
        image=torch.full((count, 3, height, width), 7, dtype=torch.uint8),
        depth=torch.ones(count, 1, height, width),
        valid=torch.ones(count, 1, height, width, dtype=torch.bool),
        depth_range=(0.1, 10.0),
        sample_id=tuple(f"image/{i}" for i in range(count)),
        index=tuple(range(count)),
        cluster=("",) * count,
        slice=("",) * count,
    )


def test_weights_are_read_once_and_dropout_is_off():
    model = Twice()
    assert model.loads == 0
    model.configure_model()
    model.train()
    model.configure_model()
    assert model.loads == 1
    assert not model.layer.training


def test_every_size_in_a_batch_is_predicted():
    model = Twice()
    model.configure_model()
    first, second = model.predict_step((sample(4, 6, 2), sample(8, 2)))
    assert first.values.shape == (2, 1, 4, 6)
    assert second.values.shape == (1, 1, 8, 2)
    assert first.values.dtype == torch.float32
    assert first.values.unique().tolist() == [14]
    assert first.input_size == (2, 3)
    assert first.space is OutputSpace.SCALE_INVARIANT_DEPTH


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (torch.ones(1, 4, 6), r"torch\.float32 of shape \(1, 4, 6\)"),
        (torch.ones(1, 1, 2, 3), r"torch\.float32 of shape \(1, 1, 2, 3\)"),
        (torch.ones(1, 1, 4, 6, dtype=torch.int64), r"torch\.int64 of shape \(1, 1, 4, 6\)"),
    ],
)
def test_what_is_no_prediction_for_the_images_is_refused(answer, came):
    model = Twice(answer)
    model.configure_model()
    expected = rf"Twice\.infer: expected floating-point values of shape \(1, 1, 4, 6\) for 'image/0', got {came}"
    with pytest.raises(PredictionError, match=expected):
        model.predict(sample(4, 6))
