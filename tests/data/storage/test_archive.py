import io
import json
import multiprocessing
import os
import pickle
import stat
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from src.core.errors import DataError
from src.data.storage import tar_index
from src.data.storage.archive import MissingFilesError, open_tree

FILES = {
    f"{folder}/{k}.bin": np.random.default_rng(k).bytes(20_000 * k)
    for folder in ("a b", "größe/深い")
    for k in range(9)
}


@pytest.fixture
def tree(tmp_path, pack, form):
    for name, content in FILES.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(content)
    return open_tree(pack(tmp_path / "set", form), origin="a set")


def write_tar(path, *members):
    with tarfile.open(path, "w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_files_come_back_by_either_spelling(tree):
    assert tree.names() == sorted(FILES)
    for name, content in FILES.items():
        assert tree.exists(name)
        assert tree.read(name) == tree.read(f"./{name}") == content


def test_folders_are_no_files(tree):
    for name in ("a b", "a b/", ".", ""):
        assert not tree.exists(name)
        with pytest.raises(DataError, match=r"expected a file '.*' in it, but there is none; complete the download"):
            tree.read(name)


def test_missing_files_are_counted_and_the_first_named(tree):
    tree.require(list(FILES))
    with pytest.raises(
        MissingFilesError, match=r"set.*: 4 of 22 files are missing, the first: \['0', '1', '2'\]; complete"
    ) as caught:
        tree.require([*FILES, *"0123"])
    assert caught.value.names == ("0", "1", "2", "3")


def test_the_start_of_a_file_is_read_alone(tree):
    assert tree.read("a b/3.bin", 100) == FILES["a b/3.bin"][:100]
    assert tree.read("a b/0.bin", 100) == b""
    assert tree.read("a b/1.bin", 10**9) == FILES["a b/1.bin"]


def test_the_stamp_of_a_file_changes_with_its_content(tmp_path, pack, form):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "x").write_bytes(b"one")
    (tmp_path / "set" / "y").write_bytes(b"one")
    root = pack(tmp_path / "set", form)
    stamp, other = (open_tree(root, origin="").stamp(name) for name in "xy")
    assert stamp != other
    assert open_tree(root, origin="").stamp("./x") == stamp
    with pytest.raises(DataError, match="expected a file 'z' in it"):
        open_tree(root, origin="").stamp("z")
    file = {"folder": tmp_path / "set" / "x"}.get(form, tmp_path / f"set.{form}")
    os.utime(file, ns=(1, 1))
    assert open_tree(root, origin="").stamp("x") != stamp


@pytest.mark.parametrize("name", ["../set/a b/1.bin", "/etc/passwd", "a b/../../x", "a\0b"])
def test_names_that_leave_the_root_are_refused(tree, name):
    for use in (tree.read, tree.exists):
        with pytest.raises(DataError, match=r"expected names below the root, got .* which leads out of it"):
            use(name)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_archives_with_members_that_leave_the_root_are_refused(tmp_path, name):
    write_tar(tmp_path / "t.tar", (tarfile.TarInfo("good"), b"1"), (tarfile.TarInfo(name), b"2"))
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("good", b"1")
        archive.writestr(zipfile.ZipInfo(name), b"2")
    for archive in ("t", "z"):
        with pytest.raises(DataError, match=f"expected names below the root, got '{name}'"):
            open_tree(tmp_path / archive, origin="").exists("good")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_refused(tmp_path, kind):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = kind, "/etc/passwd"
    write_tar(tmp_path / "t.tar", (link, b""))
    with pytest.raises(DataError, match=r"plain files only, but 'link' is a link .* pack it again with tar --deref"):
        open_tree(tmp_path / "t.tar", origin="").names()


def test_links_in_a_zip_are_refused(tmp_path):
    link = zipfile.ZipInfo("a/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"z\.zip: expected plain files only, but 'a/link' is a link"):
        open_tree(tmp_path / "z.zip", origin="").names()


def test_a_link_that_leads_back_up_is_entered_once(tmp_path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "a" / "x").write_bytes(b"x")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    assert open_tree(tmp_path / "set", origin="").names() == ["a/x"]


def test_links_in_a_folder_are_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"x")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    tree = open_tree(tmp_path / "set", origin="")
    assert tree.names() == ["linked/x"]
    assert tree.read("linked/x") == b"x"


def read_all(tree, seed):
    order = np.random.default_rng(seed).permutation(sorted(FILES)).tolist() * 20
    return all(tree.read(name) == FILES[name] for name in order)


def test_threads_share_a_tree(tree):
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda seed: read_all(tree, seed), range(4)))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform cannot fork")
def test_forked_processes_share_a_tree(tree):
    tree.read("a b/1.bin")  # opened before the children start
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=lambda seed: sys.exit(not read_all(tree, seed)), args=(k,)) for k in range(3)]
    for child in children:
        child.start()
    assert read_all(tree, 3)
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]


def test_a_used_tree_can_be_sent(tree):
    tree.read("a b/1.bin")
    assert pickle.loads(pickle.dumps(tree)).read("a b/2.bin") == FILES["a b/2.bin"]  # noqa: S301


def test_of_a_file_stored_twice_the_last_counts(tmp_path):
    write_tar(tmp_path / "t.tar", (tarfile.TarInfo("x"), b"old"), (tarfile.TarInfo("./x"), b"new"))
    assert open_tree(tmp_path / "t", origin="").read("x") == b"new"


