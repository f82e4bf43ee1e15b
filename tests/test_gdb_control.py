"""A run that was held, stepped and released at random is the run that nobody debugged."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machinelib import EXAMPLES, FIRMWARE, run_elf, write_program

from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Reason, SiteKind
from vtarget.logic.decode import Block
from vtarget.shell.boardlib import load_board
from vtarget.shell.gdb.control import RunControl, Watch, WatchKind
from vtarget.shell.gdb.target import Target
from vtarget.shell.machine import Machine
from vtarget.shell.schedule import NEVER

FIRMWARES = [
    (EXAMPLES / "quantise-m4f.elf", "nucleo-l4r5zi"),
    (EXAMPLES / "conv_int8-m4f.elf", "nucleo-l4r5zi"),  # loads that are looked up one by one
    (EXAMPLES / "fft-m0plus.elf", "rpi-pico"),
    (EXAMPLES / "biquad-m7.elf", "nucleo-f746zg"),
    (EXAMPLES / "memcpy_bench-m33.elf", "nucleo-u575zi-q"),
    (FIRMWARE / "rtos" / "rtos-m4f.elf", "mps2-an386"),  # tasks, SVC, PendSV and SysTick
]


@dataclass
class Meddler:
    """A debugger that holds the core now and then, and does what a seed says."""

    seed: int
    places: list[int]
    most_stops: int = 60
    watched: tuple[int, ...] = ()
    stops: int = 0
    pcs: list[int] = field(default_factory=list)
    always_step: bool = False
    keeps: bool = False  # the breakpoint it began with, and sets no other

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._machine: Machine | None = None
        self._control: RunControl | None = None

    @property
    def stepping(self) -> bool:
        return self._control is not None and self._control.stepping

    def wall_seconds(self, limits: RunLimits) -> float | None:
        return limits.wall_seconds

    def ended(self, machine: Machine) -> None:
        assert machine is self._machine

    def next_look(self, _machine: Machine) -> int:
        return NEVER

    def before_run(self, machine: Machine, pc: int) -> int:
        if self._control is None:
            self._machine = machine
            self._control = RunControl(machine, Target(machine).is_device)
            self._control.add_break(0, self._random.choice(self.places))
        stop = self._control.stopped(pc)
        if stop is None or self.stops >= self.most_stops:
            return pc
        self.stops += 1
        self.pcs.append(pc)
        self._control.hold(pc)
        before = self._control.instructions
        self._meddle(self._control)
        assert self._control.instructions == before
        step = self.always_step or (not self.keeps and self._random.random() < 0.6)
        step = step and self.stops < self.most_stops
        return self._control.release(pc, step=step)

    def _meddle(self, control: RunControl) -> None:
        if self.stops == self.most_stops:
            control.clear()
        if self.stops == self.most_stops or self.keeps or self.always_step:
            return
        for kind, place in [(self._random.randrange(2), self._random.choice(self.places)) for _ in range(2)]:
            (control.remove_break if self._random.random() < 0.4 else control.add_break)(kind, place)
        if self.watched and self._random.random() < 0.3:
            watch = Watch(self._random.choice(list(WatchKind)), self._random.choice(self.watched), 4)
            (control.remove_watch if self._random.random() < 0.5 else control.add_watch)(watch)


_KNOWN: dict[Path, ExecutionRecord] = {}


def undebugged(path: Path, board: str) -> ExecutionRecord:
    if path not in _KNOWN:
        _KNOWN[path] = run_elf(path, board).record
    return _KNOWN[path]


def instructions_of(record: ExecutionRecord) -> list[int]:
    return sorted(
        {
            address
            for start, code in zip(record.block_address, record.block_code, strict=True)
            for address in Block(int(start), code).addresses
        }
    )


@pytest.mark.parametrize(("path", "board"), FIRMWARES, ids=lambda value: getattr(value, "stem", ""))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 32), watches=st.booleans())
def test_holding_and_stepping_changes_no_count(path: Path, board: str, seed: int, watches: bool) -> None:
    plain = undebugged(path, board)
    stack = tuple(plain.stacks[0].top - 4 * word for word in range(1, 40))
    meddler = Meddler(seed, instructions_of(plain), watched=stack if watches else ())
    ran = run_elf(path, board, debugger=meddler).record
    assert (ran.exit, ran.console) == (plain.exit, plain.console)
    assert (ran.instructions, ran.live_cycles) == (plain.instructions, plain.live_cycles)


def test_a_step_executes_one_instruction_and_an_it_block_at_once(tmp_path: Path) -> None:
    code = """
        2001 movs r0, #1
        2802 cmp r0, #2
        bf14 ite ne
        3101 addne r1, #1
        3201 addeq r2, #1
        fb91 f0f0 sdiv r0, r1, r0
        df00 svc 0
        """
    path = write_program(tmp_path / "steps.elf", "nucleo-l4r5zi", {"reset": code})
    meddler = Meddler(0, [load_board("nucleo-l4r5zi").vector_addresses()[0] + 0x100], most_stops=6, always_step=True)
    record = run_elf(path, "nucleo-l4r5zi", debugger=meddler).record
    assert [pc & 0xFF for pc in meddler.pcs] == [0x00, 0x02, 0x04, 0x0A, 0x0E]
    assert (record.exit.reason, record.instructions) == (Reason.FAULT, 7)
    assert record.live_cycles == run_elf(path, "nucleo-l4r5zi").record.live_cycles


def test_a_breakpoint_at_an_observed_divide_counts_its_operands_once(tmp_path: Path) -> None:
    code = """
        2464 movs r4, #100
        2003 movs r0, #3
        fb94 f1f0 sdiv r1, r4, r0
        3c01 subs r4, #1
        d1fb bne.n -6
        be00 bkpt 0
        """
    path = write_program(tmp_path / "divides.elf", "nucleo-l4r5zi", {"reset": code})
    divide = load_board("nucleo-l4r5zi").vector_addresses()[0] + 0x104
    meddler = Meddler(0, [divide], most_stops=20, keeps=True)
    record = run_elf(path, "nucleo-l4r5zi", debugger=meddler).record
    plain = run_elf(path, "nucleo-l4r5zi").record
    assert meddler.pcs == [divide] * 20
    assert record.site_counts.sum() == plain.site_counts.sum()
    assert record.site_counts[record.site_kind == SiteKind.OPERANDS].sum() == 100
    assert (record.instructions, record.live_cycles) == (plain.instructions, plain.live_cycles)
