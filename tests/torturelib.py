"""Random programs for the exception torture test (``firmware/torture``), and their way into its ELF."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmwarelib import FIRMWARE
from qemu import symbol_range

SOURCE = FIRMWARE / "torture" / "torture.c"
# Priorities have at least three bits on every core with this test's instruction set; more would differ between them.
PRIORITIES = tuple(range(0, 0x100, 0x20))
IRQS = (0, 1, 2, 7, 8, 15, 16, 30, 31)
MEM_FAULT, BUS_FAULT, USAGE_FAULT, SVCALL, PENDSV, SYSTICK = 4, 5, 6, 11, 14, 15
ICSR_BITS = {"clear SysTick": 25, "set SysTick": 26, "clear PendSV": 27, "set PendSV": 28, "set NMI": 31}
FAULTS = {
    "udf": 0,
    "udf.w": 1,
    "sdiv by 0": 2,
    "udiv by 0": 3,
    "unaligned ldr": 4,
    "unaligned strh": 5,
    "unaligned ldrd": 6,
    "call of never executable memory": 7,
    "call of ARM code": 8,
    "unmapped load": 9,
    "absent coprocessor": 10,
    "process stack below PSPLIM": 11,
}
# What vtarget doesn't model: alignment faults, FPDSCR, and that unprivileged code can't reach the system registers.
NOT_MODELLED = frozenset({"unaligned ldr", "unaligned strh", "unaligned ldrd", "fpdscr"})
PRIVILEGED_ONLY, IDLE_HANDLERS = 1, 2
DIV_0_TRP, UNALIGN_TRP, USERSETMPEND, STKALIGN = 0x10, 0x08, 0x02, 0x200


@dataclass(frozen=True)
class Operation:
    """One step of a program; ``a`` and ``b`` as torture.c's ``execute`` takes them."""

    name: str
    a: int = 0
    b: int = 0


@dataclass(frozen=True)
class Mix:
    """What a core's programs may do; ``limited`` leaves out `NOT_MODELLED`."""

    has_fpu: bool
    stkalign_writable: bool
    limited: bool = False


MIX_OF_CORE = {
    "m3": Mix(False, True),
    # QEMU 7.2 with STKALIGN clear doesn't align frames with FP state, which the architecture does whatever STKALIGN
    # says (DDI 0403E.e B1.5.6, PushStack: forcealign), and its lazy save then overwrites the stacked xPSR.
    "m4f": Mix(True, False),
    "m7": Mix(True, False),
    "m33": Mix(True, False),
}


def operation_codes() -> dict[str, int]:
    """Code of each operation, from the list in torture.c."""
    listed = re.search(r"#define OPERATIONS\(X\)(.*?)\n#define", SOURCE.read_text(), re.DOTALL)
    assert listed is not None
    return {name: code for code, name in enumerate(re.findall(r"X\((\w+)\)", listed[1]))}


def make_program(seed: int, mix: Mix, length: int = 50) -> list[Operation]:
    """A random program. It starts with priorities and enables, so that most of what is pended later is taken."""
    rng = random.Random(seed)
    irqs = rng.sample(IRQS, 5)
    few = rng.sample(PRIORITIES, rng.choice((2, 3, 5, 8, 8)))  # few priorities: many collisions
    urgency = {number: rng.choice(few) for number in _exceptions(irqs)}
    program = [Operation("priority", *item) for item in urgency.items() if rng.random() < 0.8]
    program += [Operation("enable", irq) for irq in irqs if rng.random() < 0.9]
    if rng.random() < 0.5:
        program.append(Operation("group", rng.choice((4, 5, 6, 7))))
    if rng.random() < 0.6:
        program.append(Operation("fault_enable", rng.randrange(8)))
    if rng.random() < 0.6:
        program.append(_traps(rng, mix))
    choices = [c for c in _CHOICES if mix.has_fpu or not c[1].startswith("fp")]
    if mix.limited:
        choices = [c for c in choices if c[1] not in NOT_MODELLED]
    names = rng.choices([name for _, name in choices], [weight for weight, _ in choices], k=length)
    body = []
    for name in names:
        body.append(_operation(name, rng, irqs, few, mix))
        if name == "process_stack" and rng.random() < 0.5:
            body.append(Operation("fault", FAULTS["process stack below PSPLIM"]))
    if rng.random() < 0.6:
        at = rng.randrange(length)
        body[at:at] = _stairs(rng, irqs, urgency)
    return [*program, *body, Operation("state")]


def encode(programs: Sequence[Sequence[Operation]], flags: int = 0) -> bytes:
    """The bytes of the firmware's ``program``."""
    codes = operation_codes()
    packed = [bytes((codes[o.name], o.a, o.b, 0)) for program in programs for o in (*program, Operation("end"))]
    return struct.pack("<HH", len(programs), flags) + b"".join(packed)


def write_patched(elf: Path, programs: Sequence[Sequence[Operation]], target: Path, flags: int = 0) -> Path:
    """A copy of the firmware with these programs in it. ValueError when they don't fit."""
    address, size = symbol_range(elf, "program")
    content = encode(programs, flags)
    if len(content) > size:
        raise ValueError(f"{len(content)} bytes of programs, room for {size}")
    image = bytearray(elf.read_bytes())
    offset = _file_offset(bytes(image), address)
    image[offset : offset + len(content)] = content
    target.write_bytes(image)
    return target


