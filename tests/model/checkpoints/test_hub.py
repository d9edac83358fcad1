import http.server
import json
import threading
import time
from typing import ClassVar

import huggingface_hub
import pytest
from safetensors.torch import load_file, save_file
from transformers import DPTForDepthEstimation

from src.core.errors import CheckpointError
from src.model.checkpoints.hub import locate, read_index

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def snapshot(publish, tiny_network):
    return publish(tiny_network(DPTForDepthEstimation, "dpt_vit"), "Tiny/dpt")


def test_a_cached_id_is_found_with_its_commit(snapshot):
    for revision in (None, "main", COMMIT):
        checkpoint = locate("Tiny/dpt", revision)
        assert checkpoint.folder.resolve() == snapshot.resolve()
        assert checkpoint.revision == COMMIT


def test_a_local_folder_is_named_by_the_hash_of_its_weights(snapshot, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        for file in snapshot.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    first, second = (locate(str(folder), "ignored") for folder in folders)
    assert first.folder == folders[0]
    assert first.revision == second.revision
    assert first.revision.startswith("sha256:")
    weights = load_file(folders[1] / "model.safetensors")
    weights["head.head.4.bias"] += 1
    save_file(weights, folders[1] / "model.safetensors", metadata={"format": "pt"})
    assert locate(str(folders[1]), None).revision != first.revision


def test_offline_the_error_names_the_checkpoint_and_both_ways_out(hub_cache):
    started = time.monotonic()
    with pytest.raises(CheckpointError) as caught:
        locate("Tiny/absent", COMMIT)
    assert time.monotonic() - started < 5
    message = str(caught.value)
    assert message.startswith(f"checkpoint Tiny/absent is not, or not completely, in the cache ({hub_cache})")
    assert f"`hf download Tiny/absent --revision {COMMIT}`" in message
    assert "model.weights=<folder>" in message


def test_an_unreachable_hub_fails_within_seconds(hub_cache, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", nowhere)
    template = nowhere + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    started = time.monotonic()
    with pytest.raises(CheckpointError, match="the hub cannot be reached; either download it where"):
        locate("Tiny/absent", COMMIT)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("weights", ["/no/such/folder", "a/b/c", "~/nowhere at all"])
def test_what_is_neither_folder_nor_id_is_refused(hub_cache, weights):
    with pytest.raises(CheckpointError, match="expected an existing folder, a hub id"):
        locate(weights, None)


def test_an_incomplete_folder_names_what_is_missing(snapshot):
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"but there is no \*\.safetensors"):
        locate(str(snapshot), None)
    (snapshot / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"but there is no config\.json, no \*\.safetensors"):
        locate(str(snapshot), None)


def test_a_snapshot_without_weights_cannot_be_completed_offline(snapshot):
    (snapshot / "model.safetensors").unlink()
    for revision in (None, COMMIT):
        with pytest.raises(CheckpointError, match="Tiny/dpt is not, or not completely, in the cache"):
            locate("Tiny/dpt", revision)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_an_index_that_is_no_object_is_refused(snapshot, content):
    (snapshot / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.json: expected "):
        read_index(locate("Tiny/dpt", None))


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does: one repository to download, others that are refused in its several ways."""

    files: ClassVar[dict[str, bytes]] = {}
    cut: ClassVar[bool] = False
    """Whether the connection breaks in the middle of every file of weights."""
    refusals: ClassVar = {
        "gated": (403, "GatedRepo"),
        "private": (401, "RepoNotFound"),
        "untagged": (404, "RevisionNotFound"),
        "broken": (400, None),
        "down": (500, None),
    }

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        name = path.split("/")[-1]
        for repository, (status, code) in self.refusals.items():
            if f"/Tiny/{repository}/" in f"{path}/":
                return self.answer(status, b"", {"X-Error-Code": code} if code else {})
        if path in ("/api/models/Tiny/dpt", "/api/models/Tiny/dpt/revision/main"):
            information = {"id": "Tiny/dpt", "sha": COMMIT, "siblings": []}
            return self.answer(200, json.dumps(information).encode(), {"Content-Type": "application/json"})
        if path.startswith("/api/models/Tiny/dpt/tree/"):
            listing = [
                {"type": "file", "path": key, "size": len(value), "oid": f"oid-{key}"}
                for key, value in self.files.items()
            ]
            return self.answer(200, json.dumps(listing).encode(), {"Content-Type": "application/json"})
        if path.startswith("/Tiny/dpt/resolve/") and name in self.files:
            return self.answer(200, self.files[name], {"ETag": f'"oid-{name}"', "X-Repo-Commit": COMMIT})
        return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            breaks = self.cut and self.path.endswith(".safetensors")
            self.wfile.write(body[: len(body) // 2] if breaks else body)
            self.close_connection = breaks

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(hub_cache, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield Hub
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_the_cache_lacks_is_downloaded_once(hub, snapshot, monkeypatch, tmp_path):
    files = {file.name: file.read_bytes() for file in snapshot.iterdir()}
    files["pytorch_model.bin"] = b"the same weights in the old format"
    files["model.fp16.safetensors"] = b"the same weights in half precision"
    monkeypatch.setattr(hub, "files", files)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "fresh"))
    checkpoint = locate("Tiny/dpt", None)
    assert checkpoint.revision == COMMIT
    assert (checkpoint.folder / "model.safetensors").read_bytes() == files["model.safetensors"]
    assert {file.name for file in checkpoint.folder.iterdir()} == {"config.json", "model.safetensors"}
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert locate("Tiny/dpt", None) == checkpoint


def test_a_hub_that_breaks_off_midway_leaves_nothing_half_and_the_next_call_goes_on(
    hub, snapshot, monkeypatch, tmp_path
):
    files = {file.name: file.read_bytes() for file in snapshot.iterdir()}
    monkeypatch.setattr(hub, "files", files)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "fresh"))
    monkeypatch.setattr(hub, "cut", True)
    with pytest.raises(CheckpointError, match=r"Tiny/dpt cannot be downloaded: peer closed .*set model\.weights"):
        locate("Tiny/dpt", None)
    assert not list((tmp_path / "fresh").rglob("snapshots/*/model.safetensors"))
    monkeypatch.setattr(hub, "cut", False)
    checkpoint = locate("Tiny/dpt", None)
    assert (checkpoint.folder / "model.safetensors").read_bytes() == files["model.safetensors"]


def test_the_old_format_is_downloaded_where_there_is_no_other(hub, snapshot, monkeypatch, tmp_path):
    files = {"config.json": (snapshot / "config.json").read_bytes(), "pytorch_model.bin": b"weights"}
    monkeypatch.setattr(hub, "files", files)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "fresh"))
    assert (locate("Tiny/dpt", None).folder / "pytorch_model.bin").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ("Tiny/gated", "is gated: ask for access at https://huggingface.co/Tiny/gated"),
        ("Tiny/private", "the hub has none of this name, or it is private"),
        ("Tiny/untagged", "has no revision v1; see https://huggingface.co/Tiny/untagged/commits/main"),
        ("Tiny/broken", "cannot be downloaded"),
        ("Tiny/down", "the hub cannot be reached"),
    ],
)
def test_refusals_of_the_hub_are_told_apart(hub, weights, reason):
    with pytest.raises(CheckpointError, match=f"checkpoint {weights}.*{reason}"):
        locate(weights, "v1")


def test_a_repository_without_the_expected_files_says_so(hub, hub_cache, monkeypatch):
    monkeypatch.setattr(hub, "files", {"model_index.json": b"{}", "notes.txt": b""})
    with pytest.raises(CheckpointError, match=r"Tiny/dpt: .* no config\.json, no \*\.safetensors"):
        locate("Tiny/dpt", None)


def test_a_pinned_commit_in_the_cache_needs_no_answer(hub, snapshot, monkeypatch):
    monkeypatch.setattr(hub, "refusals", {"dpt": (401, "RepoNotFound")})
    assert locate("Tiny/dpt", COMMIT).folder.resolve() == snapshot.resolve()
    with pytest.raises(CheckpointError, match="the hub has none of this name"):
        locate("Tiny/dpt", None)
