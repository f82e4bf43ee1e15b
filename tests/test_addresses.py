"""Where loads and stores go: by literal cases, on the example firmware, and on random code against the emulator."""

from __future__ import annotations

import contextlib
import random
import subprocess
import tempfile
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import unicorn as uni
import unicorn.arm_const as arm
from accesslib import REGISTERS, AccessWatch
from asmlib import OPTIONS, needs_assembler
from hypothesis import given, settings
from hypothesis import strategies as st
from machinelib import EXAMPLES

from vtarget.data.insn import Linear
from vtarget.data.limits import RunLimits
from vtarget.logic.addresses import Access, accesses
from vtarget.logic.decode import Block, decode_block
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.running import pricer_for
from vtarget.shell.runoptions import RunOptions

START = 0x8002
BOARDS = {"m0plus": "rpi-pico", "m4f": "nucleo-l4r5zi", "m7": "nucleo-f746zg", "m33": "nucleo-u575zi-q"}
ENTRY = -1


def found(code: str, **options: Any) -> list[tuple[int, str, int, str, int]]:
    """Index, address, bytes, R or W, and point of each access of code at START."""
    return [
        (a.index, written(a), a.size_bytes, "W" if a.write else "R", a.point)
        for a in accesses(Block(START, bytes.fromhex(code)), **options)
    ]


