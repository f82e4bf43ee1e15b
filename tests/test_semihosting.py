"""Semihosting calls one by one: results, console, virtual time, and what they do with pointers to nowhere."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vtarget.shell.boardlib import load_board
from vtarget.shell.console import ConsoleInput
from vtarget.shell.engine import Engine
from vtarget.shell.hostfiles import HostFiles
from vtarget.shell.semihosting import Blocked, Console, FirmwareExit, Semihosting, signed

OPEN, CLOSE, WRITEC, WRITE0, WRITE, READ, READC, ISERROR, ISTTY, SEEK, FLEN = *range(1, 11), 0x0C
TMPNAM, REMOVE, RENAME, CLOCK, TIME, SYSTEM, ERRNO = 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13
GET_CMDLINE, HEAPINFO, EXIT, EXIT_EXTENDED, ELAPSED, TICKFREQ = 0x15, 0x16, 0x18, 0x20, 0x30, 0x31
FAILED = 0xFFFFFFFF

RAM, RAM_END, FLASH, NOWHERE = 0x20000000, 0x20030000, 0x08000000, 0x70000000
LAST_RAM_END = 0x200A0000
BLOCK, TEXT = RAM, RAM + 0x100
CLOCK_HZ = 120_000_000


class Host:
    """A semihosting host with the memory of a board, and a clock that a test sets."""

    def __init__(self, console_limit: int = 1 << 20, **options: Any) -> None:
        board = load_board("nucleo-l4r5zi")
        self.engine = Engine(board)
        self.console = Console(console_limit)
        self.cycles = 0
        self.semihosting = Semihosting(
            self.engine, self.console, lambda: self.cycles, CLOCK_HZ, covers=board.covers, **options
        )

    def words(self, *values: int) -> int:
        """Write an argument block; its address."""
        self.engine.write(BLOCK, struct.pack(f"<{len(values)}I", *values))
        return BLOCK

    def text(self, data: bytes, address: int = TEXT) -> int:
        """Write bytes; their address."""
        self.engine.write(address, data)
        return address

    def named(self, name: bytes) -> tuple[int, int]:
        """Write a name; its address and length, as calls take them."""
        return self.text(name + b"\0"), len(name)

    def open(self, name: bytes, mode: int) -> FirmwareExit | Blocked | int:
        """SYS_OPEN."""
        pointer, length = self.named(name)
        return self(OPEN, self.words(pointer, mode, length))

    def __call__(self, operation: int, argument: int = 0) -> FirmwareExit | Blocked | int:
        return self.semihosting.call(operation, argument)


@pytest.fixture
def host() -> Host:
    return Host()


# Printing.


def test_write0_prints_up_to_the_terminator(host: Host) -> None:
    assert host(WRITE0, host.text(b"Hello\n\0rest")) == 0
    assert host(WRITE0, host.text(b"\0")) == 0
    assert host(WRITE0, host.text(b"x" * 200 + b"\0", RAM + 0x13F)) == 0
    assert host.console.text == "Hello\n" + "x" * 200


def test_writec_prints_a_character(host: Host) -> None:
    for character in b"a\nb":
        assert host(WRITEC, host.text(bytes([character]))) == 0
    assert host.console.text == "a\nb"


@pytest.mark.parametrize("handle", [2, 3])
def test_write_prints_and_says_that_nothing_is_left(handle: int, host: Host) -> None:
    assert host(WRITE, host.words(handle, host.text(b"a\0b"), 3)) == 0
    assert host(WRITE, host.words(handle, host.text(b"a\0b"), 0)) == 0
    assert host.console.text == "a\0b"


@pytest.mark.parametrize("handle", [0, 1, 4, 0xFFFFFFFF])
def test_write_to_other_handles_leaves_everything(handle: int, host: Host) -> None:
    assert host(WRITE, host.words(handle, host.text(b"abc"), 3)) == 3
    assert host.console.text == ""


def test_bytes_that_are_no_text_are_replaced(host: Host) -> None:
    host(WRITE0, host.text(b"\xff\xc3\xa9\x1b[31m\0"))
    assert host.console.text == "\ufffdé\x1b[31m"


def test_the_console_is_bounded() -> None:
    host = Host(console_limit=10)
    host(WRITE0, host.text(b"12345678\0"))
    host(WRITE0, host.text(b"abcd\0"))
    host(WRITE0, host.text(b"efgh\0"))
    assert (host.console.text, host.console.dropped_bytes) == ("12345678ab", 6)


# Bad pointers and strings.


@pytest.mark.parametrize("address", [NOWHERE, 0, 0xFFFFFFFF, RAM - 1, LAST_RAM_END])
@pytest.mark.parametrize(
    "operation", [OPEN, WRITEC, WRITE0, WRITE, READ, ISERROR, ISTTY, EXIT_EXTENDED, ELAPSED], ids=hex
)
def test_a_bad_argument_pointer_gives_the_error_result(operation: int, address: int, host: Host) -> None:
    assert host(operation, address) == FAILED
    assert host.console.text == ""


def test_an_argument_block_across_the_end_of_memory_gives_the_error_result(host: Host) -> None:
    assert host(WRITE, LAST_RAM_END - 8) == FAILED
    assert host(ELAPSED, LAST_RAM_END - 4) == FAILED
    assert host(ELAPSED, LAST_RAM_END - 8) == 0


@pytest.mark.parametrize("length", [3, 0x7FFFFFFF, 0xFFFFFFFF])
def test_bad_buffers_are_not_printed(length: int, host: Host) -> None:
    assert host(WRITE, host.words(2, NOWHERE, length)) != 0
    assert host(OPEN, host.words(NOWHERE, 4, length)) == FAILED
    assert host.console.text == ""


def test_a_string_that_runs_out_of_memory_is_not_printed(host: Host) -> None:
    host.text(b"a" * 100, LAST_RAM_END - 100)
    assert host(WRITE0, LAST_RAM_END - 100) == FAILED
    assert host.console.text == ""


def test_an_unterminated_string_is_cut(host: Host) -> None:
    host.text(b"z" * 0x12000)
    assert host(WRITE0, TEXT) == 0
    assert host.console.text == "z" * 0x10000


def test_registers_are_no_memory(host: Host) -> None:
    reads: list[int] = []
    host.engine.map_registers(0x40000000, 0x20000000, lambda a, _n: reads.append(a) or 0, lambda _a, _n, _v: None)
    assert host(WRITE, host.words(2, 0x40000000, 0x20000000)) == 0x20000000
    assert host(WRITE0, 0x40000000) == FAILED
    assert reads == []


# Files: without a directory only the console exists.


@pytest.mark.parametrize(("mode", "handle"), [(0, 1), (3, 1), (4, 2), (7, 2), (8, 3), (11, 3)])
def test_console_streams_open_by_mode(mode: int, handle: int, host: Host) -> None:
    assert host(OPEN, host.words(host.text(b":tt\0"), mode, 3)) == handle
    assert host(ISTTY, host.words(handle)) == 1
    assert host(CLOSE, host.words(handle)) == 0
    assert host.semihosting.unknown == {}


@pytest.mark.parametrize("name", [b"/etc/passwd", b"out.txt", b":t", b""])
def test_other_files_do_not_open_and_that_is_counted(name: bytes, host: Host) -> None:
    assert host(OPEN, host.words(host.text(name + b"\0"), 0, len(name))) == FAILED
    assert host.semihosting.unknown == {OPEN: 1}


def test_reading_the_console_finds_its_end(host: Host) -> None:
    host.text(b"kept")
    assert host(READ, host.words(1, TEXT, 4)) == 4  # bytes not read
    assert host.engine.read(TEXT, 4) == b"kept"


def test_small_answers(host: Host) -> None:
    assert host(ERRNO) == 0
    assert host(ISERROR, host.words(0)) == 0
    assert host(ISERROR, host.words(12)) == 0
    assert host(ISERROR, host.words(FAILED)) == 1
    assert host(FLEN, host.words(1)) == 0
    assert host.semihosting.unknown == {}


@pytest.mark.parametrize(
    "operation", [SEEK, TMPNAM, REMOVE, RENAME, SYSTEM, GET_CMDLINE, 0x17, 0x19, 0x100, 0xFFFFFFFF], ids=hex
)
def test_other_operations_are_refused_and_counted(operation: int, host: Host) -> None:
    """Among them those that would reach the host: system, remove, rename."""
    block = host.words(host.text(b"touch /tmp/x\0"), 12, 0, 0)
    assert host(operation, block) == FAILED
    assert host(operation, block) == FAILED
    assert host.semihosting.unknown == {operation: 2}


# Ends.


@pytest.mark.parametrize(
    ("reason", "code", "exit_code"),
    [(0x20026, 0, 0), (0x20026, 5, 5), (0x20026, 0xFFFFFFFF, -1), (0x20026, 256, 256), (0x20023, 0, 1)],
)
def test_extended_exit(reason: int, code: int, exit_code: int, host: Host) -> None:
    assert host(EXIT_EXTENDED, host.words(reason, code)) == FirmwareExit(exit_code)


@pytest.mark.parametrize(("reason", "exit_code"), [(0x20026, 0), (0x20023, 1), (0, 1)])
def test_plain_exit(reason: int, exit_code: int, host: Host) -> None:
    assert host(EXIT, reason) == FirmwareExit(exit_code)


def test_signed_words() -> None:
    assert [signed(w) for w in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)] == [0, 2**31 - 1, -(2**31), -1]


# Time is virtual.


def test_time_is_counted_in_cycles_since_reset(host: Host) -> None:
    host.cycles = 3 * CLOCK_HZ + CLOCK_HZ // 2
    assert host(CLOCK) == 350  # centiseconds
    assert host(TIME) == 3
    assert host(TICKFREQ) == CLOCK_HZ
    assert host(ELAPSED, BLOCK) == 0
    assert int.from_bytes(host.engine.read(BLOCK, 8), "little") == 420_000_000
    assert host.semihosting.clock_reads == 4


@pytest.mark.parametrize("address", [FLASH, FLASH + 0x1000, RAM - 4, LAST_RAM_END - 7])
def test_answers_are_stored_only_where_stores_reach(address: int, host: Host) -> None:
    host.engine.write(FLASH, b"\x55" * 16)
    assert host(ELAPSED, address) == FAILED
    assert host.engine.read(FLASH, 16) == b"\x55" * 16


def test_no_call_raises() -> None:
    """Any operation with any of these arguments answers a word or ends the run."""
    host = Host()
    arguments: list[Callable[[], int]] = [
        lambda: 0,
        lambda: FAILED,
        lambda: host.words(FAILED, FAILED, FAILED, FAILED),
        lambda: host.words(2, NOWHERE, 1 << 20),
        lambda: host.words(RAM, 0, RAM_END - RAM),
        lambda: 0xE0001000,
    ]
    for operation in [*range(0x40), 0xFF, 0x100, FAILED]:
        for argument in arguments:
            answer = host(operation, argument())
            assert isinstance(answer, FirmwareExit) or (isinstance(answer, int) and 0 <= answer <= FAILED)


# The rest of the console.


def test_a_gigabyte_of_output_is_cut_at_the_limit() -> None:
    host = Host(console_limit=100_000)
    host.text(b"w" * 0x10000)
    for _ in range(1 << 14):
        assert host(WRITE, host.words(2, TEXT, 0x10000)) == 0
    assert len(host.console.text) == 100_000
    assert host.console.dropped_bytes == (1 << 30) - 100_000


def test_one_write_of_more_than_there_is_prints_nothing(host: Host) -> None:
    assert host(WRITE, host.words(2, RAM, 1 << 30)) == 1 << 30
    assert host.console.text == ""


def test_console_input_is_read_as_it_came() -> None:
    typed = ConsoleInput()
    host = Host(stdin=typed)
    assert host(READC) == Blocked()
    assert host(READ, host.words(1, TEXT, 8)) == Blocked()
    for byte in b"hello":
        typed.receive(byte)
    assert host(READC) == ord("h")
    assert host(READ, host.words(1, TEXT, 3)) == 0
    assert host.engine.read(TEXT, 3) == b"ell"
    assert host(READ, host.words(1, TEXT, 8)) == 7
    assert host.engine.read(TEXT, 1) == b"o"
    typed.may_come = lambda: False
    assert host(READ, host.words(1, TEXT, 8)) == 8
    assert host(READC) == FAILED


def test_input_is_not_lost_to_a_bad_buffer() -> None:
    typed = ConsoleInput()
    host = Host(stdin=typed)
    typed.receive(65)
    for pointer in (NOWHERE, FLASH, LAST_RAM_END - 1):
        assert host(READ, host.words(1, pointer, 2)) == FAILED
    assert host(READC) == 65


def test_unread_input_is_bounded() -> None:
    typed = ConsoleInput()
    for _ in range(0x10000 + 5):
        typed.receive(1)
    assert (len(typed.read(1 << 30)), typed.dropped_bytes) == (0x10000, 5)


# What the firmware asks about itself.


def test_heap_information_leaves_the_layout_to_the_firmware(host: Host) -> None:
    """Zeros: newlib's start-up code then keeps its own heap base, heap limit and stack."""
    host.text(b"\xff" * 20)
    assert host(HEAPINFO, host.words(TEXT)) == 0
    assert host.engine.read(TEXT, 20) == bytes(16) + b"\xff" * 4
    assert host(HEAPINFO, host.words(FLASH)) == FAILED
    assert host(HEAPINFO, host.words(LAST_RAM_END - 12)) == FAILED


