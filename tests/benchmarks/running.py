"""What the benchmarks of whole runs share: files to run on, cells in this process, and the plain library's way."""

import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from omegaconf import DictConfig
from PIL import Image

from src.data.storage.decode import read_rgb
from src.engine.cell.build import Builder
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.request import read_cell_request
from src.engine.cell.run import run_cell
from src.engine.process.clock import synchronise
from src.engine.process.environment import device_name, make_repeatable
from src.model.base import parse_resolution
from src.records.reader import Cell
from tests.composing import compose_job

DEPTH_SCALE = 0.001
DISTINCT = 32
NETWORKS = ("depth_anything_v2_small", "depth_anything_v2_large", "midas", "zoedepth_nk")
FAMILIES = (*NETWORKS, "marigold,model.steps=1", "marigold,model.steps=4")
"""What is timed of every family, on a GPU unless other models are named."""
UNET = ("block_out_channels=[32,64]", "layers_per_block=1", "cross_attention_dim=32", "attention_head_dim=8",
        "sample_size=8", "use_linear_projection=false", "down_block_types=[CrossAttnDownBlock2D,DownBlock2D]",
        "up_block_types=[UpBlock2D,CrossAttnUpBlock2D]")  # fmt: skip
VAE = ("block_out_channels=[32,32,32,32]", "layers_per_block=1", "sample_size=64")
_BEIT = (
    *("hidden_size=32", "num_hidden_layers=4", "num_attention_heads=2", "intermediate_size=64", "image_size=64"),
    "out_features=[stage1,stage2,stage3,stage4]",
)
_MIDAS = (
    *(f"model.architecture.backbone_config.{word}" for word in _BEIT),
    *("model.architecture.neck_hidden_sizes=[8,8,16,16]", "++model.architecture.fusion_hidden_size=16"),
    "model.target_size=[64,64]",
)
_DINO = ("hidden_size=32", "num_hidden_layers=4", "num_attention_heads=2", "image_size=70", "out_indices=[1,2,3,4]")
TINY = {
    "depth_anything": (
        *(f"model.architecture.backbone_config.{word}" for word in _DINO),
        *("model.architecture.reassemble_hidden_size=32", "model.architecture.neck_hidden_sizes=[8,8,16,16]"),
        *("model.architecture.fusion_hidden_size=16", "++model.architecture.head_hidden_size=8"),
        "model.target_size=[70,70]",
    ),
    "dpt_beit": _MIDAS,
    "marigold": (
        *(f"++model.architecture.unet.{word}" for word in UNET),
        *(f"++model.architecture.vae.{word}" for word in VAE),
        "model.architecture.processing_resolution=64",
    ),
    "midas": _MIDAS,
    "zoedepth": (*_MIDAS, "++model.architecture.bottleneck_features=16", "++model.architecture.bin_embedding_dim=8"),
}
"""Words that make a model tiny, by the start of its name: for tests of the benchmarks, not for figures."""


def words_of(spec: str, *, small: bool) -> list[str]:
    """Turn `name,key=value,...` into words of the command line, with random weights."""
    name, *settings = spec.split(",")
    words = [f"model={name}", "model.weights=random", "model.revision=null", *settings]
    if small:
        tiny = [tiny for start, tiny in TINY.items() if name.startswith(start)]
        if not tiny:
            raise SystemExit(f"{name}: --small knows tiny models of {', '.join(TINY)} only; leave it out")
        words += tiny[0]
    return words


def configuration(words: Sequence[str], outputs: Path) -> tuple[DictConfig, Path]:
    """Compose as hydra does for one job."""
    return compose_job("eval", ["panels=0", f"paths.output_dir={outputs}", *words])


