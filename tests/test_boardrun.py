"""Timing calls by breakpoints, on a board that takes cycles for every stop: whose cycles are whose."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from fakeboard import DWT_CTRL, DWT_CYCCNT, FLASH, RAM, At, FakeBoard, served

from vtarget.data.board import Board, CycleTimer
from vtarget.data.image import Function, Image, Segment
from vtarget.logic.measureplan import Pick
from vtarget.shell.boardlib import load_board
from vtarget.shell.boardrun import BoardRun
from vtarget.shell.laps import End, Lap
from vtarget.shell.probes.counters import (
    Counter,
    CycleCounter,
    Stopwatch,
    SysTickCounter,
    TimerCounter,
    counter_for,
)
from vtarget.shell.probes.errors import CounterMissingError, NeverReachedError, ProbeError
from vtarget.shell.probes.gdbprobe import GdbProbe
from vtarget.shell.systick import CLKSOURCE, COUNTFLAG, ENABLE, SYST_CSR, SYST_CVR, SYST_RVR

RESET, F, G, CALLER, EXIT = FLASH + 0x100, FLASH + 0x200, FLASH + 0x300, FLASH + 0x400, FLASH + 0x500
OVERHEAD = 7
SP = 0x20001000
BKPT_AB, BKPT_0, NOP = b"\xab\xbe", b"\x00\xbe", b"\x00\xbf"
SYS_WRITE0, SYS_EXIT, APPLICATION_EXIT = 0x04, 0x18, 0x20026
END = At(EXIT, 3, r0=SYS_EXIT, r1=APPLICATION_EXIT)
FUNCTIONS = tuple(
    Function(name, address, 0x80, name) for name, address in (("start", RESET), ("f", F), ("g", G), ("main", CALLER))
)


def image() -> Image:
    data = bytearray(0x600)
    data[EXIT - FLASH : EXIT - FLASH + 2] = BKPT_AB
    return Image("fw.elf", "elf", "0" * 64, (Segment(FLASH, FLASH, bytes(data), len(data), True),), RESET, FUNCTIONS)


def pick(address: int, calls: int = 1) -> Pick:
    return Pick(next(f.name for f in FUNCTIONS if f.address == address), address, calls, 100)


def call(address: int, cycles: int, *, sp: int = SP, back: int = CALLER + 0x10, gap: int = 10) -> list[At]:
    """A call after ``gap`` cycles that takes ``cycles``."""
    return [At(address, gap, sp, back | 1), At(back, cycles, sp)]


class Bench:
    """A run on a fake board."""

    def __init__(self, board: FakeBoard, probe: GdbProbe, **options: Any) -> None:
        described: Board = load_board("nucleo-l4r5zi")
        partial = options.get("partial", False)
        counter: Counter = options.get("counter", CycleCounter())
        watch = Stopwatch(probe, counter, options.get("clock_hz", described.clock.max))
        end = options.get("end", End(EXIT))
        self.run = BoardRun(probe, watch, image(), described, end, options.get("timeout_s", 3.0), partial=partial)
        self.board = board

    def lap(self, *picks: Pick, overhead: int = OVERHEAD) -> Lap:
        self.run.overhead_cycles = overhead
        return self.run.lap(picks)


@contextmanager
def bench(trace: Sequence[At], **options: Any) -> Any:
    fields = {name: options.pop(name) for name in ("answers", "has_cyccnt", "before", "offers") if name in options}
    board = FakeBoard([At(RESET), *trace], overhead=OVERHEAD, **fields)
    board.load(image())
    with served(board) as port:
        probe = GdbProbe("127.0.0.1", port)
        try:
            yield Bench(board, probe, **options)
        finally:
            probe.close()


def test_calls_are_timed_without_what_stopping_takes() -> None:
    with bench([*call(F, 100), *call(F, 150), *call(F, 90), END]) as b:
        lap = b.lap(pick(F, 3))
        assert lap.calls == {F: [100, 150, 90]}
        assert (lap.exit_code, lap.notes) == (0, [])
        assert b.lap(pick(F, 3), overhead=0).calls == {F: [100 + OVERHEAD, 150 + OVERHEAD, 90 + OVERHEAD]}
        assert b.board.most_breakpoints == 2


def test_the_whole_run_is_timed_to_its_exit() -> None:
    with bench([*call(F, 100), END]) as b:
        lap = b.lap()
        assert (lap.total_cycles, lap.stops, lap.exit_code) == (10 + 100 + 3 + OVERHEAD, 1, 0)


def test_recursion_belongs_to_the_outermost_call() -> None:
    inner = F + 0x20  # where the function calls itself
    trace = [
        At(F, 10, SP, CALLER + 0x11),
        *call(F, 30, sp=SP - 16, back=inner),
        At(CALLER + 0x10, 20, SP),
        END,
    ]
    with bench(trace) as b:
        assert b.lap(pick(F, 2)).calls == {F: [10 + 30 + 20]}


def test_a_return_at_another_depth_is_another_calls() -> None:
    # main calls f, f calls main again, which calls f from the same place.
    back = CALLER + 0x10
    trace = [At(F, 10, SP, back | 1), *call(F, 30, sp=SP - 32, back=back), At(F + 0x20, 5), At(back, 20, SP), END]
    with bench(trace) as b:
        assert b.lap(pick(F, 2)).calls == {F: [10 + 30 + 5 + 20]}


def test_kernels_of_one_pass() -> None:
    with bench([*call(F, 100), *call(G, 40), *call(F, 60), END]) as b:
        assert b.lap(pick(F, 2), pick(G)).calls == {F: [100, 60], G: [40]}


def test_a_kernel_that_runs_inside_another_after_all() -> None:
    inner = F + 0x20
    trace = [At(F, 10, SP, CALLER + 0x11), *call(G, 30, sp=SP - 16, back=inner), At(CALLER + 0x10, 20, SP), END]
    with bench([*trace[:-1], *call(G, 40), END]) as b:
        lap = b.lap(pick(F), pick(G, 2))
        assert lap.calls == {F: [10 + 30 + 20], G: [40]}
        assert lap.notes == ["g was entered while another measured kernel ran; that call was not measured"]


def test_an_exception_handler_returns_to_no_address() -> None:
    with bench([At(F, 10, SP, 0xFFFFFFF9), *call(G, 40), END]) as b:
        lap = b.lap(pick(F), pick(G))
        assert lap.calls == {G: [40]}
        assert lap.notes[0] == "f is not measured: it was entered as an exception handler or by reset"


def test_a_kernel_that_is_still_active_at_the_end() -> None:
    with bench([At(F, 10, SP, CALLER + 0x11), END]) as b:
        lap = b.lap(pick(F))
        assert lap.calls == {F: [3]}
        assert lap.notes == ["f had not returned when the run ended; it counts up to there"]


def test_a_kernel_that_is_not_called_before_the_end() -> None:
    with bench([*call(F, 100), END]) as b:
        lap = b.lap(pick(F), pick(G))
        assert lap.calls == {F: [100]}
        assert lap.notes == [f"g is not measured: the run ended at 0x{EXIT:08x} without calling it"]


def test_semihosting_is_served_where_the_server_leaves_it_to_us() -> None:
    text = RAM + 0x40
    call_at = At(EXIT, 5, r0=SYS_WRITE0, r1=text)
    with bench([*call(F, 100), call_at, At(EXIT + 2), END]) as b:
        b.board.ram[0x40:0x46] = b"hello\0"
        lap = b.lap(pick(F))
        assert (b.run.console.text, lap.exit_code, lap.calls) == ("hello", 0, {F: [100]})
        assert b.board.changed == {}  # the core went on behind the call


def test_text_of_rtt_is_read_through_the_probe() -> None:
    block, buffer, text = 0x20000100, 0x20000200, b"vtarget-span fft 24 600480\n"
    header = b"SEGGER RTT".ljust(16, b"\0") + struct.pack("<2I", 1, 0)
    header += struct.pack("<6I", 0, buffer, 64, len(text), 0, 0)
    with bench([*call(F, 100), END]) as b:
        b.run._image = replace(image(), objects={"_SEGGER_RTT": (block, 48)})
        b.board.ram[0x100 : 0x100 + len(header)] = header
        b.board.ram[0x200 : 0x200 + len(text)] = text
        b.lap(pick(F))
        assert b.run.console.text == text.decode()
        assert b.board.ram[0x100 + 40 : 0x100 + 44] == len(text).to_bytes(4, "little")  # read offset
        b.lap(pick(F))
        assert b.run.console.text == ""


def test_a_server_that_says_the_program_has_exited() -> None:
    board = FakeBoard([At(RESET)], answers={b"c": b"W03"})
    board.load(image())
    with served(board) as port:
        probe = GdbProbe("127.0.0.1", port)
        lap = Bench(board, probe).lap(pick(F))
        probe.close()
    assert (lap.exit_code, lap.total_cycles, len(lap.notes)) == (3, None, 1)


def test_a_kernel_that_is_never_reached() -> None:
    with (
        bench([At(CALLER)], timeout_s=0.3) as b,
        pytest.raises(NeverReachedError, match=r"f at 0x08000200 was not reached within 0\.3 s; .* 0x08000400 \(ma"),
    ):
        b.lap(pick(F))


def test_an_end_and_a_return_that_are_never_reached() -> None:
    with (
        bench([At(CALLER)], timeout_s=0.2) as b,
        pytest.raises(NeverReachedError, match="the end of the run at"),
    ):
        b.lap()
    with (
        bench([*call(F, 10), At(F, 1, SP, CALLER + 0x11)], timeout_s=0.2) as b,
        pytest.raises(NeverReachedError, match="the return of f was not reached"),
    ):
        b.lap(pick(F, 2))


def test_firmware_without_an_end_is_left_when_all_calls_were_seen() -> None:
    with bench([*call(F, 100), *call(G, 50), *call(F, 70), *call(F, 80), END], end=None) as b:
        assert b.lap(pick(F, 2), pick(G)).calls == {F: [100, 70], G: [50]}


def test_firmware_without_an_end_that_makes_too_few_calls() -> None:
    trace = [*call(F, 100), *call(G, 50), *call(F, 70), At(F, 5, SP, CALLER + 0x11)]
    with bench(trace, end=None, timeout_s=0.3) as b:
        with pytest.raises(NeverReachedError, match=r"the return of f was not reached within 0\.3 s") as error:
            b.lap(pick(F, 9), pick(G))
        assert error.value.hint == "--until SYMBOL ends the virtual run and this one there; --timeout S waits longer"
    with (
        bench(trace[:-1], end=None, timeout_s=0.3) as b,
        pytest.raises(NeverReachedError, match=r"as many calls as the virtual run made \(f 2 of 9\) was not reached"),
    ):
        b.lap(pick(F, 9), pick(G))
    with bench(trace, end=None, timeout_s=0.3, partial=True) as b:
        lap = b.lap(pick(F, 9), pick(G))
        assert (lap.calls, lap.timed_out, lap.total_cycles) == ({F: [100, 70], G: [50]}, True, None)
        assert lap.notes == ["a run was ended after 0.3 s (--timeout), before it had made all calls"]
        with pytest.raises(NeverReachedError, match="main at 0x08000400 was not reached"):
            b.lap(pick(CALLER))
    with bench(trace, timeout_s=0.3, partial=True) as b, pytest.raises(NeverReachedError):  # it has an end
        b.lap(pick(F, 9))


def test_no_overhead_is_known_of_endless_firmware_that_comes_by_too_rarely() -> None:
    place = F + 8
    with bench([At(place), At(place + 2), At(CALLER)], end=None, timeout_s=0.2) as b:
        assert b.run.calibrate(place) == OVERHEAD
    with bench([At(CALLER)], timeout_s=0.2) as b, pytest.raises(NeverReachedError):
        b.run.calibrate(place)


def test_stops_that_nobody_asked_for() -> None:
    with bench([At(G)], answers={b"c": b"T0bthread:1;"}) as b, pytest.raises(ProbeError, match="signal 11"):
        b.lap(pick(F))
    answers = {b"c": b"T05thread:1;", b"m8000100,2": BKPT_0.hex().encode()}
    with bench([At(EXIT)], answers=answers) as b, pytest.raises(ProbeError, match=r"BKPT 0 at 0x08000100 \(start\)"):
        b.lap(pick(F))


def test_overhead_is_measured_on_an_instruction_of_one_cycle() -> None:
    place = F + 8
    with bench([*(At(at) for _ in range(9) for at in (place, place + 2)), END]) as b:
        assert b.run.calibrate(place) == OVERHEAD
    with bench([At(place), At(place + 2), END]) as b:
        assert b.run.calibrate(place) == OVERHEAD
    with bench([*call(F, 5), END]) as b:
        assert b.run.calibrate(place) is None


# Counters.


def test_the_counter_wraps_in_a_call() -> None:
    trace = [At(CALLER, 0xFFFFFF00), *call(F, 1000), *call(F, 0xC0000000), END]
    with bench(trace) as b:
        assert b.lap(pick(F, 2)).calls == {F: [1000, 0xC0000000]}
        assert b.board.words[DWT_CYCCNT] < 0xFFFFFF00


def test_a_counter_of_24_bits_is_looked_at_before_it_wraps() -> None:
    """The board's core stays where it is, as in a long loop, and its counter goes on from look to look."""
    looks = 0

    def tick(packet: bytes) -> None:
        nonlocal looks
        if packet == b"c" and board.place == 1:
            looks += 1
            board.words[SYST_CVR] = board.words[SYST_CVR] - 0x200000 & 0xFFFFFF  # it was cleared by the look before
            if looks == 30:
                board.trace = [*board.trace, At(CALLER + 0x10, sp=SP), END]

    board = FakeBoard([At(RESET), At(F, 1, SP, CALLER + 0x11)], before=tick)
    board.load(image())
    with served(board) as port:
        probe = GdbProbe("127.0.0.1", port)
        lap = Bench(board, probe, counter=SysTickCounter(), clock_hz=1_000_000_000).lap(pick(F), overhead=0)
        probe.close()
    assert lap.calls == {F: [30 * 0x200000]}


