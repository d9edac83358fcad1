"""One cell on two machines, as torchrun and SLURM start it: two processes with the variables that those set."""

import socket

import pytest

from src.records.reader import read_cell

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchecked")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def torchrun(node: int) -> dict[str, str]:
    """What `torchrun --nnodes=2 --nproc-per-node=1` sets on each node."""
    return {
        "RANK": str(node), "LOCAL_RANK": "0", "GROUP_RANK": str(node), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1",
        "GROUP_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "none",
    }  # fmt: skip


def slurm(node: int) -> dict[str, str]:
    """What `srun --nodes=2 --ntasks-per-node=1` sets on each node."""
    return {
        "SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "leadline", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "2", "SLURM_NODELIST": "127.0.0.1", "SLURM_NODEID": str(node), "SLURM_PROCID": str(node),
        "SLURM_LOCALID": "0",
    }  # fmt: skip


@pytest.mark.parametrize("variables", [torchrun, slurm])
def test_two_nodes_of_one_process_each_score_one_cell(start, command, run, outside, tmp_path, variables):
    words = ["model=ramp", "data=ragged", "batch_size=2"]
    alone = run(*words, conf=outside)
    words += ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2"]
    words += [f"paths.output_dir={tmp_path}/shared", "num_workers=0"]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    words = ["--config-dir", str(outside), *words]
    first = start(*words, **common, **variables(0))
    # from nothing, since lightning reads which process it is in when it is imported
    second = command(*words, fresh=True, **common, **variables(1))
    done = [first.finish(300), second]

    assert [node.returncode for node in done] == [0, 0], done
    (folder,) = tmp_path.glob("shared/ramp/ragged/*")
    together = read_cell(folder)
    assert together.manifest.world_size == 2
    assert together.manifest.fingerprint == alone.manifest.fingerprint
    assert (folder / "summary.json").read_text() == (alone.folder / "summary.json").read_text()
    assert str(folder) in done[0].stdout
    assert done[1].stdout == "", "only process 0 shows the result"
