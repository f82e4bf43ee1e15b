"""The client of the remote protocol and the probe made of it, against a board that isn't there."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fakeboard import BLOCK_BYTES, FLASH, RAM, At, FakeBoard, served
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.errors import InputError
from vtarget.data.image import Image, Segment
from vtarget.shell.gdb.packets import Decoder, Packet, encode, expand
from vtarget.shell.probes import gdbprobe
from vtarget.shell.probes.errors import (
    ConnectionLostError,
    LockedChipError,
    NoProbeError,
    RefusedError,
    VerifyError,
    WrongDeviceError,
)
from vtarget.shell.probes.gdbclient import GdbClient, HostCall, Stop, parse_server, parse_stop
from vtarget.shell.probes.gdbprobe import GdbProbe, Stretch, parse_memory_map
from vtarget.shell.probes.probe import SERVED_BREAKPOINTS, comparators, identify, read_word, verify, write_word

RUN = (At(FLASH + 0x100), At(FLASH + 0x200, 10), At(FLASH + 0x300, 20))
IMAGE = Image(
    "fw.elf",
    "elf",
    "0" * 64,
    (
        Segment(FLASH, FLASH, bytes(range(256)) * 9, 2304, True),
        Segment(FLASH + 0x1004, RAM, b"$#}*" * 50, 200, False),
        Segment(RAM + 0x100, RAM + 0x100, b"in RAM", 6, False),
    ),
    FLASH,
)


@contextmanager
def probed(board: FakeBoard, *, naks: int = 0, answer_s: float = 5.0) -> Iterator[GdbProbe]:
    with served(board, naks=naks) as port:
        probe = GdbProbe("127.0.0.1", port, answer_s=answer_s)
        try:
            yield probe
        finally:
            probe.close()


@contextmanager
def scripted(*replies: bytes) -> Iterator[int]:
    """A server that sends a raw reply to each packet, and then nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listener.accept()
        decoder, left = Decoder(), list(replies)
        with peer:
            while data := peer.recv(4096):
                for event in decoder.feed(data):
                    if isinstance(event, Packet) and left:
                        peer.sendall(left.pop(0))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.close()


