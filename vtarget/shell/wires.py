"""The board's ends of serial lines, and of the consoles that are none (RTT, semihosting, ITM).

What a run has to call: ``line`` for every device, ``start`` once all of them exist, ``poll`` between stretches of
emulation, ``wait`` where only input can wake the firmware, ``close`` at the end.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.consoles import ITM, PSEUDO_DEVICES, SEMIHOSTING, ConsoleOptions, UartScript
from vtarget.shell.console import Console, ConsoleInput
from vtarget.shell.hostwires import HostEnd, open_end, wait_readable
from vtarget.shell.uartscript import AfterSeconds, Finish, ScriptPlayer

DEFAULT_BAUD = 115_200
FRAME_BITS = 10
MOST_QUEUED_BYTES = 1 << 12


class Line:
    """A ``Wire``: what the firmware transmits goes to ``write``; what is fed arrives byte by byte at the bit rate, for
    a UART from when the firmware has set one. Nothing is typed into a device that is off."""

    def __init__(self, name: str, write: Callable[[bytes], None], after_seconds: AfterSeconds) -> None:
        self.name = name
        self.receiver: Callable[[int], None] | None = None
        self._baud = 0
        self.sink = write
        self.listener: Callable[[int], None] | None = None
        self._after_seconds = after_seconds
        self._queue: deque[tuple[int, Callable[[], None] | None]] = deque()
        self._arriving = False

    @property
    def baud(self) -> int:
        """Bits per second; 0 while nobody has set that."""
        return self._baud

    @baud.setter
    def baud(self, baud: int) -> None:
        """The device has set it: what waited for that arrives now."""
        self._baud = baud
        self._begin()

    def send(self, byte: int) -> None:
        """A byte has left the transmitter."""
        self.write(bytes((byte & 0xFF,)))

    def write(self, data: bytes) -> None:
        """Output of the firmware."""
        self.sink(data)
        if self.listener is not None:
            for byte in data:
                self.listener(byte)

    @property
    def queued(self) -> int:
        """Bytes that have not arrived yet."""
        return len(self._queue)

    def feed(self, data: bytes, done: Callable[[], None] | None = None) -> None:
        """Send bytes to the firmware; ``done`` is called when the last one has arrived."""
        if not data:
            return
        self._queue.extend((byte, None) for byte in data[:-1])
        self._queue.append((data[-1], done))
        self._begin()

    def _begin(self) -> None:
        if self._queue and not self._arriving and (self._baud or self.name in PSEUDO_DEVICES):
            self._arriving = True
            self._schedule()

    def _schedule(self) -> None:
        self._after_seconds(FRAME_BITS / (self._baud or DEFAULT_BAUD), self._deliver)

    def _deliver(self) -> None:
        byte, done = self._queue.popleft()
        self._arriving = bool(self._queue)
        if self._arriving:
            self._schedule()
        if self.receiver is not None:
            self.receiver(byte)
        if done is not None:
            done()


class Wires:
    """All lines of one board, and what the host connects to them.

    ``after_seconds`` schedules an action in virtual time; ``finish`` ends the run when a script says so or fails;
    ``announce`` is told where live ends are, one line each; ``stdio`` are the descriptors that ``stdio`` means.
    """

    def __init__(
        self,
        options: ConsoleOptions,
        console: Console,
        after_seconds: AfterSeconds,
        finish: Finish,
        *,
        announce: Callable[[str], None] = lambda _text: None,
        stdio: tuple[int, int] = (0, 1),
    ) -> None:
        self._options = options
        self._console = console
        self._after_seconds = after_seconds
        self._finish = finish
        self._announce = announce
        self._stdio = stdio
        self._lines: dict[str, Line] = {}
        self._ends: dict[str, HostEnd] = {}
        self._players: dict[str, ScriptPlayer] = {}
        self._input: ConsoleInput | None = None
        self.notes: list[str] = []

    def line(self, name: str) -> Line:
        """The line of a device; ``RTT``, ``SEMIHOSTING`` and ``ITM`` have one, too."""
        if name not in self._lines:
            self._lines[name] = Line(name, self._console.source().write, self._after_seconds)
        return self._lines[name]

    def semihosting_input(self) -> ConsoleInput | None:
        """What semihosting reads from its console; None where no option connects anything to it."""
        names = {end.device for end in self._options.ends} | {script.device for script in self._options.scripts}
        if SEMIHOSTING in names and self._input is None:
            self._input = ConsoleInput()
            self._input.may_come = lambda: self._may_feed(SEMIHOSTING)
            self.line(SEMIHOSTING).receiver = self._input.receive
        return self._input

    def start(self, console_uart: str = "") -> None:
        """Open the host's ends and begin the scripts. Every device has its line by now.

        ``console_uart`` is the board's own word for it, such as ``LPUART1 on PG7/PG8``. InputError for devices that
        are no serial ones, and for ends that can't be had.
        """
        scripts = {self._scripted(script, console_uart): script for script in self._options.scripts}
        if len(scripts) < len(self._options.scripts):
            raise InputError(f"--uart-script: {' and '.join(scripts)} is given two scripts")
        for option, name in [("--uart", end.device) for end in self._options.ends] + [
            ("--uart-script", name) for name in scripts
        ]:
            self._check_serial(option, name)
        try:
            for end in self._options.ends:
                self._ends[end.device] = opened = open_end(end, self._stdio)
                self.line(end.device).sink = opened.write
                if opened.where is not None:
                    self._announce(f"{end.device}: {opened.where}")
        except InputError:
            self._abandon()
            raise
        for name, script in scripts.items():
            line = self.line(name)
            player = ScriptPlayer(script.steps, line.feed, self._after_seconds, self._finish)
            self._players[name] = player
            line.listener = player.output
        for player in self._players.values():
            player.start()
        self.poll()

    def _serial(self) -> list[str]:
        names = [name for name, line in self._lines.items() if line.receiver is not None or name == ITM]
        return sorted(names, key=lambda name: (name in PSEUDO_DEVICES, name))

    def _check_serial(self, option: str, name: str) -> None:
        if name not in self._serial():
            raise InputError(
                f"{option} {name}: the board has no such serial device", hint=did_you_mean(name, self._serial())
            )

    def _scripted(self, script: UartScript, console_uart: str) -> str:
        if script.device is not None:
            return script.device
        devices = [name for name in self._serial() if name not in PSEUDO_DEVICES]
        named = [name for name in devices if re.search(rf"\b{name}\b", console_uart)]
        if len(named) == 1 or len(devices) == 1:
            return (named if len(named) == 1 else devices)[0]
        hint = did_you_mean("", self._serial())
        raise InputError("--uart-script: which line? The board names no console UART; write NAME=FILE", hint=hint)

    def poll(self) -> None:
        """Pass output on to live ends, and take in what they sent. Doesn't wait."""
        for name, end in self._ends.items():
            line = self._lines[name]
            line.feed(end.poll(MOST_QUEUED_BYTES - min(line.queued, MOST_QUEUED_BYTES)))

    def _may_feed(self, name: str) -> bool:
        """Whether bytes for the firmware may still come on a line."""
        end, player = self._ends.get(name), self._players.get(name)
        live = end is not None and end.live
        return live or (player is not None and not player.ended) or self._lines[name].queued > 0

    @property
    def idle_can_wait(self) -> bool:
        """Whether live input could still wake the firmware when no event of virtual time will."""
        return any(end.live for end in self._ends.values())

    def wait(self, seconds: float) -> None:
        """Wait on the host until input comes, at most so long; then poll."""
        descriptors = [descriptor for end in self._ends.values() for descriptor in end.waiting_on()]
        wait_readable(descriptors, seconds)
        self.poll()

    @property
    def unmet(self) -> str | None:
        """What a script still expects when the run has ended by itself, in words; None: all scripts were satisfied."""
        return next((player.unmet for player in self._players.values() if player.unmet is not None), None)

    def close(self) -> None:
        """The run is over: pass on what is left, write files, close ports. May be called again.

        InputError if a file can't be written.
        """
        ends, self._ends = self._ends, {}
        failure: InputError | None = None
        for name, end in ends.items():
            try:
                end.close()
            except InputError as error:
                failure = failure or error
            if end.dropped_bytes:
                self.notes.append(f"{name}: output that its reader did not take dropped ({end.dropped_bytes} bytes)")
        if failure is not None:
            raise failure

    def _abandon(self) -> None:
        """Close what was opened, without writing files."""
        ends, self._ends = self._ends, {}
        for end in ends.values():
            if end.live:
                end.close()
