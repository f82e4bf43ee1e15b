"""Where a block's loads and stores go, as far as the registers at its entry tell: symbolic evaluation of the block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vtarget.data.insn import PC, SP, Addressing, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.decode import Block

_EXCLUSIVE = frozenset({Kind.LOAD_EXCLUSIVE, Kind.STORE_EXCLUSIVE})
_ACCESSING = isa.MEMORY_KINDS | {Kind.TABLE_BRANCH}
_WORD = 0xFFFFFFFF
_CONSTANT = -1
_CORE_REGISTERS = range(PC)

# A register's contents: factors (modulo 2**32, none of them 0) by entry register, and at _CONSTANT what is added.
_Value = dict[int, int]


@dataclass(frozen=True, slots=True)
class Access:
    """What instruction number ``index`` of a block reads or writes.

    Its lowest address is (R[base] + (R[register] << shift) + offset) modulo 2**32, -2**31 <= offset < 2**31; ``base``
    and ``register`` are -1 where absent, and never the pc. With ``at_entry`` R are the registers at the block's entry,
    else those right before the instruction. A multiple or pair transfer is one access of all its bytes.
    """

    index: int
    base: int
    register: int
    shift: int
    offset: int
    size_bytes: int
    write: bool
    at_entry: bool

    def address(self, registers: Sequence[int]) -> int:
        """The lowest address with these r0..r14."""
        base = registers[self.base] if self.base >= 0 else 0
        index = registers[self.register] << self.shift if self.register >= 0 else 0
        return (base + index + self.offset) & _WORD


def accesses(block: Block, open_conditions: int = 0) -> tuple[Access, ...]:
    """The data accesses of ``block`` in program order, table reads of TBB and TBH included.

    The first ``open_conditions`` instructions are taken as predicated, whatever they look like (decode.open_conditions
    of the block before).

    ``at_entry`` are those whose address is a linear form of the entry registers that Access can express. Predicated and
    exclusive ones never are: they may not take place. A value moved to SP counts as the multiple of 4 that it must be.
    """
    return tuple(_evaluate(block, open_conditions))


def _evaluate(block: Block, open_conditions: int) -> Iterator[Access]:
    registers: dict[int, _Value] = {n: {n: 1} for n in _CORE_REGISTERS}
    for index, (insn, address) in enumerate(zip(block.insns, block.addresses, strict=True)):
        registers[PC] = {_CONSTANT: address + 4}
        mode = insn.address
        predicated = insn.predicated or index < open_conditions
        if mode is not None and insn.kind in _ACCESSING:
            certain = not predicated and insn.kind not in _EXCLUSIVE
            yield _access(index, insn, mode, registers, certain)
        _execute(insn, registers, predicated)


def _access(index: int, insn: Insn, mode: Addressing, registers: dict[int, _Value], certain: bool) -> Access:
    form = _form(_address(insn, mode, registers)) if certain else None
    at_entry = form is not None
    if form is None:
        now = {n: {n: 1} for n in _CORE_REGISTERS} | {PC: registers[PC]}
        form = _form(_address(insn, mode, now))
    assert form is not None, f"{insn.text} has an address of more than a base, an index and an offset"
    size_bytes = insn.access_bytes * max(insn.register_count, 1)
    return Access(index, *form, size_bytes, insn.kind in isa.STORES, at_entry)


def _address(insn: Insn, mode: Addressing, registers: dict[int, _Value]) -> _Value | None:
    """The (lowest) address accessed."""
    total: _Value = {_CONSTANT: 0 if mode.post_indexed else mode.offset}
    terms = [(mode.base, 1)] if mode.index < 0 else [(mode.base, 1), (mode.index, 1 << mode.shift)]
    if insn.literal:
        total[_CONSTANT] -= registers[PC][_CONSTANT] & 2
    return _sum(total, terms, registers)


def _sum(start: _Value, terms: list[tuple[int, int]], registers: dict[int, _Value]) -> _Value | None:
    """``start`` plus factor * register of each term; None if one of these registers isn't known."""
    total = dict(start)
    for number, factor in terms:
        if number not in registers:
            return None
        for key, value in registers[number].items():
            total[key] = (total.get(key, 0) + factor * value) & _WORD
    return {key: value & _WORD for key, value in total.items() if value & _WORD}


def _form(value: _Value | None) -> tuple[int, int, int, int] | None:
    """(base, register, shift, offset) of an Access; None if there is none."""
    if value is None:
        return None
    offset = ((value.get(_CONSTANT, 0) + (1 << 31)) & _WORD) - (1 << 31)
    factors = sorted((factor, number) for number, factor in value.items() if number != _CONSTANT)
    base = factors.pop(0)[1] if factors and factors[0][0] == 1 else -1
    if not factors:
        return base, -1, 0, offset
    (factor, register), *more = factors
    if more or factor.bit_count() != 1:
        return None
    return base, register, factor.bit_length() - 1, offset


def _execute(insn: Insn, registers: dict[int, _Value], predicated: bool) -> None:
    """What the instruction leaves in ``registers``; those that aren't known any more are taken out."""
    changes = {} if predicated else _changes(insn, registers)
    for number in _CORE_REGISTERS:
        value = changes.get(number)
        if value is not None:
            registers[number] = value
        elif insn.writes >> number & 1 or (number == SP and insn.sp_delta is None):
            registers.pop(number, None)


def _changes(insn: Insn, registers: dict[int, _Value]) -> dict[int, _Value | None]:
    """The new values that are known, by register."""
    mode = insn.address
    if mode is not None and insn.writeback and insn.kind in isa.MEMORY_KINDS:
        return {mode.base: _sum({_CONSTANT: _writeback(insn, mode)}, [(mode.base, 1)], registers)}
    if insn.result is None:
        return {}
    value = _sum({_CONSTANT: insn.result.offset}, list(insn.result.terms), registers)
    if insn.mnemonic == "movt":
        value = _upper_half(insn, registers)
    return {(insn.writes & 0xFFFF).bit_length() - 1: value}


def _upper_half(insn: Insn, registers: dict[int, _Value]) -> _Value | None:
    """MOVT of a register that holds a constant."""
    assert insn.result is not None
    ((number, _),) = insn.result.terms
    value = registers.get(number)
    if value is None or value.keys() - {_CONSTANT}:
        return None
    return {_CONSTANT: value.get(_CONSTANT, 0) & 0xFFFF | insn.result.offset}


def _writeback(insn: Insn, mode: Addressing) -> int:
    """What the base grows by."""
    if insn.kind in isa.MULTIPLES and mode.offset == 0:
        return insn.access_bytes * insn.register_count
    return mode.offset
