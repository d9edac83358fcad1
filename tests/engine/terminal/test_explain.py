"""What a user reads when something outside the software goes wrong."""

import os
import signal

import pytest
from torch.utils.data import DataLoader, Dataset

from src.engine.terminal.explain import explain


class Killed(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_decoding_process_is_named_and_the_way_on_is_shown():
    with pytest.raises(RuntimeError) as raised:
        next(iter(DataLoader(Killed(), num_workers=1)))
    message = explain(raised.value)
    assert "a process that decodes images has died" in message
    assert "the same command goes on from there" in message


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_is_said_in_a_sentence():
    with pytest.raises(OSError, match="No space left") as raised, open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
        file.write(b"x")
    assert explain(raised.value).startswith("the disk is full; what was scored before is kept")


def test_other_errors_of_the_system_are_no_ones_to_hide():
    assert explain(OSError(5, "Input/output error")) is None
