"""The debug server over a socket: what it answers, and that no peer crashes it, hangs it or fills its memory."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machinelib import EXAMPLES, run_elf, write_program

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.shell.gdb import link as linked
from vtarget.shell.gdb.link import Listener, parse_place
from vtarget.shell.gdb.packets import MOST_BYTES, Decoder, Packet, encode
from vtarget.shell.gdb.server import GdbServer
from vtarget.shell.running import load_firmware, pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.starting import run_image

FIRMWARE, BOARD = EXAMPLES / "fir-m4f.elf", "nucleo-l4r5zi"
WAIT_SECONDS = 30.0


@dataclass
class Client:
    """A small debugger."""

    peer: socket.socket
    decoder: Decoder = field(default_factory=Decoder)
    packets: list[bytes] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        self.peer.sendall(encode(data))

    def receive(self) -> bytes:
        while not self.packets:
            data = self.peer.recv(4096)
            if not data:
                raise EOFError
            self.packets += [e.data for e in self.decoder.feed(data) if isinstance(e, Packet)]
        return self.packets.pop(0)

    def ask(self, data: bytes) -> bytes:
        self.send(data)
        return self.receive()

    def stop(self) -> bytes:
        """The next stop reply; console output in front of it is passed over."""
        while (reply := self.receive()).startswith(b"O"):
            pass
        return reply

    def monitor(self, command: str) -> str:
        reply = self.ask(b"qRcmd," + command.encode().hex().encode())
        return "" if reply == b"OK" else bytes.fromhex(reply.decode()).decode()

    def cycles(self) -> int:
        return int(self.monitor("cycles").split()[0])

    def register(self, number: int) -> int:
        return int.from_bytes(bytes.fromhex(self.ask(b"p%x" % number).decode()), "little")


@dataclass
class Session:
    """A run with a server in a thread of its own."""

    port: int
    said: list[str]
    result: Future[ExecutionRecord]

    def connect(self) -> Client:
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)
        return Client(peer)

    def record(self) -> ExecutionRecord:
        return self.result.result(WAIT_SECONDS)


@contextmanager
def debugged(path: Path = FIRMWARE, board: str | Board = BOARD, limits: RunLimits = RunLimits()) -> Iterator[Session]:
    said: list[str] = []
    server = GdbServer("127.0.0.1", 0, said.append)
    pricer = pricer_for(board)
    options = RunOptions(debugger=server, limits=limits)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(lambda: run_image(load_firmware(path, pricer), pricer, options).record)
        yield Session(int(server.where.rpartition(":")[2]), said, result)


def same(ran: ExecutionRecord, plain: ExecutionRecord) -> bool:
    return (ran.instructions, ran.live_cycles, ran.console) == (plain.instructions, plain.live_cycles, plain.console)


def address(name: str) -> int:
    return next(f.address for f in load_firmware(FIRMWARE, pricer_for(BOARD)).functions if f.name == name)


@pytest.fixture(scope="module")
def plain() -> ExecutionRecord:
    return run_elf(FIRMWARE, BOARD).record


def test_what_it_says_of_itself() -> None:
    with debugged() as session:
        client = session.connect()
        assert b"qXfer:features:read+" in client.ask(b"qSupported:multiprocess+;swbreak+")
        xml = b""
        while True:
            part = client.ask(b"qXfer:features:read:target.xml:%x,200" % len(xml))
            xml += part[1:]
            if part[:1] == b"l":
                break
        for feature in (b"m-profile", b"m-system", b"vfp"):
            assert b'<feature name="org.gnu.gdb.arm.%s">' % feature in xml
        assert b'name="xpsr" bitsize="32" regnum="16"' in xml
        memory = client.ask(b"qXfer:memory-map:read::0,1000")
        assert b'<memory type="flash" start="0x8000000" length="0x200000">' in memory
        assert client.ask(b"qfThreadInfo") == b"m1"
        assert client.ask(b"qsThreadInfo") == b"l"
        assert client.ask(b"vMustReplyEmpty") == b""
        assert client.ask(b"?") == b"T05thread:1;"
        client.send(b"k")
        assert session.record().instructions == 0
        assert session.said == [f"gdb: waiting for a debugger on 127.0.0.1:{session.port}"]


def test_break_step_and_go_on_to_the_same_end(plain: ExecutionRecord) -> None:
    with debugged() as session:
        client = session.connect()
        place = address("fir_q15")
        assert client.ask(b"Z1,%x,2" % place) == b"OK"
        assert client.ask(b"c") == b"T05thread:1;"
        assert client.register(15) == place
        before = client.cycles()
        assert client.cycles() == before
        assert client.ask(b"vCont;s:1") == b"T05thread:1;"
        assert client.register(15) in (place + 2, place + 4)
        assert client.cycles() > before
        assert client.ask(b"z1,%x,2" % place) == b"OK"
        client.send(b"vCont;c")
        assert client.stop() == b"W00"
        client.peer.close()
        assert same(session.record(), plain)


def test_memory_and_registers_are_written_and_read() -> None:
    with debugged() as session:
        client = session.connect()
        assert client.ask(b"M20000000,4:01020304") == b"OK"
        assert client.ask(b"X20000004,3:" + b"#$}") == b"OK"
        assert client.ask(b"m20000000,7") == b"0102030423247d"
        assert client.ask(b"P3=78563412") == b"OK"
        assert client.register(3) == 0x12345678
        registers = client.ask(b"g")
        assert registers[24:32] == b"78563412"
        assert client.ask(b"G" + registers) == b"OK"
        assert client.ask(b"me000ed00,4") == b"41c20f41"  # CPUID of a Cortex-M4 r0p1 (DDI 0439)
        assert client.ask(b"m0f000000,4") == b"E01"
        assert client.ask(b"M0f000000,4:00000000") == b"E01"
        client.send(b"D")
        assert client.receive() == b"OK"
        session.record()


def test_watchpoints_name_the_address() -> None:
    with debugged() as session:
        client = session.connect()
        image = load_firmware(FIRMWARE, pricer_for(BOARD))
        output, _size = image.objects["output"]
        assert client.ask(b"Z2,%x,4" % output) == b"OK"
        assert client.ask(b"c").startswith(b"T05watch:%x;" % output)
        assert client.ask(b"z2,%x,4" % output) == b"OK"
        client.send(b"k")
        assert session.record().exit.detail == "ended by the debugger"


def test_reset_begins_anew_and_keeps_flash(plain: ExecutionRecord) -> None:
    with debugged() as session:
        client = session.connect()
        place = address("main")
        client.ask(b"Z0,%x,2" % place)
        client.ask(b"c")
        start = 0x080FF000
        assert client.ask(b"vFlashErase:%x,1000" % start) == b"OK"
        assert client.ask(b"vFlashWrite:%x:" % start + b"}*#$") == b"OK"
        assert client.ask(b"vFlashDone") == b"OK"
        assert client.monitor("reset halt") == ""
        assert client.cycles() == 0
        assert client.ask(b"m%x,6" % start) == b"7d2a2324ffff"
        assert client.ask(b"c") == b"T05thread:1;"
        assert client.register(15) == place
        assert client.ask(b"D") == b"OK"
        assert same(session.record(), plain)


def test_reset_keeps_what_was_loaded_into_ram_before_the_core_ran(tmp_path: Path) -> None:
    path = write_program(tmp_path / "stores.elf", BOARD, {"reset": "6008 str r0, [r1]\n be00 bkpt 0"})
    ram = next(region.base for region in pricer_for(BOARD).board.regions if region.writable) + 0x800
    with debugged(path) as session:
        client = session.connect()
        assert client.ask(b"M%x,8:0102030405060708" % ram) == b"OK"
        assert client.ask(b"P0=ffffffff") == client.ask(b"P1=%s" % ram.to_bytes(4, "little").hex().encode()) == b"OK"
        client.send(b"c")
        assert client.stop().startswith(b"T05")
        assert client.ask(b"m%x,8" % ram) == b"ffffffff05060708"
        assert client.ask(b"M%x,4:00000000" % (ram + 4)) == b"OK"  # too late to be of what was loaded
        client.monitor("reset halt")
        assert client.ask(b"m%x,8" % ram) == b"0102030405060708"
        client.send(b"k")


def test_a_paced_core_waits_for_the_debugger(tmp_path: Path) -> None:
    path = write_program(tmp_path / "spins.elf", BOARD, {"reset": "3001 adds r0, #1\n e7fd b.n -6"})
    with debugged(path) as session:
        client = session.connect()
        assert b"vtarget-pace+" in client.ask(b"qSupported").split(b";")
        assert "no such command" in client.monitor("pace -1")
        assert client.monitor("pace 100000") == ""
        for turn in (1, 2):
            client.send(b"c")
            time.sleep(0.3)  # enough for many more cycles
            client.peer.sendall(b"\x03")
            assert client.stop() == b"T02thread:1;"
            assert 100_000 * turn <= client.cycles() <= 101_000 * turn
        assert client.monitor("pace 0") == ""
        client.send(b"c")
        time.sleep(0.3)
        client.peer.sendall(b"\x03")
        assert client.stop() == b"T02thread:1;"
        assert client.cycles() > 400_000
        client.send(b"k")


def test_an_interrupt_stops_an_endless_loop(tmp_path: Path) -> None:
    code = """
        3001 adds r0, #1
        e7fd b.n -4
        """
    path = write_program(tmp_path / "loop.elf", BOARD, {"reset": code})
    with debugged(path, limits=RunLimits(wall_seconds=0.5)) as session:
        client = session.connect()
        client.send(b"c")
        time.sleep(0.3)
        client.peer.sendall(b"\x03")
        assert client.stop() == b"T02thread:1;"
        assert client.register(0) > 0
        assert client.ask(b"D") == b"OK"
        assert session.record().exit.reason is Reason.LIMIT


def test_a_fault_can_be_looked_at_before_the_run_ends(tmp_path: Path) -> None:
    path = write_program(tmp_path / "fault.elf", BOARD, {"reset": "2007 movs r0, #7\n de00 udf #0"})
    with debugged(path) as session:
        client = session.connect()
        client.send(b"c")
        assert client.stop() == b"T0bthread:1;"
        assert client.register(0) == 7
        assert client.ask(b"c") == b"W00"
        assert session.record().exit.reason is Reason.FAULT


def test_a_breakpoint_instruction_stops_and_is_passed(tmp_path: Path) -> None:
    path = write_program(tmp_path / "bkpt.elf", BOARD, {"reset": "be01 bkpt 1\n 2009 movs r0, #9\n de00 udf #0"})
    with debugged(path) as session:
        client = session.connect()
        assert client.ask(b"c") == b"T05thread:1;"
        place = client.register(15)
        client.send(b"s")
        assert client.stop() == b"T05thread:1;"
        assert (client.register(0), client.register(15)) == (9, place + 4)
        client.send(b"k")
        assert session.record().instructions == 2


# Peers that mean no good.

HOSTILE = [
    b"m0,ffffffffffffffff", b"mffffffffffffffff,10", b"M20000000,ffffffff:00", b"X20000000,7fffffff:", b"m", b"m,",
    b"g;", b"G00", b"p", b"pffffffff", b"P0=", b"P7fffffff=00", b"Z0", b"Z9,0,0", b"Z2,0,ffffffffffffffff",
    b"Z2,ffffffff,4",
    b"z0,0,0", b"vFlashErase:0,ffffffffffffffff", b"vFlashErase:8000001,1", b"vFlashWrite:", b"vCont;", b"vCont;r1",
    b"vCont;x", b"qXfer:features:read:target.xml:", b"qXfer:memory-map:read::ffffffffffffffff,ffffffff", b"qRcmd,",
    b"qRcmd,zz", b"qRcmd,ff", b"H", b"T99", b"\x00", b"", b"}" * 50, b"qSupported" + b"x" * 9000,
]  # fmt: skip


def test_malformed_packets_are_answered() -> None:
    with debugged() as session:
        client = session.connect()
        for packet in HOSTILE:
            assert client.ask(packet) is not None, packet
        assert client.ask(b"?") == b"T05thread:1;"
        client.send(b"k")
        session.record()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_garbage_and_mangled_packets_end_in_a_result(seed: int) -> None:
    chosen = random.Random(seed)
    stream = bytearray(encode(b"?"))
    for _ in range(60):
        packet = bytearray(encode(chosen.choice([*HOSTILE, b"s", b"c", b"vCont;s", b"Z1,8000200,2", b"g", b"!"])))
        if chosen.random() < 0.3:
            packet[chosen.randrange(len(packet))] = chosen.randrange(256)
        stream += packet if chosen.random() < 0.9 else chosen.randbytes(200)
    with debugged() as session:
        client = session.connect()
        client.peer.sendall(stream)
        client.peer.shutdown(socket.SHUT_WR)
        assert session.record().instructions >= 0


def test_an_endless_packet_is_refused_and_the_next_one_answered() -> None:
    with debugged() as session:
        client = session.connect()
        client.peer.sendall(encode(b"?") + b"$" + b"a" * (4 * MOST_BYTES) + b"#00")
        assert client.receive() == b"T05thread:1;"
        assert client.receive() == b"E22"
        client.send(b"k")
        session.record()


def test_a_bad_checksum_is_refused_until_acknowledgements_are_off() -> None:
    with debugged() as session:
        client = session.connect()
        client.peer.sendall(encode(b"?") + b"$?#00")
        data = b""
        while not data.endswith(b"-"):
            data += client.peer.recv(100)
        assert data == b"+$T05thread:1;#%02x-" % (sum(b"T05thread:1;") & 0xFF)
        assert client.ask(b"QStartNoAckMode") == b"OK"
        assert client.ask(b"qC") == b"QC1"
        client.peer.sendall(b"-" * 100)
        assert client.ask(b"qC") == b"QC1"
        client.send(b"k")
        session.record()


@pytest.mark.parametrize("asked", [b"", b"c", b"s", b"Z1,8000200,2"])
def test_a_peer_that_disappears_leaves_the_run_to_itself(plain: ExecutionRecord, asked: bytes) -> None:
    with debugged() as session:
        client = session.connect()
        client.ask(b"?")
        if asked:
            client.send(asked)
        client.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.peer.close()
        assert same(session.record(), plain)


def test_a_peer_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked, "SEND_SECONDS", 0.3)
    with debugged() as session:
        client = session.connect()
        client.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.peer.settimeout(0.2)
        wanted = encode(b"m8000000,2000")
        try:
            for _ in range(5000):
                client.peer.sendall(wanted)
        except (TimeoutError, ConnectionError):
            pass
        session.record()
        assert any("it reads nothing" in line for line in session.said)


def test_a_peer_that_floods_a_running_core_is_given_up(tmp_path: Path) -> None:
    path = write_program(tmp_path / "loop.elf", BOARD, {"reset": "3001 adds r0, #1\n e7fd b.n -4"})
    with debugged(path, limits=RunLimits(wall_seconds=0.5)) as session:
        client = session.connect()
        client.send(b"c")
        try:
            for _ in range(300):
                client.peer.sendall(encode(b"g") * 1000)
        except ConnectionError:
            pass
        session.record()
        assert any("it sends packets while the core runs" in line for line in session.said)


def test_a_peer_without_a_packet_does_not_take_the_place_of_the_debugger() -> None:
    with debugged() as session:
        session.connect().peer.close()
        client = session.connect()
        assert client.ask(b"?") == b"T05thread:1;"
        client.send(b"k")
        session.record()
        assert "gdb: a peer at 127.0.0.1 sent no packet and was dropped" in session.said


def test_places() -> None:
    assert parse_place("3333") == ("127.0.0.1", 3333)
    assert parse_place("0.0.0.0:0") == ("0.0.0.0", 0)
    assert parse_place("[::1]:3333") == ("::1", 3333)
    for text in ("", "x", "1:2:x", "65536", "-1", ":"):
        with pytest.raises(InputError, match="is no port"):
            parse_place(text)


def test_a_peer_that_had_to_wait_and_sent_its_packet_again_is_answered_once() -> None:
    listener = Listener("127.0.0.1", 0)
    host, port = listener.where.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as peer:
        peer.sendall(b"$?#3f" * 3)
        link = listener.accept(lambda _text: None)
        assert link.next_packet() == b"?"
        peer.sendall(b"+$g#67")
        assert link.next_packet() == b"g"
        assert peer.recv(100) == b"++"
        link.close()
    listener.close()


def test_a_port_that_is_taken_is_named() -> None:
    taken = Listener("127.0.0.1", 0)
    port = int(taken.where.rpartition(":")[2])
    with pytest.raises(InputError, match=f"--gdb 127.0.0.1:{port}: "):
        Listener("127.0.0.1", port)
    taken.close()
