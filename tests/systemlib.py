"""The registers of the private peripheral bus on a clock that the test moves: events run at their own times."""

from __future__ import annotations

from vtarget.data.exceptions import Vector
from vtarget.shell.clocks import Clocks
from vtarget.shell.dwt import Dwt
from vtarget.shell.nvic import Nvic
from vtarget.shell.scb import BASELINE_CORES, SystemControl
from vtarget.shell.schedule import Schedule
from vtarget.shell.system import SystemBlock
from vtarget.shell.systick import SysTick

FPUS = {"cortex-m4": "fpv4-sp", "cortex-m7": "fpv5-dp", "cortex-m33": "fpv5-sp"}


class Bench:
    """A system block, its parts, and virtual time. ``advance`` passes time; ``questions`` counts who asked for it."""

    def __init__(
        self,
        core: str = "cortex-m4",
        *,
        reference_hz: int = 1_000_000,
        lines: int = 64,
        bits: int = 4,
        fpu: bool = True,
    ) -> None:
        self.cycles = self.asleep = self.overhead = self.questions = self.running = 0
        self.notes: list[str] = []
        self.schedule = Schedule()
        self.clocks = Clocks(self.schedule, self.now, 8_000_000)
        self.nvic = Nvic(lines, bits, baseline=core in BASELINE_CORES)
        fpu_name = FPUS.get(core) if fpu else None
        self.control = SystemControl(core, fpu_name, self.nvic, 0x08000000, lambda: self.running, 8)
        self.systick = SysTick(self.clocks.clock("HCLK"), self.clocks.fixed(reference_hz), self._pend_systick)
        self.dwt = Dwt(core, self.now, lambda: self.asleep, lambda: self.overhead, self.notes.append)
        self.block = SystemBlock(core, self.control, self.systick, self.dwt, None)
        self.ticks_pended: list[int] = []

    def now(self) -> int:
        self.questions += 1
        return self.cycles

    def _pend_systick(self) -> None:
        self.ticks_pended.append(self.cycles)
        self.nvic.pend(Vector.SYSTICK)

    def advance(self, cycles: int) -> None:
        end = self.cycles + cycles
        self.cycles = end
        self.run_due()

    def run_due(self) -> None:
        """Events run late, as at the end of a block of code, but each sees its own time."""
        end = self.cycles
        while (event := self.schedule.take_due(end)) is not None:
            assert event.action is not None
            self.cycles = event.cycle
            action, event.action = event.action, None
            action()
        self.cycles = end

    def read(self, address: int, size_bytes: int = 4) -> int:
        return self.block.read(address, size_bytes)

    def write(self, address: int, value: int, size_bytes: int = 4) -> None:
        self.block.write(address, size_bytes, value)
