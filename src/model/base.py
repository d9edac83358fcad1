"""DepthModel: the predict-only Lightning system every depth model is wrapped in."""

import abc
import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import torch
from jaxtyping import Float, UInt8
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from src.core.errors import ConfigError, PredictionError
from src.core.prediction import OutputSpace, Prediction, join
from src.core.sample import Sample
from src.model.compute import Compute
from src.model.exchange.hand_over import HandedOver
from src.model.replaying import replay_calls

Resolution = int | Literal["default", "native"]
"""default: what the model's authors evaluate at; native: the image's own size; an int: that many pixels, by the
family's own rule (short side, long side, square)."""


MOST_PIXELS: Final = 1 << 24
"""That a network is given of one image; a strip of 20 x 2000 pixels whose shorter side is to be 518 has 27 million."""


def parse_resolution(value: int | str) -> Resolution:
    """Return the resolution that a configuration gives.

    Raises:
        ConfigError: if it is none.

    >>> parse_resolution(384), parse_resolution("native")
    (384, 'native')
    """
    if value == "default" or value == "native" or (isinstance(value, int) and value >= 1):
        return value  # type: ignore[return-value]
    msg = f"resolution: expected default, native or a number of pixels, got {value!r}"
    raise ConfigError(msg)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a model's numbers come from, as recorded beside them.

    Attributes:
        weights: hub id, path or "none" for a model that has no weights.
        revision: exact commit or content hash of the weights, "" where there is none.
        random_weights: whether the weights are untrained; such cells are labelled and never ranked.
        uses_ground_truth: whether the model was shown the answer; such cells are labelled and never ranked.
        space_declared: whether only the user says what space the predictions are in, and nothing here knows it.
        parameters: number of parameters.
        settings: those that the weights bring along and the configuration does not show, such as a default number of
            steps; plain values.
    """

    weights: str
    revision: str = ""
    random_weights: bool = False
    uses_ground_truth: bool = False
    space_declared: bool = False
    parameters: int = 0
    settings: Mapping[str, str | int] = dataclasses.field(default_factory=dict)


@contextlib.contextmanager
def _on_the_cpu_in_float32() -> Iterator[None]:
    """Set the device and dtype of new tensors: Lightning has weights loaded with those of its trainer as the defaults.

    What a network draws or computes while it is built would differ from device to device, or fail, since generators
    are of one device.
    """
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


class DepthModel(LightningModule, abc.ABC):
    """Base of all models. A subclass sets `space` and writes `load`, `input_size`, `infer` and `provenance`.

    Construction is cheap and touches no file: weights are read in `load`, which Lightning triggers through
    `configure_model` in the process (and rank) that will use them.
    """

    space: OutputSpace
    uses_ground_truth: ClassVar[bool] = False
    is_replayed: ClassVar[bool] = False
    """Whether calls of its entry points may be replayed as CUDA graphs: each takes one tensor, and none waits for what
    was computed."""
    half_refused: ClassVar[str] = ""
    """Why the model cannot be given half precision from outside, and what to do instead; "" if it can."""

    def __init__(self) -> None:
        super().__init__()
        self._is_loaded = False
        self._compute = Compute()
        self.halved = 0
        """Batches that did not fit into memory and were predicted in halves."""

    @abc.abstractmethod
    def load(self) -> None:
        """Build the network and read its weights into submodules of `self`.

        New tensors are on the CPU and in float32 unless something else is asked for, whatever the defaults of the
        caller are.

        Raises:
            CheckpointError: if the weights cannot be found, fetched or fitted.
        """

    @abc.abstractmethod
    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) the network sees for an image of `size` (height, width), in pixels."""

    @abc.abstractmethod
    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict for a batch of images on the device they are on.

        Args:
            image: (b, 3, h, w) sRGB bytes.
            sample_id: name of each image, the only thing besides the image that noise may depend on.

        Returns:
            (b, 1, h, w) float at the size of the images, in the units of `space`.
        """

    @property
    @abc.abstractmethod
    def provenance(self) -> Provenance:
        """What the weights are; complete once loaded."""

    def files(self, names: Sequence[str]) -> Sequence[Path] | None:
        """Return the local files that predictions for these images come from, known without loading.

        None, unless a subclass says it: then they are taken to be the files and folders that its configuration names.
        """
        return None

    @property
    def entry_points(self) -> Sequence[nn.Module]:
        """The modules that `infer` calls, once loaded: what is compiled, and what a profile takes for the forward pass.

        A subclass that calls parts of its network names them.
        """
        return tuple(self.children())

    @property
    def handed_over(self) -> Sequence[tuple[Any, str, Sequence[nn.Module]]]:
        """What another runtime computes in place of torch: owner and name of each method, and the networks it uses."""
        return [(module, "forward", (module,)) for module in self.entry_points]

    @property
    def compute(self) -> Compute:
        """How the networks compute; set before they are loaded."""
        return self._compute

    @compute.setter
    def compute(self, compute: Compute) -> None:
        compute.refuse_half(self.half_refused)
        self._compute = compute

    def configure_model(self) -> None:
        """Load the weights once; called by Lightning in every process before prediction.

        Raises:
            CheckpointError: if they cannot be loaded.
            ConfigError: if the networks cannot compute as asked.
        """
        if not self._is_loaded:
            with _on_the_cpu_in_float32():
                self.load()
            self.eval()
            self.compute.apply(dict(self.named_children()), self.entry_points, of=type(self).__name__)
            if self.compute.runtime != "torch":
                for owner, method, networks in self.handed_over:
                    call = getattr(owner, method)
                    setattr(owner, method, HandedOver(call, networks, self.compute.runtime, self.compute.exported))
            if self.is_replayed and self.compute.launches_slowly:
                for network in self.entry_points:
                    replay_calls(network)
            self._is_loaded = True
        self.eval()

    def predict(self, sample: Sample) -> Prediction:
        """Predict for one batch. Only models that must see more than the image (the oracle) override this."""
        return self.as_prediction(self.infer(sample.image, sample.sample_id), sample)

    def as_prediction(self, values: Tensor, sample: Sample) -> Prediction:
        """Wrap predicted values of shape (b, 1, h, w) after checking that they are on the grid of `sample`.

        Raises:
            PredictionError: if the shape differs or the values are not floating point.
        """
        expected = tuple(sample.depth.shape)
        if tuple(values.shape) != expected or not values.is_floating_point():
            msg = (
                f"{type(self).__name__}.infer: expected floating-point values of shape {expected} for "
                f"{sample.sample_id[0]!r}, got {values.dtype} of shape {tuple(values.shape)}; resize the prediction to "
                "the size of the image and add the channel axis"
            )
            raise PredictionError(msg)
        return Prediction(values=values.float(), space=self.space, input_size=self.input_size(sample.size))

    @torch.inference_mode()
    def predict_step(self, batch: Iterable[Sample], batch_idx: int = 0) -> tuple[Prediction, ...]:
        """Predict for every image size in the batch; Lightning's hook."""
        return tuple(self._predict_within_memory(sample) for sample in batch)

    def _refusal(self, sample: Sample) -> Prediction | None:
        """Return predictions of nothing for images that the size rule makes too large for any network, else None."""
        height, width = self.input_size(sample.size)
        if height * width <= MOST_PIXELS or self.provenance.parameters == 0:
            return None
        words = (
            f"the size rule makes {height} x {width} pixels of {sample.size[0]} x {sample.size[1]}, more than "
            f"{MOST_PIXELS}: lower resolution, or leave such images out"
        )
        return Prediction(
            values=torch.full_like(sample.depth, torch.nan),
            space=self.space,
            input_size=(height, width),
            refused=words,
        )

    def _predict_within_memory(self, sample: Sample) -> Prediction:
        """Predict, in halves where the device has not enough memory for the batch; no digit depends on the batch."""
        refused = self._refusal(sample)
        if refused is not None:
            return refused
        try:
            return self.predict(sample)
        except torch.OutOfMemoryError as error:
            if len(sample) == 1:
                msg = (
                    f"{sample.sample_id[0]}: the memory of the device does not suffice for one image of {sample.size} "
                    f"pixels (height, width): {str(error).splitlines()[0]}; lower resolution, or take a larger device"
                )
                raise PredictionError(msg) from error
        # only now, when the error no longer holds on to what was computed
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.halved += 1
        middle = len(sample) // 2
        halves = (slice(0, middle), slice(middle, None))
        return join([self._predict_within_memory(sample.part(rows)) for rows in halves])