def test_the_suffix_may_be_given_or_left_out_and_a_folder_goes_first(tmp_path):
    write_tar(tmp_path / "s.tar", (tarfile.TarInfo("x"), b"tar"))
    assert open_tree(tmp_path / "s", origin="").read("x") == open_tree(str(tmp_path / "s.tar"), origin="").read("x")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "x").write_bytes(b"folder")
    assert open_tree(tmp_path / "s", origin="").read("x") == b"folder"


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.xz", ".7z"])
def test_compressed_archives_are_refused_with_the_way_out(tmp_path, suffix):
    (tmp_path / f"s{suffix}").touch()
    for path in (tmp_path / "s", tmp_path / f"s{suffix}"):
        with pytest.raises(DataError, match=rf"s\{suffix}: expected a folder, an uncompressed .tar or a .zip.* gunzip"):
            open_tree(path, origin="")


def test_nothing_there_says_what_where_and_how(tmp_path):
    message = (
        rf"{tmp_path}/nyu: expected NYU from there; there is nothing here \(looked for a folder, a .tar and a .zip of "
        r"this name\)\. Point to it with data\.root=<folder or archive>, or with paths\.data_dir=<folder of all"
    )
    with pytest.raises(DataError, match=message):
        open_tree(tmp_path / "nyu", origin="NYU from there")
    (tmp_path / "nyu").touch()
    with pytest.raises(DataError, match="there is another kind of file here"):
        open_tree(tmp_path / "nyu", origin="NYU from there")


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_damaged_archives_are_refused(tmp_path, suffix):
    path = tmp_path / f"s{suffix}"
    for content in (b"no archive", b"\x1f\x8b" + bytes(600)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"s\{suffix}: expected .*{suffix}: .* download it again"):
            open_tree(path, origin="").names()


def test_a_tar_cut_off_is_an_error(tmp_path):
    write_tar(tmp_path / "s.tar", (tarfile.TarInfo("x"), bytes(5000)))
    content = (tmp_path / "s.tar").read_bytes()
    (tmp_path / "s.tar").write_bytes(content[:4000])
    with pytest.raises(DataError, match=r"s\.tar: expected .*; (download it again|the archive is cut off)"):
        open_tree(tmp_path / "s.tar", origin="").read("x")


def test_damaged_content_in_a_zip_names_the_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("x/y.png", b"content" * 99)
    content = (tmp_path / "s.zip").read_bytes().replace(b"contentcontent", b"contentContent", 1)
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"s\.zip: expected a readable file 'x/y\.png': Bad CRC-32"):
        open_tree(tmp_path / "s.zip", origin="").read("x/y.png")


@pytest.fixture
def large_tar(tmp_path):
    """An archive that is worth an index: file k holds the number k."""
    members = [(tarfile.TarInfo(f"d/{k:04d}"), b"%d" % k) for k in range(tar_index.WORTH_KEEPING)]
    write_tar(tmp_path / "s.tar", *members)
    return tmp_path / "s.tar"


@pytest.fixture
def walks(monkeypatch):
    """The archives whose headers were walked."""
    walked, walk = [], tar_index._walk
    monkeypatch.setattr(tar_index, "_walk", lambda path: walked.append(path) or walk(path))
    return walked


def read_number(path, k):
    return int(open_tree(path, origin="").read(f"d/{k:04d}"))


def test_a_large_tar_is_walked_once_for_all_runs(large_tar, walks):
    assert [read_number(large_tar, k) for k in (0, 7, 999)] == [0, 7, 999]
    assert walks == [large_tar]
    assert tar_index.index_file(large_tar).is_file()


def test_a_small_tar_is_not_worth_an_index(tmp_path):
    write_tar(tmp_path / "s.tar", (tarfile.TarInfo("d/0000"), b"3"))
    assert read_number(tmp_path / "s.tar", 0) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["s.tar"]


def test_the_index_of_another_state_of_the_archive_is_not_believed(large_tar, walks):
    read_number(large_tar, 0)
    members = [(tarfile.TarInfo(f"d/{k:04d}"), b"%d" % (k + 1)) for k in range(tar_index.WORTH_KEEPING)]
    write_tar(large_tar, *members)
    assert read_number(large_tar, 7) == 8
    assert len(walks) == 2


def damaged_indices():
    yield "empty", lambda _: b""
    yield "cut off", lambda text: text[:-10]
    yield "flipped", lambda text: text.replace(b'"d/0007": [', b'"d/0007": [1')
    yield "no json", lambda text: b"\xff" + text
    yield "another format", lambda text: text.replace(b'"format": 1', b'"format": 0')
    yield "other content", lambda _: json.dumps([]).encode()


@pytest.mark.parametrize("damage", [pytest.param(change, id=name) for name, change in damaged_indices()])
def test_a_damaged_index_is_made_anew(large_tar, walks, damage):
    read_number(large_tar, 0)
    index = tar_index.index_file(large_tar)
    whole = index.read_bytes()
    index.write_bytes(damage(whole))
    assert read_number(large_tar, 7) == 7
    assert len(walks) == 2
    assert index.read_bytes() == whole


def test_without_leave_to_write_there_is_no_index_and_no_error(large_tar, walks, monkeypatch):
    def refuse(path, content):
        raise PermissionError(13, "read-only file system", str(path))

    monkeypatch.setattr(tar_index, "replace_file", refuse)
    assert [read_number(large_tar, k) for k in (0, 7)] == [0, 7]
    assert len(walks) == 2


def test_runs_that_start_together_all_find_the_files(large_tar):
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda k: read_number(large_tar, k), range(24))) == list(range(24))
    assert sorted(path.name for path in large_tar.parent.iterdir()) == [".s.tar.index", "s.tar"]
