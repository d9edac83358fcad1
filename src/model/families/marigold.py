"""Marigold: depth by diffusion."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    LCMScheduler,
    MarigoldDepthPipeline,
    UNet2DConditionModel,
)
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.core.prediction import OutputSpace
from src.core.seeding import derive_seed
from src.model.base import DepthModel, Provenance, parse_resolution
from src.model.checkpoints.hub import RANDOM, Checkpoint, locate, read_index
from src.model.checkpoints.loading import load_network
from src.model.checkpoints.randomise import randomise
from src.model.families.consensus import consensus
from src.model.overflow import reveal_overflow
from src.model.splitting import split_calls

_INDEX = "model_index.json"
_TOGETHER = 2 * 576 * 768  # pixels of images or members
_LATENT = 64  # pixels that an element of a latent map stands for
_PARTS = ("unet", "vae", "text_encoder")
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_SCHEDULERS = {"DDIMScheduler": DDIMScheduler, "LCMScheduler": LCMScheduler}


class Marigold(DepthModel):
    """Marigold v1.0, LCM and v1.1 (Ke et al., CVPR 2024; arXiv 2505.09358) through the diffusers pipeline.

    The noise of a member of the ensemble is a function of the seed, the image's name and the member's number, drawn on
    the CPU, so batch size, order, rank and device do not change it. The images of a batch and the members of their
    ensembles go through the network together. With the upstream way of ensembling images go one by one: its alignment
    of the members amplifies rounding, up to 0.06 of the range of a prediction, so every image must be computed alike in
    every batch.

    Args:
        weights: hub id, local folder, or "random" for seeded random weights in the architecture below.
        revision: commit, tag or branch of a hub id; null for its main branch. The resolved commit is recorded.
        steps: denoising steps; null for the checkpoint's own default.
        ensemble: predictions per image that are aligned and averaged; 1 for none.
        ensembling: "upstream" for the minimiser that the library has from the authors, which waits for the device
            thousands of times per image; "closed_form" for `src.model.families.consensus`, which stays on it and is
            stable.
        processing_resolution: longer side in pixels that the network works at, a multiple of 8; null for the
            checkpoint's own default.
        dtype: of the networks' arithmetic: "float32", "float16" or "bfloat16".
        tiny_vae: hub id or local folder of a tiny autoencoder in place of the checkpoint's, or "random"; null for none.
        vae_slicing: whether the autoencoder takes the images and members of a batch one by one, which needs its memory
            once; the denoiser still sees them together.
        resolution: "default" for `processing_resolution`, "native" for the image's own size, or the longer side.
        architecture: keywords of "unet", "vae" and "scheduler" (which names its "class"), and the checkpoint's defaults
            for "steps" and "processing_resolution"; used for random weights only.
        seed: of the noise and of random weights.
    """

    space = OutputSpace.AFFINE_DEPTH
    multiple = 8
    half_refused = "Marigold has a setting of its own; expected model.dtype=float16 or bfloat16 in its place"

    unet: Any
    vae: Any
    empty_text: Tensor

    def __init__(
        self,
        *,
        weights: str,
        revision: str | None,
        steps: int | None,
        ensemble: int,
        ensembling: str,
        processing_resolution: int | None,
        dtype: str,
        tiny_vae: str | None,
        vae_slicing: bool,
        resolution: int | str,
        architecture: Mapping[str, Any],
        seed: int,
    ) -> None:
        super().__init__()
        if (steps is not None and steps < 1) or ensemble < 1 or (processing_resolution or 8) % self.multiple:
            msg = (
                "marigold: expected steps >= 1, ensemble >= 1 and a processing_resolution in multiples of 8, got "
                f"steps={steps}, ensemble={ensemble}, processing_resolution={processing_resolution}"
            )
            raise ConfigError(msg)
        if ensembling not in ("upstream", "closed_form"):
            msg = f"marigold: expected ensembling to be upstream or closed_form, got {ensembling!r}"
            raise ConfigError(msg)
        if dtype not in _DTYPES:
            msg = f"marigold: expected dtype to be one of {', '.join(_DTYPES)}, got {dtype!r}"
            raise ConfigError(msg)
        self.weights = weights
        self.revision = revision
        self.steps = steps
        self.ensemble = ensemble
        self.ensembling = ensembling
        self.processing_resolution = processing_resolution
        self.network_dtype = _DTYPES[dtype]
        self.tiny_vae = tiny_vae
        self.vae_slicing = vae_slicing
        self.resolution = parse_resolution(resolution)
        self.architecture = architecture
        self.seed = seed
        self._loaded_revision = ""
        self._tiny_revision = ""
        self._pipeline: Any = None

    def load(self) -> None:
        """Build the networks, from the checkpoint or with random weights; the text encoder is used once and let go.

        Raises:
            CheckpointError: if the checkpoint cannot be found or does not fit.
        """
        if self.weights == RANDOM:
            self._load_random()
        else:
            checkpoint = locate(self.weights, self.revision, index=_INDEX, parts=_PARTS)
            self._load_checkpoint(checkpoint, read_index(checkpoint, _INDEX))
            self._loaded_revision = checkpoint.revision
        self._pipeline.set_progress_bar_config(disable=True)
        # bytes are in range by their type, and looking waits for the device
        self._pipeline.image_processor.register_to_config(do_range_check=False)

    def _load_random(self) -> None:
        architecture = copy.deepcopy(dict(self.architecture))
        scheduler = architecture["scheduler"]
        unet, vae = UNet2DConditionModel(**architecture["unet"]), AutoencoderKL(**architecture["vae"])
        for part in (unet, vae):
            randomise(part, self.seed)
        self._assemble(
            unet=unet,
            vae=vae,
            scheduler=_SCHEDULERS[scheduler.pop("class")](**scheduler),
            empty_text=torch.zeros(1, 2, unet.config.cross_attention_dim),
            steps=architecture["steps"],
            processing_resolution=architecture["processing_resolution"],
        )

    def _load_checkpoint(self, checkpoint: Checkpoint, index: Mapping[str, Any]) -> None:
        self._check(index)
        folder = checkpoint.folder
        text_encoder = load_network(CLIPTextModel, folder / "text_encoder", unused=(r"position_ids$",))
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        with torch.no_grad():
            empty_text = text_encoder(tokenizer("", return_tensors="pt").input_ids)[0]
        self._assemble(
            unet=load_network(UNet2DConditionModel, folder / "unet", low_cpu_mem_usage=False),
            vae=load_network(AutoencoderKL, folder / "vae", low_cpu_mem_usage=False),
            scheduler=_SCHEDULERS[index["scheduler"][1]].from_pretrained(folder / "scheduler", local_files_only=True),
            empty_text=empty_text,
            steps=index.get("default_denoising_steps"),
            processing_resolution=index.get("default_processing_resolution"),
        )

    def _check(self, index: Mapping[str, Any]) -> None:
        wanted = {"prediction_type": "depth", "scale_invariant": True, "shift_invariant": True}
        found = {key: index.get(key, value) for key, value in wanted.items()}
        scheduler = index.get("scheduler", [None, None])[1]
        if found != wanted or scheduler not in _SCHEDULERS or "Marigold" not in str(index.get("_class_name")):
            msg = (
                f"checkpoint {self.weights}: expected a Marigold pipeline for affine-invariant depth with one of the "
                f"schedulers {', '.join(_SCHEDULERS)}, got {index.get('_class_name')} with {scheduler} and {found}"
            )
            raise CheckpointError(msg)

    def _assemble(
        self,
        *,
        unet: Any,
        vae: Any,
        scheduler: Any,
        empty_text: Float[Tensor, "1 n c"],
        steps: int | None,
        processing_resolution: int | None,
    ) -> None:
        vae = vae if self.tiny_vae is None else self._load_tiny_vae(self.tiny_vae)
        # the library's own cast warns of modules to keep in single precision, of which there are none
        self.unet, self.vae = (nn.Module.to(network, self.network_dtype) for network in (unet, vae))
        reveal_overflow(self.vae.decoder)  # whose output is clipped
        split_calls(self.unet, _TOGETHER // _LATENT)
        split_calls(self.vae.encoder, _TOGETHER)
        split_calls(self.vae.decoder, _TOGETHER // _LATENT)
        if self.vae_slicing:
            self.vae.enable_slicing()
        self.register_buffer("empty_text", empty_text.to(self.network_dtype), persistent=False)
        self._pipeline = MarigoldDepthPipeline(
            unet=self.unet,
            vae=self.vae,
            scheduler=scheduler,
            text_encoder=None,
            tokenizer=None,
            prediction_type="depth",
            default_denoising_steps=steps,
            default_processing_resolution=processing_resolution,
        )
        if self.ensembling == "closed_form":
            self._pipeline.ensemble_depth = _closed_form

    def _load_tiny_vae(self, weights: str) -> Any:
        if weights == RANDOM:
            tiny = AutoencoderTiny()
            randomise(tiny, self.seed)
            return tiny
        checkpoint = locate(weights, None)
        self._tiny_revision = checkpoint.revision
        return load_network(AutoencoderTiny, checkpoint.folder, low_cpu_mem_usage=False)

    @property
    def longer_side(self) -> int:
        """Longer side in pixels that the network works at; 0 for that of the image. Known once loaded."""
        if self.resolution == "native":
            return 0
        if self.resolution == "default":
            return self.processing_resolution or int(self._pipeline.default_processing_resolution)
        return max(round(self.resolution / self.multiple), 1) * self.multiple

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Scale the longer side, then pad to multiples of 8."""
        target = self.longer_side or max(size)
        height, width = (-(-(side * target // max(size)) // self.multiple) * self.multiple for side in size)
        return height, width

    @property
    def provenance(self) -> Provenance:
        """The checkpoint, or random weights; the text encoder does not count."""
        return Provenance(
            weights=self.weights,
            revision=self._loaded_revision,
            random_weights=self.weights == RANDOM,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            settings={} if self._pipeline is None else self._settings(),
        )

    def _settings(self) -> dict[str, str | int]:
        """What the checkpoint leaves open or brings along; a processing resolution of 0 is the image's own size."""
        scheduler = self._pipeline.scheduler
        return {
            "steps": self.steps or int(self._pipeline.default_denoising_steps),
            "ensemble": self.ensemble,
            "ensembling": self.ensembling,
            "processing_resolution": self.longer_side,
            "scheduler": type(scheduler).__name__,
            "timestep_spacing": str(scheduler.config.timestep_spacing),
            "dtype": str(self.network_dtype).removeprefix("torch."),
            "vae": f"{self.tiny_vae} {self._tiny_revision}".strip() if self.tiny_vae else "own",
        }

    @property
    def entry_points(self) -> Sequence[nn.Module]:
        """The denoiser and both halves of the autoencoder."""
        return (self.unet, self.vae.encoder, self.vae.decoder)

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict affine-invariant depth between 0 (near) and 1 (far)."""
        one_by_one = self.ensemble > 1 and self.ensembling == "upstream"
        together = 1 if one_by_one else len(sample_id)
        chunks = [slice(start, start + together) for start in range(0, len(sample_id), together)]
        return torch.cat([self._predict(image[chunk], sample_id[chunk]) for chunk in chunks])

    def _predict(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        noise = [
            torch.Generator().manual_seed(derive_seed(self.seed, name, member))
            for name in sample_id
            for member in range(self.ensemble)
        ]
        self._pipeline.empty_text_embedding = self.empty_text
        try:
            prediction: Tensor = self._pipeline(
                image,
                num_inference_steps=self.steps,
                ensemble_size=self.ensemble,
                processing_resolution=self.longer_side,
                batch_size=len(noise),  # in several passes a scheduler would draw from the wrong generators
                generator=noise,
                output_type="pt",
            ).prediction
        except NotImplementedError as error:  # of torch, which resamples in half precision on a GPU only
            if self.network_dtype is torch.float32:
                raise
            dtype = str(self.network_dtype).removeprefix("torch.")
            msg = f"marigold: model.dtype={dtype} needs a GPU ({error}); type model.dtype=float32 on this device"
            raise PredictionError(msg) from error
        return prediction.float()


def _closed_form(depth: Float[Tensor, "e 1 h w"], *_: Any) -> tuple[Float[Tensor, "1 1 h w"], None]:
    """Stand in for the pipeline's own ensembling, which also returns an uncertainty."""
    return consensus(depth), None
