"""Semihosting calls one by one: results, console, virtual time, and what they do with pointers to nowhere."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from vtarget.shell.boardlib import load_board
from vtarget.shell.engine import Engine
from vtarget.shell.semihosting import Console, FirmwareExit, Semihosting, signed

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

    def __init__(self, console_limit: int = 1 << 20) -> None:
        self.engine = Engine(load_board("nucleo-l4r5zi"))
        self.console = Console(console_limit)
        self.cycles = 0
        self.semihosting = Semihosting(self.engine, self.console, lambda: self.cycles, CLOCK_HZ)

    def words(self, *values: int) -> int:
        """Write an argument block; its address."""
        self.engine.write(BLOCK, struct.pack(f"<{len(values)}I", *values))
        return BLOCK

    def text(self, data: bytes, address: int = TEXT) -> int:
        """Write bytes; their address."""
        self.engine.write(address, data)
        return address

    def __call__(self, operation: int, argument: int = 0) -> FirmwareExit | int:
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


# Files: only the console exists.


@pytest.mark.parametrize(("mode", "handle"), [(0, 1), (3, 1), (4, 2), (7, 2), (8, 3), (11, 3)])
def test_console_streams_open_by_mode(mode: int, handle: int, host: Host) -> None:
    assert host(OPEN, host.words(host.text(b":tt\0"), mode, 3)) == handle
    assert host(ISTTY, host.words(handle)) == 1
    assert host(CLOSE, host.words(handle)) == 0
    assert host.semihosting.unknown == {}


@pytest.mark.parametrize("name", [b"/etc/passwd", b"out.txt", b":semihosting-features", b":t", b""])
def test_other_files_do_not_open_and_that_is_counted(name: bytes, host: Host) -> None:
    assert host(OPEN, host.words(host.text(name + b"\0"), 0, len(name))) == FAILED
    assert host.semihosting.unknown == {OPEN: 1}


def test_reading_the_console_finds_its_end(host: Host) -> None:
    host.text(b"kept")
    assert host(READ, host.words(1, TEXT, 4)) == 4  # bytes not read
    assert host.engine.read(TEXT, 4) == b"kept"


def test_small_answers(host: Host) -> None:
    assert host(ISTTY, host.words(9)) == 0
    assert host(ISERROR, host.words(0)) == 0
    assert host(ISERROR, host.words(12)) == 0
    assert host(ISERROR, host.words(FAILED)) == 1
    assert host(FLEN, host.words(1)) == 0
    assert host(ERRNO) == 0
    assert host.semihosting.unknown == {}


@pytest.mark.parametrize(
    "operation", [READC, SEEK, TMPNAM, REMOVE, RENAME, SYSTEM, GET_CMDLINE, HEAPINFO, 0x100, 0xFFFFFFFF], ids=hex
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
            assert isinstance(answer, FirmwareExit) or 0 <= answer <= FAILED