def written(access: Access) -> str:
    """Its address as a sum: ``r1+r2<<3-0x4``, ``+0x800c``."""
    base = f"r{access.base}" if access.base >= 0 else ""
    index = f"+r{access.register}<<{access.shift}" if access.register >= 0 else ""
    return f"{base}{index}{access.offset:+#x}" if access.offset else f"{base}{index}"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("4868", [(0, "r1+0x4", 4, "R", ENTRY)], id="ldr r0, [r1, #4]"),
        pytest.param("885c", [(0, "r1+r2<<0", 1, "R", ENTRY)], id="ldrb r0, [r1, r2]"),
        pytest.param("31f81200", [(0, "r1+r2<<1", 2, "R", ENTRY)], id="ldrh r0, [r1, r2, lsl #1]"),
        pytest.param("51f82100", [(0, "r1+r1<<2", 4, "R", ENTRY)], id="ldr r0, [r1, r1, lsl #2]"),
        pytest.param("4858", [(0, "+r1<<1", 4, "R", ENTRY)], id="ldr r0, [r1, r1]"),
        pytest.param("51f8040e", [(0, "r1+0x4", 4, "R", ENTRY)], id="ldrt r0, [r1, #4]"),
        pytest.param("91f808f0", [], id="pld [r1, #8]"),
        pytest.param("0248", [(0, "+0x800c", 4, "R", ENTRY)], id="ldr r0, [pc, #8]"),
        pytest.param("dfe800f0", [(0, "r0+0x8006", 1, "R", ENTRY)], id="tbb [pc, r0]"),
        pytest.param("dfe810f0", [(0, "+r0<<1+0x8006", 2, "R", ENTRY)], id="tbh [pc, r0, lsl #1]"),
        pytest.param("d1e800f0", [(0, "r0+r1<<0", 1, "R", ENTRY)], id="tbb [r1, r0]"),
        pytest.param(
            "41f8040b21f8020d0b68",
            [(0, "r1", 4, "W", ENTRY), (1, "r1+0x2", 2, "W", ENTRY), (2, "r1+0x2", 4, "R", ENTRY)],
            id="str r0, [r1], #4; strh r0, [r1, #-2]!; ldr r3, [r1]",
        ),
        pytest.param(
            "11b5019011bd",
            [(0, "r13-0xc", 12, "W", ENTRY), (1, "r13-0x8", 4, "W", ENTRY), (2, "r13-0xc", 12, "R", ENTRY)],
            id="push {r0, r4, lr}; str r0, [sp, #4]; pop {r0, r4, pc}",
        ),
        pytest.param(
            "06c820e906000368",
            [(0, "r0", 8, "R", ENTRY), (1, "r0", 8, "W", ENTRY), (2, "r0", 4, "R", ENTRY)],
            id="ldmia r0!, {r1, r2}; stmdb r0!, {r1, r2}; ldr r3, [r0]",
        ),
        pytest.param(
            "52e90401e2e802011368",
            [(0, "r2-0x10", 8, "R", ENTRY), (1, "r2", 8, "W", ENTRY), (2, "r2+0x8", 4, "R", ENTRY)],
            id="ldrd r0, r1, [r2, #-16]; strd r0, r1, [r2], #8; ldr r3, [r2]",
        ),
        pytest.param(
            "90ed020b00ed010ab0ec040a2ded048b90ec020b",
            [
                (0, "r0+0x8", 8, "R", ENTRY),
                (1, "r0-0x4", 4, "W", ENTRY),
                (2, "r0", 16, "R", ENTRY),
                (3, "r13-0x10", 16, "W", ENTRY),
                (4, "r0+0x10", 8, "R", ENTRY),
            ],
            id="vldr d0, [r0, #8]; vstr s0, [r0, #-4]; vldmia r0!, {s0-s3}; vpush {d8, d9}; vldmia r0, {d0}",
        ),
        pytest.param("00688168", [(0, "r0", 4, "R", ENTRY), (1, "r0+0x8", 4, "R", 1)], id="ldr r0, [r0]; [r0, #8]"),
        pytest.param(
            "51e8010fc1e8420f", [(0, "r1+0x4", 4, "R", 0), (1, "r1", 1, "W", 1)], id="ldrex [r1, #4]; strexb [r1]"
        ),
        pytest.param(
            "920089184868891a4868",
            [(2, "r1+r2<<2+0x4", 4, "R", ENTRY), (4, "r1+0x4", 4, "R", ENTRY)],
            id="lsls r2, r2, #2; adds r1, r1, r2; ldr r0, [r1, #4]; subs r1, r1, r2; ldr r0, [r1, #4]",
        ),
        pytest.param("01ebc20119440868", [(2, "r1", 4, "R", 2)], id="three registers don't fit"),
        pytest.param(
            "41f23421c2f2000151f82200",
            [(2, "+r2<<2+0x20001234", 4, "R", ENTRY)],
            id="movw r1; movt r1; [r1, r2]",
        ),
        pytest.param("c2f200010868", [(1, "r1", 4, "R", 1)], id="movt of a register that isn't known"),
        pytest.param(
            "08bf48680a680268",
            [(1, "r1+0x4", 4, "R", 1), (2, "r1", 4, "R", ENTRY), (3, "r0", 4, "R", 3)],
            id="it eq; ldreq r0, [r1, #4]; ldr r2, [r1]; ldr r2, [r0]",
        ),
        pytest.param("08bf04310a68", [(2, "r1", 4, "R", 2)], id="it eq; addeq r1, #4; ldr r2, [r1]"),
        pytest.param(
            "82b000af78600837bd460098",
            [(2, "r13-0x4", 4, "W", ENTRY), (5, "r13", 4, "R", ENTRY)],
            id="sub sp, #8; add r7, sp, #0; str r0, [r7, #4]; adds r7, #8; mov sp, r7; ldr r0, [sp]",
        ),
        pytest.param("80f308880198", [(1, "r13+0x4", 4, "R", 1)], id="msr msp, r0; ldr r0, [sp, #4]"),
        pytest.param("01a00168", [(1, "+0x8008", 4, "R", ENTRY)], id="adr r0, pc+4; ldr r1, [r0]"),
        pytest.param("c1f100020a441069", [(2, "+0x10", 4, "R", ENTRY)], id="rsb r2, r1, #0; add r2, r1; [r2, #16]"),
    ],
)
def test_addresses_of_each_form(code: str, expected: list[tuple[int, str, int, str, int]]) -> None:
    assert found(code) == expected


