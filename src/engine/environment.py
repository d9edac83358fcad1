"""Where and with what a cell was computed."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import torch

_PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "transformers", "diffusers", "timm", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that make numbers."""
    installed = {package: importlib.metadata.version(package) for package in ("leadline", *_PACKAGES)}
    return {"python": platform.python_version(), **installed}


def git_revision() -> str:
    """Commit of this checkout, with "+dirty" where tracked files differ from it; "" outside a checkout."""
    root = Path(__file__).parents[2]

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
