"""Rounds of sleep and SysTick leave the same record whether native code or Python runs them, to the last count.

``firmware/tests/ticks.c`` sleeps in WFI and draws by lot what else happens in its handler and between its ticks.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machinelib import FIRMWARE, PROGRAMS

from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.running import pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.schedule import NEVER
from vtarget.shell.symbols import resolve_address

BOARD = "nucleo-l4r5zi"
BOARDS = {"m4f": BOARD, "m0plus": "rpi-pico", "m7": "nucleo-f746zg", "m33": "nucleo-u575zi-q"}
TICKS = PROGRAMS / "ticks-m4f.elf"
SELECT_STACK, CORE_CLOCK, REFERENCE_CLOCK = 2, 7 << 8, 3 << 8
ACTIONS = {
    "compute": 0, "count flag": 1, "current value": 2, "cycle counter": 3, "pend PendSV": 4, "nested calls": 5,
    "longer than a tick": 6, "floating point": 7, "reload": 8, "vector": 9, "divide": 10,
}  # fmt: skip
# With these nothing reaches Python: nearly each round is native.
QUIET = {"compute", "nested calls", "vector", "divide", "floating point"}


@dataclass(frozen=True)
class Ended:
    record: ExecutionRecord
    ram: tuple[bytes, ...]
    native_rounds: int
    overhead_cycles: int


def run(path: Path, board: str, *, native: bool, options: RunOptions, managed: bool = False) -> Ended:
    machine = Machine(load_image(str(path)), pricer_for(board), options, managed=managed)
    machine.ticking.enabled = native
    result = machine.run()
    return Ended(result.record, result.reads, machine.ticking.rounds, machine.exceptions.overhead_cycles)


def options_of(limits: RunLimits | None = None, path: Path = TICKS, **words: int) -> RunOptions:
    image = load_image(str(path))
    writes = tuple((resolve_address(image, name, "")[0], value.to_bytes(4, "little")) for name, value in words.items())
    reads = tuple(resolve_address(image, name, "") for name in ("ticks", "output", "pended", "process_stack"))
    return RunOptions(writes=writes, reads=reads, limits=limits or RunLimits())


def differences(one: Any, other: Any, place: str = "record") -> list[str]:
    """Where two records differ."""
    if dataclasses.is_dataclass(one):
        names = [f.name for f in dataclasses.fields(one)]
        return [d for n in names for d in differences(getattr(one, n), getattr(other, n), f"{place}.{n}")]
    if isinstance(one, tuple):
        pairs = zip(one, other, strict=False)
        found = [d for i, (a, b) in enumerate(pairs) for d in differences(a, b, f"{place}[{i}]")]
        return found if len(one) == len(other) else [f"{place}: {len(one)} and {len(other)}", *found]
    if isinstance(one, np.ndarray):
        return [] if np.array_equal(one, other) else [place]
    return [] if one == other else [f"{place}: {one!r} and {other!r}"]


def both(path: Path, board: str, options: RunOptions, *, managed: bool = False) -> Ended:
    """The run with native rounds, once it has been compared with one without."""
    native, slow = (run(path, board, native=on, options=options, managed=managed) for on in (True, False))
    assert slow.native_rounds == 0
    assert differences(native.record, slow.record) == []
    assert (native.ram, native.overhead_cycles) == (slow.ram, slow.overhead_cycles)
    return native


@pytest.mark.parametrize("stack", [0, SELECT_STACK], ids=["main stack", "process stack"])
def test_ten_seconds_of_sleep_are_rounds_of_native_code(stack: int) -> None:
    ended = run(TICKS, BOARD, native=True, options=options_of(waited_ticks=10_000, control=CORE_CLOCK | stack))
    (sleep,) = ended.record.sleep
    assert (ended.record.exit.reason, sleep.wakeups) == (Reason.SEMIHOSTING, 10_000)
    assert sleep.cycles + ended.record.live_cycles == pytest.approx(10_000 * 120_000, abs=2_000)
    assert ended.native_rounds > 9_900


@pytest.mark.parametrize(("clock", "reload"), [(CORE_CLOCK, 1_500), (REFERENCE_CLOCK, 6)], ids=["core", "reference"])
def test_ticks_of_a_thread_that_computes_are_native_too(clock: int, reload: int) -> None:
    """The core runs at 120 MHz; the reference clock is 500 kHz, an eighth of what the chip wakes up with."""
    ended = both(TICKS, BOARD, options_of(waited_ticks=0, rounds=200_000, reload=reload, control=clock))
    assert ended.record.exit.reason is Reason.SEMIHOSTING
    ticks = int.from_bytes(ended.ram[0], "little")
    assert ticks == pytest.approx(ended.record.live_cycles / (1_501 if clock == CORE_CLOCK else 7 * 240), rel=0.05)
    assert ended.native_rounds > 0.95 * ticks


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("stack", [0, SELECT_STACK], ids=["main", "process"])
def test_each_core_is_counted_alike(core: str, stack: int) -> None:
    path = PROGRAMS / f"ticks-{core}.elf"
    everything = (1 << len(ACTIONS)) - 1
    for actions in (everything, sum(1 << ACTIONS[action] for action in QUIET)):
        words = {"actions": actions, "reload": 3_000, "control": CORE_CLOCK | stack, "rounds": 2_000}
        ended = both(path, BOARDS[core], options_of(path=path, waited_ticks=300, **words))
        assert ended.record.exit.reason is Reason.SEMIHOSTING
    assert ended.native_rounds > 200


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("control", [CORE_CLOCK, REFERENCE_CLOCK | SELECT_STACK], ids=["main", "process"])
def test_what_handlers_and_threads_do_is_counted_alike(action: str, control: int) -> None:
    options = options_of(waited_ticks=400, actions=1 << ACTIONS[action], reload=2_000, control=control, rounds=1_000)
    ended = both(TICKS, BOARD, options)
    assert ended.record.exit.reason is Reason.SEMIHOSTING
    assert ended.native_rounds > (300 if action in QUIET else 0)


@given(
    actions=st.sets(st.sampled_from(sorted(ACTIONS))),
    seed=st.integers(0, 0xFFFFFFFF),
    reload=st.integers(300, 5_000),
    clock=st.sampled_from([CORE_CLOCK, REFERENCE_CLOCK]),
    stack=st.sampled_from([0, SELECT_STACK]),
)
@settings(max_examples=15, deadline=None)
def test_random_mixtures_are_counted_alike(actions: set[str], seed: int, reload: int, clock: int, stack: int) -> None:
    bits = sum(1 << ACTIONS[action] for action in actions)
    words = {"actions": bits, "seed": seed, "reload": reload, "control": clock | stack}
    both(TICKS, BOARD, options_of(RunLimits(instructions=200_000), waited_ticks=150, **words))


@pytest.mark.parametrize(
    "limits",
    [RunLimits(seconds=0.05), RunLimits(seconds=0.0500083), RunLimits(instructions=777), RunLimits(instructions=778)],
    ids=str,
)
def test_limits_end_a_sleeping_run_at_the_same_place(limits: RunLimits) -> None:
    ended = both(TICKS, BOARD, options_of(limits, waited_ticks=1_000))
    assert ended.record.exit.reason is Reason.LIMIT
    assert 0 < ended.native_rounds < 1_000


@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("rtos/rtos-m0plus", "mps2-an385"),
        ("rtos/rtos-m4f", "mps2-an386"),
        ("rtos/rtos-m33", "mps2-an505"),
        ("startups/nucleo-l4r5zi-idle", BOARD),
    ],
)
def test_the_scheduler_and_an_idle_loop_sleep_alike(name: str, board: str) -> None:
    ended = both(FIRMWARE / f"{name}.elf", board, RunOptions(limits=RunLimits(seconds=2)), managed=True)
    assert ended.native_rounds > 20


def test_native_rounds_stop_for_a_debugger() -> None:
    class Onlooker:
        stepping = False
        stops = 0

        def wall_seconds(self, limits: RunLimits) -> float | None:
            return limits.wall_seconds

        def next_look(self, _machine: Machine) -> int:
            return NEVER

        def before_run(self, _machine: Machine, pc: int) -> int:
            self.stops += 1
            return pc

        def ended(self, _machine: Machine) -> None:
            pass

    onlooker = Onlooker()
    options = dataclasses.replace(options_of(waited_ticks=50), debugger=onlooker)
    machine = Machine(load_image(str(TICKS)), pricer_for(BOARD), options)
    machine.run()
    assert machine.ticking.rounds == 0
    assert onlooker.stops >= 100