def test_accesses_share_the_point_of_the_first_that_depends_on_a_loaded_value() -> None:
    # ldr r3, [sp, #4]; add r2, r3, r7, lsl #3; ldrsb r0, [r2]; ldrsb r1, [r2, #1]; adds r2, #2; ldrsb r4, [r2]
    code = "019b03ebc70292f9000092f90110023292f90040"
    own = [(0, "r13+0x4", 4, "R", ENTRY), (2, "r2", 1, "R", 2), (3, "r2+0x1", 1, "R", 3), (5, "r2", 1, "R", 5)]
    shared = [own[0], own[1], (3, "r2+0x1", 1, "R", 2), (5, "r2+0x2", 1, "R", 2)]
    assert found(code) == own
    assert found(code, shared=True) == shared


def test_a_predicated_access_is_no_point_for_others() -> None:
    # ldr r1, [r1]; it eq; ldreq r0, [r1]; ldr r2, [r1, #4]
    assert [row[-1] for row in found("096808bf08684a68", shared=True)] == [ENTRY, 2, 3]


def test_instructions_left_over_from_an_it_block_are_taken_as_predicated() -> None:
    # adds r1, #4; ldr r0, [r1]; ldr r2, [r3]
    assert [row[-1] for row in found("043108681a68")] == [ENTRY, ENTRY]
    assert [row[-1] for row in found("043108681a68", open_conditions=1)] == [1, ENTRY]
    assert [row[-1] for row in found("043108681a68", open_conditions=3)] == [1, 2]


@pytest.mark.parametrize(
    ("code", "address", "result"),
    [
        ("02eb8310", 0x8000, Linear(((2, 1), (3, 64)), 0)),  # add.w r0, r2, r3, lsl #6
        ("a2ebc300", 0x8000, Linear(((2, 1), (3, -8)), 0)),  # sub.w r0, r2, r3, lsl #3
        ("02eba300", 0x8000, None),  # add.w r0, r2, r3, asr #2
        ("8840", 0x8000, None),  # lsls r0, r1
        ("08bf0431", 0x8000, None),  # it eq
        ("01a0", 0x8000, Linear(((15, 1),), 4)),  # adr r0
        ("01a0", 0x8002, Linear(((15, 1),), 2)),
        ("7844", 0x8002, Linear(((0, 1), (15, 1)), 0)),  # add r0, pc
        ("6ff00500", 0x8000, Linear((), -6)),  # mvn r0, #5
    ],
)
def test_results_that_are_linear(code: str, address: int, result: Linear | None) -> None:
    assert decode_block(bytes.fromhex(code), address)[0].result == result


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.elf")), ids=lambda path: path.stem)
def test_the_examples_access_what_was_foretold(path: Path, shared: bool) -> None:
    pricer = pricer_for(BOARDS[path.stem.rsplit("-", 1)[1]])
    machine = Machine(load_image(str(path)), pricer, RunOptions(limits=RunLimits(instructions=25_000)))
    watch = AccessWatch(machine.engine.uc, shared)
    machine.run()
    watch.finish()
    assert watch.differences == []
    assert watch.checked > 1000
    assert watch.at_entry.total() > 0.8 * watch.checked


# --- random code ------------------------------------------------------------------------------------------------------

