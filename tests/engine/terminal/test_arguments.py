"""Words of a command line that hydra would misread, refused in one line that says what to type."""

import shlex

import pytest

from src.core.errors import ConfigError
from src.engine.terminal.arguments import check, in_order
from tests.composing import CONF

CALL = "python -m src.eval"


@pytest.mark.parametrize(
    ("typed", "ordered"),
    [
        ("model=ramp -m data=sample limit=1,2", "-m model=ramp data=sample limit=1,2"),
        ("model=ramp --config-dir mine data=sample", "--config-dir mine model=ramp data=sample"),
        ("-cd mine model=ramp --cfg job", "-cd mine --cfg job model=ramp"),
        ("model=ramp data=sample", "model=ramp data=sample"),
        ("", ""),
    ],
)
def test_options_may_stand_anywhere(typed, ordered):
    assert in_order(typed.split()) == ordered.split()
    check(typed.split(), CONF, CALL)


@pytest.mark.parametrize("value", ["/x/lr=0.1", "/x/~b", "/x/(1)", "/x/a,b]c", "/x/{a}", "~/x", "a#b=c"])
def test_a_value_that_hydra_cannot_read_is_answered_with_one_that_it_can(value, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    with pytest.raises(ConfigError, match=r"^paths\.output_dir: hydra cannot read the value .+; type ") as caught:
        check([f"paths.output_dir={value}"], CONF, CALL)
    [word] = shlex.split(str(caught.value).rpartition("; type ")[2])
    assert word == f'paths.output_dir="{value.replace("~/", "/home/me/")}"'
    check([word], CONF, CALL)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["paths.output_dir="], r"paths\.output_dir: expected a folder, got nothing.+type paths\.output_dir=<folder>"),
        (["paths.data_dir=''"], r"paths\.data_dir: expected a folder, got nothing"),
        (["hydra.run.dir="], r"hydra\.run\.dir: expected a folder, got nothing"),
        (
            ["paths.output_dir=a", "b"],
            r"b: expected key=value or an option, got neither; .+ 'paths\.output_dir=\"a b\"'",
        ),
        (["model", "ramp"], "model: expected key=value or an option, got neither"),
        (["experiment=marigold_v1_1"], "experiment=marigold_v1_1 is a sweep of several cells: add -m, as in python -m"),
    ],
)
def test_what_would_go_elsewhere_or_nowhere_is_refused(words, message):
    with pytest.raises(ConfigError, match=message) as caught:
        check(words, CONF, CALL)
    assert "\n" not in str(caught.value)


def test_what_is_fine_passes():
    check(
        ["-m", "experiment=demo", "model=midas,zoedepth", "data.size=[48,64]", "+card.x={a: 1}", "~panels"], CONF, CALL
    )
    check(["--config-dir", "elsewhere", "model=ramp", "cache=null", "paths.output_dir=/x/a b"], CONF, CALL)
