"""Where and with what a cell was computed."""

import importlib.metadata
import logging
import platform
import subprocess
import warnings
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_only

from src.core.errors import ConfigError

_PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "transformers", "diffusers", "timm", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that make numbers."""
    installed = {distribution.name: distribution.version for distribution in importlib.metadata.distributions()}
    # a checkout may be run without having been installed
    known = {package: installed.get(package, "") for package in ("leadline", *_PACKAGES)}
    return {"python": platform.python_version(), **known}


def git_revision() -> str:
    """Commit of this checkout, with "+dirty" where tracked files differ from it; "" outside a checkout."""
    root = Path(__file__).parents[3]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(("git", "-C", root, *arguments), capture_output=True, text=True, check=False)  # noqa: S603, S607  # git of the PATH, fixed arguments
        except FileNotFoundError:  # no git on this machine
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None or git("ls-files", "pyproject.toml") != "pyproject.toml":
        return ""
    return f"{commit}+dirty" if git("status", "--porcelain", "--untracked-files=no") else commit


def is_first_process() -> bool:
    """Whether this process is the only one of the run or its rank 0."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def device_name(device: torch.device) -> str:
    """Name of the accelerator, or of the processor and its number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {torch.get_num_threads()} threads"


def make_repeatable(precision: str, device: torch.device) -> None:
    """Have this process compute float32 in full, unless in TF32, and convolutions by algorithms that repeat digits.

    Args:
        precision: as in the configuration; "tf32" and "tf32_convolutions" matter here only.
        device: of this process.

    Raises:
        ConfigError: on TF32 where there is none.
    """
    is_tf32 = precision in ("tf32", "tf32_convolutions")
    if is_tf32 and (device.type != "cuda" or torch.cuda.get_device_capability(device)[0] < 8):
        msg = f"precision={precision}: expected a CUDA device from Ampere on, got {device_name(device)}; leave that out"
        raise ConfigError(msg)
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.deterministic = True
    # the cuDNN flag of its own: convolutions default to TF32 whatever the matmul precision
    torch.backends.cudnn.allow_tf32 = is_tf32


def quieten() -> None:
    """Silence, in this process, what the libraries say about their own set-up; what they say of a run still shows."""
    for library in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",  # the user sets num_workers
        ".*persistent_workers=True.*",  # a loader is used once
        ".*LeafSpec.*",  # Lightning calls what torch has deprecated
        ".*was called before the ``update`` method.*",  # a process without images
    ):
        warnings.filterwarnings("ignore", message=message)