def test_a_round_that_nobody_saw_is_told() -> None:
    """COUNTFLAG is up at the return of the first call: SysTick went round at least once since it was cleared."""

    def tick(packet: bytes) -> None:
        if packet == b"c":
            returns = b.board.place == 1
            b.board.words[SYST_CSR] = ENABLE | CLKSOURCE | (COUNTFLAG if returns else 0)
            b.board.words[SYST_CVR] = -(9 if returns else 50) & 0xFFFFFF

    trace = [*call(F, 1), *call(G, 1), *call(F, 1), END]
    with bench(trace, before=tick, counter=SysTickCounter(), clock_hz=100_000_000) as b:
        lap = b.lap(pick(F, 2), pick(G), overhead=0)
        assert (lap.calls, lap.total_cycles) == ({G: [50]}, None)
        why = (
            "SysTick went round unseen, as it does in 0.17 s, and the probe took longer to look (a timer with more "
            "bits can be named in the board's file: debug: cycle_timer)"
        )
        assert lap.notes == [f"f is not measured in every run: {why}", f"the whole run is not timed every time: {why}"]
        again = b.lap(pick(G), overhead=0)  # nothing stops where the flag is up
        assert (again.calls, again.total_cycles, again.notes) == ({G: [50]}, 3 * 50, [])


