"""All ways in which the firmware talks: serial lines, semihosting, ITM and RTT, as one part of a machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vtarget.data.board import Board
from vtarget.data.consoles import ITM, RTT, SEMIHOSTING, ConsoleOptions
from vtarget.data.image import Image
from vtarget.shell.budget import TICKS_PER_SECOND
from vtarget.shell.chipset import Chipset
from vtarget.shell.clocks import Alarm, Clocks
from vtarget.shell.console import Console
from vtarget.shell.engine import Engine
from vtarget.shell.hostfiles import HostFiles
from vtarget.shell.itm import Itm, Tpiu
from vtarget.shell.rtt import POLL_SECONDS, Rtt
from vtarget.shell.schedule import NEVER
from vtarget.shell.semihosting import Blocked, FirmwareExit, Semihosting
from vtarget.shell.uartscript import Finish
from vtarget.shell.wires import Wires

RTT_SYMBOL = "_SEGGER_RTT"


class Consoles:
    """The consoles of one run. ``finish`` ends it when a script says so; ``announce`` tells where live ends are.

    The clocks come later than the lines (devices want theirs when they are made): ``connect`` gives them.
    """

    def __init__(
        self, engine: Engine, board: Board, image: Image, options: ConsoleOptions, finish: Finish,
        announce: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.console = Console()
        self.wires = Wires(options, self.console, self._after_seconds, finish, announce=announce)
        self._engine = engine
        self._board = board
        self._image = image
        self._options = options
        self._clocks: Clocks | None = None
        self._traced: Callable[[], bool] = lambda: False
        self.itm = Itm(board.core, lambda: self._traced(), self.wires.line(ITM).write)
        self.tpiu = Tpiu()
        self.rtt: Rtt | None = None
        self.semihosting: Semihosting | None = None
        self._files: HostFiles | None = None
        self.next_poll = NEVER  # of RTT, in cycles of virtual time

    def connect(self, chipset: Chipset, cycles: Callable[[], int]) -> None:
        """Every device exists: open the host's ends, begin the scripts. InputError for ends that can't be had."""
        self._clocks = chipset.clocks
        self._traced = lambda: chipset.system.traced
        place = self._image.objects.get(RTT_SYMBOL)
        if place is not None or not self._image.functions:
            self.rtt = Rtt(self._engine, self._board, place[0] if place else None, self.wires.line(RTT))
            self.next_poll = 0
        options = self._options
        self._files = HostFiles(options.semihost_dir) if options.semihost_dir is not None else None
        self.semihosting = Semihosting(
            self._engine,
            self.wires.line(SEMIHOSTING),
            cycles,
            chipset.clocks.core_hz,
            files=self._files,
            stdin=self.wires.semihosting_input(),
            command_line=" ".join(part for part in (Path(self._image.path).name, options.semihost_args) if part),
            covers=self._board.covers,
        )
        self.wires.start(self._board.debug.console or "")

    def call(self, operation: int, argument: int) -> FirmwareExit | Blocked | int:
        """A semihosting call."""
        assert self.semihosting is not None
        return self.semihosting.call(operation, argument)

    def poll(self) -> None:
        """Exchange what is there with the outside; doesn't wait."""
        if self._options.connected:
            self.wires.poll()

    def poll_rtt(self) -> None:
        """Empty RTT's buffers, as a debug probe would, at fixed points of virtual time."""
        if self.rtt is not None and self._clocks is not None:
            self.rtt.poll()
            self.next_poll = self._clocks.now() + int(POLL_SECONDS * self._clocks.core_hz)

    @property
    def live(self) -> bool:
        """Whether input may come from the host."""
        return self.wires.idle_can_wait

    def pace(self, seconds: float) -> None:
        """The core waits for so long: while somebody may type, so does the host, until input comes."""
        if self.live:
            self.wires.wait(max(0.0, seconds))

    def input_came(self) -> bool:
        """Whether a semihosting call that waits for input may be made again."""
        found = self.wires.semihosting_input()
        return found is None or found.ready

    def close(self) -> None:
        """The run is over."""
        self.poll_rtt()
        self.poll()
        if self.semihosting is not None:
            self.semihosting.close()
        self.wires.close()

    @property
    def notes(self) -> list[str]:
        """What the result should say of the consoles."""
        found = [*self.wires.notes, *self.itm.notes, *(self.rtt.notes if self.rtt else ())]
        found.extend(self._files.notes if self._files else ())
        for operation, times in sorted((self.semihosting.unknown if self.semihosting else {}).items()):
            found.append(f"semihosting operation 0x{operation:02x} refused ({times} calls)")
        if self.console.dropped_bytes:
            found.append(f"console output beyond its limit dropped ({self.console.dropped_bytes} bytes)")
        return found

    @property
    def clock_reads(self) -> int:
        """How often the firmware asked for the time."""
        return self.semihosting.clock_reads if self.semihosting else 0

    def _after_seconds(self, seconds: float, action: Callable[[], None]) -> Alarm:
        assert self._clocks is not None
        clock = self._clocks.fixed(TICKS_PER_SECOND)
        return clock.at(clock.ticks + max(1, round(seconds * TICKS_PER_SECOND)), action)
