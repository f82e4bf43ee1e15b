"""Exception numbers, EXC_RETURN values and fault status bits of M-profile cores.

Armv6-M ARM (DDI 0419) B1.5, Armv7-M ARM (DDI 0403) B1.5 and B3.2, Armv8-M ARM (DDI 0553) B3 and D1.2.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Vector(IntEnum):
    """Exception numbers; external interrupt n is ``EXTERNAL`` + n."""

    RESET = 1
    NMI = 2
    HARD_FAULT = 3
    MEM_MANAGE = 4
    BUS_FAULT = 5
    USAGE_FAULT = 6
    SVCALL = 11
    DEBUG_MONITOR = 12
    PENDSV = 14
    SYSTICK = 15
    EXTERNAL = 16


CONFIGURABLE_FAULTS = (Vector.MEM_MANAGE, Vector.BUS_FAULT, Vector.USAGE_FAULT)

# EXC_RETURN: bits of the value, and the values that begin with these bits.
EXC_RETURN_FIRST = 0xFFFFFF00
RETURN_TO_THREAD = 1 << 3
RETURN_TO_PSP = 1 << 2
BASIC_FRAME = 1 << 4  # clear: the frame has floating-point registers
RETURN_V7 = 0xFFFFFFE1
RETURN_V8 = 0xFFFFFFA0  # no Security Extension
RETURN_V8_SECURE = 0xFFFFFFE1

# xPSR and CONTROL.
XPSR_THUMB = 1 << 24
XPSR_ALIGNED = 1 << 9  # in a stacked xPSR: the stack pointer was moved by 4
XPSR_NUMBER = 0x1FF
CONTROL_NPRIV, CONTROL_SPSEL, CONTROL_FPCA = 1, 2, 4


class Cfsr(IntFlag):
    """Bits of the Configurable Fault Status Register."""

    IACCVIOL = 1 << 0
    DACCVIOL = 1 << 1
    MUNSTKERR = 1 << 3
    MSTKERR = 1 << 4
    MMARVALID = 1 << 7
    IBUSERR = 1 << 8
    PRECISERR = 1 << 9
    IMPRECISERR = 1 << 10
    UNSTKERR = 1 << 11
    STKERR = 1 << 12
    BFARVALID = 1 << 15
    UNDEFINSTR = 1 << 16
    INVSTATE = 1 << 17
    INVPC = 1 << 18
    NOCP = 1 << 19
    STKOF = 1 << 20
    UNALIGNED = 1 << 24
    DIVBYZERO = 1 << 25


class Hfsr(IntFlag):
    """Bits of the HardFault Status Register."""

    VECTTBL = 1 << 1
    FORCED = 1 << 30
    DEBUGEVT = 1 << 31


def vector_name(number: int) -> str:
    """An exception as the manuals call it."""
    names = {
        Vector.NMI: "NMI",
        Vector.HARD_FAULT: "HardFault",
        Vector.MEM_MANAGE: "MemManage",
        Vector.BUS_FAULT: "BusFault",
        Vector.USAGE_FAULT: "UsageFault",
        Vector.SVCALL: "SVCall",
        Vector.DEBUG_MONITOR: "DebugMonitor",
        Vector.PENDSV: "PendSV",
        Vector.SYSTICK: "SysTick",
    }
    if number >= Vector.EXTERNAL:
        return f"IRQ{number - Vector.EXTERNAL}"
    return names[Vector(number)] if number in names else f"exception {number}"
