"""Compute: how a network computes, as named settings that trade digits or start-up for speed."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from transformers import PreTrainedModel

from src.core.errors import ConfigError

_HALF: Final = {"float16": torch.float16, "bfloat16": torch.bfloat16}
_PRECISIONS: Final = ("float32", "tf32", "tf32_convolutions", *_HALF)
_ATTENTION: Final = {"eager": "eager", "sdpa": "sdpa", "flash": "flash_attention_2"}
"""By the names that the transformers library has."""
_RUNTIMES: Final = ("torch", "onnxruntime", "openvino")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """How a network computes; the defaults are those that the published numbers are held against.

    Args:
        precision: "float32"; "tf32" for products of 10-bit mantissas on CUDA, which the run switches on;
            "tf32_convolutions" for those in convolutions only, as PyTorch does by itself from 1.12 on; "bfloat16" or
            "float16" for weights and activations of half the size. Resizing and scoring stay in float32 and float64.
        compile: whether torch.compile makes kernels of the network; the first image of each size then takes minutes.
        channels_last: whether kernels of convolutions and their inputs lie with the channels last.
        attention: "default" for the library's choice, or "eager", "sdpa" (torch's fused kernels) or "flash" (the
            flash-attn package, CUDA and half precision only).
        runtime: "torch", or "onnxruntime" or "openvino": another library that computes the networks in float32 on the
            processor, image by image.
        exports: folder that keeps networks exported for those; changes no digit.

    Raises:
        ConfigError: on a word that is none of these.
    """

    precision: str = "float32"
    compile: bool = False
    channels_last: bool = False
    attention: str = "default"
    runtime: str = "torch"
    exports: str = "outputs/.exported"

    def __post_init__(self) -> None:
        if self.precision not in _PRECISIONS:
            msg = f"precision: expected one of {', '.join(_PRECISIONS)}, got {self.precision!r}"
            raise ConfigError(msg)
        if self.attention not in ("default", *_ATTENTION):
            msg = f"attention: expected one of default, {', '.join(_ATTENTION)}, got {self.attention!r}"
            raise ConfigError(msg)
        if self.runtime not in _RUNTIMES:
            msg = f"runtime: expected one of {', '.join(_RUNTIMES)}, got {self.runtime!r}"
            raise ConfigError(msg)
        if self.runtime != "torch" and self.changes.keys() - {"runtime"}:
            others = " ".join(f"{name}={value}" for name, value in self.changes.items() if name != "runtime")
            msg = f"runtime={self.runtime} computes in float32 by kernels of its own: leave {others} out"
            raise ConfigError(msg)
        if self.attention == "flash" and self.precision not in _HALF:
            msg = f"attention=flash computes in half precision only: add precision=bfloat16, not {self.precision}"
            raise ConfigError(msg)

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that are not the default, by name."""
        values = {field.name: (getattr(self, field.name), field.default) for field in dataclasses.fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default and name != "exports"}

    @property
    def exported(self) -> Path:
        """Folder of exported networks."""
        return Path(self.exports).expanduser()

    @property
    def launches_slowly(self) -> bool:
        """Whether a GPU computes one image faster than it is told to, kernel by kernel."""
        return self.precision in _HALF and not self.compile

    def refuse_half(self, reason: str) -> None:
        """Refuse half precision where a model cannot be given it from outside.

        Args:
            reason: and what to do instead; "" if it can.

        Raises:
            ConfigError: with the reason.
        """
        if reason and self.precision in _HALF:
            msg = f"precision={self.precision}: {reason}"
            raise ConfigError(msg)

    def apply(self, networks: Mapping[str, nn.Module], entry_points: Sequence[nn.Module], *, of: str) -> None:
        """Change networks in place.

        Args:
            networks: of a model, by name, loaded.
            entry_points: the modules of them that are called.
            of: name of the model, for messages.

        Raises:
            ConfigError: if the model has no network, or none that can do what is asked.
        """
        if not self.changes:
            return
        if not networks:
            asked = " ".join(f"{name}={value}" for name, value in self.changes.items())
            msg = f"{asked}: expected a model with a network of torch, but {of} has none; leave that out"
            raise ConfigError(msg)
        if self.attention != "default":
            self._set_attention(networks, of)
        for network in networks.values():
            if self.precision in _HALF:
                network.to(_HALF[self.precision])
            if self.channels_last:
                network.to(memory_format=torch.channels_last)
        if self.compile:
            for module in entry_points:
                module.compile()

    def _set_attention(self, networks: Mapping[str, nn.Module], of: str) -> None:
        problems = {name: _with_attention(network, self.attention) for name, network in networks.items()}
        if any(problems.values()) or all(problem is None for problem in problems.values()):
            reasons = [f"{name}: {problem or 'has no attention to choose'}" for name, problem in problems.items()]
            msg = f"attention={self.attention}: {of} cannot do that ({'; '.join(reasons)}); use attention=default"
            raise ConfigError(msg)


def _with_attention(network: Any, kind: str) -> str | None:
    """Set the attention of a network; return "" if done, None if there is none to set, or why it cannot be set."""
    if isinstance(network, PreTrainedModel):
        return _of_transformers(network, kind)
    if hasattr(network, "set_attn_processor"):  # of diffusers
        return _of_diffusers(network, kind)
    fused = [module for module in network.modules() if hasattr(module, "fused_attn")]  # of timm
    if not fused:
        return None
    if kind == "flash":
        return "timm leaves the choice of kernels to sdpa"
    for module in fused:
        module.fused_attn = kind == "sdpa"
    return ""


def _of_transformers(network: PreTrainedModel, kind: str) -> str:
    attention = [module for module in network.modules() if "Attention" in type(module).__name__]
    read = {id(module.config) for module in attention if hasattr(module, "config")}  # where they look for their kind
    parts = [
        part
        for part in network.modules()
        if isinstance(part, PreTrainedModel) and id(part.config) in read and part._can_set_attn_implementation()
    ]
    if not parts:
        return "the library has one implementation of its attention only"
    try:
        for part in parts:
            part.set_attn_implementation({"": _ATTENTION[kind]})  # its own, not that of networks within
    except (ImportError, ValueError) as error:
        return str(error).splitlines()[0]
    return ""


def _of_diffusers(network: Any, kind: str) -> str | None:
    from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

    if not network.attn_processors:
        return None
    if kind == "flash":
        return "diffusers leaves the choice of kernels to sdpa"
    network.set_attn_processor(AttnProcessor() if kind == "eager" else AttnProcessor2_0())
    return ""
