"""PWR of the STM32L4 and L4+ (RM0432 chapter 5), and the base of the G0's.

VOSF shows a rise from range 2 to range 1 for 20 us, REGLPF a return from low-power run for 5 us (DS12023, recalled).
"""

from __future__ import annotations

from collections.abc import Mapping

from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.stm32_pwr_core import Factory, Stm32Pwr

CR1, CR2, CR3, CR4, SR1, SR2, SCR, CR5 = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x80
LPMS, DBP, VOS, LPR = 7, 1 << 8, 3 << 9, 1 << 14
REGLPS, REGLPF, VOSF = 1 << 8, 1 << 9, 1 << 10
RANGE_1, RANGE_2 = 1 << 9, 2 << 9
RESET_WORDS = {CR1: RANGE_1, CR3: 0x8000, SR2: REGLPS, CR5: 1 << 8}
MODES = ("stop0", "stop1", "stop2", "standby", "shutdown", "shutdown", "shutdown", "shutdown")


class Stm32PwrL4(Stm32Pwr):
    """Voltage ranges, low-power run, and the choice of the low-power mode."""

    rise_us = 20

    def __init__(self, ports: Ports, reset_words: Mapping[int, int] = RESET_WORDS) -> None:
        super().__init__(ports, reset_words, (CR1, DBP))

    @property
    def low_power_mode(self) -> str:
        """By LPMS; from low-power run Stop 1 is entered in place of Stop 0 and Stop 2 (RM0432 5.4.4)."""
        mode = MODES[self.words[CR1] & LPMS]
        return "stop1" if mode.startswith("stop") and self.words[CR1] & LPR else mode

    def accept(self, offset: int, value: int) -> int:
        """Status is read-only; VOS takes only the two ranges."""
        if offset in (SR1, SR2):
            return self.words.get(offset, 0)
        if offset == SCR:
            self.words[SR1] = self.words.get(SR1, 0) & ~value
            return 0
        if offset == CR1:
            return self._control(value)
        return value

    def _control(self, value: int) -> int:
        old = self.words[CR1]
        if value & VOS not in (RANGE_1, RANGE_2):
            value = value & ~VOS | old & VOS
        if (old & VOS, value & VOS) == (RANGE_2, RANGE_1):
            self.clear_later(SR2, VOSF, self.rise_us)
        elif value & VOS == RANGE_2:
            self.change_now(SR2, VOSF, 0)
        if value & LPR:
            self.change_now(SR2, 0, REGLPF)
        elif old & LPR:
            self.clear_later(SR2, REGLPF, 5)
        return value


MODELS: dict[str, Factory] = {"": Stm32PwrL4}