# n m t d e: different registers; x X: register lists without them; w h b: numbers that are multiples of 4, 2 and 1.
TEMPLATES = """
adds {d}, {n}, {m} | add {d}, {n} | add.w {d}, {n}, {m}, lsl #{s} | add.w {d}, {n}, {m}, lsr #{s} | add {d}, pc
subs {d}, {n}, {m} | sub.w {d}, {n}, {m}, lsl #{s} | subw {d}, {n}, #{b} | addw {d}, {n}, #{b} | adds {d}, #{w}
subs {d}, #{w} | add.w {d}, {n}, #0x3fc00 | rsb {d}, {n}, #{b} | rsb {d}, {n}, {m}, lsl #{s} | negs {d}, {n}
mov {d}, {n} | movs {d}, {n} | movs {d}, #{w} | mov.w {d}, #0xff00ff00 | mvn {d}, #{b} | mvns {d}, {n} | mov {d}, pc
movw {d}, #0x{w}0 | movt {d}, #0x2000 | lsls {d}, {n}, #{s} | lsls {d}, {n} | lsrs {d}, {n}, #{s} | ands {d}, {n}
orr {d}, {n}, {m} | adcs {d}, {n} | uxtb {d}, {n} | mul {d}, {n}, {m} | mla {d}, {n}, {m}, {t}
umull {d}, {e}, {n}, {m} | add {d}, pc, #{w} | subw {d}, pc, #{b} | add {d}, sp, #{w} | add sp, #{w} | sub sp, #{w}
mov {d}, sp | bfi {d}, {n}, #2, #{w} | cmp {n}, {m} | vmov {d}, s1 | mrs {d}, apsr | ubfx {d}, {n}, #0, #12
clz {d}, {n} | ldr {t}, [{n}, #{w}] | ldrb {t}, [{n}, #{b}] | ldrsh {t}, [{n}, #{h}] | str {t}, [{n}, #{w}]
strb {t}, [{n}, #{b}] | ldr {t}, [{n}, {m}, lsl #2] | ldrh {t}, [{n}, {m}] | ldrsb {t}, [{n}, {m}]
str {t}, [{n}, {m}, lsl #3] | strh {t}, [{n}, {m}] | ldr {t}, [{n}, #-{w}] | ldrb {t}, [{n}], #{b}
ldr {t}, [{n}, #-{w}]! | ldrsh {t}, [{n}], #-{h} | ldrsb {t}, [{n}, #{b}]! | str {t}, [{n}], #{w}
strh {t}, [{n}, #-{h}]! | strb {t}, [{n}], #-{b} | ldrt {t}, [{n}, #{w}] | strht {t}, [{n}, #{h}]
ldr {t}, [sp, #{w}] | str {t}, [sp, #{w}] | str {t}, [sp, #-{w}]! | ldr {t}, [sp], #{w} | ldr {t}, [pc, #{w}]
ldr {t}, [{t}] | ldrd {t}, {e}, [{n}, #{w}] | strd {t}, {e}, [{n}, #-{w}] | ldrd {t}, {e}, [{n}], #{w}
strd {t}, {e}, [{n}, #{w}]! | ldmia {n}!, {x} | stmia {n}!, {x} | ldmdb {n}, {x} | stmdb {n}!, {x} | ldmia {n}, {x}
ldmdb {n}!, {x} | push {x} | pop {x} | vldr d{f}, [{n}, #{w}] | vstr s{f}, [{n}, #-{w}] | vldmia {n}!, {{d0-d{f}}}
vstmdb {n}!, {{s0-s{f}}} | vpush {{s{f}}} | vpop {{d{f}}} | vldr s{f}, [pc, #{w}] | vstmia {n}, {{d1, d2}}
ldrd {t}, {e}, [pc, #{w}] | ldrex {t}, [{n}, #{w}] | ldrexb {t}, [{n}] | strex {d}, {t}, [{n}]
strexh {d}, {t}, [{n}] | pld [{n}, #{w}] | ldr {t}, [{n}, {n}, lsl #1]
""".replace("\n", "|")
CODE, STACK, PAGE = 0x10000000, 0x30000000, 0x1000
POOL_OF_EACH = 12


def some_instruction(template: str, chooser: random.Random) -> str:
    """The template with registers and numbers."""
    names = chooser.sample(range(8 if chooser.random() < 0.6 else 13), 8)
    n, m, t, d, e, *_ = (f"r{i}" for i in names)
    listed = "{" + ", ".join(f"r{i}" for i in sorted(names[5:])[: chooser.randrange(2, 4)]) + "}"
    w = chooser.randrange(4, 32, 4)
    numbers = {"w": w, "h": chooser.randrange(2, 64, 2), "b": chooser.randrange(1, 200), "s": chooser.randrange(1, 4)}
    return template.format(n=n, m=m, t=t, d=d, e=e, x=listed, f=chooser.randrange(1, 5), **numbers)