def test_command_line() -> None:
    host = Host(command_line="fw.elf -n 5")
    assert host(GET_CMDLINE, host.words(TEXT, 12)) == 0
    assert host.engine.read(TEXT, 12) == b"fw.elf -n 5\0"
    assert host.engine.read(BLOCK + 4, 4) == b"\x0b\0\0\0"
    assert host(GET_CMDLINE, host.words(TEXT, 11)) == FAILED
    assert host(ERRNO) == errno.E2BIG
    assert host(GET_CMDLINE, host.words(FLASH, 80)) == FAILED


def test_features(host: Host) -> None:
    for mode in range(2, 12):
        assert host.open(b":semihosting-features", mode) == FAILED
    handles = [host.open(b":semihosting-features", mode) for mode in (0, 1)]
    assert handles == [4, 5]
    assert host(FLEN, host.words(4)) == 5
    assert host(ISTTY, host.words(4)) == 0
    assert host(READ, host.words(4, TEXT, 4)) == 0
    assert host.engine.read(TEXT, 4) == b"SHFB"
    assert host(READ, host.words(4, TEXT, 4)) == 3
    assert host.engine.read(TEXT, 1) == b"\x03"  # exit with code, stdout apart from stderr
    assert host(READ, host.words(4, TEXT, 4)) == 4
    assert host(SEEK, host.words(5, 3)) == 0
    assert host(READ, host.words(5, TEXT, 1)) == 0
    assert host.engine.read(TEXT, 1) == b"B"
    assert host(WRITE, host.words(4, TEXT, 4)) == 4
    assert host(CLOSE, host.words(4)) == 0
    assert host(CLOSE, host.words(4)) == FAILED
    assert host(ERRNO) == errno.EBADF
    assert host.semihosting.unknown == {}


