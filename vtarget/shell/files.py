"""Files that users name: written whole or not at all, read up to a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vtarget.base.errors import InputError


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to a file whole or not at all; what is no regular file (a device, a pipe) is just written to.

    A symbolic link keeps pointing where it does. Raises OSError.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def check_target(path: str, option: str) -> None:
    """InputError if a file obviously can't be written there, or must not: no result goes over a YAML file, which people
    write. Better before a long run than after it."""
    target = Path(path)
    if target.is_dir():
        raise InputError(f"{option} {path}: is a directory")
    if not target.absolute().parent.is_dir():
        raise InputError(f"{option} {path}: no such directory: {target.parent}")
    if target.suffix.lower() in (".yaml", ".yml") and target.exists():
        raise InputError(f"{option} {path}: exists, and YAML is written by people: it is left alone")


def read_file(path: str, option: str, most_bytes: int) -> bytes:
    """A regular file's bytes. InputError if it is none, can't be read, or has more than ``most_bytes``."""
    try:
        info = Path(path).stat()
        if not stat.S_ISREG(info.st_mode):
            kind = "is a directory" if stat.S_ISDIR(info.st_mode) else "is no regular file"
            raise InputError(f"{option} {path}: {kind}")
        if info.st_size > most_bytes:
            raise InputError(f"{option} {path}: {info.st_size} bytes, at most {most_bytes} are supported")
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror or error}") from None
