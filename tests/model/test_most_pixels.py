"""Images of which a size rule makes more than any network can be given: failed, with the reason, and nothing hangs."""

import torch

from src.core.prediction import OutputSpace
from src.core.sample import Sample
from src.model.base import MOST_PIXELS, DepthModel, Provenance


class Short(DepthModel):
    """The shorter side becomes 518; predicts ones, and counts what it was shown."""

    space = OutputSpace.AFFINE_DISPARITY
    parameters_of = 7

    def load(self):
        self.seen = []

    def input_size(self, size):
        scale = 518 / min(size)
        return round(size[0] * scale), round(size[1] * scale)

    def infer(self, image, sample_id):
        self.seen += sample_id
        return torch.ones(len(image), 1, *image.shape[-2:])

    @property
    def provenance(self):
        return Provenance(weights="x", parameters=self.parameters_of)


def strip(height, width, name):
    depth = torch.ones(1, 1, height, width)
    return Sample(
        image=torch.zeros(1, 3, height, width, dtype=torch.uint8), depth=depth, valid=depth > 0,
        depth_range=(0.1, 10.0), sample_id=(name,), index=(0,), cluster=("",), slice=("",),
    )  # fmt: skip


def test_an_image_of_extreme_aspect_is_refused_and_the_next_one_predicted():
    model = Short()
    model.configure_model()
    long, plain = model.predict_step([strip(20, 2000, "long"), strip(48, 64, "plain")])
    assert model.seen == ["plain"]
    assert long.values.isnan().all()
    assert long.refused == (
        f"the size rule makes 518 x 51800 pixels of 20 x 2000, more than {MOST_PIXELS}: lower resolution, or leave "
        "such images out"
    )
    assert (plain.values == 1).all()
    assert plain.refused == ""


def test_what_has_no_network_has_no_such_limit():
    model = Short()
    model.parameters_of = 0
    model.configure_model()
    [found] = model.predict_step([strip(20, 2000, "long")])
    assert (found.values == 1).all()