@pytest.mark.parametrize("operation", [CLOSE, FLEN, ISTTY], ids=hex)
def test_handles_that_are_not_open(operation: int, host: Host) -> None:
    for handle in (0, 4, 99, FAILED):
        assert host(operation, host.words(handle)) == FAILED
    assert host(READ, host.words(7, TEXT, 4)) == FAILED


# Files in a directory.


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "in").mkdir()
    host = Host(files=HostFiles(str(tmp_path / "in")))
    yield host
    host.semihosting.close()


def test_a_file_is_written_and_read_back(filed: Host, tmp_path: Path) -> None:
    handle = filed.open(b"data.bin", 4)
    assert handle == 4
    filed.text(b"0123456789")
    assert filed(WRITE, filed.words(4, TEXT, 10)) == 0
    assert filed(FLEN, filed.words(4)) == 10
    assert filed(ISTTY, filed.words(4)) == 0
    assert filed(CLOSE, filed.words(4)) == 0
    assert (tmp_path / "in/data.bin").read_bytes() == b"0123456789"
    assert filed.open(b"data.bin", 0) == 4
    assert filed(SEEK, filed.words(4, 7)) == 0
    assert filed(READ, filed.words(4, TEXT + 0x40, 100)) == 97
    assert filed.engine.read(TEXT + 0x40, 3) == b"789"
    assert filed(READ, filed.words(4, TEXT + 0x40, 100)) == 100
    assert filed(WRITE, filed.words(4, TEXT, 2)) == 2
    assert filed(ERRNO) == errno.EBADF
    assert filed.semihosting.unknown == {}


