"""The models of others that docs/models.md shows run as they stand there, on stand-ins with the originals' calls."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
MOTORCYCLE = Path(__file__).parents[2] / "src" / "data" / "built_in" / "motorcycle" / "motorcycle_left.png"

MOGE = """
import torch

class MoGeModel(torch.nn.Module):
    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path):
        assert pretrained_model_name_or_path == "Ruicheng/moge-2-vitl"
        return cls()

    def infer(self, image, num_tokens=None, apply_mask=True, fov_x=None, use_fp16=True):
        assert image.is_floating_point() and image.min() >= 0 and image.max() <= 1 and not use_fp16
        depth = 2 + image.mean(1)
        return {"depth": depth.where(~torch.tensor(apply_mask), torch.inf), "mask": depth > 0}
"""
UNIDEPTH = """
dependencies = ["torch"]
import torch

class Net(torch.nn.Module):
    def infer(self, rgb, camera=None, normalize=True):
        assert rgb.dtype == torch.uint8 and camera.shape == (1, 3, 3)
        return {"depth": 2 + rgb.float().mean(1, keepdim=True) / 255, "intrinsics": camera}

def UniDepth(version, backbone, pretrained=True):
    assert (version, backbone, pretrained) == ("v2", "vitl14", True)
    return Net()
"""
METRIC3D = """
dependencies = ["torch"]
import torch

class Net(torch.nn.Module):
    def inference(self, data):
        (pixels,) = data.values()
        assert pixels.shape == (1, 3, 616, 1064)
        inside = (pixels != 0).any(1, keepdim=True)
        assert 0.5 < inside.float().mean() < 1 and not inside[..., 0].any() and not inside[..., -1].any()
        return inside * 10.0, inside * 1.0, {}

def metric3d_vit_large(pretrain=False):
    assert pretrain
    return Net()
"""


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """The documented commands by the name of their factory, with stand-ins where they expect the originals."""
    text = DOCS.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# mine\.py.*?)```", text, re.DOTALL)
    for name, content in {
        "mine.py": code,
        "moge/model/v2.py": MOGE,
        "code/UniDepth/hubconf.py": UNIDEPTH,
        "code/Metric3D/hubconf.py": METRIC3D,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    commands = re.findall(
        r"^(?:PYTHONPATH=\. )?python -m src\.eval (data=nyu .*?[^\\])$", text, re.DOTALL | re.MULTILINE
    )
    words = [shlex.split(command.replace("\\\n", " ").replace("/code/", f"{tmp_path}/code/")) for command in commands]
    return {next(word for word in line if word.startswith("model.factory=")): line[1:] for line in words}


def test_the_documented_models_run(run, documented):
    assert list(documented) == [
        "model.factory=moge.model.v2:MoGeModel.from_pretrained",
        "model.factory=UniDepth",
        "model.factory=mine:Metric3D",
    ]
    predictions = []
    for words in documented.values():
        cell = run("data=sample", "protocol=[metric]", "save_predictions=float32", "panels=0", *words)
        assert cell.manifest.scored == {"metric": 1}
        (file,) = cell.folder.glob("predictions/**/*.npz")
        predictions.append(np.load(file)["values"])
    moge, unidepth, metric3d = predictions
    bright = 2 + np.asarray(Image.open(MOTORCYCLE)).astype(np.float32).mean(2) / 255
    np.testing.assert_allclose(moge, bright, rtol=1e-5)
    np.testing.assert_allclose(unidepth, bright, rtol=1e-5)
    # 10 m at 1000 pixels; 500 x 741 pixels are seen at 616 x 913, and the focal length of 994.978 grows with them
    np.testing.assert_allclose(metric3d, np.full((500, 741), 10 * 994.978 * 913 / 741 / 1000), rtol=1e-5)