def wait_for(condition: Callable[[], bool]) -> None:
    """What was sent last is done a little later."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)


def test_places_of_servers() -> None:
    assert parse_server("localhost:3333") == ("localhost", 3333)
    assert parse_server(":2331") == ("127.0.0.1", 2331)
    assert parse_server("3333") == ("127.0.0.1", 3333)
    assert parse_server("[::1]:3333") == ("::1", 3333)
    for text in ("", "localhost", "host:", "host:0", "host:65536", "host:x"):
        with pytest.raises(InputError, match="no port"):
            parse_server(text)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(NoProbeError, match=f"no GDB server at port {port}"):
        GdbProbe("127.0.0.1", port)


def test_what_listens_is_no_gdb_server() -> None:
    with scripted(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(NoProbeError, match="is no GDB server"):
        GdbClient("127.0.0.1", port, answer_s=0.2)


def test_a_server_that_says_nothing_is_waited_for_only_so_long() -> None:
    begun = time.monotonic()
    with scripted() as port, pytest.raises(NoProbeError, match=r"no answer within 0\.2 s"):
        GdbClient("127.0.0.1", port, answer_s=0.2)
    assert time.monotonic() - begun < 3


def test_features_and_packet_size() -> None:
    with scripted(b"+" + encode(b"PacketSize=3fff;vContSupported+;qXfer:memory-map:read+;foo-;bar?")) as port:
        client = GdbClient("127.0.0.1", port)
        assert client.packet_bytes == 0x3000
        assert client.offers("qXfer:memory-map:read")
        assert not client.offers("foo") and not client.offers("bar") and not client.offers("QStartNoAckMode")
        client.close()


def test_answers_with_runs_of_equal_bytes_are_expanded() -> None:
    # GDB manual E.1: "0* " is four zeros.
    assert expand(b"0* ") == b"0000"
    assert expand(b'a0*"b}*c') == b"a000000b}*c"
    assert expand(b"*x") == b"x"
    with scripted(b"+" + encode(b""), b"+$0* 12#" + b"%02x" % (sum(b"0* 12") & 0xFF)) as port:
        client = GdbClient("127.0.0.1", port)
        assert client.ask(b"m0,3") == b"000012"
        client.close()


@given(st.binary(max_size=60))
def test_expanding_what_has_no_runs_changes_nothing(data: bytes) -> None:
    assert expand(data.replace(b"*", b"+")) == data.replace(b"*", b"+")


def test_a_garbled_answer_is_not_taken() -> None:
    with scripted(b"+" + encode(b""), b"+$1234#00") as port:
        client = GdbClient("127.0.0.1", port, answer_s=0.3)
        with pytest.raises(ConnectionLostError, match="no answer within"):
            client.ask(b"m0,2")


def test_packets_that_the_server_refuses_are_sent_again() -> None:
    board = FakeBoard(RUN, offers=b"PacketSize=400")
    with probed(board, naks=3) as probe:
        assert read_word(probe, 0xE000ED00) == 0x410FC241
    assert len([packet for packet in board.packets if packet.startswith(b"qSupported")]) == 1


def test_a_server_that_refuses_every_packet_is_given_up() -> None:
    with served(FakeBoard(RUN), naks=10_000) as port, pytest.raises(NoProbeError, match="refuses a packet"):
        GdbClient("127.0.0.1", port, answer_s=2)


def test_stop_replies() -> None:
    assert parse_stop(b"T05thread:1;") == Stop("S", 5)
    assert parse_stop(b"S0b") == Stop("S", 11)
    assert parse_stop(b"W2a") == Stop("W", 42)
    assert parse_stop(b"X09;process:1") == Stop("X", 9)
    assert parse_stop(b"Fwrite,1,20000000,5") == HostCall("write", (1, 0x20000000, 5))
    assert parse_stop(b"Fopen,100/5,-1") == HostCall("open", (0x100, -1))
    assert [parse_stop(data) for data in (b"", b"T", b"Wxy", b"OK", b"Fwrite,zz")] == [None] * 5


def test_memory_and_registers() -> None:
    board = FakeBoard(RUN)
    with probed(board) as probe:
        data = bytes(range(256)) * 8
        probe.write_memory(RAM, data)
        assert probe.read_memory(RAM, len(data)) == data
        write_word(probe, RAM + 4, 0xDEADBEEF)
        assert read_word(probe, RAM + 4) == 0xDEADBEEF
        assert probe.read_register("pc") == FLASH + 0x100
        probe.write_register("r1", 7)
        assert (probe.read_register("r1"), probe.read_register("r0")) == (7, 0)
        with pytest.raises(RefusedError, match=r"can't read memory at 0x40000000 \(it answers 'E01'\)"):
            probe.read_memory(0x40000000, 4)
        with pytest.raises(RefusedError, match="can't write memory at 0x40000000"):
            probe.write_memory(0x40000000, b"1234")


def test_too_few_bytes_of_memory_are_asked_for_again_and_too_many_refused() -> None:
    with probed(FakeBoard(RUN, answers={b"m20000000,4": b"0102", b"m20000002,2": b"0304"})) as probe:
        assert probe.read_memory(RAM, 4) == b"\x01\x02\x03\x04"
    with probed(FakeBoard(RUN, answers={b"m20000000": b"0102030405"})) as probe, pytest.raises(RefusedError):
        probe.read_memory(RAM, 4)


def test_registers_of_a_server_that_gives_them_all_at_once() -> None:
    registers = b"".join((0x100 + n).to_bytes(4, "little") for n in range(17)).hex().encode()
    with probed(FakeBoard(RUN, answers={b"p": b"", b"g": registers})) as probe:
        assert (probe.read_register("r3"), probe.read_register("sp")) == (0x103, 0x10D)
        assert probe.read_register("pc") == 0x10E


def test_flash_is_erased_in_blocks_and_holds_what_is_in_the_file() -> None:
    board = FakeBoard(RUN)
    board.flash[:] = bytes(len(board.flash))
    with probed(board) as probe:
        with pytest.raises(VerifyError, match=r"0x08000001: it holds 0x00, the file 0x01"):
            verify(probe, IMAGE)
        probe.flash(IMAGE)
        verify(probe, IMAGE)
    erased = [packet for packet in board.packets if packet.startswith(b"vFlashErase")]
    assert erased == [b"vFlashErase:%x,%x" % (FLASH + at, BLOCK_BYTES) for at in (0, 0x800, 0x1000)]
    assert board.packets.index(b"vFlashDone") > board.packets.index(erased[-1])
    assert board.ram[0x100:0x106] == b"in RAM"
    assert board.flash[0x1800] == 0


def test_what_lies_in_ram_is_written_after_every_reset_again() -> None:
    board = FakeBoard(RUN)
    with probed(board) as probe:
        probe.flash(IMAGE)
        assert not any(packet.startswith((b"vFlashErase:20", b"vFlashWrite:20")) for packet in board.packets)
        board.ram[0x100:0x106] = b"in use"  # the firmware has run
        probe.reset_halt()
        assert bytes(board.ram[0x100:0x106]) == b"in RAM"
        board.packets.clear()
        probe.reset_halt()
        assert not any(packet.startswith(b"vFlash") for packet in board.packets)


def test_memory_maps() -> None:
    text = """<?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "x" "y"><memory-map>
    <memory type='ram' start='0x20000000' length='4096'/>
    <memory type="flash" start="0x0" length="0x1000"><property name="blocksize">1024</property></memory></memory-map>"""
    assert parse_memory_map(text) == [
        Stretch(0x20000000, 0x20001000, "ram", 0),
        Stretch(0, 0x1000, "flash", 1024),
    ]
    assert parse_memory_map("") == []
    for bad in (
        '<memory type="flash" start="0" length="0x1000"/>',
        '<memory type="flash" start="0" length="0x1000"><property name="blocksize">0</property></memory>',
        '<memory type="ram" start="zero" length="4"/>',
        '<memory type="ram" start="0"/>',
    ):
        with pytest.raises(RefusedError):
            parse_memory_map(bad)


@pytest.mark.parametrize("dialect", ["reset halt", "reset", "system_reset"])
def test_each_server_is_reset_in_its_own_words(dialect: str) -> None:
    board = FakeBoard(RUN, resets=frozenset({dialect}))
    with probed(board) as probe:
        probe.set_breakpoint(FLASH + 0x300)
        probe.resume()
        halt = probe.wait_halt(2)
        assert halt is not None and halt.pc == FLASH + 0x300
        probe.reset_halt()
        assert (board.breakpoints, board.resets_made, probe.read_register("pc")) == (set(), 1, FLASH + 0x100)


def test_a_server_that_cannot_reset() -> None:
    with probed(FakeBoard(RUN, resets=frozenset())) as probe, pytest.raises(RefusedError, match="no reset command"):
        probe.reset_halt()
    with (
        probed(FakeBoard(RUN, answers={b"qRcmd": b""})) as probe,
        pytest.raises(RefusedError, match="no reset command"),
    ):
        probe.reset_halt()


def test_stops_waits_and_interrupts() -> None:
    board = FakeBoard(RUN)
    with probed(board) as probe:
        probe.set_breakpoint(FLASH + 0x200)
        probe.resume()
        halt = probe.wait_halt(2)
        assert halt is not None and (halt.pc, halt.signal, halt.ended) == (FLASH + 0x200, 5, False)
        assert probe.step().pc == FLASH + 0x300
        probe.resume()
        assert probe.wait_halt(0.1) is None
        halt = probe.halt()
        assert (halt.pc, halt.signal) == (FLASH + 0x300, 2)


def test_output_and_host_calls() -> None:
    board = FakeBoard(RUN, answers={b"c": encode(b"O" + b"hello ".hex().encode())[1:-3], b"F": b"W07"})
    board.ram[:5] = b"world"
    with probed(board) as probe:
        probe.resume()
        assert probe.wait_halt(0.1) is None
        assert probe.console() == "hello "
        board.answers[b"c"] = b"Fwrite,1,20000000,5"
        probe.resume()
        halt = probe.wait_halt(2)
        assert halt is not None and (halt.ended, halt.exit_code) == (True, 7)
        assert probe.console() == "world"
    assert b"F5" in board.packets
    board = FakeBoard(RUN, answers={b"c": b"Fopen,20000000/5,0,0", b"F": b"W00"})
    with probed(board) as probe:
        probe.resume()
        probe.wait_halt(2)
    assert b"F-1,1" in board.packets


def test_breakpoints_that_the_core_has_not() -> None:
    with probed(FakeBoard(RUN, comparators=1)) as probe:
        assert comparators(probe) == 1
        probe.set_breakpoint(FLASH)
        with pytest.raises(RefusedError, match=r"hardware breakpoint at 0x20000000 \(it answers 'E0e'\)"):
            probe.set_breakpoint(RAM)
        probe.clear_breakpoint(FLASH)
        probe.clear_breakpoint(FLASH)
    with probed(FakeBoard(RUN, comparators=0)) as probe:
        assert comparators(probe) == SERVED_BREAKPOINTS


def test_the_number_of_comparators_has_two_fields() -> None:
    with probed(FakeBoard(RUN, words={})) as probe:
        write_word(probe, 0xE0002000, 0x10001 | 2 << 12 | 5 << 4)
        assert comparators(probe) == 37


def test_another_core_and_a_locked_chip() -> None:
    with probed(FakeBoard(RUN)) as probe:
        assert identify(probe, "cortex-m4") == 0x410FC241
        with pytest.raises(WrongDeviceError, match="connected to cortex-m4, the board's core is cortex-m7"):
            identify(probe, "cortex-m7")
    with probed(FakeBoard(RUN, cpuid=0x410FFFF0)) as probe, pytest.raises(WrongDeviceError, match="unknown core"):
        identify(probe, "cortex-m4")
    with probed(FakeBoard(RUN, cpuid=0)) as probe, pytest.raises(LockedChipError, match="CPUID reads 0x00000000"):
        identify(probe, "cortex-m4")
    locked = FakeBoard(RUN, answers={b"m": b"E01"})
    with served(locked) as port, pytest.raises(LockedChipError, match="can't read the core's registers"):
        GdbProbe("127.0.0.1", port)


def test_a_server_whose_program_has_ended() -> None:
    board = FakeBoard(RUN, answers={b"?": b"W00"})
    with served(board) as port, pytest.raises(RefusedError, match="no program that it could run"):
        GdbProbe("127.0.0.1", port)


def test_the_board_is_left_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdbprobe, "RESTORE_SECONDS", 0.5)
    at_reset = FakeBoard(RUN)
    at_reset.flash[4:8] = (FLASH + 0x101).to_bytes(4, "little")
    running = FakeBoard(RUN, place=1)
    running.flash[4:8] = (FLASH + 0x101).to_bytes(4, "little")
    for board, runs in ((at_reset, False), (running, True)):
        with probed(board) as probe:
            probe.set_breakpoint(FLASH + 0x300)
            probe.restore()
            wait_for(lambda board=board, runs=runs: board.running == runs)
        assert (board.running, board.breakpoints, board.resets_made) == (runs, set(), 1)


def test_a_lost_connection_is_made_anew_once_to_leave_the_board() -> None:
    board = FakeBoard(RUN, place=2)
    with probed(board, answer_s=0.3) as probe:
        probe.resume()
        probe._client.close()
        with pytest.raises(ConnectionLostError, match="is closed"):
            probe.wait_halt(1)
        probe.restore()
        wait_for(lambda: board.running)
    assert (board.resets_made, board.running) == (1, True)
