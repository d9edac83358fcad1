"""TransformersModel: what the families built on the transformers library share."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from transformers import PreTrainedModel

from src.core.errors import CheckpointError
from src.core.resize import Bound, bounded_size
from src.model.base import DepthModel, Provenance, parse_resolution
from src.model.hub import RANDOM, locate, read_index
from src.model.loading import load_network
from src.model.randomise import randomise


class TransformersModel(DepthModel):
    """Base of the families whose network is a transformers class. A subclass writes `infer`.

    Args:
        weights: hub id, local folder, or "random" for seeded random weights in the architecture below.
        revision: commit, tag or branch of a hub id; null for its main branch. The resolved commit is recorded.
        target_size: (height, width) in pixels that the authors evaluate at, before the size rule.
        bound: the size rule, see `src.core.resize.bounded_size`.
        resolution: "default" for `target_size`, "native" for the image's own size in the family's multiple, or the
            height to aim at, with the width of `target_size` in proportion.
        architecture: keywords of the transformers configuration; used for random weights only.
        seed: of random weights.
    """

    network_class: ClassVar[type[PreTrainedModel]]
    unused_weights: ClassVar[tuple[str, ...]]
    multiple: ClassVar[int]

    network: Any

    def __init__(
        self,
        *,
        weights: str,
        revision: str | None,
        target_size: Sequence[int],
        bound: Bound,
        resolution: int | str,
        architecture: Mapping[str, Any],
        seed: int,
    ) -> None:
        super().__init__()
        self.weights = weights
        self.revision = revision
        self.target_size = (target_size[0], target_size[1])
        self.bound = bound
        self.resolution = parse_resolution(resolution)
        self.architecture = architecture
        self.seed = seed
        self._loaded_revision = ""

    def load(self) -> None:
        """Build the network, from the checkpoint or with random weights.

        Raises:
            CheckpointError: if the checkpoint cannot be found or does not fit.
        """
        if self.weights == RANDOM:
            config = self.network_class.config_class(**copy.deepcopy(dict(self.architecture)))
            self.check(config.to_dict())
            network = self.network_class(config)
            randomise(network, self.seed)
        else:
            checkpoint = locate(self.weights, self.revision)
            self.check(read_index(checkpoint))
            network = load_network(self.network_class, checkpoint.folder, unused=self.unused_weights)
            self._loaded_revision = checkpoint.revision
        self.network = self.adapt(network)

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
        if self.resolution == "native":
            return bounded_size(size, size, bound="stretch", multiple=self.multiple)
        height, width = self.target_size
        if self.resolution != "default":
            height, width = self.resolution, round(self.resolution * width / height)
        return bounded_size(size, (height, width), bound=self.bound, multiple=self.multiple)

    @property
    def provenance(self) -> Provenance:
        """The checkpoint, or random weights."""
        return Provenance(
            weights=self.weights,
            revision=self._loaded_revision,
            random_weights=self.weights == RANDOM,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
        )