def test_large_transfers_go_through_in_one_call(filed: Host, tmp_path: Path) -> None:
    content = bytes(range(256)) * 0x500
    filed.text(content)
    filed.open(b"big", 4)
    assert filed(OPEN, filed.words(filed.text(b"big", RAM + 0x60000), 4, 3)) == 5
    filed.text(content)
    assert filed(WRITE, filed.words(4, TEXT, len(content))) == 0
    assert (tmp_path / "in/big").read_bytes() == content
    assert filed(SEEK, filed.words(4, 0)) == 0
    assert filed(READ, filed.words(4, TEXT, 4)) == FAILED  # opened to write only
    assert filed(OPEN, filed.words(filed.text(b"big", RAM + 0x60000), 0, 3)) == 6
    assert filed(READ, filed.words(6, TEXT + 0x20000, len(content))) == 0
    assert filed.engine.read(TEXT + 0x20000, len(content)) == content


def test_missing_files_are_no_refusals(filed: Host) -> None:
    assert filed.open(b"none", 0) == FAILED
    assert filed(ERRNO) == errno.ENOENT
    assert filed(REMOVE, filed.words(*filed.named(b"none"))) == FAILED
    assert filed.semihosting.unknown == {}


@pytest.mark.parametrize("name", [b"/etc/passwd", b"../secret", b"a/../../secret", b"link", b"up/secret", b"fifo"])
def test_names_that_lead_outside_are_refused_and_counted(name: bytes, filed: Host, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "in/link").symlink_to(tmp_path / "secret")
    (tmp_path / "in/up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "in/fifo")
    for mode in range(12):
        assert filed.open(name, mode) == FAILED
    assert filed(REMOVE, filed.words(*filed.named(name))) == FAILED
    good = filed.text(b"good", TEXT + 0x400)
    assert filed(RENAME, filed.words(*filed.named(name), good, 4)) == FAILED
    assert filed.semihosting.unknown == {OPEN: 12, REMOVE: 1, RENAME: 1}
    assert (tmp_path / "secret").read_text() == "secret"
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["fifo", "link", "up"]


def test_commands_are_refused_even_with_a_directory(filed: Host) -> None:
    assert filed(SYSTEM, filed.words(*filed.named(b"touch x"))) == FAILED
    assert filed.semihosting.unknown == {SYSTEM: 1}


def test_the_number_of_open_files_is_bounded(filed: Host) -> None:
    handles = [filed.open(b"f%d" % i, 4) for i in range(20)]
    assert handles == [*range(4, 20), *[FAILED] * 4]
    assert filed(ERRNO) == errno.EMFILE
    assert filed(CLOSE, filed.words(9)) == 0
    assert filed.open(b"again", 4) == 9


def test_rename_remove_and_temporary_names(filed: Host, tmp_path: Path) -> None:
    assert filed(TMPNAM, filed.words(TEXT, 7, 20)) == 0
    name = filed.engine.read(TEXT, 13)
    assert name == b"semihost.007\0"
    assert filed(TMPNAM, filed.words(TEXT, 7, 12)) == FAILED
    assert filed(TMPNAM, filed.words(TEXT, 256, 20)) == FAILED
    assert filed.open(name[:-1], 6) == 4
    new = filed.text(b"new", TEXT + 0x400)
    assert filed(RENAME, filed.words(*filed.named(name[:-1]), new, 3)) == 0
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["new"]
    assert filed(REMOVE, filed.words(*filed.named(b"new"))) == 0
    assert list((tmp_path / "in").iterdir()) == []


def test_no_call_with_files_raises(filed: Host) -> None:
    filed.open(b"file", 6)
    blocks = [
        (4, NOWHERE, 1 << 30),
        (FAILED, FAILED, FAILED),
        (TEXT, 4, 4, FAILED),
        (4, RAM, 0xFFFFFFFF),
        (4, FLASH, 9),
    ]
    for operation in range(0x40):
        if operation in (EXIT, EXIT_EXTENDED):
            continue
        for block in blocks:
            answer = filed(operation, filed.words(*block))
            assert isinstance(answer, int) and 0 <= answer <= FAILED
