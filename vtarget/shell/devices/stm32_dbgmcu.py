"""DBGMCU of the STM32s: the identity of the chip (option ``idcode``), and freeze bits that only read back."""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.shell.devices.device import Ports, WordDevice

IDCODE = 0x0


class Stm32Dbgmcu(WordDevice):
    """IDCODE is read-only: the device in bits 0 to 11, the revision from bit 16 on."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        if "idcode" not in ports.options:
            raise InputError(f"device {ports.name}: option 'idcode' is missing")
        self.words[IDCODE] = int(ports.options["idcode"])

    def write_word(self, offset: int, value: int) -> None:
        """All but IDCODE."""
        if offset != IDCODE:
            super().write_word(offset, value)


MODELS = {"": Stm32Dbgmcu}