TIMER = CycleTimer(name="TIM2", setup=(), counter=0xE0040008, bits=16, counts_down=False, cycles_per_tick=1, source="x")


@pytest.mark.parametrize(("expected", "kept"), [(32767, True), (32768, False)])
def test_a_timer_that_tells_nothing_is_trusted_with_short_calls_only(expected: int, kept: bool) -> None:
    """By the host's clock every stretch may have been a round (2^16); the virtual run tells how long a call is."""
    with bench([*call(F, 1), END], counter=TimerCounter(TIMER), clock_hz=10**12) as b:
        lap = b.lap(replace(pick(F), total_cycles=expected), overhead=0)
        assert lap.calls == ({F: [0]} if kept else {})
        assert lap.total_cycles is None
        assert (
            any(note.startswith("f is not measured in every run: TIM2 may have gone round") for note in lap.notes)
            != kept
        )
    paced = b"PacketSize=400;vtarget-pace+"
    with bench([*call(F, 1), END], counter=TimerCounter(TIMER), clock_hz=10**12, offers=paced) as b:
        lap = b.lap(replace(pick(F), total_cycles=expected), overhead=0)
        assert (lap.calls, lap.total_cycles, lap.notes) == ({F: [0]}, 0, [])


def test_a_core_without_a_cycle_counter() -> None:
    with bench([END], has_cyccnt=False) as b, pytest.raises(CounterMissingError, match="no cycle counter"):
        b.lap()


