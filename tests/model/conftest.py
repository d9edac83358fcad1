"""Tiny checkpoints in the layout of the hub's cache, loaded through the real path without a network."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from src.model.checkpoints.randomise import randomise

COMMIT = "0123456789abcdef0123456789abcdef01234567"

_NECK = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16}
_BEIT = {
    "model_type": "beit",
    "image_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "use_relative_position_bias": True,
    "reshape_hidden_states": False,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
_VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 64,
    "backbone_out_indices": [0, 1, 2, 3],
}
_DINO = {
    "model_type": "dinov2",
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "use_mask_token": False,
}
_ANYTHING: dict[str, Any] = {
    "backbone_config": {
        "model_type": "dinov2",
        "image_size": 70,
        "patch_size": 14,
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
        "apply_layernorm": True,
    },
    "reassemble_hidden_size": 32,
    "neck_hidden_sizes": [8, 8, 16, 16],
    "fusion_hidden_size": 16,
    "head_hidden_size": 8,
}
_PRO: dict[str, Any] = {
    "use_fov_model": True,
    "patch_size": 32,
    "patch_model_config": _DINO,
    "image_model_config": _DINO,
    "fov_model_config": _DINO,
    "fusion_hidden_size": 8,
    "intermediate_hook_ids": [1, 0],
    "intermediate_feature_dims": [8, 8],
    "scaled_images_feature_dims": [16, 16, 8],
    "merge_padding_value": 1,
}
_ARCHITECTURES: dict[str, dict[str, Any]] = {
    "depth_anything": _ANYTHING,
    "depth_anything_metric": {**_ANYTHING, "depth_estimation_type": "metric", "max_depth": 20},
    "zoedepth": {
        "backbone_config": _BEIT,
        **_NECK,
        "bottleneck_features": 16,
        "num_relative_features": 8,
        "bin_embedding_dim": 8,
        "bin_centers_type": "normed",
        "bin_configurations": [{"name": "kitti", "n_bins": 16, "min_depth": 0.001, "max_depth": 10.0}],
    },
    "zoedepth_nk": {
        "backbone_config": _BEIT,
        **_NECK,
        "bottleneck_features": 16,
        "num_relative_features": 8,
        "bin_embedding_dim": 8,
        "bin_centers_type": "softplus",
        "bin_configurations": [
            {"name": "nyu", "n_bins": 16, "min_depth": 0.001, "max_depth": 10.0},
            {"name": "kitti", "n_bins": 16, "min_depth": 0.001, "max_depth": 80.0},
        ],
        "num_patch_transformer_layers": 4,
        "patch_transformer_hidden_size": 128,
        "patch_transformer_intermediate_size": 32,
        "patch_transformer_num_attention_heads": 2,
    },
    "depth_pro": _PRO,
    # 8 tokens along a side, of which one and two are cut: tiles then join without resampling, as at true size
    "depth_pro_release": {
        **_PRO,
        **{f"{part}_model_config": {**_DINO, "patch_size": 4} for part in ("patch", "image", "fov")},
    },
    "dpt_beit": {"backbone_config": _BEIT, **_NECK},
    "dpt_vit": {**_VIT, **_NECK},
    "dpt_hybrid": {
        **_VIT,
        "is_hybrid": True,
        "reassemble_factors": [1, 1, 1, 0.5],
        "neck_hidden_sizes": [16, 32, 32, 32],
        "fusion_hidden_size": 16,
        "backbone_featmap_shape": [1, 64, 4, 4],
        "backbone_config": {
            "model_type": "bit",
            "global_padding": "same",
            "layer_type": "bottleneck",
            "depths": [1, 1, 1],
            "hidden_sizes": [16, 32, 64, 64],
            "num_groups": 4,
            "embedding_size": 16,
            "out_features": ["stage1", "stage2", "stage3"],
            "embedding_dynamic_padding": True,
        },
    },
    "dpt_swin2": {
        "backbone_config": {
            "model_type": "swinv2",
            "image_size": 64,
            "embed_dim": 8,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
            "window_size": 4,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        },
        "neck_hidden_sizes": [8, 16, 32, 64],
        "fusion_hidden_size": 16,
    },
}


@pytest.fixture
def architecture() -> Callable[[str], dict[str, Any]]:
    """Configuration keywords of a tiny network by name."""
    return lambda name: copy.deepcopy(_ARCHITECTURES[name])


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, with the hub out of reach, in this process and in those it starts."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return cache


@pytest.fixture
def publish(hub_cache: Path) -> Callable[..., Path]:
    """Write something that has `save_pretrained` into the cache under a hub id; returns the snapshot folder."""

    def publish(saveable: Any, hub_id: str, *, commit: str = COMMIT) -> Path:
        repository = hub_cache / f"models--{hub_id.replace('/', '--')}"
        snapshot = repository / "snapshots" / commit
        saveable.save_pretrained(snapshot)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
        return snapshot

    return publish


@pytest.fixture
def loaded_anywhere() -> Callable[[Callable[[], Any]], Any]:
    """Return a function that loads a model under foreign defaults and holds it against one loaded under torch's own.

    It takes what builds the model, and returns the one under the foreign ones: as Lightning has them on a GPU, where
    new tensors are on the device, and as a caller has them who prefers another precision. Every parameter and buffer
    must be the same to the bit, in the same place.
    """

    def loaded_anywhere(build: Callable[[], Any]) -> Any:
        plain, model = build(), build()
        plain.configure_model()
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            with torch.device("meta"):
                model.configure_model()
                defaults = torch.ones(())
        finally:
            torch.set_default_dtype(before)
        assert (defaults.device.type, defaults.dtype) == ("meta", torch.float64)
        expected, found = (dict([*one.named_parameters(), *one.named_buffers()]) for one in (plain, model))
        assert found.keys() == expected.keys()
        for name, values in found.items():
            assert (values.device.type, values.dtype) == ("cpu", expected[name].dtype), name
            assert torch.equal(values, expected[name]), name
        assert model.provenance == plain.provenance
        return model

    return loaded_anywhere


@pytest.fixture
def tiny_network(architecture: Callable[[str], dict[str, Any]]) -> Callable[..., Any]:
    """A tiny transformers network whose predictions vary."""

    def build(network_class: Any, name: str, **changes: Any) -> Any:
        network = network_class(network_class.config_class(**{**architecture(name), **changes}))
        randomise(network, seed=7)
        return network.eval()

    return build


@pytest.fixture
def images() -> Callable[..., Tensor]:
    """Smooth random images (b, 3, h, w) as bytes; images of different seeds differ everywhere."""

    def build(count: int, height: int, width: int, *, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(count, 3, 5, 7, generator=generator)
        fine = torch.rand(count, 3, height, width, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
        return (255 * (0.8 * smooth + 0.2 * fine)).to(torch.uint8)

    return build


@pytest.fixture
def bicubic() -> Callable[[np.ndarray, tuple[int, int]], np.ndarray]:
    """Bicubic resampling of (..., h, w) as in OpenCV: a = -0.75, half-pixel centres, clamped border."""

    def kernel(x: np.ndarray) -> np.ndarray:
        x, a = np.abs(x), -0.75
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0))

    def matrix(source: int, target: int) -> np.ndarray:
        weights = np.zeros((target, source))
        for row in range(target):
            centre = (row + 0.5) * source / target - 0.5
            for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
                weights[row, min(max(tap, 0), source - 1)] += kernel(np.float64(centre - tap))
        return weights

    def resample(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        rows, columns = matrix(values.shape[-2], size[0]), matrix(values.shape[-1], size[1])
        return rows @ values.astype(np.float64) @ columns.T

    return resample


@pytest.fixture
def bilinear() -> Callable[..., np.ndarray]:
    """Bilinear resampling of (..., h, w) without antialiasing."""

    def matrix(source: int, target: int, align_corners: bool) -> np.ndarray:
        weights = np.zeros((target, source))
        for row in range(target):
            centre = row * (source - 1) / (target - 1) if align_corners else (row + 0.5) * source / target - 0.5
            centre = min(max(centre, 0), source - 1)
            low = min(int(np.floor(centre)), source - 1)
            weights[row, low] += 1 - (centre - low)
            weights[row, min(low + 1, source - 1)] += centre - low
        return weights

    def resample(values: np.ndarray, size: tuple[int, int], *, align_corners: bool) -> np.ndarray:
        rows = matrix(values.shape[-2], size[0], align_corners)
        columns = matrix(values.shape[-1], size[1], align_corners)
        return rows @ values.astype(np.float64) @ columns.T

    return resample


_MARIGOLD: dict[str, Any] = {
    "unet": {
        "sample_size": 8,
        "in_channels": 8,
        "out_channels": 4,
        "block_out_channels": [32, 64],
        "layers_per_block": 1,
        "cross_attention_dim": 32,
        "attention_head_dim": 8,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    },
    "vae": {
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "block_out_channels": [32] * 4,
        "layers_per_block": 1,
        "sample_size": 64,
    },
    "scheduler": {
        "class": "DDIMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
    },
    "steps": 2,
    "processing_resolution": 64,
}
_FLAVOURS: dict[str, dict[str, Any]] = {
    "v1_0": {"timestep_spacing": "leading"},
    "v1_1": {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True},
    "lcm": {"class": "LCMScheduler", "original_inference_steps": 50},
}


@pytest.fixture
def marigold_architecture() -> Callable[[str], dict[str, Any]]:
    """Keywords of a tiny Marigold by flavour."""
    return lambda flavour: copy.deepcopy({**_MARIGOLD, "scheduler": {**_MARIGOLD["scheduler"], **_FLAVOURS[flavour]}})


@pytest.fixture
def tiny_pipeline(marigold_architecture: Callable[[str], dict[str, Any]]) -> Callable[..., Any]:
    """A tiny Marigold pipeline with tokenizer and text encoder, whose predictions vary."""

    def build(flavour: str = "v1_1", **changes: Any) -> Any:
        architecture = marigold_architecture(flavour)
        scheduler = architecture["scheduler"]
        networks = {
            "unet": diffusers.UNet2DConditionModel(**architecture["unet"]),
            "vae": diffusers.AutoencoderKL(**architecture["vae"]),
            "text_encoder": transformers.CLIPTextModel(
                transformers.CLIPTextConfig(
                    vocab_size=3,
                    hidden_size=32,
                    intermediate_size=64,
                    num_hidden_layers=2,
                    num_attention_heads=2,
                    bos_token_id=0,
                    eos_token_id=1,
                )
            ),
        }
        for network in networks.values():
            randomise(network, seed=7)
            network.eval()
        settings = {
            "tokenizer": transformers.CLIPTokenizer(
                vocab={"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}, merges=[], model_max_length=77
            ),
            "scheduler": getattr(diffusers, scheduler.pop("class"))(**scheduler),
            "prediction_type": "depth",
            "default_denoising_steps": architecture["steps"],
            "default_processing_resolution": architecture["processing_resolution"],
        }
        return diffusers.MarigoldDepthPipeline(**{**networks, **settings, **changes})

    return build


@pytest.fixture
def depth_pro_release() -> dict[str, Tensor]:
    """A tiny network's weights under the names and in the shapes of the release, every one of them different."""

    generator = torch.Generator().manual_seed(0)

    def encoder(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        block: dict[str, Any] = {"norm1": 16, "attn.qkv": (48, 16), "attn.proj": (16, 16), "norm2": 16}
        block |= {"mlp.fc1": (64, 16), "mlp.fc2": (16, 64)}
        shapes = {f"{name}.blocks.{i}.{part}": shape for i in (0, 1) for part, shape in block.items()}
        shapes |= {f"{name}.patch_embed.proj": (16, 3, 4, 4), f"{name}.norm": 16}
        bare = {f"{name}.cls_token": (1, 1, 16), f"{name}.pos_embed": (1, 65, 16)}
        return shapes, bare | {f"{name}.blocks.{i}.ls{j}.gamma": (16,) for i in (0, 1) for j in (1, 2)}

    # a width is that of a weight and a bias; what has no bias is apart
    with_bias: dict[str, Any] = {"encoder.upsample_lowres": (16, 16, 2, 2), "encoder.fuse_lowres": (16, 32, 1, 1)}
    with_bias |= {"head.0": (4, 8, 3, 3), "head.1": (4, 4, 2, 2), "head.2": (32, 4, 3, 3), "head.4": (1, 32, 1, 1)}
    with_bias |= {"fov.encoder.1": (4, 16), "fov.downsample.0": (4, 8, 3, 3)}
    with_bias |= {"fov.head.0": (2, 4, 3, 3), "fov.head.2": (1, 2, 3, 3), "fov.head.4": (1, 1, 2, 2)}
    without: dict[str, Any] = {}
    for level in range(5):
        name = f"decoder.fusions.{level}"
        units = [f"{name}.resnet{unit}.residual.{conv}" for unit in (1, 2) for conv in (1, 3)]
        with_bias |= {**dict.fromkeys(units, (8, 8, 3, 3)), f"{name}.out_conv": (8, 8, 1, 1)}
        without |= {f"{name}.deconv.weight": (8, 8, 2, 2)} if level else {}
    without |= {f"decoder.convs.{level}.weight": (8, width, 3, 3) for level, width in enumerate((8, 8, 16, 16), 1)}
    for name, width, times in (("latent0", 8, 3), ("latent1", 8, 2), ("0", 8, 1), ("1", 16, 1), ("2", 16, 1)):
        name = f"encoder.upsample{'_' * name.startswith('l')}{name}"
        without |= {f"{name}.0.weight": (width, 16, 1, 1)}
        without |= {f"{name}.{i}.weight": (width, width, 2, 2) for i in range(1, times + 1)}
    for name in ("encoder.patch_encoder", "encoder.image_encoder", "fov.encoder.0"):
        shapes, bare = encoder(name)
        with_bias, without = with_bias | shapes, without | bare

    def draw(*shape: int) -> Tensor:
        fan_in = math.prod(shape[1:]) or 1
        return torch.randn(shape, generator=generator) / math.sqrt(fan_in)

    state = {name: draw(*shape) for name, shape in without.items()}
    for name, shape in with_bias.items():
        shape = (shape,) if isinstance(shape, int) else shape
        width = shape[1] if name in ("head.1", "encoder.upsample_lowres") else shape[0]
        state |= {f"{name}.weight": draw(*shape), f"{name}.bias": 0.1 * draw(width)}
    state["head.4.weight"] = state["head.4.weight"].abs()  # so that a ReLU behind it is open
    state["fov.head.4.bias"] += 40
    return state
