"""One image, run bare and counted in turn, so that both see the same noise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import unicorn
from machinelib import EXAMPLES, PROGRAMS

from vtarget.data.image import Image
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardlib import load_board
from vtarget.shell.engine import Engine
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.running import pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.symbols import resolve_address
from vtarget.shell.systick import SYST_CSR, SYST_CVR, SYST_RVR

BOARD = "nucleo-l4r5zi"
TICK_CYCLES = 120_000  # 1 ms of the board's typical clock
BX_LR = bytes.fromhex("7047")
LEAST_ROUNDS, MOST_ROUNDS = 3, 7
PYTHON_ROUNDS = 1_000_000


@dataclass(frozen=True)
class Workload:
    """An example scaled by its ``iterations``, run from reset to where it begins to check its output.

    ``ticking``: SysTick interrupts it at 1 kHz. The handler is the examples' default one, made to return.
    """

    name: str
    iterations: int
    ticking: bool = False

    @property
    def image(self) -> Image:
        return load_image(str(EXAMPLES / f"{self.name}-m4f.elf"))

    def options(self, image: Image) -> RunOptions:
        address, _ = resolve_address(image, "iterations", "bench")
        until, _ = resolve_address(image, "check_output", "bench")
        handler, _ = resolve_address(image, "Default_Handler", "bench")
        writes = ((address, self.iterations.to_bytes(4, "little")), (handler, BX_LR))
        return RunOptions(until=until, writes=writes)


@dataclass(frozen=True)
class Speed:
    """Best seconds of the rounds, and what was executed."""

    bare_s: float
    counted_s: float
    instructions: int
    virtual_s: float

    @property
    def ratio(self) -> float:
        """What counting costs over bare emulation."""
        return self.counted_s / self.bare_s


def run_bare(image: Image, pricer: Pricer, options: RunOptions, hook: Any = None) -> float:
    """Seconds of the same image without any of ours in the loop; ``hook`` is a Python per-instruction callback."""
    engine = Engine(pricer.board)
    for segment in image.segments:
        engine.write(segment.load_address, segment.data)
    for address, data in options.writes:
        engine.write(address, data)
    engine.map_registers(0xE0000000, 0x100000, lambda _a, _s: 0, lambda _a, _s, _v: None)
    if hook is not None:
        engine.uc.hook_add(unicorn.UC_HOOK_CODE, hook)
    table = image.read(pricer.board.vector_addresses()[0], 8) or b""
    engine.set_register(13, int.from_bytes(table[:4], "little"))
    assert options.until is not None
    start = time.perf_counter()
    fault = engine.run(int.from_bytes(table[4:], "little") & ~1, options.until)
    seconds = time.perf_counter() - start
    assert fault is None
    return seconds


def start_systick(machine: Machine) -> None:
    """Have SysTick interrupt each millisecond, on the core's clock."""
    for register, value in ((SYST_RVR, TICK_CYCLES - 1), (SYST_CVR, 0), (SYST_CSR, 7)):
        machine.chipset.systick.write_word(register, value)


def python_seconds() -> float:
    """What a fixed piece of Python takes just now: how fast this machine is, and how busy."""
    start = time.perf_counter()
    total = 0
    for number in range(PYTHON_ROUNDS):
        total += number
    return time.perf_counter() - start


def sleeping_seconds(ticks: int) -> float:
    """Seconds of a run that sleeps through so many ticks of 1 ms."""
    image = load_image(str(PROGRAMS / "ticks-m4f.elf"))
    address, _ = resolve_address(image, "waited_ticks", "bench")
    machine = Machine(image, pricer_for(BOARD), RunOptions(writes=((address, ticks.to_bytes(4, "little")),)))
    start = time.perf_counter()
    record = machine.run().record
    seconds = time.perf_counter() - start
    assert [sleep.wakeups for sleep in record.sleep] == [ticks]
    return seconds


def without_memory(*, instruction_cache: bool = False) -> Pricer:
    """The board as if all memory answered at once, so that nothing has to be followed but the cache asked for."""
    board = load_board(BOARD)
    fast = tuple(r.model_copy(update={"wait_states": None, "data_access": None}) for r in board.regions)
    caches = tuple(unit for unit in board.caches if instruction_cache and unit.holds == "instructions")
    return pricer_for(board.model_copy(update={"regions": fast, "caches": caches}))


def measure(
    workload: Workload, pricer: Pricer | None = None, is_enough: Callable[[Speed], bool] = lambda _: False
) -> Speed:
    """Run bare and counted alternately; the best of each. LEAST_ROUNDS if that ``is_enough``, else MOST_ROUNDS."""
    image, pricer = workload.image, pricer or pricer_for(BOARD)
    options = workload.options(image)
    bare, counted = [], []
    while True:
        bare.append(run_bare(image, pricer, options))
        machine = Machine(image, pricer, options)
        if workload.ticking:
            start_systick(machine)
        start = time.perf_counter()
        record = machine.run().record
        counted.append(time.perf_counter() - start)
        ticks = record.live_cycles // TICK_CYCLES if workload.ticking else 0
        assert ticks == 0 or machine.ticking.rounds > 0.9 * ticks
        speed = Speed(min(bare), min(counted), record.instructions, record.live_cycles / pricer.clock_hz)
        if len(bare) == MOST_ROUNDS or (len(bare) >= LEAST_ROUNDS and is_enough(speed)):
            return speed
