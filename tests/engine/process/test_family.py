"""Processes that were started beside this one, and variables that only say so."""

import pytest

from src.core.errors import ConfigError
from src.engine.process.family import refuse_company


@pytest.mark.parametrize(
    "env",
    [
        {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"},
        {"RANK": "0", "WORLD_SIZE": "2"},
        {"LOCAL_RANK": "1"},
        {"SLURM_PROCID": "3"},
        {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4"},
    ],
)
def test_several_processes_with_a_trainer_for_one_are_refused(env):
    with pytest.raises(
        ConfigError, match=r"expected a trainer for several processes.+add trainer=ddp, or type `unset"
    ) as e:
        refuse_company(1, 1, "auto", env=env)
    assert all(f"{name}={value}" in str(e.value) for name, value in env.items())
    for trainer in ((2, 1, "ddp"), ("auto", 1, "ddp"), (1, 2, "ddp"), (1, 1, "ddp_spawn")):
        refuse_company(*trainer, env=env)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"},  # torchrun with one process
        {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"},
        {"SLURM_NTASKS": "4"},  # of an allocation; its shell is one process
        {"RANK": "", "WORLD_SIZE": "many"},
    ],
)
def test_one_process_is_one(env):
    refuse_company(1, 1, "auto", env=env)


def test_a_left_over_rank_ends_the_command_before_anything_is_computed(command, tmp_path):
    done = command("model=ramp", "data=sample", RANK="1", WORLD_SIZE="2", LOCAL_RANK="1")

    assert done.returncode == 1
    assert done.stderr.startswith("error: RANK=1 LOCAL_RANK=1 WORLD_SIZE=2: expected a trainer for several processes")
    assert not list((tmp_path / "outputs").rglob("*"))
