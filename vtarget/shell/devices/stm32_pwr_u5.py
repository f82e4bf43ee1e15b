"""PWR of the STM32U575 and U585 (RM0456 chapter 10).

A change of the voltage range takes 20 us, the EPOD booster 10 us, a change of regulator 30 us (assumed; DS13737 has
no figures that could be confirmed).
"""

from __future__ import annotations

from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.stm32_pwr_core import Factory, Stm32Pwr

CR1, CR3, VOSR, SVMCR, DBPR, SR, SVMSR, BDSR = 0x00, 0x08, 0x0C, 0x10, 0x28, 0x38, 0x3C, 0x40
WUSR, WUSCR = 0x44, 0x48
LPMS, DBP, REGSEL, REGS = 7, 1 << 0, 1 << 1, 1 << 1
BOOSTRDY, VOSRDY, VOS, BOOSTEN = 1 << 14, 1 << 15, 3 << 16, 1 << 18
ACTVOSRDY, ACTVOS, CSSF = 1 << 15, 3 << 16, 1 << 0
MONITORS = 0xF << 24  # UVMEN, IO2VMEN, AVM1EN, AVM2EN; in SVMSR, at the same places, their supplies are ready
VOS_US, BOOST_US, REGULATOR_US = 20, 10, 30
MODES = ("stop0", "stop1", "stop2", "stop3", "standby", "standby", "shutdown", "shutdown")
RESET_WORDS = {VOSR: VOSRDY, SVMSR: ACTVOSRDY}


class Stm32PwrU5(Stm32Pwr):
    """Voltage ranges with the EPOD booster, the choice of regulator, and of the low-power mode."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, RESET_WORDS, (DBPR, DBP))

    @property
    def low_power_mode(self) -> str:
        """By LPMS."""
        return MODES[self.words.get(CR1, 0) & LPMS]

    def accept(self, offset: int, value: int) -> int:
        """Ready bits follow; status is read-only."""
        old = self.words.get(offset, 0)
        if offset in (SVMSR, BDSR, WUSR):
            return old
        if offset == WUSCR:
            self.words[WUSR] = self.words.get(WUSR, 0) & ~value
            return 0
        if offset == SR:
            return 0 if value & CSSF else old
        if offset == VOSR:
            return self._scale(old, value)
        if offset == CR3 and (old ^ value) & REGSEL:
            self.after("REGS", REGULATOR_US, lambda: self.change_now(SVMSR, REGS, value & REGSEL))
        if offset == SVMCR:
            self.change_now(SVMSR, MONITORS, value & MONITORS)
        return value

    def _scale(self, old: int, value: int) -> int:
        changed = old ^ value
        if changed & VOS:
            self.set_later(VOSR, VOSRDY, VOS_US)
            self.set_later(SVMSR, ACTVOSRDY, VOS_US)
            self.after("ACTVOS", VOS_US, lambda: self.change_now(SVMSR, ACTVOS, value & VOS))
        if changed & BOOSTEN and value & BOOSTEN:
            self.set_later(VOSR, BOOSTRDY, BOOST_US)
        elif changed & BOOSTEN:
            self.change_now(VOSR, BOOSTRDY, 0)
        return value & (VOS | BOOSTEN) | self.words[VOSR] & (VOSRDY | BOOSTRDY)


MODELS: dict[str, Factory] = {"": Stm32PwrU5}
