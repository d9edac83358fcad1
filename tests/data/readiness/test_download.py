"""Against a server on this machine that breaks off, ignores ranges, changes its file, or refuses."""

import contextlib
import errno
import fcntl
import gzip
import hashlib
import http.server
import io
import threading
import zipfile

import numpy as np
import pytest

from src.core.errors import DataError
from src.data.__main__ import CONF, main
from src.data.readiness import download as module
from src.data.readiness.download import download
from src.data.readiness.fetch import fetch
from src.data.readiness.sources import RemoteFile, Source, read_sources

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append(wanted)
        status = server.statuses.pop(0) if server.statuses else 200
        if status != 200:
            self.send_error(status)
            return
        start, content = 0, server.content
        if wanted and server.ranges and self.headers.get("If-Range") in (None, server.tag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = min(len(content), start + server.break_after.pop(0)) if server.break_after else len(content)
        self.wfile.write(content[start:end])
        self.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.content, running.tag, running.ranges = CONTENT, '"one"', True
        running.requests, running.break_after, running.statuses = [], [], []
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        running.url = f"http://127.0.0.1:{running.server_port}/set.zip"
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "a b" / "set.zip"


def get(server, target, **known):
    attempts = known.pop("attempts", 1)
    return download(RemoteFile(url=server.url, to="", **known), target, attempts=attempts, pause=0.0)


def test_a_file_comes_whole_and_once(server, target):
    told = []
    remote = RemoteFile(url=server.url, to="", size=len(CONTENT), digest=SHA256)
    assert download(remote, target, report=lambda here, whole: told.append((here, whole))) == SHA256
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert download(remote, target) == ""
    assert server.requests == [None]
    assert [path.name for path in target.parent.iterdir()] == ["set.zip"]


@pytest.mark.parametrize("known", [{}, {"digest": SHA256}])
def test_an_interrupted_download_goes_on_where_it_stopped(server, target, known):
    server.break_after = [1_100_000]
    with pytest.raises(DataError, match=r"interrupted after 1100000 bytes .*the same command goes on from there"):
        get(server, target, **known)
    assert not target.exists()
    assert get(server, target, **known) == SHA256
    assert server.requests == [None, "bytes=1100000-"]
    assert target.read_bytes() == CONTENT


def test_a_broken_connection_is_taken_up_again_by_itself(server, target):
    server.break_after = [10, 2_000_000]
    server.statuses = [200, 503, 200]
    assert get(server, target, attempts=4) == SHA256
    assert server.requests == [None, "bytes=10-", "bytes=10-", "bytes=2000010-"]


def test_a_server_without_ranges_sends_it_again(server, target):
    server.break_after, server.ranges = [1000], False
    assert get(server, target, attempts=2) == SHA256
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("tag", ['"two"', 'W/"two"', ""])
def test_a_file_that_changed_meanwhile_is_not_mixed(server, target, tag):
    server.break_after = [1000]
    with pytest.raises(DataError, match="interrupted"):
        get(server, target)
    server.content, server.tag = CONTENT[::-1], tag
    get(server, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_without_a_validator_nothing_is_continued(server, target):
    server.break_after, server.tag = [1000], ""
    get(server, target, attempts=2)
    assert server.requests == [None, None]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_wrong_hash_is_refused_and_leaves_nothing(server, target, algorithm):
    right = hashlib.new(algorithm, CONTENT).hexdigest()
    with pytest.raises(DataError, match=rf"expected {algorithm} 00ff, got {right}; nothing was kept"):
        get(server, target, algorithm=algorithm, digest="00ff")
    assert not list(target.parent.iterdir())


def test_a_wrong_size_is_refused_before_it_is_fetched(server, target):
    with pytest.raises(DataError, match=r"expected a file of 5 bytes, the server has one of 3000000"):
        get(server, target, size=5)
    assert not target.exists()


def test_a_complete_part_only_needs_its_check(server, target):
    server.break_after = [len(CONTENT) - 1]
    with pytest.raises(DataError, match="interrupted"):
        get(server, target)
    with (target.parent / "set.zip.part").open("ab") as file:
        file.write(CONTENT[-1:])
    server.statuses = [416]
    assert get(server, target, size=len(CONTENT)) == SHA256


def test_refusals_and_foreign_addresses_are_said_at_once(server, target):
    server.statuses = [404]
    with pytest.raises(DataError, match=r"set\.zip: the server answers 404 Not Found; the file may have moved"):
        get(server, target, attempts=5)
    assert len(server.requests) == 1
    with pytest.raises(DataError, match="expected an address that begins with https://"):
        download(RemoteFile(url="file:///etc/passwd", to=""), target)


def test_a_full_disk_is_said_and_what_came_is_kept(server, target, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("", (), {"free": 10}))
    with pytest.raises(DataError, match=r"expected room for 3000000 more bytes, the disk has 10"):
        get(server, target)

    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "*")
    receive = module._receive
    monkeypatch.setattr(module, "_receive", lambda remote, file, *rest: receive(remote, _full(file), *rest))
    with pytest.raises(DataError, match=r"the disk is full; free some room, and the same command goes on"):
        get(server, target)
    assert not target.exists()


def _full(file):
    class Full:
        def __getattr__(self, name):
            return getattr(file, name)

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    return Full()


def test_a_folder_that_cannot_be_made_is_said(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written here: .*Not a directory|File exists"):
        get(server, tmp_path / "file" / "set.zip")


def test_two_processes_do_not_write_one_file(server, target):
    target.parent.mkdir()
    with (target.parent / "set.zip.part").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DataError, match=r"set\.zip\.part: another process is fetching this file"):
            get(server, target)


def quiet(_):
    return contextlib.nullcontext(lambda *_: None)


def test_gzipped_and_zipped_sets_are_unpacked_once(server, tmp_path):
    server.content = gzip.compress(b"a tar")
    packed = RemoteFile(url=server.url, to="{root}.tar.gz", then="gunzip")
    arguments = {"root": str(tmp_path / "diode")}
    for _ in range(2):
        fetch("x", Source(variants=("x",), files=(packed,)), arguments, progress=quiet)
    assert (tmp_path / "diode.tar").read_bytes() == b"a tar"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("training/x", b"1")
    server.content = buffer.getvalue()
    zipped = RemoteFile(url=server.url, to="{root}/s.zip", then="unzip")
    for _ in range(2):
        fetch("x", Source(variants=("x",), files=(zipped,)), {"root": str(tmp_path / "s")}, progress=quiet)
    assert (tmp_path / "s" / "training" / "x").read_bytes() == b"1"
    assert not (tmp_path / "s" / "s.zip").exists()
    assert len(server.requests) == 2


@pytest.mark.parametrize("name", ["../evil", "/evil"])
def test_members_that_lead_out_are_not_unpacked(server, tmp_path, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("good", b"1")
        archive.writestr(zipfile.ZipInfo(name), b"2")
    server.content = buffer.getvalue()
    zipped = RemoteFile(url=server.url, to="{root}/s.zip", then="unzip")
    with pytest.raises(DataError, match=f"expected plain files below its root, got '{name}'"):
        fetch("x", Source(variants=("x",), files=(zipped,)), {"root": str(tmp_path / "s")}, progress=quiet)
    assert not (tmp_path / "s" / "good").exists()


def test_what_is_left_to_do_is_told_after_the_files(server, tmp_path):
    remote = RemoteFile(url=server.url, to="{listing}")
    source = Source(variants=("x",), files=(remote,), steps=("Put the images into {root}.",))
    arguments = {"listing": str(tmp_path / "list.txt"), "root": "/images"}
    first, last = fetch("x", source, arguments, progress=quiet)
    assert first.startswith(f"{tmp_path}/list.txt: sha256 {SHA256}; no hash is published")
    assert last == "by hand: Put the images into /images."


def test_what_needs_an_agreement_is_told_in_steps(capsys, tmp_path):
    assert main(["fetch", "data=scannet", f"paths.data_dir={tmp_path}"]) == 1
    told = capsys.readouterr().err
    assert "  1. Accept ScanNet's terms of use" in told
    assert f"{tmp_path}/scannet/scannet_val_sampled_800_1.tar" in told
    assert main(["fetch", "data=synthetic"]) == 1
    assert "synthetic: no address is known for it" in capsys.readouterr().err


def test_the_table_names_variants_that_exist_each_once():
    names = [variant for source in read_sources() for variant in source.variants]
    assert len(names) == len(set(names))
    assert set(names) <= {path.stem for path in (CONF / "data").glob("*.yaml")}
    for source in read_sources():
        assert source.files or source.steps
        for file in source.files:
            assert file.url.startswith(("https://", "http://"))
            assert any(place in file.to for place in ("{root}", "{depth_root}", "{listing}"))
            assert file.digest is None or len(file.digest) == {"md5": 32, "sha256": 64}[file.algorithm]


@pytest.fixture
def answers(monkeypatch):
    """Return a function that starts a server which gives one answer to everything, and returns its address."""
    monkeypatch.setenv("no_proxy", "*")
    with contextlib.ExitStack() as stack:

        def answers(status, headers, content=b""):
            class Answer(http.server.BaseHTTPRequestHandler):
                def log_message(self, *_):
                    pass

                def do_GET(self):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        self.wfile.write(content)

            running = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer))
            threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(running.shutdown)
            return f"http://127.0.0.1:{running.server_port}/a.zip"

        yield answers


