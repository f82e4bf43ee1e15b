"""Files of one directory: what firmware can do there, and that nothing leads out of it."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vtarget.base.errors import InputError
from vtarget.shell.hostfiles import MOST_CREATED, HostFiles, RefusedError

R, R_PLUS, W, W_PLUS, A, A_PLUS = 0, 2, 4, 6, 8, 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inside/sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "inside"


@pytest.fixture
def files(folder: Path) -> Iterator[HostFiles]:
    files = HostFiles(str(folder))
    yield files
    files.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.parametrize("mode", [W, W + 1, W_PLUS, W_PLUS + 1])
def test_writing_begins_with_an_empty_file(mode: int, files: HostFiles, folder: Path) -> None:
    (folder / "f").write_bytes(b"old content")
    file = files.open(b"f", mode)
    file.write(b"new")
    assert file.length() == 3
    file.close()
    assert (folder / "f").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [A, A + 1, A_PLUS, A_PLUS + 1])
def test_appending_goes_to_the_end(mode: int, files: HostFiles, folder: Path) -> None:
    (folder / "f").write_bytes(b"old")
    file = files.open(b"f", mode)
    file.seek(0)
    file.write(b"+new")
    file.close()
    assert (folder / "f").read_bytes() == b"old+new"


def test_updating_keeps_the_rest(files: HostFiles, folder: Path) -> None:
    (folder / "f").write_bytes(b"0123456789")
    file = files.open(b"f", R_PLUS)
    assert file.read(2) == b"01"
    file.write(b"ab")
    file.seek(8)
    assert file.read(10) == b"89"
    file.close()
    assert (folder / "f").read_bytes() == b"01ab456789"


@pytest.mark.parametrize("mode", [R, R + 1, R_PLUS, R_PLUS + 1])
def test_reading_needs_the_file(mode: int, files: HostFiles, folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.open(b"f", mode)
    assert not (folder / "f").exists()


def test_access_follows_the_mode(files: HostFiles, folder: Path) -> None:
    (folder / "f").write_bytes(b"x")
    reader, writer = files.open(b"f", R), files.open(b"f", A)
    for attempt in (lambda: reader.write(b"y"), lambda: writer.read(1)):
        with pytest.raises(OSError) as caught:
            attempt()
        assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError):
        files.open(b"f", 12)


def test_folders_inside_are_reached(files: HostFiles, folder: Path) -> None:
    file = files.open(b"./sub//f", W)
    file.write(b"x")
    file.close()
    files.rename(b"sub/f", b"g")
    assert (folder / "g").read_bytes() == b"x"
    files.remove(b"g")
    assert not (folder / "g").exists()


@pytest.mark.parametrize(
    "name",
    [b"/etc/passwd", b"..", b"../secret", b"sub/../../secret", b"sub/..", b"a\0b", b"//etc/passwd"],
)
def test_names_that_lead_out_are_refused(name: bytes, files: HostFiles) -> None:
    for attempt in (
        lambda: files.open(name, R),
        lambda: files.open(name, W),
        lambda: files.remove(name),
        lambda: files.rename(name, b"new"),
        lambda: files.rename(b"new", name),
    ):
        with pytest.raises(OSError):
            attempt()
    with pytest.raises(RefusedError):
        files.open(name, R)


@pytest.mark.parametrize("name", [b"x" * 256, b"x/" * 17 + b"x", b"y" * 1025])
def test_names_are_bounded(name: bytes, files: HostFiles) -> None:
    with pytest.raises(RefusedError) as caught:
        files.open(name, W)
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("name", [b"", b".", b"./", b"sub/", b"sub"])
def test_folders_are_no_files(name: bytes, files: HostFiles, folder: Path) -> None:
    for mode in range(12):
        with pytest.raises(OSError):
            files.open(name, mode)
    with pytest.raises(OSError):
        files.remove(name)
    assert (folder / "sub").is_dir()


def test_no_link_is_followed(files: HostFiles, folder: Path) -> None:
    (folder / "inner").write_bytes(b"inner")
    (folder / "to-file").symlink_to("../secret")
    (folder / "to-inner").symlink_to("inner")
    (folder / "dangling").symlink_to("../created")
    (folder / "sub/out").symlink_to(folder.parent)
    for name in (b"to-file", b"to-inner", b"dangling", b"sub/out/secret", b"sub/out", b"sub/out/new"):
        for mode in range(12):
            with pytest.raises(RefusedError):
                files.open(name, mode)
        with pytest.raises(RefusedError):
            files.remove(name)
        with pytest.raises(RefusedError):
            files.rename(name, b"stolen")
        with pytest.raises(RefusedError):
            files.rename(b"inner", name)
    assert sorted(p.name for p in folder.parent.iterdir()) == ["inside", "secret"]
    assert (folder.parent / "secret").read_bytes() == b"secret"


def test_links_put_in_place_meanwhile_lead_nowhere(files: HostFiles, folder: Path) -> None:
    """A thread swaps a folder for a link to the outside while names are being walked."""
    (folder / "sub/secret").write_bytes(b"harmless")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (folder / "sub").rename(folder / "kept")
            (folder / "sub").symlink_to(folder.parent)
            (folder / "sub").unlink()
            (folder / "kept").rename(folder / "sub")
            time.sleep(0.0002)  # the folder is itself for a while, on a busy machine too

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        deadline = time.monotonic() + 30
        for attempt in itertools.count():
            if attempt >= 3000 and (seen or time.monotonic() > deadline):
                break
            try:
                file = files.open(b"sub/secret", R)
            except OSError:
                continue
            seen.add(file.read(100))
            file.close()
    finally:
        stop.set()
        swapper.join()
    assert seen <= {b"harmless"}
    assert seen


def test_devices_and_pipes_are_refused_without_waiting(files: HostFiles, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for mode in range(12):
        with pytest.raises(RefusedError):
            files.open(b"pipe", mode)
    with pytest.raises(RefusedError):
        files.rename(b"pipe", b"other")
    with closing(HostFiles("/dev")) as devices, pytest.raises(RefusedError):
        devices.open(b"null", R)


def test_what_is_written_is_bounded(folder: Path) -> None:
    files = HostFiles(str(folder), limit_bytes=100)
    file = files.open(b"f", W)
    file.write(b"x" * 60)
    with pytest.raises(OSError) as caught:
        file.write(b"x" * 41)
    assert caught.value.errno == errno.ENOSPC
    file.write(b"x" * 40)
    with pytest.raises(OSError):
        files.open(b"g", W).write(b"x")
    assert (folder / "f").stat().st_size == 100
    assert files.notes == ["semihosting: writes to files beyond the limit of one run failed"]


def test_holes_count_as_written(folder: Path) -> None:
    files = HostFiles(str(folder), limit_bytes=100)
    file = files.open(b"f", W)
    file.seek(0xFFFFFFFF)
    with pytest.raises(OSError):
        file.write(b"x")
    file.seek(90)
    file.write(b"x" * 10)
    assert file.length() == 100
    file.seek(0)
    with pytest.raises(OSError):
        file.write(b"x")


def test_how_many_files_are_created_is_bounded(files: HostFiles, folder: Path) -> None:
    for number in range(MOST_CREATED):
        files.open(b"f%d" % number, W).close()
    with pytest.raises(OSError) as caught:
        files.open(b"one more", W)
    assert caught.value.errno == errno.ENOSPC
    files.open(b"f0", W).close()
    assert len(list(folder.iterdir())) == MOST_CREATED + 1
    assert files.notes == [f"semihosting: no more than {MOST_CREATED} files are created in one run"]


def test_no_descriptor_is_left_open(folder: Path) -> None:
    before = open_descriptors()
    files = HostFiles(str(folder))
    (folder / "link").symlink_to("sub")
    for name in (b"link/x", b"none", b"sub/deep/x", b"..", b"sub"):
        for mode in (R, R_PLUS):
            with pytest.raises(OSError):
                files.open(name, mode)
    files.open(b"sub/x", W).close()
    files.rename(b"sub/x", b"y")
    with pytest.raises(OSError):
        files.rename(b"y", b"none/y")
    files.close()
    files.close()
    assert open_descriptors() == before


@pytest.mark.parametrize("path", ["missing", "secret"])
def test_the_directory_must_be_one(path: str, folder: Path) -> None:
    with pytest.raises(InputError, match=r"--semihost-dir .*: no such directory"):
        HostFiles(str(folder.parent / path))
