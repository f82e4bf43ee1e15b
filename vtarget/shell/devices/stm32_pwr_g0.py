"""PWR of the STM32G0 (RM0444 chapter 4): as the L4's, without Stop 2. A rise of VOS takes 5 us (recalled)."""

from __future__ import annotations

from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.stm32_pwr_core import Factory
from vtarget.shell.devices.stm32_pwr_l4 import CR1, CR3, LPMS, RANGE_1, REGLPS, SR2, Stm32PwrL4

FLASH_RDY = 1 << 7
RESET_WORDS = {CR1: RANGE_1 | 1 << 3, CR3: 0x8000, SR2: FLASH_RDY | REGLPS}  # FPD_STOP is set


class Stm32PwrG0(Stm32PwrL4):
    """The flash memory is always ready: its power-down in low-power run is not modelled."""

    rise_us = 5

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, RESET_WORDS)

    @property
    def low_power_mode(self) -> str:
        """By LPMS; 2 is reserved and taken for Stop 1."""
        return "stop1" if self.words[CR1] & LPMS == 2 else super().low_power_mode


MODELS: dict[str, Factory] = {"": Stm32PwrG0}
