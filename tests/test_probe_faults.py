"""Faults on the wire to a GDB server: each ends in its named error within its time limit, or does no harm."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
from fakeboard import At, FakeBoard, served
from machinelib import EXAMPLES

from vtarget.data.image import Image
from vtarget.data.measurement import Measurement
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord
from vtarget.logic.measureplan import empty_span
from vtarget.logic.pricing import Pricer
from vtarget.shell.measurementfile import load_measurement, save_measurement
from vtarget.shell.measuring import MeasureOptions, measure
from vtarget.shell.probes import gdbprobe
from vtarget.shell.probes.errors import ProbeError
from vtarget.shell.probes.gdbprobe import GdbProbe
from vtarget.shell.running import execute, load_firmware, price, pricer_for

FAULTS, GROUPS = 200, 8
ANSWER_SECONDS, RUN_SECONDS = 0.25, 1.0
# Restoring may try to connect once more; every other wait is one of the limits above.
LIMIT_SECONDS = 6.0
OVERHEAD, CALLS, CYCLES = 9, 12, 1000
OPTIONS = MeasureOptions(repeats=1, timeout_s=RUN_SECONDS)


class Kind(StrEnum):
    """What happens to the wire."""

    DROP = "drop"  # a chunk is lost
    DELAY = "delay"  # a chunk comes late, but in time
    STALL = "stall"  # nothing comes any more
    TRUNCATE = "truncate"  # the rest of a chunk is lost, and the connection ends
    GARBAGE = "garbage"  # bytes that nobody sent
    FLIP = "flip"  # a byte is another
    RESET = "reset"  # the connection is reset
    DOUBLE = "double"  # a chunk comes twice


@dataclass(frozen=True)
class Fault:
    """A fault that happens once, when so many bytes have passed in that direction."""

    kind: Kind
    to_server: bool
    after_bytes: int
    seed: int


class Proxy:
    """A wire with one fault, for the first connection; later ones are whole."""

    def __init__(self, port: int, fault: Fault | None) -> None:
        self._target = port
        self._fault = fault
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self.passed = {True: 0, False: 0}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        fault = self._fault
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target), timeout=2)
                self._carry(near, far, fault)
                fault = None

    def _carry(self, near: socket.socket, far: socket.socket, fault: Fault | None) -> None:
        with near, far:
            for end in (near, far):
                end.settimeout(0.01)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stalled = False
            passed = {True: 0, False: 0}
            while not self._over.is_set():
                for source, sink, to_server in ((near, far, True), (far, near, False)):
                    try:
                        data = source.recv(65536)
                    except TimeoutError:
                        continue
                    if not data:
                        return
                    before, passed[to_server] = passed[to_server], passed[to_server] + len(data)
                    self.passed[to_server] = max(self.passed[to_server], passed[to_server])
                    due = (
                        fault is not None
                        and fault.to_server == to_server
                        and before <= fault.after_bytes < passed[to_server]
                    )
                    if due and fault is not None:
                        if fault.kind in (Kind.RESET, Kind.TRUNCATE):
                            sink.sendall(data[: fault.after_bytes - before])
                            if fault.kind is Kind.RESET:
                                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            return
                        stalled |= fault.kind is Kind.STALL
                        data = altered(data, fault, fault.after_bytes - before)
                    if not stalled:
                        sink.sendall(data)


def altered(data: bytes, fault: Fault, at: int) -> bytes:
    """The chunk after the fault, which is at that place in it."""
    rng = random.Random(fault.seed)
    match fault.kind:
        case Kind.DROP:
            return b""
        case Kind.DELAY:
            time.sleep(rng.uniform(0, ANSWER_SECONDS / 2))
        case Kind.DOUBLE:
            return data + data
        case Kind.GARBAGE:
            return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]
        case Kind.FLIP:
            return data[:at] + bytes((data[at] ^ rng.randint(1, 255),)) + data[at + 1 :]
    return data


@dataclass(frozen=True)
class Bench:
    """A firmware, its virtual run, and the way of a board through it."""

    image: Image
    pricer: Pricer
    record: ExecutionRecord
    profile: Profile
    trace: tuple[At, ...]

    def board(self) -> FakeBoard:
        board = FakeBoard(self.trace, overhead=OVERHEAD)
        board.load(self.image)
        return board

    def measure(self, port: int) -> Measurement:
        probe = GdbProbe("127.0.0.1", port, answer_s=ANSWER_SECONDS)
        try:
            return measure(self.image, self.pricer, self.record, self.profile, probe, OPTIONS, version="test")
        finally:
            probe.close()


@pytest.fixture(scope="module")
def bench() -> Bench:
    pricer = pricer_for("nucleo-l4r5zi")
    image = load_firmware(EXAMPLES / "fir-m4f.elf", pricer)
    record = execute(EXAMPLES / "fir-m4f.elf", pricer).record
    address = {f.name: f.address for f in image.functions}
    place = empty_span(record)
    assert place is not None and image.entry is not None
    trace = [At(image.entry), *(At(at) for _ in range(6) for at in (place, place + 2))]
    for _ in range(CALLS):
        back = address["main"] + 0x20
        trace += [At(address["fir_q15"], 10, lr=back | 1), At(back, CYCLES)]
    trace.append(At(record.exit.pc, 5, r0=0x18, r1=0x20026))
    return Bench(image, pricer, record, price(record, pricer), tuple(trace))


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESET_SECONDS", "HALT_SECONDS", "RESTORE_SECONDS", "FLASH_SECONDS"):
        monkeypatch.setattr(gdbprobe, name, ANSWER_SECONDS)


@contextmanager
def wired(bench: Bench, fault: Fault | None) -> Iterator[tuple[Proxy, FakeBoard]]:
    board = bench.board()
    with served(board) as port:
        proxy = Proxy(port, fault)
        try:
            yield proxy, board
        finally:
            proxy.close()


def faultless(bench: Bench) -> tuple[Measurement, dict[bool, int]]:
    with wired(bench, None) as (proxy, _):
        found = bench.measure(proxy.port)
        return found, dict(proxy.passed)


def figures(found: Measurement) -> object:
    """All but what differs from port to port, and notes on how the board was left."""
    return found.model_copy(update={"probe": "gdb", "notes": ()})


def faults(passed: dict[bool, int]) -> list[Fault]:
    rng = random.Random(20_061)
    chosen = []
    for _ in range(FAULTS):
        to_server = rng.random() < 0.5
        chosen.append(
            Fault(rng.choice(list(Kind)), to_server, rng.randrange(passed[to_server]), rng.randrange(1 << 30))
        )
    return chosen


def test_without_a_fault(bench: Bench) -> None:
    found, passed = faultless(bench)
    assert [(k.name, k.calls, k.total_cycles) for k in found.kernels] == [("fir_q15", CALLS, CALLS * CYCLES)]
    assert (found.overhead_cycles, found.exit_code) == (OVERHEAD, 0)
    assert min(passed.values()) > 4000


@pytest.mark.parametrize("group", range(GROUPS))
def test_random_faults(bench: Bench, group: int, tmp_path: Path) -> None:
    clean, passed = faultless(bench)
    failed = 0
    for number, fault in enumerate(faults(passed)[group::GROUPS]):
        out = tmp_path / f"{number}.json"
        begun = time.monotonic()
        with wired(bench, fault) as (proxy, _board):
            try:
                save_measurement(bench.measure(proxy.port), str(out))
            except ProbeError as error:
                failed += 1
                assert type(error) is not ProbeError, f"{fault}: {error.one_line()}"
                assert "\n" not in error.one_line()
            took = time.monotonic() - begun
        assert took < LIMIT_SECONDS, fault
        if out.exists():
            assert figures(load_measurement(str(out))) == figures(clean), fault
    assert failed > 0
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".json"] == []


def test_the_board_is_put_back_over_a_new_connection(bench: Bench) -> None:
    _, passed = faultless(bench)
    fault = Fault(Kind.RESET, True, passed[True] // 2, 1)
    with wired(bench, fault) as (proxy, board):
        with pytest.raises(ProbeError, match="is lost") as error:
            bench.measure(proxy.port)
        assert "may not be as it was found" not in error.value.message
        assert board.breakpoints == set()
        assert board.place == 0
        assert not board.running  # it had been found at its reset