def _file_offset(image: bytes, address: int) -> int:
    """Where the byte at that address stands in a little-endian 32-bit ELF."""
    (table,), (entry_size, count) = struct.unpack_from("<I", image, 28), struct.unpack_from("<HH", image, 42)
    for i in range(count):
        _, offset, start, _, size = struct.unpack_from("<5I", image, table + i * entry_size)
        if start <= address < start + size:
            return int(offset + address - start)
    raise ValueError(f"{address:#x} is in no segment")


def _exceptions(irqs: Sequence[int]) -> list[int]:
    return [MEM_FAULT, BUS_FAULT, USAGE_FAULT, SVCALL, PENDSV, SYSTICK, *(16 + irq for irq in irqs)]


def _stairs(rng: random.Random, irqs: Sequence[int], urgency: Mapping[int, int]) -> list[Operation]:
    """Interrupts pended in the order of their urgency, each by the handler of the one before, so that they nest."""
    rising = sorted(irqs, key=lambda irq: (-urgency[16 + irq], rng.random()))
    clear = [Operation("primask", 0), Operation("basepri", 0)] if rng.random() < 0.7 else []
    return clear + [Operation("pend", irq) for irq in rising]


# How often each operation is chosen, relative to the others.
_CHOICES: list[tuple[int, str]] = [
    (6, "priority"),
    (1, "group"),
    (4, "enable"),
    (2, "disable"),
    (14, "pend"),
    (10, "pend_many"),
    (4, "trigger"),
    (4, "unpend"),
    (14, "icsr"),
    (8, "svc"),
    (3, "svc_in_it"),
    (6, "primask"),
    (5, "basepri"),
    (3, "basepri_max"),
    (3, "faultmask"),
    (5, "fp_fill"),
    (6, "fp_log"),
    (4, "fp_compute"),
    (3, "fpscr"),
    (2, "fpdscr"),
    (2, "fp_lazy"),
    (2, "fp_forget"),
    (2, "fp_off"),
    (4, "process_stack"),
    (4, "unprivileged"),
    (9, "state"),
    (10, "fault"),
    (3, "traps"),
    (3, "fault_enable"),
    (6, "misaligned"),
    (2, "vectors"),
    (2, "sleep"),
    (2, "fault_pend"),
    (4, "bad_return"),
]


def _operation(name: str, rng: random.Random, irqs: Sequence[int], few: Sequence[int], mix: Mix) -> Operation:
    irq = rng.choice(irqs)
    mode = rng.choice((0, 0, 1, 2, 4, 8))  # of FPSCR bits 22 to 25: RMode twice, FZ, DN
    match name:
        case "priority":
            return Operation(name, rng.choice(_exceptions(irqs)), rng.choice(few))
        case "group":
            return Operation(name, rng.choice((4, 5, 6, 7)))
        case "enable" | "disable" | "pend" | "trigger" | "unpend" | "sleep":
            return Operation(name, irq)
        case "pend_many":
            return Operation(name, rng.randrange(1, 256), rng.choice((0, 0, 8, 12, 24)))
        case "icsr":
            return Operation(name, rng.choices(list(ICSR_BITS.values()), (1, 5, 1, 5, 2))[0])
        case "svc":
            return Operation(name, rng.choice((0, 1, 7, 255)))
        case "primask" | "faultmask":
            return Operation(name, rng.choice((0, 0, 1)))
        case "basepri" | "basepri_max":
            return Operation(name, rng.choice((0, 0, *few)))
        case "fp_fill" | "fp_log":
            return Operation(name, rng.randrange(256))
        case "fp_compute":
            return Operation(name, rng.randrange(1, 256), rng.randrange(1, 256))
        case "fpscr" | "fpdscr":
            return Operation(name, mode)
        case "fp_lazy":
            return Operation(name, rng.randrange(2))
        case "process_stack":
            return Operation(name, rng.randrange(4, 20))
        case "unprivileged":
            return Operation(name, rng.randrange(3, 10))
        case "fault":
            return Operation(
                name, rng.choice([v for k, v in FAULTS.items() if not (mix.limited and k in NOT_MODELLED)])
            )
        case "traps":
            return _traps(rng, mix)
        case "fault_enable":
            return Operation(name, rng.randrange(8))
        case "misaligned":
            return Operation(name, rng.randrange(3), irq)
        case "vectors" | "fault_pend":
            return Operation(name, rng.randrange(3))
        case _:
            return Operation(name)


def _traps(rng: random.Random, mix: Mix) -> Operation:
    unaligned = 0 if mix.limited else UNALIGN_TRP
    low = rng.choice((0, DIV_0_TRP)) | rng.choice((0, unaligned)) | rng.choice((0, USERSETMPEND))
    aligned = 0 if mix.stkalign_writable and rng.random() < 0.3 else STKALIGN
    return Operation("traps", low, aligned >> 8)