def test_a_redirection_leads_to_http_or_https_alone(answers, tmp_path):
    end = answers(200, {"Content-Length": "3"}, b"abc")
    download(RemoteFile(url=answers(302, {"Location": end}), to=""), tmp_path / "a", attempts=1)
    assert (tmp_path / "a").read_bytes() == b"abc"
    for elsewhere in ("file:///etc/passwd", "ftp://host/a", "data:text/plain,abc"):
        with pytest.raises(DataError, match=r"expected a redirection|is not allowed") as raised:
            download(RemoteFile(url=answers(302, {"Location": elsewhere}), to=""), tmp_path / "b", attempts=1)
        assert "\n" not in str(raised.value)
        assert not (tmp_path / "b").exists()


def test_https_is_never_left_for_http():
    request = module.urllib.request.Request("https://host/a")
    for status in (301, 302, 303, 307, 308):
        with pytest.raises(DataError, match=r"https://host/a: .* address of https, got http://host/b"):
            module._Redirects().redirect_request(request, None, status, "", {}, "http://host/b")
        assert module._Redirects().redirect_request(request, None, status, "", {}, "https://other/b") is not None


@pytest.mark.parametrize("length", ["abc", "-5", "1e9", "12, 12", "0x10"])
def test_a_wrong_length_is_one_line(answers, tmp_path, length):
    remote = RemoteFile(url=answers(200, {"Content-Length": length}, b"abc"), to="")
    with pytest.raises(DataError, match="expected the length of the file in bytes") as raised:
        download(remote, tmp_path / "a", attempts=1)
    assert "\n" not in str(raised.value)


def test_a_server_that_does_not_stop_is_left_at_the_known_size(answers, tmp_path):
    remote = RemoteFile(url=answers(200, {}, bytes(2**23)), to="", size=1000)
    with pytest.raises(DataError, match="expected a file of 1000 bytes, the server sends more"):
        download(remote, tmp_path / "a", attempts=1)
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "a.part").stat().st_size == 0


def test_no_address_of_the_table_is_open_to_changes_on_the_way():
    files = [file for source in read_sources() for file in source.files]
    assert files
    assert [file.url for file in files if not file.url.startswith("https://") and file.digest is None] == []
