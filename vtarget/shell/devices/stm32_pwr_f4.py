"""PWR of the STM32F405/F407 (RM0090 chapter 5, variant ``f4``) and of the F74x and F75x (RM0385 chapter 4, ``f7``).

VOSRDY returns 40 us after a change of VOS, PLL or not; the F7's over-drive generator and switch take 45 us each
(DS10916 table Over-drive switching, recalled). Silicon stops SYSCLK while over-drive switches; this doesn't.
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.stm32_pwr_core import Factory, Stm32Pwr

CR, CSR, CR2, CSR2 = 0x0, 0x4, 0x8, 0xC
PDDS, CWUF, CSBF, DBP = 1 << 1, 1 << 2, 1 << 3, 1 << 8
ODEN, ODSWEN = 1 << 16, 1 << 17
BRR, BRE, VOSRDY, ODRDY, ODSWRDY, UDRDY = 1 << 3, 1 << 9, 1 << 14, 1 << 16, 1 << 17, 3 << 18
F4_VOS, F7_VOS = 1 << 14, 3 << 14
VOS_US, OVER_DRIVE_US, BACKUP_REGULATOR_US = 40, 45, 100  # the last one assumed
CONTROL = {CSR: BRE | 1 << 8, CSR2: 0x3F00}  # bits of the status registers that firmware writes


class Stm32PwrF4(Stm32Pwr):
    """Voltage scaling and, on the F7, the over-drive handshake."""

    def __init__(self, ports: Ports, *, over_drive: bool) -> None:
        self._over_drive = over_drive
        vos = F7_VOS if over_drive else F4_VOS
        super().__init__(ports, {CR: vos, CSR: VOSRDY}, (CR, DBP))
        self._vos = vos

    @property
    def low_power_mode(self) -> str:
        """By PDDS."""
        return "standby" if self.words[CR] & PDDS else "stop"

    def accept(self, offset: int, value: int) -> int:
        """Flags follow what is switched on; clear bits read as zero."""
        old = self.words.get(offset, 0)
        if offset in CONTROL:
            self._follow_backup_regulator(offset, old, value)
            ready = self.words.get(offset, 0) & ~CONTROL[offset]
            if offset == CSR and self._over_drive:
                ready &= ~(value & UDRDY)
            return ready | value & CONTROL[offset]
        if offset == CR:
            self._change_voltage(old, value)
            return value & ~(CWUF | CSBF)
        return value & ~0x3F if offset == CR2 and self._over_drive else value

    def _change_voltage(self, old: int, value: int) -> None:
        changed = old ^ value
        if changed & self._vos:
            self.set_later(CSR, VOSRDY, VOS_US)
        if not self._over_drive:
            return
        for enable, ready in ((ODEN, ODRDY), (ODSWEN, ODSWRDY)):
            if changed & enable and value & enable:
                self.set_later(CSR, ready, OVER_DRIVE_US)
            elif changed & enable:
                self.change_now(CSR, ready, 0)
        if value & ODSWEN and not value & ODEN:
            self.ports.note(f"{self.ports.name}: ODSWEN is set without ODEN")

    def _follow_backup_regulator(self, offset: int, old: int, value: int) -> None:
        if offset == CSR and (old ^ value) & BRE:
            if value & BRE:
                self.set_later(CSR, BRR, BACKUP_REGULATOR_US)
            else:
                self.change_now(CSR, BRR, 0)


MODELS: dict[str, Factory] = {
    "f4": partial(Stm32PwrF4, over_drive=False),
    "f7": partial(Stm32PwrF4, over_drive=True),
}
