"""The live clock as firmware measures it; the registers behind it are in test_dwt, test_systick and test_scb."""

from __future__ import annotations

from pathlib import Path

import pytest
from machinelib import PROGRAMS, Ran, core_alone, run_elf, write_program

from vtarget.data.limits import RunLimits
from vtarget.data.record import Reason
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block

# In firmware/tests/clock.c both counters are read, spin called, and the counter read again by the first instruction
# after the call.

BOARDS = {"m0plus": "rpi-pico", "m4f": "nucleo-l4r5zi", "m7": "nucleo-f746zg", "m33": "nucleo-u575zi-q"}
# Of the instruction that reads SysTick (and the DWT) before the call of spin.
READS = {
    "m0plus": (0x10000322,),
    "m4f": (0x08000216, 0x0800021E),
    "m7": (0x0800022E, 0x0800023A),
    "m33": (0x08000218, 0x0800022C),
}


def measured(ran: Ran) -> dict[str, str]:
    return dict(line.split() for line in ran.record.console.splitlines())


def from_read_to_call(ran: Ran, read: int) -> int:
    """Cycles that the profile prices from before the instruction at ``read`` to the entry of spin."""
    blocks = [Block(int(a), c) for a, c in zip(ran.record.block_address, ran.record.block_code, strict=True)]
    (source,) = (b for b in blocks if read in b.addresses)
    spin = next(f.address for f in ran.record.functions if f.name == "spin")
    target = next(b for b in blocks if b.address == spin)
    return ran.pricer.edge(source, Exit.TAKEN, target).nominal - ran.pricer.prefix(source, source.addresses.index(read))


@pytest.mark.parametrize("core", BOARDS)
def test_firmware_measures_exactly_what_is_priced(core: str) -> None:
    ran = run_elf(PROGRAMS / f"clock-{core}.elf", core_alone(BOARDS[core]))
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    (spin,) = (k for k in ran.profile().kernels if k.name == "spin")
    counters = ["systick", "dwt"][: len(READS[core])]
    assert spin.calls == len(counters)
    around = [from_read_to_call(ran, read) for read in READS[core]]
    times = [int(measured(ran)[counter]) for counter in counters]
    assert sum(times) == spin.total_cycles + sum(around)
    if core != "m7":  # whose predictor knows the loop when it comes the second time
        assert times == [spin.total_cycles // spin.calls + extra for extra in around]
    assert ran.record.clock_reads == 2 * len(counters)
    assert ran.record.not_modelled == ()


def test_measured_cycles_are_those_of_the_manuals() -> None:
    m0plus = measured(run_elf(PROGRAMS / "clock-m0plus.elf", core_alone(BOARDS["m0plus"])))
    # DDI 0484 table 3-1. spin: 1000 subs of 1, 999 taken bne of 2, one not taken of 1, bx 2; around it ldr 2, bl 3.
    assert int(m0plus["systick"]) == 1000 + 999 * 2 + 1 + 2 + 2 + 3 == 3006
    assert m0plus["dwt"] == "0"
    m4f = measured(run_elf(PROGRAMS / "clock-m4f.elf", core_alone(BOARDS["m4f"])))
    # DDI 0439 table 3-1; refills of DDI 0337G table 15-3: taken bne and bl 1 + 1, bx lr 1 + 1.
    spin = 1000 + 999 * 2 + 1 + 2
    # ldr 2, bl 2.
    assert int(m4f["systick"]) == spin + 2 + 2
    # In mid-block behind another load: ldr.w 1 (pipelined), subs mov.w bic str 1 each, bl 2.
    assert int(m4f["dwt"]) == spin + 1 + 4 + 2


@pytest.mark.parametrize("core", BOARDS)
def test_identification_reads_as_on_the_board(core: str) -> None:
    values = measured(run_elf(PROGRAMS / f"clock-{core}.elf", BOARDS[core]))
    cpuid = {"m0plus": "0x410cc601", "m4f": "0x410fc241", "m7": "0x411fc271", "m33": "0x410fd213"}
    assert values["cpuid"] == cpuid[core]
    assert values["vtor"] == ("0x10000100" if core == "m0plus" else "0x08000000")


def test_two_reads_of_one_block_differ_by_what_stands_between_them(tmp_path: Path) -> None:
    """Reads the cycle counter four times in one block: with nothing, three nops, and a divide between."""
    program = {
        "Reset_Handler": "4c05 ldr r4, [pc, #20]\n 4d06 ldr r5, [pc, #24]\n f04f 7180 mov.w r1, #0x1000000\n"
        "6021 str r1, [r4]\n 2001 movs r0, #1\n 6028 str r0, [r5]\n b main\n bf00 nop\n bf00 nop\n bf00 nop\n"
        ".word 0xe000edfc\n .word 0xe0001000",
        "main": "6868 ldr r0, [r5, #4]\n 6869 ldr r1, [r5, #4]\n"
        "bf00 nop\n bf00 nop\n bf00 nop\n 686a ldr r2, [r5, #4]\n"
        "2609 movs r6, #9\n 2703 movs r7, #3\n fbb6 f3f7 udiv r3, r6, r7\n 686c ldr r4, [r5, #4]\n e7fe b .",
    }
    elf = write_program(tmp_path / "p.elf", "nucleo-l4r5zi", program)
    ran = run_elf(elf, core_alone("nucleo-l4r5zi"), limits=RunLimits(instructions=1000))
    assert ran.record.exit.reason is Reason.IDLE
    r0, r1, r2, _, r4 = ran.machine.engine.registers()[:5]
    # DDI 0439 3.3.1: LDR 2, 1 when it follows another; NOP 1; UDIV 2 to 12, 9 / 3 takes the least of them here.
    (site,) = {(int(n), int(i)) for n, i in zip(ran.record.site_node, ran.record.site_insn, strict=True)}
    node, index = site
    block = Block(int(ran.record.block_address[ran.record.node_block[node]]),
                  ran.record.block_code[ran.record.node_block[node]])  # fmt: skip
    (operands,) = ran.record.site_counts[0].nonzero()[0].tolist()
    divide = ran.pricer.site(block, index, operands).nominal
    assert (r1 - r0, r2 - r1) == (2, 1 + 2)  # the first NOP goes into the load's second cycle (JNK, M3/M4)
    assert r4 - r2 == 2 + 1 + 1 + divide
    assert 2 <= divide <= 12
