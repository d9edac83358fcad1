import hashlib
import urllib.error
from pathlib import Path

import pytest
import torch

from src.core.errors import CheckpointError
from src.model.checkpoints.release import digest_of, is_release, locate_release, read_release

ADDRESS = "https://example.org/releases/v3/dpt-0123456789ab.pt"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    return tmp_path / "torch" / "checkpoints"


@pytest.mark.parametrize(
    ("weights", "expected"),
    [("absent.pt", True), ("~/absent.pth", True), (ADDRESS, True), ("owner/name", False), ("random", False)],
)
def test_files_are_told_from_hub_ids(weights, expected):
    assert is_release(weights) is expected


def test_what_is_there_decides(tmp_path):
    (tmp_path / "pytorch_model.bin").touch()
    (tmp_path / "folder.pt").mkdir()
    assert is_release(str(tmp_path / "pytorch_model.bin"))
    assert not is_release(str(tmp_path / "folder.pt"))


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(CheckpointError, match=r"model\.weights=absent\.pt: expected a released file"):
        locate_release("absent.pt")


def test_an_address_is_fetched_once_and_checked_against_the_digest_in_its_name(cache, monkeypatch):
    fetched = []

    def download(address, path, digest, *, progress):
        fetched.append((address, digest))
        Path(path).write_bytes(b"weights")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert locate_release(ADDRESS) == locate_release(ADDRESS) == cache / "dpt-0123456789ab.pt"
    plain = locate_release("https://example.org/dpt_large_384.pt?download=1")
    assert plain.name == "dpt_large_384.pt"
    assert plain.is_file()
    assert fetched == [(ADDRESS, "0123456789ab"), ("https://example.org/dpt_large_384.pt?download=1", None)]


def test_two_addresses_with_one_file_name_are_two_checkpoints(cache, monkeypatch):
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda address, path, *_, **__: Path(path).write_text(address)
    )
    addresses = ["https://lab.example/v1/model.pth", "https://lab.example/v2/model.pth"]
    assert [locate_release(address).read_text() for address in addresses * 2] == addresses * 2


def test_an_address_that_cannot_be_reached_says_what_to_do(cache, monkeypatch):
    def download(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(CheckpointError, match=r"cannot be downloaded: .*no network.*put it at .*dpt-0123456789ab\.pt"):
        locate_release(ADDRESS)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model": state, "optimizer": {"lr": 0.1}},
        lambda state: {"state_dict": state},
    ],
)
def test_tensors_are_found_beside_the_state_of_training(tmp_path, wrap):
    torch.save(wrap({"a": torch.ones(2)}), tmp_path / "a.pt")
    state = read_release(tmp_path / "a.pt", allow_pickle=False)
    assert state.keys() == {"a"}
    assert torch.equal(state["a"], torch.ones(2))


@pytest.mark.parametrize("content", [[torch.ones(1)], {"a": 1}, {}, {"model": {"a": "b"}}])
def test_what_holds_no_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt: expected named tensors"):
        read_release(tmp_path / "a.pt", allow_pickle=False)


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Trap()}, "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt: .* asks to run code; .* set model\.allow_pickle=true"):
        read_release(Path("a.pt"), allow_pickle=False)
    assert not Path("trapped").exists()


def test_code_in_a_file_runs_only_if_that_is_asked_for_and_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": torch.ones(2)}, "settings": Trap()}, "a.pt")
    with pytest.raises(CheckpointError, match=r"model\.allow_pickle=true"):
        read_release(Path("a.pt"), allow_pickle=False)
    assert not Path("trapped").exists()
    assert not caplog.records
    assert torch.equal(read_release(Path("a.pt"), allow_pickle=True)["a"], torch.ones(2))
    assert Path("trapped").exists()
    assert "a.pt may run code of its own while it is read" in caplog.text


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_truncated_file_is_reported(tmp_path, keep):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"a\.pt: cannot be read as a file of weights"):
        read_release(path, allow_pickle=False)


def test_the_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    assert digest_of(tmp_path / "a") == f"sha256:{hashlib.sha256(b'weights').hexdigest()}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "it is a pointer of Git LFS in place of the file",
        ),
        (b"\n<!DOCTYPE html><html>", "it is a web page in place of the file; download it again"),
        (b"hello\n", "cannot be read as a file of weights: .+; if it is not whole, download it again"),
    ],
)
def test_what_came_in_place_of_weights_is_said(tmp_path, content, words):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_release(path, allow_pickle=False)
