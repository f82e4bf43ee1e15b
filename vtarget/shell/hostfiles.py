"""The host's files as firmware sees them through semihosting: one directory, and nothing outside it.

A name is walked component by component with descriptors, and no symbolic link is followed anywhere, so that a link
that is put in place meanwhile leads nowhere either. Only regular files are opened. Errors are OSError with the host's
errno; ``RefusedError`` says that the firmware asked for what it must not have.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vtarget.base.errors import InputError

MOST_NAME_BYTES = 1024
MOST_COMPONENT_BYTES = 255
MOST_DEPTH = 16
MOST_CREATED = 1024
WRITE_LIMIT_BYTES = 64 << 20
_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class RefusedError(OSError):
    """A request that reaches outside the directory, or for what is no regular file."""

    def __init__(self, why: str, number: int = errno.EACCES) -> None:
        super().__init__(number, why)


class HostFile:
    """One open file. ``spend`` is asked before the file grows or is written to."""

    def __init__(self, descriptor: int, spend: Callable[[int], bool], *, appending: bool) -> None:
        self._descriptor = descriptor
        self._spend = spend
        self._appending = appending

    def read(self, most_bytes: int) -> bytes:
        """Bytes at the file's position; empty at its end."""
        return os.read(self._descriptor, most_bytes)

    def write(self, data: bytes) -> None:
        """Write all of ``data`` at the position. What lies between the old end and the position is written, too."""
        size = self.length()
        position = size if self._appending else os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if not self._spend(max(len(data), position + len(data) - size)):
            raise OSError(errno.ENOSPC, "the run has written as much as it may")
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def seek(self, position: int) -> None:
        """Go to a position from the start."""
        os.lseek(self._descriptor, position, os.SEEK_SET)

    def length(self) -> int:
        """Its size in bytes."""
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


class HostFiles:
    """The files of one directory. InputError if it is none."""

    def __init__(self, directory: str, limit_bytes: int = WRITE_LIMIT_BYTES) -> None:
        if not Path(directory).is_dir():
            raise InputError(f"--semihost-dir {directory}: no such directory")
        try:
            self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"--semihost-dir {directory}: {error.strerror}") from None
        self._budget = limit_bytes
        self._created = 0
        self.notes: list[str] = []

    def open(self, name: bytes, mode: int) -> HostFile:
        """Open a file with one of fopen's modes by number (r, rb, r+, r+b, w, …, a+b: 0 to 11)."""
        if not 0 <= mode <= 11:
            raise OSError(errno.EINVAL, "no such mode")
        writing, appending = mode >= 4, mode >= 8
        access = os.O_RDWR if mode & 2 else os.O_WRONLY if writing else os.O_RDONLY
        with self._place(name) as (folder, leaf):
            exists = _check_regular(folder, leaf, missing_ok=writing)
            if not exists and not self._may_create():
                raise OSError(errno.ENOSPC, "the run has created as many files as it may")
            flags = access | (os.O_CREAT if writing else 0) | (os.O_APPEND if appending else 0)
            descriptor = os.open(leaf, flags | _SAFE, 0o666, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RefusedError("no regular file")
            if writing and not appending:
                os.ftruncate(descriptor, 0)
        except OSError:
            os.close(descriptor)
            raise
        return HostFile(descriptor, self._spend, appending=appending)

    def remove(self, name: bytes) -> None:
        """Delete a regular file."""
        with self._place(name) as (folder, leaf):
            _check_regular(folder, leaf)
            os.unlink(leaf, dir_fd=folder)

    def rename(self, old: bytes, new: bytes) -> None:
        """Give a regular file another name, replacing a regular file of that name."""
        with self._place(old) as (old_folder, old_leaf), self._place(new) as (new_folder, new_leaf):
            _check_regular(old_folder, old_leaf)
            _check_regular(new_folder, new_leaf, missing_ok=True)
            os.rename(old_leaf, new_leaf, src_dir_fd=old_folder, dst_dir_fd=new_folder)

    def close(self) -> None:
        """Let go of the directory."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    @contextmanager
    def _place(self, name: bytes) -> Iterator[tuple[int, bytes]]:
        """The open folder that holds ``name``, and its last component."""
        *folders, leaf = _components(name)
        folder = os.dup(self._root)
        try:
            for component in folders:
                inner = _open_folder(component, folder)
                os.close(folder)
                folder = inner
            yield folder, leaf
        finally:
            os.close(folder)

    def _may_create(self) -> bool:
        self._created += 1
        if self._created <= MOST_CREATED:
            return True
        self._note(f"semihosting: no more than {MOST_CREATED} files are created in one run")
        return False

    def _spend(self, size_bytes: int) -> bool:
        if size_bytes <= self._budget:
            self._budget -= size_bytes
            return True
        self._note("semihosting: writes to files beyond the limit of one run failed")
        return False

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _components(name: bytes) -> list[bytes]:
    if len(name) > MOST_NAME_BYTES:
        raise RefusedError("name too long", errno.ENAMETOOLONG)
    if name.startswith(b"/") or b"\0" in name:
        raise RefusedError("absolute name")
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise RefusedError("name leads upwards")
    if not parts or name.endswith(b"/"):
        raise OSError(errno.ENOENT, "no file's name")
    if len(parts) > MOST_DEPTH or max(len(part) for part in parts) > MOST_COMPONENT_BYTES:
        raise RefusedError("name too long", errno.ENAMETOOLONG)
    return parts


def _open_folder(name: bytes, within: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)
    except OSError as error:
        # A link shows as ENOTDIR or ELOOP, depending on the host.
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise RefusedError("a component is no directory", error.errno) from None
        raise


def _check_regular(folder: int, leaf: bytes, *, missing_ok: bool = False) -> bool:
    """Whether the file exists. It must be a regular one: opening a device may already do something."""
    try:
        info = os.stat(leaf, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        if missing_ok:
            return False
        raise
    if not stat.S_ISREG(info.st_mode):
        raise RefusedError("no regular file")
    return True
