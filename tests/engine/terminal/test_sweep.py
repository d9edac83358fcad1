"""A sweep: what it says before it starts, in what order it runs, and what of a network outlives a cell."""

import json

import pytest

from src.core.errors import ConfigError
from src.engine.cell.build import Builder
from src.engine.cell.loaded import LoadedModel
from src.engine.terminal.order import arrange

WATCH = '''
import json
from pathlib import Path

from outside import Broken
from src.core.errors import PredictionError


class Watch(Broken):
    """Writes down when it is loaded, and what the cells of the sweep say while it predicts."""

    def __init__(self, *, broken, name):
        super().__init__(broken=broken)
        self.name = name

    def load(self):
        with open("loads", "a") as file:
            file.write(self.name + "\\n")

    def infer(self, image, sample_id):
        states = {}
        for path in Path("outputs").glob("*/*/*/status.json"):
            states["/".join(path.parts[1:3])] = json.loads(path.read_text())["state"]
        with open("states", "a") as file:
            file.write(json.dumps(states) + "\\n")
        if self.name == "a" and Path("fail").exists() and sample_id[0].startswith("image/"):
            raise PredictionError("as it was told to")
        return super().infer(image, sample_id)
'''


@pytest.fixture
def watch(outside):
    (outside.parent / "code" / "watch.py").write_text(WATCH)
    for name in "ab":
        text = f"# watches\n_target_: watch.Watch\nbroken: []\nname: {name}\n"
        (outside / "model" / f"watch_{name}.yaml").write_text(text)
    return outside


@pytest.mark.slow
def test_cells_are_pending_then_run_network_by_network_and_again_where_they_failed(command, watch, tmp_path):
    (tmp_path / "fail").touch()
    words = ["--config-dir", str(watch), "-m", "data=ragged,sample", "model=watch_a,watch_b", "model.broken=[image/3]",
             "batch_size=8", "trainer=cpu", "num_workers=0"]  # fmt: skip
    first = command(*words)

    assert first.returncode == 1, first.stderr
    states = [json.loads(line) for line in (tmp_path / "states").read_text().splitlines()]
    assert states[0] == {
        "watch_a/ragged": "running", "watch_a/sample": "pending", "watch_b/ragged": "pending",
        "watch_b/sample": "pending",
    }  # fmt: skip
    # the failed cell drops the network, which watch_b then keeps for its second data set
    assert (tmp_path / "loads").read_text().split() == ["a", "a", "b"]
    shown = command("outputs", module="src.status").stdout
    assert "3 done, 1 failed" in shown
    assert "as it was told to" in shown
    (manifest,) = tmp_path.glob("outputs/watch_b/ragged/*/manifest.json")
    assert json.loads(manifest.read_text())["failed"]["metric"] == 1, "model.broken was not set in the sweep"

    (tmp_path / "fail").unlink()
    (tmp_path / "states").unlink()
    (tmp_path / "loads").unlink()
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("Already finished") == 3
    assert (tmp_path / "loads").read_text().split() == ["a"]
    states = [json.loads(line) for line in (tmp_path / "states").read_text().splitlines()]
    assert set(states[0].values()) == {"running", "done"}


def test_a_network_that_was_kept_gives_the_digits_of_one_that_was_loaded_afresh(run):
    network = ("model=depth_anything_v2_small_random", "resolution=56", "protocol=[affine_disparity]")
    first = ("data=sample",)
    second = ("data=synthetic", "data.n=2", "data.size=[40,56]", "batch_size=2")
    loaded = LoadedModel()

    run(*network, *first, loaded=loaded)
    kept = run(*network, *second, loaded=loaded, outputs="kept")
    fresh = run(*network, *second)

    assert kept.folder != fresh.folder
    for metric, values in fresh.scores["affine_disparity"].errors.items():
        assert kept.scores["affine_disparity"].errors[metric].tolist() == values.tolist()
    assert kept.manifest.parameters == fresh.manifest.parameters > 1e6


@pytest.mark.parametrize(
    ("word", "same"),
    [
        ("data=synthetic", True),
        ("protocol=[midas]", True),
        ("batch_size=9", True),
        ("save_predictions=float32", True),
        ("seed=1", False),
        ("resolution=96", False),
        ("model=constant", False),
        ("precision=bfloat16", False),
        ("+a_key_of_later=1", False),
    ],
)
def test_a_network_is_kept_only_if_nothing_it_may_depend_on_has_changed(configure, word, same):
    loaded, built = LoadedModel(), []

    class Counted(Builder):
        def model(self):
            built.append(self)
            return object()

    def get(*words):
        return loaded.get(Counted(configure(*words)))

    first = get("model=ramp", "data=sample")
    assert (get("model=ramp", "data=sample", word) is first) is same
    assert len(built) == (1 if same else 2)
    loaded.drop()
    assert get("model=ramp", "data=sample") is not first


@pytest.mark.parametrize(
    ("words", "arranged"),
    [
        (["data=a,b", "model=c,d"], ["model=c,d", "data=a,b"]),
        (["limit=1", "protocol=[x]", "seed=1,2", "model=c"], ["seed=1,2", "model=c", "limit=1", "protocol=[x]"]),
        (["model=c", "data=a,b", "data.n=1,2", "model.x=1"], ["model=c", "model.x=1", "data=a,b", "++data.n=1,2"]),
        (["experiment=demo", "data.n=1", "model.x=1"], ["experiment=demo", "++model.x=1", "++data.n=1"]),
        (["data=glob(kitti*)", "+data.n=1", "~card"], ["~card", "data=glob(kitti*)", "+data.n=1"]),
    ],
)
def test_the_words_of_a_sweep_are_arranged(words, arranged):
    assert arrange(words) == arranged


def test_a_key_that_a_choice_does_not_have_is_named(run):
    with pytest.raises(
        ConfigError, match=r"data: src\.data\.built_in\.sample\.BuiltInSample takes no key 'n'; set it only where"
    ):
        run("model=ramp", "data=sample", "++data.n=3")
