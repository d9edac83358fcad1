"""The data set that docs/data.md shows runs as it stands there."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def test_the_documented_data_set_runs(run, tmp_path, monkeypatch):
    text = DOCS.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# my_data\.py\n.*?)```", text, re.DOTALL)
    (conf,) = re.findall(r"```yaml\n(# my_conf/data/pairs\.yaml\n.*?)```", text, re.DOTALL)
    (tmp_path / "my_data.py").write_text(code)
    (tmp_path / "my_conf" / "data").mkdir(parents=True)
    (tmp_path / "my_conf" / "data" / "pairs.yaml").write_text(conf)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shots").mkdir()
    for k in range(3):
        Image.new("RGB", (16, 12), (k, 0, 0)).save(tmp_path / f"shots/{k}.jpg")
        np.save(tmp_path / f"shots/{k}.npy", np.linspace(1, 5 + k, 192, dtype=np.float32).reshape(12, 16))

    cell = run("model=ramp", "data=pairs", f"data.root={tmp_path}/shots", conf=tmp_path / "my_conf")

    assert cell.manifest.scored == {"affine_disparity": 3}
    assert cell.scores["affine_disparity"].sample_id.tolist() == ["0", "1", "2"]
    assert cell.scores["affine_disparity"].valid_pixels.tolist() == [192] * 3
