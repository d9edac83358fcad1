"""Every yaml composes, and binds to the constructor it names."""

import inspect
import re
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from src.engine.cell.measurement import measurement, register_resolvers
from src.model.cards import read_card
from src.records.card import parse_card
from src.records.fingerprint import fingerprint

CONF = Path(__file__).parents[1] / "conf"


def choices(group: str) -> list[str]:
    return sorted(str(path.relative_to(CONF / group).with_suffix("")) for path in (CONF / group).rglob("*.yaml"))


def composed(*words: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("eval", list(words), return_hydra_config=False)


def bind(node: DictConfig, where: str) -> None:
    """Bind a configuration to its target's signature, and its children to theirs."""
    if "_target_" in node:
        target = get_object(node["_target_"])
        keywords = {key: None for key in node if not str(key).startswith("_")}
        try:
            inspect.signature(target).bind(**keywords)
        except TypeError as error:
            pytest.fail(f"{where}: {node['_target_']} does not take what the yaml gives: {error}")
    for key, child in node.items_ex(resolve=False):
        if isinstance(child, DictConfig):
            bind(child, f"{where}.{key}")


def show_all(node: DictConfig, where: str) -> None:
    """Constructors take required keywords: the yaml carries every value, so its reader sees them all."""
    parameters = inspect.signature(get_object(node["_target_"])).parameters.values()
    hidden = [parameter.name for parameter in parameters if parameter.default is not inspect.Parameter.empty]
    assert not hidden, f"{where}: {node['_target_']} has defaults for {hidden}"


@pytest.mark.parametrize("model", choices("model"))
def test_model_binds_and_hides_no_default(model):
    cfg = composed(f"model={model}", "data=sample")
    bind(cfg.model, model)
    show_all(cfg.model, model)
    if "architecture" in cfg.model:
        assert cfg.card, f"{model} ships a network: write conf/card/{model}.yaml, see src/records/card.py"
        assert parse_card(OmegaConf.to_container(cfg.card), of=model) == read_card(CONF, model)


@pytest.mark.parametrize("data", choices("data"))
def test_data_binds_hides_no_default_and_names_its_family(data):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose(f"data/{data}").data  # the group alone, which is twice as fast
    bind(node, data)
    show_all(node, data)
    family = node.get("family", get_object(node["_target_"]).family)
    assert re.fullmatch(r"[a-z][a-z0-9]*", family), f"{data}: expected a family such as nyu or kitti, got {family!r}"


@pytest.mark.parametrize("protocol", choices("protocol"))
def test_protocol_binds_under_its_own_name(protocol):
    node = composed("model=ramp", "data=sample", f"protocol=[{protocol}]").protocol
    assert list(node) == [protocol]
    assert node[protocol].name == protocol
    assert node[protocol].version >= 1
    bind(node, protocol)


@pytest.mark.parametrize("group", ["trainer", "logger"])
def test_trainer_and_logger_bind(group):
    for choice in choices(group):
        bind(composed("model=ramp", "data=sample", f"{group}={choice}")[group], choice)


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_the_first_cell_of_an_experiment_composes(experiment):
    text = (CONF / "experiment" / f"{experiment}.yaml").read_text()
    assert text.splitlines()[2] == f"# python -m src.eval -m experiment={experiment}", "it names its command"
    swept = yaml.safe_load(text)["hydra"]["sweeper"]["params"]
    assert set(swept["model"].split(",")) <= set(choices("model"))
    assert set(swept["data"].split(",")) <= set(choices("data"))
    first = {key: value if str(value).startswith("[") else str(value).split(",")[0] for key, value in swept.items()}
    cfg = composed(f"experiment={experiment}", *(f"{key}={value}" for key, value in first.items()))
    bind(cfg.model, experiment)
    bind(cfg.data, experiment)
    assert "protocol" not in first or list(cfg.protocol) == first["protocol"].strip("[]").split(",")


def test_the_fingerprint_names_the_measurement_only():
    base = composed("model=ramp", "data=sample")

    def digest(*words: str) -> str:
        return fingerprint(measurement(composed("model=ramp", "data=sample", *words)))

    same = [
        "batch_size=9", "num_workers=0", "prefetch=9", "force=true", "panels=0", "trainer=ddp_cpu", "logger=csv",
        "cache=/elsewhere", "on_error=skip", "paths.output_dir=/elsewhere", "paths.data_dir=/elsewhere", "card=midas",
        "severity=3",
    ]  # fmt: skip
    other = ["resolution=384", "seed=1", "limit=1", "protocol=[affine_disparity]", "data.depth_range=[0.1,9]"]
    assert {digest(word) for word in same} == {fingerprint(measurement(base))}
    assert len({digest(word) for word in other} | {digest()}) == len(other) + 1
    assert len({digest("corruption=fog", f"severity={level}") for level in (1, 2)} | {digest()}) == 3
    midas = "protocol=[midas]"
    assert digest(midas) == digest(midas, "protocol.midas.traps=[]", "protocol.midas.source=elsewhere")
    assert digest(midas) != digest(midas, "protocol.midas.version=999")


def test_settings_of_arithmetic_name_another_measurement_only_where_they_are_not_the_default():
    def measured(*words):
        return measurement(composed("model=depth_anything_v2_small", "data=sample", *words))

    default = measured()
    assert measured("precision=float32", "compile=false") == default
    assert not default.keys() & {"precision", "attention", "channels_last", "compile"}  # folders of before stay
    changed = ("precision=bfloat16", "attention=eager", "channels_last=true", "compile=true")
    assert len({fingerprint(measured(word)) for word in changed} | {fingerprint(default)}) == 5
    assert measured("precision=bfloat16")["precision"] == "bfloat16"