class _AtHand(LoadedModel):
    """Gives every cell the model that is at hand."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def get(self, build: Builder) -> Any:
        return self._model


def run(words: Sequence[str], outputs: Path, model: Any) -> Cell:
    """Run one cell from its command-line words, with a model that `load_model` has made of the same ones."""
    cfg, folder = configuration(words, outputs)
    cell = run_cell(read_cell_request(cfg), Builder(cfg), folder, _AtHand(model))
    assert cell is not None
    return cell


def load_model(words: Sequence[str], device: torch.device, outputs: Path) -> Any:
    """Build a model on its device, arithmetic as in a run."""
    make_repeatable("float32", device)
    model = Builder(configuration([*words, "data=synthetic"], outputs)[0]).model()
    model.configure_model()
    return model.to(device)


def datamodule_of(words: Sequence[str], outputs: Path) -> Any:
    """Build the data module of a cell."""
    return Builder(configuration(words, outputs)[0]).datamodule()


def library_loop(model: Any, device: torch.device) -> Callable[[Image.Image, int], np.ndarray]:
    """Return the plain library's way from one picture to its prediction, with the same network.

    The image processor is the one that the checkpoints of the family come with.
    """
    if hasattr(model, "unet"):
        return _diffusers_loop(model, device)
    height, width = model.target_size
    resolution = parse_resolution(model.resolution)
    if resolution == "native":
        raise SystemExit("resolution=native: the library's image processors have one target size; name a number")
    if resolution != "default":
        height, width = resolution, round(resolution * width / height)
    kind = type(model.network).__name__
    if kind == "ZoeDepthForDepthEstimation":
        processor = transformers.ZoeDepthImageProcessor(size={"height": height, "width": width})
    else:
        is_dino = kind == "DepthAnythingForDepthEstimation"
        processor = transformers.DPTImageProcessor(
            size={"height": height, "width": width},
            keep_aspect_ratio=True,
            ensure_multiple_of=model.multiple,
            image_mean=[0.485, 0.456, 0.406] if is_dino else [0.5] * 3,
            image_std=[0.229, 0.224, 0.225] if is_dino else [0.5] * 3,
            resample=Image.Resampling.BICUBIC,
        )
    pipeline = transformers.pipeline("depth-estimation", model=model.network, image_processor=processor, device=device)
    return lambda picture, _: pipeline(picture)["predicted_depth"].squeeze().float().cpu().numpy()


def _diffusers_loop(model: Any, device: torch.device) -> Callable[[Image.Image, int], np.ndarray]:
    own = model._pipeline
    pipeline = diffusers.MarigoldDepthPipeline(
        unet=own.unet, vae=own.vae, scheduler=own.scheduler, text_encoder=None, tokenizer=None, prediction_type="depth",
        default_denoising_steps=own.default_denoising_steps,
        default_processing_resolution=own.default_processing_resolution,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    pipeline.empty_text_embedding = model.empty_text

    def predict(picture: Image.Image, number: int) -> np.ndarray:
        noise = torch.Generator(device).manual_seed(number)
        done = pipeline(
            picture, num_inference_steps=model.steps, processing_resolution=model.longer_side, generator=noise
        )
        return np.asarray(done.prediction).squeeze()

    return predict


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> list[str]:
    """Write smooth random pictures and depth, a fifth of it missing; return the words of their data set.

    From number `DISTINCT` on they are the first ones under other names: read and decoded again, but not made again.
    """
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    for k in range(DISTINCT, count):
        for name in ("rgb", "depth"):
            (folder / name / f"{k:05}.png").symlink_to(folder / name / f"{k % DISTINCT:05}.png")
    for k in range(min(count, DISTINCT)):
        rng = np.random.default_rng(k)
        coarse = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), np.uint8)
        image = Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)
        image.save(folder / "rgb" / f"{k:05}.png")
        depth = np.where(rng.random(size) < 0.8, rng.integers(500, 20000, size), 0).astype(np.uint16)
        Image.fromarray(depth).save(folder / "depth" / f"{k:05}.png")
    return [
        "data=folder", f"data.images={folder / 'rgb'}", f"data.depth={folder / 'depth'}",
        f"data.depth_scale={DEPTH_SCALE}", "data.depth_range=[0.001,80.0]",
    ]  # fmt: skip


def read_images(paths: Sequence[Path], device: torch.device) -> torch.Tensor:
    """Return (b, 3, h, w) bytes on the device."""
    return torch.stack([torch.from_numpy(read_rgb(path)).movedim(-1, 0) for path in paths]).to(device)


def interleaved(forms: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Call all forms in turn, so many times, every second time backwards, and return what each call gave.

    The speed of a machine drifts; forms that take turns are all slowed down alike.
    """
    found: dict[str, list[float]] = {name: [] for name in forms}
    for repeat in range(repeats):
        for name in forms if repeat % 2 == 0 else reversed(list(forms)):
            found[name].append(forms[name]())
    return found


def best_seconds(function: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Return the time of the fastest of so many calls; the device is waited for, and one call before is left out."""
    function()
    seconds = []
    for _ in range(repeats):
        synchronise(device)
        start = time.perf_counter()
        function()
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def require_device(name: str) -> torch.device:
    """Return the device; ends the process with a reason if there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise SystemExit("expected a CUDA device, found none; leave out --device cuda, or run this where there is one")
    return torch.device(name)


def machine(device: torch.device) -> dict[str, Any]:
    """Describe what figures were taken on."""
    return {
        "device": device_name(device), "threads": torch.get_num_threads(), "system": platform.platform(),
        "python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
        "diffusers": diffusers.__version__,
        "peak_process_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
