"""STM32 random number generator (RM0090 24, RM0432 29): a 32-bit word with DRDY every 40 ticks of its clock.

Options: ``seed`` (1) of ``prng.Pcg32``, whose words it gives, so that every run sees the same ones; ``word_ticks`` (40,
RM0090 24.3.1); ``words`` (1), the depth of the output queue, 4 on the L4+ and U5 (recalled). Errors of clock and seed
don't occur. The entry's clock is the RNG's own; where the clock tree stops it, no word comes.
"""

from __future__ import annotations

from collections import deque

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.pins import number_option
from vtarget.shell.devices.prng import Pcg32

CR, SR, DR = 0x0, 0x4, 0x8
RNGEN, IE, CONDRST = 1 << 2, 1 << 3, 1 << 30
DRDY = 1 << 0


class Stm32Rng(WordDevice):
    """The generator."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._random = Pcg32(number_option(ports, "seed", 1))
        self._word_ticks = max(1, number_option(ports, "word_ticks", 40))
        self._depth = max(1, number_option(ports, "words", 1))
        self._ready: deque[int] = deque()
        self._alarm: Alarm | None = None

    def peek_word(self, offset: int) -> int:
        """The register's content; DR is not read."""
        return DRDY * bool(self._ready) if offset == SR else 0 if offset == DR else self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """A read of DR takes a word out; it reads 0 if there is none."""
        if offset != DR:
            return self.peek_word(offset)
        word = self._ready.popleft() if self._ready else 0
        self._update()
        return word

    def write_word(self, offset: int, value: int) -> None:
        """CR starts and stops it. SR's error flags are never set, so clearing them does nothing."""
        if offset in (SR, DR):
            return
        self.words[offset] = value
        if offset == CR:
            if not value & RNGEN or value & CONDRST:
                self._stop()
            self._update()

    def _stop(self) -> None:
        self._ready.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _update(self) -> None:
        control = self.words.get(CR, 0)
        running = control & RNGEN and not control & CONDRST
        if running and self._alarm is None and len(self._ready) < self._depth:
            clock = self.ports.clock
            if not clock.hz:
                self.ports.note(f"{self.ports.name}: enabled while its clock is off, so no random number comes")
            self._alarm = clock.at(clock.ticks + self._word_ticks, self._on_word)
        self.ports.set_irq(bool(control & IE and self._ready))

    def _on_word(self) -> None:
        self._alarm = None
        self._ready.append(self._random.next())
        self._update()


MODELS = {"": Stm32Rng}
