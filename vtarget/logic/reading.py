"""Reads what capstone decoded into our instruction value; imports nothing of capstone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtarget.data.insn import ALWAYS, FLAGS, PC, SP, Addressing, Dynamic, Flow, Insn, Kind, Linear
from vtarget.logic import isa

_CONDITIONS = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
_REGISTER, _IMMEDIATE, _MEMORY = 1, 2, 3  # capstone's operand types
_STACK_REGISTERS = frozenset({"msp", "psp", "control"})
_NEVER_DYNAMIC = frozenset({Kind.ALU, Kind.NOP, Kind.BRANCH, Kind.IT})
_WORD = 0xFFFFFFFF
_SHIFT_LEFT = 2  # capstone's ARM_SFT_LSL
# What these multiply their sources by before they add them up.
_FACTORS = {
    **dict.fromkeys(("add", "addw", "lsl"), (1, 1)),
    **dict.fromkeys(("sub", "subw"), (1, -1)),
    **dict.fromkeys(("mov", "movw", "adr"), (1,)),
    "rsb": (-1, 1),
    "mvn": (-1,),
    "movt": (1, 1 << 16),
}


class Reading:
    """Reads one capstone instruction (``found``), executed under ``condition`` by an IT; lives while it is decoded.

    ``masks`` gives our register mask for each of capstone's register ids.
    """

    def __init__(self, found: Any, masks: dict[int, int], condition: int) -> None:
        self.found = found
        self.condition = condition
        head, *types = found.mnemonic.split(".")
        conditional = found.cc in range(1, 15) and not head.startswith("it")
        if conditional and head.endswith(_CONDITIONS[found.cc - 1]):
            head = head[:-2]
        self.own_condition = conditional and condition == ALWAYS
        self.types = tuple(t for t in types if t not in ("w", "n"))
        self.mnemonic = ".".join((head, *self.types))
        self.flag_setting = isa.kind_of(head) is None and head.endswith("s") and isa.kind_of(head[:-1]) is not None
        self.name = head[:-1] if self.flag_setting else head
        self.operands = list(found.operands)
        self.masks = masks

    def insn(self) -> Insn | None:
        """The instruction, or None if no M-profile core has it."""
        if self.name.startswith("it"):
            kind: Kind | None = Kind.IT
        else:
            kind = isa.kind_of(self.name)
        if kind is None or not self._registers():
            return None
        self.kind = kind
        self.mode = self._addressing()
        return self._build()

    def _registers(self) -> bool:
        """Collect the register operands as masks; False if one is no register of an M-profile core."""
        self.registers: list[int] = []
        self.memory: Any = None
        self.immediates: list[int] = []
        self.shifted = False
        for operand in self.operands:
            if operand.type == _REGISTER:
                mask = self._mask(operand)
                if mask == 0 and self.name not in ("vmrs", "vmsr"):
                    return False
                self.registers.append(mask)
                self.shifted |= operand.shift.type != 0
            elif operand.type == _IMMEDIATE:
                self.immediates.append(int(operand.imm))
            elif operand.type == _MEMORY:
                self.memory = operand
        return True

    def _mask(self, operand: Any) -> int:
        mask = self.masks.get(operand.reg, 0)
        index = int(operand.vector_index)
        return mask if index < 0 or not mask else (mask & -mask) << index

    def _build(self) -> Insn:
        flow = self._flow()
        kind = Kind.BRANCH if self.kind is Kind.ALU and flow is not Flow.NONE else self.kind
        reads, writes, accumulator = self._effects()
        offset = self._branch_offset(flow)
        low, delta = self._stack(writes)
        dynamic = self._dynamic(flow)
        mode = self.mode
        return Insn(
            size=self.found.size,
            text=self._text(offset),
            mnemonic=self.mnemonic,
            kind=kind,
            flow=flow,
            feature=isa.feature_of(self.name, self.types, self.found.size, self.own_condition),
            branch_offset=offset,
            predicated=self.condition != ALWAYS,
            condition=self._condition(),
            reads=reads,
            writes=writes,
            address_reads=self._address_reads(),
            register_count=self._register_count(),
            writeback=self._writeback(),
            register_offset=mode is not None and mode.index >= 0,
            literal=mode is not None and mode.base == PC and kind is not Kind.TABLE_BRANCH,
            shifted_operand=self.shifted,
            sets_flags=bool(writes & FLAGS),
            access_bytes=isa.access_bytes(self.name, kind),
            sp_low=low,
            sp_delta=delta,
            dynamic=dynamic,
            operand_registers=self._operand_registers(dynamic),
            address=mode,
            double=self._is_double(),
            accumulator=accumulator,
            result=self._result(),
        )

    def _condition(self) -> int:
        return self.found.cc - 1 if self.own_condition else self.condition

    def _text(self, branch_offset: int | None) -> str:
        operands = self.found.op_str
        if branch_offset is not None:
            before, _, _ = operands.rpartition("#")
            operands = f"{before}pc{branch_offset - 4:+#x}"
        return f"{self.found.mnemonic} {operands}".rstrip()

    # --- control flow -----------------------------------------------------------------------------------------------

    def _flow(self) -> Flow:
        match self.kind:
            case Kind.BRANCH:
                return self._branch_flow()
            case Kind.CALL:
                return Flow.CALL if self.name == "bl" else Flow.CALL_INDIRECT
            case Kind.TABLE_BRANCH:
                return Flow.INDIRECT
            case Kind.SVC | Kind.BREAKPOINT | Kind.UNDEFINED:
                return Flow.TRAP
            case Kind.LOAD | Kind.LOAD_MULTIPLE | Kind.ALU:
                return self._writes_pc_flow()
        return Flow.NONE

    def _branch_flow(self) -> Flow:
        if self.name in ("bx", "bxns"):
            return Flow.RETURN if self.registers[0] == 1 << 14 else Flow.INDIRECT
        conditional = self.own_condition or self.condition != ALWAYS or self.name != "b"
        return Flow.CONDITIONAL if conditional else Flow.BRANCH

    def _writes_pc_flow(self) -> Flow:
        to_pc = 1 << PC
        if self.kind is Kind.LOAD_MULTIPLE:
            if to_pc not in self._list():
                return Flow.NONE
            return Flow.RETURN if self._multiple_base() == SP else Flow.INDIRECT
        if not self.registers or self.registers[0] != to_pc or isa.is_compare(self.name):
            return Flow.NONE
        if self.kind is Kind.LOAD:
            from_stack = self.mode is not None and self.mode.base == SP and self.mode.post_indexed
            return Flow.RETURN if from_stack else Flow.INDIRECT
        return Flow.RETURN if self.name == "mov" and self.registers[1:] == [1 << 14] else Flow.INDIRECT

    def _branch_offset(self, flow: Flow) -> int | None:
        if flow not in (Flow.BRANCH, Flow.CONDITIONAL, Flow.CALL) or not self.immediates:
            return None
        distance = self.immediates[-1] - int(self.found.address)
        return ((distance + (1 << 31)) & _WORD) - (1 << 31)

    # --- registers --------------------------------------------------------------------------------------------------

    def _list(self) -> list[int]:
        """The register list of a multiple transfer."""
        return self.registers if self.name.endswith(("push", "pop")) else self.registers[1:]

    def _multiple_base(self) -> int:
        if self.name.endswith(("push", "pop")):
            return SP
        return self.registers[0].bit_length() - 1

    def _writeback(self) -> bool:
        implied = self.kind in isa.MULTIPLES and self.name.endswith(("push", "pop"))
        return implied or (bool(self.found.writeback) and self.mode is not None)

    def _effects(self) -> tuple[int, int, int]:
        """Masks read, written, and read as accumulator."""
        if self.kind in isa.MULTIPLES:
            reads, writes, accumulator = self._multiple_effects()
        else:
            reads, writes, accumulator = self._plain_effects()
        if self._writeback() and self.mode is not None:
            writes |= 1 << self.mode.base
        if self.name in ("bl", "blx", "blxns"):
            writes |= 1 << 14
        to_flags = self.flag_setting or isa.is_compare(self.name) or (self.name == "vmrs" and self.registers[0] == 0)
        if to_flags or (self.name == "msr" and "apsr" in self.found.op_str):
            writes |= FLAGS
        if self._condition() != ALWAYS or isa.reads_flags(self.name):
            reads |= FLAGS
        return reads | self._address_reads(), writes, accumulator

    def _multiple_effects(self) -> tuple[int, int, int]:
        mask = sum(self._list())
        return (0, mask, 0) if self.kind in isa.LOADS else (mask, 0, 0)

    def _plain_effects(self) -> tuple[int, int, int]:
        registers, count = self.registers, len(self.operands)
        same_file = len(registers) > 1 and (registers[0] < 1 << 16) == (registers[1] < 1 << 16)
        results = isa.result_count(self.name, self.kind, count, same_file)
        written, sources = _union(registers[:results]), registers[results:]
        accumulator = written if isa.reads_result(self.name, self.kind, count) else 0
        reads = _union(sources) | accumulator
        if self.name in ("movt", "bfi", "bfc") or self.kind in (Kind.ALU, Kind.MUL):
            accumulator = 0
        is_four = count == 4 and results == 1 and self.kind in (Kind.MLA, Kind.DSP)
        if is_four and len(registers) == 4:
            accumulator = registers[3]
        return reads, written, accumulator & ~_union(self._factors())

    def _factors(self) -> list[int]:
        """The registers a multiply-accumulate multiplies: read early, even if one is its accumulator too."""
        if self.kind in (Kind.MLA, Kind.DSP) and not isa.is_long_dsp(self.name, len(self.operands)):
            return self.registers[1:3]
        return self.registers[-2:]

    def _address_reads(self) -> int:
        if self.mode is None:
            return 0
        return 1 << self.mode.base | (1 << self.mode.index if self.mode.index >= 0 else 0)

    def _register_count(self) -> int:
        if self.kind in isa.MULTIPLES:
            return sum(mask.bit_count() for mask in self._list())
        if self.kind in (Kind.LOAD_PAIR, Kind.STORE_PAIR):
            return 2
        if self.kind in (Kind.FP_LOAD, Kind.FP_STORE):
            return self.registers[0].bit_count()
        return 1 if self.kind in isa.MEMORY_KINDS else 0

    def _result(self) -> Linear | None:
        factors = _FACTORS.get(self.name)
        if factors is None:
            return None
        kept = isa.reads_result(self.name, self.kind, len(self.operands))
        sources = self.operands if kept else self.operands[1:]
        offset = -1 if self.name == "mvn" else 0
        if self.name == "lsl":
            if sources[-1].type != _IMMEDIATE:
                return None
            factors, sources = (1 << sources[-1].imm,), sources[:-1]
        terms = []
        for factor, source in zip(factors, sources, strict=True):
            if source.type == _IMMEDIATE:
                offset += factor * int(source.imm)
                continue
            if source.shift.type not in (0, _SHIFT_LEFT):
                return None
            terms.append((self.masks[source.reg].bit_length() - 1, factor << source.shift.value))
        return self._relative_to_pc(terms, offset)

    def _relative_to_pc(self, terms: list[tuple[int, int]], offset: int) -> Linear:
        """ADR, also written as ADD or SUB of pc and immediate, aligns the pc (DDI 0403 A7.7.7)."""
        if self.name == "adr":
            terms = [(PC, 1)]
        if self.name != "mov" and self.immediates and terms == [(PC, 1)]:
            offset -= int(self.found.address) & 2
        return Linear(tuple(terms), offset)

    def _operand_registers(self, dynamic: Dynamic | None) -> tuple[int, int]:
        if dynamic not in (Dynamic.DIVIDE, Dynamic.LONG_MULTIPLY):
            return (-1, -1)
        n, m = (mask.bit_length() - 1 for mask in self.registers[-2:])
        return (n, m)

    def _is_double(self) -> bool:
        if self.kind in (Kind.FP_LOAD, Kind.FP_STORE):
            return self._register_count() == 2
        return "f64" in self.types

    # --- memory and stack -------------------------------------------------------------------------------------------

    def _addressing(self) -> Addressing | None:
        if self.kind in isa.MULTIPLES:
            words = self._register_count()
            return Addressing(self._multiple_base(), offset=-4 * words if isa.is_downwards(self.name) else 0)
        if self.memory is None or (self.kind not in isa.MEMORY_KINDS and self.kind is not Kind.TABLE_BRANCH):
            return None
        mem = self.memory.mem
        index = self.masks.get(mem.index, 0).bit_length() - 1
        shift = self.memory.shift.value if index >= 0 and self.memory.shift.type else 0
        post = self.operands[-1] is not self.memory
        offset = self._post_offset() if post else mem.disp
        return Addressing(self.masks[mem.base].bit_length() - 1, index, shift, offset, post)

    def _post_offset(self) -> int:
        last = self.operands[-1]
        return -abs(last.imm) if last.subtracted else int(last.imm)

    def _stack(self, writes: int) -> tuple[int, int | None]:
        """(sp_low, sp_delta)."""
        if self.name == "msr" and self.found.op_str.partition(",")[0] in _STACK_REGISTERS:
            return 0, None
        if not writes & 1 << SP:
            return 0, 0
        delta = self._stack_delta()
        low = min(0, delta) if delta is not None else 0
        return low, delta if self.condition == ALWAYS else None

    def _stack_delta(self) -> int | None:
        if self.kind in isa.MULTIPLES:
            sp_loaded = self.kind is Kind.LOAD_MULTIPLE and 1 << SP in self._list()
            down = isa.is_downwards(self.name)
            return None if sp_loaded else 4 * self._register_count() * (-1 if down else 1)
        if self.mode is not None:
            return self.mode.offset if self.mode.base == SP and not self.registers[0] & 1 << SP else None
        if self.name not in ("add", "addw", "sub", "subw") or _union(self.registers) != 1 << SP or not self.immediates:
            return None
        return self.immediates[-1] * (1 if self.name.startswith("add") else -1)

    def _dynamic(self, flow: Flow) -> Dynamic | None:
        if self.kind is Kind.DIVIDE:
            return Dynamic.DIVIDE
        if self.kind in (Kind.LONG_MUL, Kind.LONG_MLA):
            return Dynamic.LONG_MULTIPLY
        may_vary = self.condition != ALWAYS and self.kind not in _NEVER_DYNAMIC and flow is Flow.NONE
        return Dynamic.PREDICATED if may_vary else None


def _union(masks: Sequence[int]) -> int:
    total = 0
    for mask in masks:
        total |= mask
    return total