@cache
def pool() -> tuple[bytes, ...]:
    """Instructions of all templates."""
    chooser = random.Random(5)
    templates = [template.strip() for template in TEMPLATES.split("|") if template.strip()]
    lines = [some_instruction(template, chooser) for template in templates for _ in range(POOL_OF_EACH)]
    with tempfile.TemporaryDirectory() as directory:
        source, elf = Path(directory, "pool.s"), Path(directory, "pool.elf")
        source.write_text(".syntax unified\n.thumb\n.align 2\n" + "\n".join(lines) + "\n")
        flags = [*OPTIONS["cortex-m4"], "-mthumb", "-nostdlib", f"-Wl,-Ttext={CODE:#x},-e,{CODE:#x}"]
        subprocess.run(["arm-none-eabi-gcc", *flags, source, "-o", elf], check=True, capture_output=True)
        (segment,) = (s for s in load_image(str(elf)).segments if s.address == CODE)
    code = segment.data
    insns = decode_block(code, CODE)
    ends = list(accumulate(insn.size for insn in insns))
    instructions = tuple(code[end - insn.size : end] for insn, end in zip(insns, ends, strict=True))
    assert len(instructions) == len(lines)
    return instructions


def run_straight(code: bytes, phase: int, shared: bool) -> AccessWatch:
    """Run it on a bare core with memory everywhere, up to its end or the first alignment fault."""
    uc = uni.Uc(uni.UC_ARCH_ARM, uni.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
    uc.mem_map(CODE, PAGE, uni.UC_PROT_READ | uni.UC_PROT_EXEC)
    uc.mem_write(CODE + phase, code)

    def on_unmapped(_uc: Any, _access: int, address: int, size: int, _value: int, _data: Any) -> bool:
        for page in {address // PAGE, (address + size - 1) // PAGE}:
            with contextlib.suppress(uni.UcError):
                uc.mem_map(page * PAGE % 2**32, PAGE)
        return True

    uc.hook_add(uni.UC_HOOK_MEM_UNMAPPED, on_unmapped)
    for n, register in enumerate(REGISTERS):
        uc.reg_write(register, 0x20000000 + 0x10400 * n)
    uc.reg_write(arm.UC_ARM_REG_SP, STACK)
    watch = AccessWatch(uc, shared)
    with contextlib.suppress(uni.UcError):
        uc.emu_start(CODE + phase | 1, CODE + phase + len(code))
        watch.finish()
    return watch


def compared(chosen: list[tuple[int | None, bytes]], phase: int, shared: bool) -> AccessWatch:
    """Run these instructions, each behind an IT if it has a condition; no difference may show."""
    its = ["" if condition is None else f"{condition << 4 | 8:02x}bf" for condition, _ in chosen]
    code = b"".join(bytes.fromhex(it) + insn for it, (_, insn) in zip(its, chosen, strict=True))
    watch = run_straight(code, phase, shared)
    assert watch.differences == [], code.hex()
    return watch


@needs_assembler
@given(st.data(), st.sampled_from([0, 2]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_random_code_accesses_what_was_foretold(data: st.DataObject, phase: int, shared: bool) -> None:
    condition = st.one_of(st.none(), st.integers(0, 13))
    compared(data.draw(st.lists(st.tuples(condition, st.sampled_from(pool())), min_size=1, max_size=25)), phase, shared)


@needs_assembler
def test_long_random_blocks_access_what_was_foretold() -> None:
    chooser = random.Random(7)
    checked = at_entry = 0
    for number in range(100):
        conditions = (chooser.randrange(14) if chooser.random() < 0.2 else None for _ in range(25))
        watch = compared([(c, chooser.choice(pool())) for c in conditions], number & 2, bool(number & 1))
        checked += watch.checked
        at_entry += watch.at_entry.total()
    assert checked > 700
    assert at_entry > 0.4 * checked
