"""STM32 independent watchdog (RM0090 21, RM0432 38): a 12-bit down counter of the LSI clock, fed through keys.

With WINR (not on F4: option ``window`` false) a reload while the counter is above it resets, too. The status flags for
registers under way clear after five LSI clocks divided by the prescaler on the chip; here they are never seen set.
"""

from __future__ import annotations

from vtarget.shell.devices.counter import Counter
from vtarget.shell.devices.device import Ports, WordDevice

KR, PR, RLR, SR, WINR = 0x00, 0x04, 0x08, 0x0C, 0x10
RELOAD_KEY, UNLOCK_KEY, START_KEY = 0xAAAA, 0x5555, 0xCCCC
MASK = 0xFFF


class Stm32Iwdg(WordDevice):
    """Once started it can't be stopped; the chip resets RLR + 1 counts after the last reload."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._counter = Counter(ports.clock, self._catch_up, divider=4)
        self._window = bool(ports.options.get("window", True))
        self._unlocked = False
        self._count = MASK
        self.words = {RLR: MASK, WINR: MASK if self._window else 0}

    def read_word(self, offset: int) -> int:
        """KR is write-only; SR reads as zero: nothing is under way."""
        return 0 if offset in (KR, SR) else self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """Keys; PR, RLR and WINR only while unlocked."""
        self._catch_up()
        if offset == KR:
            self._key(value & 0xFFFF)
        elif self._unlocked and offset == PR:
            self.words[PR] = value & 7
            self._counter.set_clock(self.ports.clock, 4 << min(value & 7, 6))
        elif self._unlocked and (offset == RLR or (offset == WINR and self._window)):
            self.words[offset] = value & MASK
            if offset == WINR:  # writing the window reloads the counter (RM0432 38.3.2)
                self._reload()
        self._refresh()

    def _key(self, key: int) -> None:
        self._unlocked = key == UNLOCK_KEY
        if key == START_KEY:
            self._reload()
            self._counter.run(True)
        elif key == RELOAD_KEY:
            if self._counter.running and self._window and self._count > self.words[WINR]:
                self.ports.reset_core()
            self._reload()

    def _reload(self) -> None:
        self._count = self.words[RLR]
        self._counter.restart()

    def _catch_up(self) -> None:
        counts = self._counter.take()
        if counts > self._count:
            self._counter.run(False)
            self.ports.reset_core()
        self._count = max(0, self._count - counts)
        self._refresh()

    def _refresh(self) -> None:
        self._counter.call_after(self._count + 1)


MODELS = {"": Stm32Iwdg}
