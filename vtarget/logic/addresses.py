"""Where a block's loads and stores go, as far as the registers at its entry tell: symbolic evaluation of the block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
    and ``register`` are -1 where absent, and never the pc. With ``at_entry`` R are the registers at the block's entry
    (``point`` is -1), else those right before instruction ``point``, which is ``index`` unless accesses share points.
    A multiple or pair transfer is one access of all its bytes.
    """

    index: int
    base: int
    register: int
    shift: int
    offset: int
    size_bytes: int
    write: bool
    at_entry: bool
    point: int = -1

    def address(self, registers: Sequence[int]) -> int:
        """The lowest address with these r0..r14."""
        base = registers[self.base] if self.base >= 0 else 0
        index = registers[self.register] << self.shift if self.register >= 0 else 0
        return (base + index + self.offset) & _WORD


def accesses(block: Block, open_conditions: int = 0, *, shared: bool = False) -> tuple[Access, ...]:
    """The data accesses of ``block`` in program order, table reads of TBB and TBH included.

    The first ``open_conditions`` instructions are taken as predicated, whatever they look like (decode.open_conditions
    of the block before). ``at_entry`` are those whose address is a linear form of the entry registers that Access can
    express. Predicated and exclusive ones never are: they may not take place. ``shared``: accesses that don't depend
    on entry registers alone may do with the registers at the ``point`` of an access before them. A value moved to SP
    counts as the multiple of 4 that it must be.
    """
    return tuple(_evaluate(block, open_conditions, shared))


@dataclass(frozen=True, slots=True)
class _State:
    """What is known of the registers, in terms of their values right before instruction ``point`` (-1: at entry)."""

    point: int
    registers: dict[int, _Value] = field(default_factory=lambda: {n: {n: 1} for n in _CORE_REGISTERS})


def _evaluate(block: Block, open_conditions: int, shared: bool) -> Iterator[Access]:
    states = [_State(-1)]
    for index, (insn, address) in enumerate(zip(block.insns, block.addresses, strict=True)):
        mode = insn.address
        predicated = insn.predicated or index < open_conditions
        here = _State(index)
        for state in (*states, here):
            state.registers[PC] = {_CONSTANT: address + 4}
        if mode is not None and insn.kind in _ACCESSING:
            certain = not predicated and insn.kind not in _EXCLUSIVE
            access = _access(index, insn, mode, [*states, here] if certain else [here])
            if shared and certain and access.point == index:
                states.append(here)
            yield access
        for state in states:
            _execute(insn, state.registers, predicated)


def _access(index: int, insn: Insn, mode: Addressing, states: Sequence[_State]) -> Access:
    """By the first of these states that tells the address; the last one does."""
    forms = ((state.point, _form(_address(insn, mode, state.registers))) for state in states)
    point, form = next((point, form) for point, form in forms if form is not None)
    size_bytes = insn.access_bytes * max(insn.register_count, 1)
    return Access(index, *form, size_bytes, insn.kind in isa.STORES, point < 0, point)


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
    if len(factors) == 1 and factors[0][0].bit_count() > 1:  # R[n] * (1 + 2**k), as [r1, r1, lsl #2] has it
        factors = [(1, factors[0][1]), (factors[0][0] - 1, factors[0][1])]
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
        return {mode.base: _sum({_CONSTANT: base_growth(insn, mode)}, [(mode.base, 1)], registers)}
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


def base_growth(insn: Insn, mode: Addressing) -> int:
    """What an access of memory that writes its base back adds to it."""
    if insn.kind in isa.MULTIPLES and mode.offset == 0:
        return insn.access_bytes * insn.register_count
    return mode.offset
