"""Firmware files by content, and files that can't be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from elfwriter import minimal

from vtarget.base.errors import InputError
from vtarget.shell import imagefile
from vtarget.shell.imagefile import load_image

HEX = b":020000040800F2\n:0400000001020304F2\n:00000001FF\n"


def put(directory: Path, name: str, data: bytes) -> str:
    path = directory / name
    path.write_bytes(data)
    return str(path)


def message(path: str, **options: int) -> str:
    with pytest.raises(InputError) as caught:
        load_image(path, **options)
    assert caught.value.exit_code == 2
    return caught.value.one_line().removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("data", "expected"),
    [(bytes(minimal()), "elf"), (HEX, "hex"), (b"\r\n " + HEX, "hex"), (b"\0\x10\0\x20\x01\1\0\x08", "bin")],
)
def test_format_by_content_whatever_the_name(tmp_path: Path, data: bytes, expected: str) -> None:
    path = put(tmp_path, "firmware.xyz", data)
    image = load_image(path, base=0x08000000)
    assert (image.format, image.path) == (expected, path)
    assert image.segments[0].load_address == 0x08000000


def test_stack_pointer_that_reads_like_a_hex_file_is_still_a_bin(tmp_path: Path) -> None:
    path = put(tmp_path, "fw.bin", (0x20003A20).to_bytes(4, "little") + bytes(12))
    assert load_image(path, base=0x08000000).format == "bin"


def test_sha256_is_of_the_file(tmp_path: Path) -> None:
    path = put(tmp_path, "fw.hex", HEX)
    assert load_image(path).sha256 == "4a3b6b497d7d521a854a96ad003e68b3071ebea97cd71c85f9604c4be09b6916"


def test_bin_without_base(tmp_path: Path) -> None:
    assert message(put(tmp_path, "fw.bin", bytes(64))) == (
        "neither ELF nor Intel HEX, and a raw BIN needs an address "
        "(hint: give where it is loaded, as in --base 0x08000000)"
    )


def test_unreadable_files(tmp_path: Path) -> None:
    assert message(str(tmp_path / "none.elf")) == "no such file"
    assert message(str(tmp_path)) == "is a directory, expected a firmware file"
    assert message(put(tmp_path, "empty.elf", b"")) == "empty file"
    assert message(put(tmp_path, "file", b"x") + "/fw.elf") == "can't be read: Not a directory"
    assert message("fw\0.elf").startswith("fw\\x00.elf: can't be read: ")
    os.mkfifo(tmp_path / "pipe")
    assert message(str(tmp_path / "pipe")) == "is no regular file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_forbidden_file(tmp_path: Path) -> None:
    path = put(tmp_path, "fw.elf", bytes(minimal()))
    Path(path).chmod(0)
    assert message(path) == "can't be read: Permission denied"


def test_failing_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = put(tmp_path, "fw.elf", bytes(minimal()))
    monkeypatch.setattr(Path, "read_bytes", fail)
    assert message(path) == "can't be read: Permission denied"


def test_too_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.elf"
    with path.open("wb") as file:
        file.truncate((256 << 20) + 1)
    assert message(str(path)) == "268435457 bytes, at most 256 MiB are supported"
    assert imagefile.MOST_FILE_BYTES == 268435456


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            b"UF2\n" + bytes(508),
            "is a UF2 file, expected ELF, Intel HEX or raw BIN (hint: give the ELF, HEX or BIN it was made from)",
        ),
        (
            b"S00600004844521B\n",
            "is a Motorola S-record file, expected ELF, Intel HEX or raw BIN "
            "(hint: convert it with objcopy -I srec -O ihex)",
        ),
        (
            b"!<arch>\n",
            "is an archive of object files, expected ELF, Intel HEX or raw BIN (hint: link it into an executable)",
        ),
        (b"PK\x03\x04", "is a ZIP archive, expected ELF, Intel HEX or raw BIN (hint: unpack it first)"),
        (b"\x1f\x8b\x08\x00", "is a gzip file, expected ELF, Intel HEX or raw BIN (hint: unpack it first)"),
    ],
)
def test_foreign_formats_are_named_even_with_a_base(tmp_path: Path, data: bytes, expected: str) -> None:
    assert message(put(tmp_path, "fw.bin", data), base=0) == expected


def test_broken_files_keep_their_path_in_the_message(tmp_path: Path) -> None:
    assert message(put(tmp_path, "cut.elf", bytes(minimal())[:30])) == (
        "truncated: the ELF header takes 52 bytes, the file has 30"
    )
    assert message(put(tmp_path, "cut.hex", HEX[:-12])) == "truncated: no end-of-file record"
    assert message(put(tmp_path, "torn.hex", HEX[:-6])) == "line 3 is no Intel HEX record"
