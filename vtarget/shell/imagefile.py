"""Firmware files of any format, by content."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.data.image import Image
from vtarget.shell.elf import read_elf
from vtarget.shell.hexbin import read_bin, read_hex

MOST_FILE_BYTES = 256 << 20

_HEX = re.compile(rb":|\s+:[0-9A-Fa-f]{8}")
_FOREIGN = (
    (re.compile(rb"UF2\n"), "a UF2 file", "give the ELF, HEX or BIN it was made from"),
    (re.compile(rb"S0[0-9A-Fa-f]{6}"), "a Motorola S-record file", "convert it with objcopy -I srec -O ihex"),
    (re.compile(rb"!<arch>\n"), "an archive of object files", "link it into an executable"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive", "unpack it first"),
    (re.compile(rb"\x1f\x8b\x08"), "a gzip file", "unpack it first"),
    (re.compile(rb"MZ"), "a DOS or Windows executable", None),
)


def load_image(path: str, *, base: int | None = None) -> Image:
    """The firmware in the file ``path``: ELF or Intel HEX by content, else raw bytes at address ``base``.

    ``base`` has no say in formats that carry addresses. Raises InputError, one line, for a file that can't be read or
    loaded.
    """
    data = _read(path)
    if data.startswith(b"\x7fELF"):
        return read_elf(path, data)
    if _HEX.match(data):
        return read_hex(path, data)
    for magic, what, hint in _FOREIGN:
        if magic.match(data):
            raise InputError(f"{path}: is {what}, expected ELF, Intel HEX or raw BIN", hint=hint)
    if base is None:
        raise InputError(
            f"{path}: neither ELF nor Intel HEX, and a raw BIN needs an address",
            hint="give where it is loaded, as in --base 0x08000000",
        )
    return read_bin(path, data, base)


def _read(path: str) -> bytes:
    try:
        info = Path(path).stat()
        if stat.S_ISDIR(info.st_mode):
            raise InputError(f"{path}: is a directory, expected a firmware file")
        if not stat.S_ISREG(info.st_mode):
            raise InputError(f"{path}: is no regular file")
        if info.st_size > MOST_FILE_BYTES:
            raise InputError(f"{path}: {info.st_size} bytes, at most {MOST_FILE_BYTES >> 20} MiB are supported")
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read: {os.strerror(error.errno or 0)}") from error
    except ValueError as error:
        raise InputError(f"{path}: can't be read: {error}") from error
    if not data:
        raise InputError(f"{path}: empty file")
    return data
