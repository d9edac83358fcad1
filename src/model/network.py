"""NetworkModel: what the families with one network behind one size rule share."""

import abc
import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from src.core.errors import CheckpointError
from src.core.resize import Bound, bounded_size
from src.model.base import DepthModel, Provenance, parse_resolution
from src.model.checkpoints.hub import RANDOM, locate, read_index
from src.model.checkpoints.loading import convert_network, load_network
from src.model.checkpoints.names import Rule, rename, split_attention
from src.model.checkpoints.randomise import randomise
from src.model.checkpoints.release import digest_of, is_release, locate_release, read_release
from src.model.exchange.graph import Exportable
from src.model.exchange.interface import Interface
from src.model.overflow import reveal_overflow


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class NetworkModel(DepthModel):
    """Base of the families that see an image at a size that follows a rule. A subclass writes `infer`.

    Building and loading are those of a class of the transformers library; a family of another kind overrides them.
    The settings of a family are the fields of a dataclass, in the types of a yaml: a subclass with settings of its own
    adds fields, and the constructor takes those of all its bases.

    Attributes:
        weights: hub id, local folder, file or address of a file in the layout of the authors' release, or "random" for
            seeded random weights. Files and random weights come in the architecture below.
        revision: commit, tag or branch of a hub id; null for its main branch. The resolved commit is recorded.
        allow_pickle: whether a released file that is more than named tensors may run the code that it asks for while it
            is read; only for files whose origin you trust.
        target_size: (height, width) in pixels that the authors evaluate at, before the size rule.
        bound: the size rule, see `src.core.resize.bounded_size`.
        resolution: "default" for `target_size`, "native" for the image's own size in the family's multiple, or the
            height to aim at, with the width of `target_size` in proportion.
        architecture: keywords of the network's configuration; used for random weights and released files only.
        seed: of random weights.
    """

    network_class: ClassVar[type[Any]]
    unused_weights: ClassVar[tuple[str, ...]] = ()
    """Regular expressions of keys that may be missing or left over because no forward pass reads them."""
    last_layers: ClassVar[tuple[str, ...]] = ()
    """Submodules of the network that precede a function which takes an infinity for a number."""
    multiple: ClassVar[int]
    outputs: ClassVar[tuple[str, ...]] = ("predicted_depth",)
    """Names of what `answer` returns, in files."""

    weights: str
    revision: str | None
    allow_pickle: bool
    target_size: Sequence[int]
    bound: Bound
    resolution: int | str
    architecture: Mapping[str, Any]
    seed: int

    network: Any = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        super().__init__()
        parse_resolution(self.resolution)  # a word that is none is refused before weights are read
        self._loaded_revision = ""

    def load(self) -> None:
        """Build the network, from the checkpoint or with random weights.

        Raises:
            CheckpointError: if the checkpoint cannot be found or does not fit.
        """
        if self.weights == RANDOM:
            network = self.build()
            randomise(network, self.seed)
        elif is_release(self.weights):
            path = locate_release(self.weights)
            network = self.load_release(path)
            self._loaded_revision = digest_of(path)
        else:
            network = self.load_hub()
        self.network = self.adapt(network)
        for name in self.last_layers:
            reveal_overflow(self.network.get_submodule(name))

    def build(self) -> Any:
        """Return the network in the declared architecture, with the weights that it is constructed with."""
        return self.network_class(self._config())

    def load_release(self, path: Path) -> Any:
        """Return the network in the declared architecture, with the weights of a released file.

        Raises:
            CheckpointError: if the file does not fit.
        """
        state = split_attention(rename(read_release(path, allow_pickle=self.allow_pickle), self.release_names()))
        return convert_network(self.network_class, self._config(), state, source=path, unused=self.unused_weights)

    @abc.abstractmethod
    def release_names(self) -> Sequence[Rule]:
        """From the names of the authors' release to those on the hub, or to those of a network that is not there."""

    def load_hub(self) -> Any:
        """Return the network of a hub id or folder.

        Raises:
            CheckpointError: if it cannot be found or does not fit.
        """
        checkpoint = locate(self.weights, self.revision)
        self.check(read_index(checkpoint))
        self._loaded_revision = checkpoint.revision
        return load_network(self.network_class, checkpoint.folder, unused=self.unused_weights)

    def _config(self) -> Any:
        config = self.network_class.config_class(**copy.deepcopy(dict(self.architecture)))
        self.check(config.to_dict())
        return config

    def check(self, config: Mapping[str, Any]) -> None:
        """Check the configuration of a checkpoint before its weights are read.

        Raises:
            CheckpointError: if it belongs to another family.
        """
        expected = self.network_class.config_class.model_type
        if config.get("model_type") != expected:
            msg = (
                f"checkpoint {self.weights}: expected one of type {expected}, got {config.get('model_type')}; "
                "choose the model of its family"
            )
            raise CheckpointError(msg)

    def adapt(self, network: Any) -> Any:
        """Return the network with the family's corrections to the library; none by default."""
        return network

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Apply the size rule to the (height, width) of an image."""
        resolution = parse_resolution(self.resolution)
        if resolution == "native":
            return bounded_size(size, size, bound="stretch", multiple=self.multiple)
        height, width = self.target_size
        if resolution != "default":
            height, width = resolution, round(resolution * width / height)
        return bounded_size(size, (height, width), bound=self.bound, multiple=self.multiple)

    @abc.abstractmethod
    def answer(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Tensor, ...]:
        """Return what the network makes of prepared pixels, in float32: what is exported, under `outputs`."""

    @property
    @abc.abstractmethod
    def interface(self) -> Interface:
        """How `answer` is fed and what it means, for those who have nothing but the exported network."""

    def describe(self, **more: Any) -> Interface:
        """Return an interface with the family's space, outputs and size rule, and what else is given."""
        resolution = parse_resolution(self.resolution)
        height, width = self.target_size
        if isinstance(resolution, int):
            height, width = resolution, round(resolution * width / height)
        rule = {"bound": "stretch"} if resolution == "native" else {"bound": self.bound, "target_size": (height, width)}
        return Interface(space=self.space.value, multiple=self.multiple, **{"output": self.outputs[0], **rule, **more})

    @property
    def exportable(self) -> Exportable:
        """The network as it is exported."""
        return Exportable(networks=(self.network,), call=self.answer, outputs=self.outputs)

    @property
    def handed_over(self) -> Sequence[tuple[Any, str, Sequence[nn.Module]]]:
        """The call of the network as a whole."""
        return [(self, "answer", (self.network,))]

    @property
    def provenance(self) -> Provenance:
        """The checkpoint, or random weights."""
        return Provenance(
            weights=self.weights,
            revision=self._loaded_revision,
            random_weights=self.weights == RANDOM,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
        )
