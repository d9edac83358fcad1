"""Sweeps whose cells run elsewhere: in parallel on this machine, and as jobs that a scheduler preempts."""

import json
import os
import re

import pytest
import submitit
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tests.engine.conftest import CONF

pytestmark = pytest.mark.usefixtures("unchecked")

ELSEWHERE = """
import os
import signal
import time
from pathlib import Path

from outside import Broken


class Watching(Broken):
    '''Writes down which GPUs its process sees, and waits until so many processes have done so.'''

    def __init__(self, *, broken, place, others):
        super().__init__(broken=broken)
        self.place, self.others = Path(place), others

    def load(self):
        (self.place / str(os.getpid())).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        while len(list(self.place.iterdir())) < self.others:
            time.sleep(0.05)


class Signalled(Broken):
    '''Gets a signal in the middle of a batch, once.'''

    def __init__(self, *, broken, at, file, number):
        super().__init__(broken=broken)
        self.at, self.file, self.number = at, Path(file), number

    def infer(self, image, sample_id):
        if self.at in sample_id and not self.file.exists():
            self.file.touch()
            os.kill(os.getpid(), signal.Signals[self.number])
        return super().infer(image, sample_id) + image[:, :1] / 100
"""


@pytest.fixture
def elsewhere(outside):
    (outside.parent / "code" / "elsewhere.py").write_text(ELSEWHERE)
    for name, cls, fields in (
        ("watching", "Watching", "place: ''\nothers: 2\n"),
        ("signalled", "Signalled", "at: ''\nfile: ''\nnumber: ''\n"),
    ):
        (outside / "model" / f"{name}.yaml").write_text(f"# {name}\n_target_: elsewhere.{cls}\nbroken: []\n{fields}")
    return outside


@pytest.mark.slow
def test_cells_that_run_in_parallel_see_a_gpu_each(command, elsewhere, tmp_path):
    (tmp_path / "seen").mkdir()
    done = command(
        "--config-dir", str(elsewhere), "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "trainer=cpu",
        "model=watching", f"model.place={tmp_path}/seen", "data=ragged", "data.n=2,3", "num_workers=0",
        fresh=True, CUDA_VISIBLE_DEVICES="GPU-4f,7",  # joblib waits for ever in a process that was forked
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "2 done, 0 failed" in done.stdout
    assert sorted(path.read_text() for path in (tmp_path / "seen").iterdir()) == ["7", "GPU-4f"]
    assert len(list(tmp_path.glob("outputs/watching/ragged/*/manifest.json"))) == 2
    assert not list(tmp_path.glob("outputs/.sweeps/*"))


@pytest.mark.slow
def test_a_preempted_job_is_put_back_and_goes_on(command, run, elsewhere, tmp_path):
    """submitit's local executor sends a job what SLURM sends, and starts one again that has put itself back."""
    words = ["model=signalled", "model.at=image/8", "model.number=SIGUSR2", "data=ragged", "data.n=12", "batch_size=1"]
    words += [f"model.file={tmp_path}/sent"]
    done = command("--config-dir", str(elsewhere), "-m", "hydra/launcher=submitit_local", "trainer=cpu", *words)

    assert done.returncode == 0, done.stderr
    assert "1 done, 0 failed" in done.stdout
    said = "".join(path.read_text() for path in tmp_path.glob("outputs/.submitit/*/*_log.err"))
    assert re.search(r"Caught signal SIGUSR2 .*: this job is preempted", said)
    assert re.search(r"Resuming: \d+ of 12 images", said)
    alone = run(*words, f"paths.output_dir={tmp_path}/alone", conf=elsewhere)
    (folder,) = tmp_path.glob("outputs/signalled/ragged/*")
    assert (folder / "summary.json").read_text() == (alone.folder / "summary.json").read_text()


@pytest.mark.slow
def test_a_job_that_is_asked_to_end_leaves_the_rest_to_the_same_command(command, run, elsewhere, tmp_path, caplog):
    words = ["model=signalled", "model.at=image/8", "model.number=SIGTERM", "data=ragged", "data.n=12", "batch_size=1"]
    words += [f"model.file={tmp_path}/sent"]
    stopped = command("--config-dir", str(elsewhere), "-m", "hydra/launcher=submitit_local", "trainer=cpu", *words)
    assert stopped.returncode == 1
    assert "error: a job of the sweep ended before its cell was done: " in stopped.stderr
    assert "interrupted by SIGTERM after a whole batch; the same command goes on from here" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    (status,) = tmp_path.glob("outputs/signalled/ragged/*/status.json")
    assert json.loads(status.read_text())["state"] == "interrupted"

    caplog.set_level("INFO")
    assert len(run(*words, conf=elsewhere).scores["metric"]) == 12
    assert "Resuming: 9 of 12 images" in caplog.text


def test_slurm_is_asked_for_what_the_configuration_says(tmp_path, monkeypatch):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = ["model=ramp", "data=sample", "hydra/launcher=slurm", "hydra.launcher.partition=gpu"]
        cfg = compose("eval", words, return_hydra_config=True)
    launcher = OmegaConf.to_container(cfg.hydra.launcher, resolve=False)
    (tmp_path / "srun").touch(mode=0o755)  # its presence is how submitit knows a cluster
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    # as hydra's plugin hands the values on
    own = ("timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "stderr_to_stdout")
    executor = submitit.AutoExecutor(tmp_path, "slurm", slurm_max_num_timeout=launcher["max_num_timeout"])
    values = {name: value for name, value in launcher.items() if name not in ("_target_", "submitit_folder", "name")}
    del values["max_num_timeout"]
    executor.update_parameters(**{name if name in own else f"slurm_{name}": value for name, value in values.items()})
    script = executor._executor._make_submission_file_text("command", "uid")

    lines = {line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH ")}
    assert {
        "--time=240", "--gpus-per-node=1", "--cpus-per-task=4", "--mem=32GB", "--signal=USR2@120", "--partition=gpu",
        "--nodes=1", "--ntasks-per-node=1",
    } <= lines  # fmt: skip
    assert executor._executor.max_num_timeout == 20
    assert launcher["array_parallelism"] == 16
