"""firmware/tests/weights.c: the sums don't depend on where the weights are, and RAM is never the slower place."""

from __future__ import annotations

import pytest
from machinelib import PROGRAMS, run_elf

from vtarget.data.record import Reason

BOARDS = {"m0plus": "rpi-pico", "m4f": "nucleo-l4r5zi", "m7": "nucleo-f746zg", "m33": "nucleo-u575zi-q"}


@pytest.mark.parametrize(("core", "board"), BOARDS.items())
def test_weights_in_constants_and_in_ram_give_the_same_sums(core: str, board: str) -> None:
    ran = run_elf(PROGRAMS / f"weights-{core}.elf", board)
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    assert ran.record.console == "weights ok\n"
    kernels = {kernel.name: kernel for kernel in ran.profile().kernels}
    constants, ram = kernels["weights_in_constants"], kernels["weights_in_ram"]
    assert (constants.calls, ram.calls) == (1, 1)
    assert constants.instructions == ram.instructions
    assert constants.total_cycles >= ram.total_cycles > 512 * 32