def test_firmware_that_takes_the_counter_away() -> None:
    def switch_off(packet: bytes) -> None:
        if packet == b"c":
            b.board.words[DWT_CTRL] = 0

    with (
        bench([*call(F, 10), END], before=switch_off) as b,
        pytest.raises(CounterMissingError, match=r"switched .* off"),
    ):
        b.lap(pick(F))


def test_firmware_that_uses_systick_itself() -> None:
    def take(packet: bytes) -> None:
        if packet == b"c":
            b.board.words[SYST_RVR] = 15999

    with bench([*call(F, 10), END], before=take, counter=SysTickCounter()) as b:
        with pytest.raises(CounterMissingError, match="the firmware uses SysTick itself") as error:
            b.lap(pick(F))
        assert "cycle_timer" in error.value.one_line()


def test_systick_is_set_up_as_the_manual_says() -> None:
    with bench([END], counter=SysTickCounter()) as b:
        b.lap()
        assert (b.board.words[SYST_RVR], b.board.words[SYST_CSR]) == (0xFFFFFF, 5)


def test_a_timer_of_the_boards_file() -> None:
    timer = CycleTimer(
        name="TIM2",
        setup=((0xE0040000, 1), (0xE0040004, 0xFFFF)),
        counter=0xE0040008,
        bits=16,
        counts_down=True,
        cycles_per_tick=4,
        source="test",
    )
    l4 = load_board("nucleo-l4r5zi")
    board = l4.model_copy(update={"debug": l4.debug.model_copy(update={"cycle_timer": timer})})
    counter = counter_for(board, "armv6-m")
    assert isinstance(counter, TimerCounter)
    values = {1: 0x10, 2: 0xFFF0}  # 32 ticks down, through zero

    def tick(packet: bytes) -> None:
        if packet == b"c":
            b.board.words[0xE0040008] = values.get(b.board.place + 1, 0)

    with bench([*call(F, 1), END], before=tick, counter=counter, clock_hz=1_000_000) as b:
        assert b.lap(pick(F), overhead=0).calls == {F: [32 * 4]}
        assert (b.board.words[0xE0040000], b.board.words[0xE0040004]) == (1, 0xFFFF)


def test_which_counter_a_board_has() -> None:
    board = load_board("nucleo-l4r5zi")
    assert counter_for(board, "armv7e-m").name == "DWT_CYCCNT"
    assert counter_for(board, "armv8-m.main").name == "DWT_CYCCNT"
    assert counter_for(board, "armv6-m").name == "SysTick"
    assert counter_for(board, "armv8-m.base").name == "SysTick"
