import torch

from src.core.packing import split, valid_pixels
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


def make_batch(b=3, h=4, w=5):
    generator = torch.Generator().manual_seed(0)
    depth = torch.rand(b, 1, h, w, generator=generator) + 1
    valid = torch.rand(b, 1, h, w, generator=generator) < 0.5
    sample = Sample(
        image=torch.zeros(b, 3, h, w, dtype=torch.uint8),
        depth=torch.where(valid, depth, 0.0),
        valid=valid,
        depth_range=(0.1, 10.0),
        sample_id=tuple("abc"[:b]),
        index=tuple(range(10, 10 + b)),
        cluster=("x",) * b,
        slice=("y",) * b,
        intrinsics=torch.eye(3).expand(b, 3, 3),
    )
    values = torch.rand(b, 1, h, w, generator=generator)
    prediction = Prediction(values=values, space=OutputSpace.METRIC_DEPTH, input_size=(8, 8), uncertainty=values)
    return prediction, sample


def test_splitting_keeps_every_field_of_every_image():
    prediction, sample = make_batch()
    for i, (one, image) in enumerate(split(prediction, sample)):
        assert (image.sample_id, image.index, image.cluster, image.slice) == (("abc"[i],), (10 + i,), ("x",), ("y",))
        assert image.depth_range == sample.depth_range
        assert (one.space, one.input_size) == (prediction.space, prediction.input_size)
        for name, value in sample.tensors().items():
            assert torch.equal(image.tensors()[name], value[i : i + 1])
        assert torch.equal(one.values, prediction.values[i : i + 1])
        assert torch.equal(one.uncertainty, prediction.uncertainty[i : i + 1])


def test_valid_pixels_keep_their_order():
    prediction, sample = split(*make_batch())[1]
    values, pixels = valid_pixels(prediction, sample)
    assert torch.equal(values.values.flatten(), prediction.values[sample.valid])
    assert torch.equal(pixels.depth.flatten(), sample.depth[sample.valid])
    assert pixels.valid.all()
    assert pixels.depth.shape == pixels.valid.shape == values.values.shape


def test_an_image_without_valid_pixels_stays_as_it_is():
    prediction, sample = make_batch(b=1)
    sample.valid.zero_()
    assert valid_pixels(prediction, sample) == (prediction, sample)
