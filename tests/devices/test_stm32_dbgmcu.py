"""DBGMCU: RM0432 chapter 57."""

from __future__ import annotations

import pytest

from devices.fakeports import FakePorts
from vtarget.base.errors import InputError
from vtarget.shell.devices.stm32_dbgmcu import IDCODE, Stm32Dbgmcu


def test_identity_is_read_only_and_the_rest_is_kept() -> None:
    dbgmcu = Stm32Dbgmcu(FakePorts(options={"idcode": 0x10076413}))
    dbgmcu.write(IDCODE, 4, 0)
    dbgmcu.write(0x4, 4, 0x27)
    assert (dbgmcu.read(IDCODE, 4), dbgmcu.read(IDCODE, 2), dbgmcu.read(0x4, 4)) == (0x10076413, 0x6413, 0x27)


def test_the_identity_has_to_be_given() -> None:
    with pytest.raises(InputError, match="DBGMCU: option 'idcode' is missing"):
        Stm32Dbgmcu(FakePorts(name="DBGMCU"))
