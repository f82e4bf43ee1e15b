"""Forms of instructions that models of cores tell apart, read off the instruction's text where it must be."""

from __future__ import annotations

import re
from functools import cache

from vtarget.data.insn import FLAGS, FLOATS, Insn, Kind

_WORD = 0xFFFFFFFF
_NAMES = {"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15} | {f"r{n}": n for n in range(16)}
_REGISTER = re.compile(rf"\b({'|'.join(_NAMES)})\b")
_SHIFTED = re.compile(rf"\b({'|'.join(_NAMES)}), (?:lsl|lsr|asr|ror|rrx)\b")
_IMMEDIATE = re.compile(r"#(-?(?:0x)?[0-9a-f]+)$")
_SHIFTS = ("lsl", "lsr", "asr", "ror")
_PLAIN_IMMEDIATES = ("addw", "subw", "movw", "movt", "adr", "bf", "sbfx", "ubfx", *_SHIFTS)
_REVERSE = ("rev", "rbit")
_BIT_FIELDS = ("bfi", "bfc", "sbfx", "ubfx", *_REVERSE, "pkh")
_EXTENDS = ("uxt", "sxt")


@cache
def has_shifted_constant(insn: Insn) -> bool:
    """Whether its immediate is eight bits shifted: neither a plain one nor a pattern of repeated bytes."""
    if insn.size != 4 or insn.kind is not Kind.ALU or insn.shifted_operand or "#" not in insn.text:
        return False
    if insn.mnemonic.startswith(_PLAIN_IMMEDIATES):
        return False
    found = _IMMEDIATE.search(insn.text)
    if found is None:
        return False
    value = int(found[1], 0) & _WORD
    low, high = value & 0xFF, value >> 8 & 0xFF
    return value not in (low, low * 0x00010001, high * 0x01000100, low * 0x01010101)


def is_extend_add(insn: Insn) -> bool:
    """UXTAB, SXTAH and the like."""
    return insn.kind is Kind.DSP and insn.mnemonic.startswith(("uxta", "sxta"))


def is_shift(insn: Insn) -> bool:
    """A plain shift or rotation."""
    return insn.kind is Kind.ALU and insn.mnemonic.startswith(_SHIFTS)


def is_reverse(insn: Insn) -> bool:
    """REV, REV16, REVSH and RBIT."""
    return insn.kind is Kind.ALU and insn.mnemonic.startswith(_REVERSE)


def is_bit_field(insn: Insn) -> bool:
    """What moves parts of a word: bit fields, byte reversals, PKHxx, extend-and-add."""
    return insn.mnemonic.startswith(_BIT_FIELDS) or is_extend_add(insn)


def is_extend(insn: Insn) -> bool:
    """UXTB, SXTH and the like, also those that add."""
    return insn.mnemonic.startswith(_EXTENDS)


@cache
def registers(insn: Insn) -> tuple[int, ...]:
    """The core registers of its text in their order."""
    _, _, operands = insn.text.partition(" ")
    return tuple(_NAMES[name] for name in _REGISTER.findall(operands))


@cache
def extracted(insn: Insn) -> int:
    """The mask of registers that go through a shifter first: a shifted operand, what is extracted or reversed."""
    if not insn.shifted_operand and insn.kind is not Kind.ALU and insn.kind is not Kind.DSP:
        return 0
    name = insn.mnemonic
    if insn.shifted_operand and (shifted := _SHIFTED.search(insn.text)):
        if name.startswith("pkhtb"):
            return insn.reads & 0xFFFF
        return 1 << _NAMES[shifted[1]]
    if is_extend_add(insn) or name.startswith("pkhbt"):
        return 1 << registers(insn)[-1]
    if name.startswith("bfi"):
        return 1 << registers(insn)[1]
    if name.startswith(("sbfx", "ubfx", *_REVERSE, "ssat", "usat", "pkhtb")):
        return insn.reads & 0xFFFF
    return 0


Form = tuple[object, ...]


def form(insn: Insn) -> Form:
    """All that a core's tables look at: instructions of one form differ in nothing but which registers they use."""
    kind, writes = insn.kind, insn.writes
    return (
        kind,
        insn.mnemonic,
        insn.size,
        insn.flow,
        insn.dynamic,
        insn.predicated,
        insn.access_bytes,
        insn.register_count,
        insn.writeback,
        insn.register_offset,
        insn.literal,
        insn.shifted_operand,
        insn.sets_flags,
        insn.double,
        writes & FLAGS,
        not writes,
        has_shifted_constant(insn),
        _moved(insn) if kind is Kind.FP_MOVE else "#" in insn.text,
    )


def _moved(insn: Insn) -> tuple[int, ...]:
    """How many registers of the core and of the FPU a VMOV reads and writes, the flags among those of the core."""
    masks = (insn.reads & ~FLOATS, insn.writes & ~FLOATS, insn.reads & FLOATS, insn.writes & FLOATS)
    return (*(mask.bit_count() for mask in masks), ((insn.reads | insn.writes) & 0xFFFF).bit_count())


@cache
def alike(insn: Insn) -> int:
    """The same number for instructions that no core tells apart: of one form, with the same registers for the same
    uses, and accesses that lie alike in a double word behind the same base."""
    masks = (insn.reads, insn.writes, insn.address_reads, insn.accumulator, extracted(insn))
    at = insn.address
    where = None if at is None else (at.base, at.index >= 0, at.offset % 8)
    addend = registers(insn) if is_extend_add(insn) else ()
    of_form = _FORMS.setdefault(form(insn), len(_FORMS))
    found = _NUMBERS.setdefault((of_form, masks, where, addend), len(_NUMBERS))
    if found == len(_FORM_OF):
        _FORM_OF.append(of_form)
    return found


def form_number(insn: Insn) -> int:
    """The same number for instructions of one form."""
    return _FORM_OF[alike(insn)]


_FORMS: dict[Form, int] = {}
_NUMBERS: dict[tuple[object, ...], int] = {}
_FORM_OF: list[int] = []  # by number
