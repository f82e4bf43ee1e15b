"""One image, run bare and counted in turn, so that both see the same noise."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import unicorn
from machinelib import EXAMPLES

from vtarget.data.image import Image
from vtarget.logic.pricing import Pricer
from vtarget.shell.engine import Engine
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.running import pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.symbols import resolve_address

BOARD = "nucleo-l4r5zi"
ROUNDS = 7


@dataclass(frozen=True)
class Workload:
    """An example scaled by its ``iterations``, run from reset to where it begins to check its output."""

    name: str
    iterations: int

    @property
    def image(self) -> Image:
        return load_image(str(EXAMPLES / f"{self.name}-m4f.elf"))

    def options(self, image: Image) -> RunOptions:
        address, _ = resolve_address(image, "iterations", "bench")
        until, _ = resolve_address(image, "check_output", "bench")
        return RunOptions(until=until, writes=((address, self.iterations.to_bytes(4, "little")),))


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


def measure(workload: Workload, rounds: int = ROUNDS) -> Speed:
    """Run bare and counted alternately; the best of each."""
    image, pricer = workload.image, pricer_for(BOARD)
    options = workload.options(image)
    bare, counted = [], []
    record = None
    for _ in range(rounds):
        bare.append(run_bare(image, pricer, options))
        machine = Machine(image, pricer, options)
        start = time.perf_counter()
        record = machine.run().record
        counted.append(time.perf_counter() - start)
    assert record is not None
    return Speed(min(bare), min(counted), record.instructions, record.live_cycles / pricer.clock_hz)
