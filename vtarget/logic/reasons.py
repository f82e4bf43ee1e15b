"""Charges in words: why an instruction takes the cycles that it takes."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.board import Region
from vtarget.data.core import Rule
from vtarget.data.insn import FLAGS, Flow, Insn, Kind
from vtarget.data.record import SiteKind
from vtarget.data.waterfall import CyclePart
from vtarget.logic import isa
from vtarget.logic.attribution import HEAD, Cause, Charge
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.logic.memory_cost import behind_partial_store
from vtarget.logic.pricing import Pricer
from vtarget.logic.zones import CHANGED, JUMP_MISS, UNALIGNED, real_region

_WHAT = {
    Kind.LOAD: "load",
    Kind.STORE: "store",
    Kind.LOAD_PAIR: "load of 2 words",
    Kind.STORE_PAIR: "store of 2 words",
    Kind.LOAD_EXCLUSIVE: "exclusive load",
    Kind.STORE_EXCLUSIVE: "exclusive store",
    Kind.TABLE_BRANCH: "reads its table",
    Kind.BARRIER: "barrier",
    Kind.SYSTEM: "special register",
    Kind.MUL: "multiply",
    Kind.MLA: "multiply-accumulate",
    Kind.DSP: "multiply",
    Kind.FP_MAC: "multiply-add",
    Kind.FP_LOAD: "load",
    Kind.FP_STORE: "store",
    Kind.FP_MOVE: "move of 2 registers",
}
_ENTRIES = {Exit.ENTRY: "exception entry", Exit.ENTRY_FP: "exception entry with FPU registers",
            Exit.TAIL_CHAIN: "tail-chained exception entry"}  # fmt: skip
_LOADS_ONE = frozenset({Kind.LOAD, Kind.FP_LOAD})
_CORE_NAMES = (*(f"r{n}" for n in range(9)), "sb", "sl", "fp", "ip", "sp", "lr", "pc")  # as capstone writes them


@dataclass(frozen=True)
class Transition:
    """What a charge of an edge is seen against."""

    source: Block | None
    leaving: Exit
    target: Block | None


def edge_reason(pricer: Pricer, charge: Charge, at: Transition) -> str | None:
    """Why, in a few words, with the cycles of one time; None for a slot, which needs no reason."""
    if charge.cause is Cause.ISSUE:
        return None
    if charge.cause is Cause.ENTRY:
        return f"{_ENTRIES.get(at.leaving, at.leaving.value)}: {charge.cycles}"
    if charge.cause is Cause.RETURN:
        return f"exception return: {charge.cycles:+}"
    if charge.cause is Cause.LINES and at.target is not None:
        return f"wait states of {pricer.memory.region_name(at.target.address)} for what follows: {charge.cycles:+}"
    if at.source is None or charge.index == HEAD:
        return f"goes on where it was interrupted: {charge.cycles:+}"
    insn, before = at.source.insns[charge.index], at.source.insns[charge.index - 1] if charge.index else None
    if charge.cause is Cause.QUEUE:
        wide = insn.size == 4 and at.source.addresses[charge.index] & 2
        return f"{'32 bits off their word, ' if wide else ''}not fetched yet: {charge.cycles:+}"
    if charge.cause in _BORDER:
        return _border(charge)
    if charge.cause in (Cause.REFILL, Cause.MISPREDICTED):
        return _refill(charge, insn, at.target)
    return _inside(pricer, charge, insn, before)


def _inside(pricer: Pricer, charge: Charge, insn: Insn, before: Insn | None) -> str:
    other, cycles = charge.other, charge.cycles
    match charge.cause:
        case Cause.OWN:
            return f"{_own(pricer, insn, before)}: {cycles + 1}"
        case Cause.FREE:
            verb = "folded into" if insn.kind is Kind.IT and pricer.core.pipeline == "scalar" else "issues with"
            return f"{verb} the one before"
        case Cause.SAVED:
            return _saved(insn, other)
        case Cause.ADDRESS:
            return f"address from the one before: {cycles:+}"
        case Cause.RESULT if other is not None:
            return f"waits for {_needed(insn, other)}: {cycles:+}"
        case Cause.UNIT:
            busy = f"FPU busy with {other.mnemonic}" if other and insn.kind in isa.FP_KINDS else "store buffer full"
            return f"{busy}: {cycles:+}"
        case Cause.RUNNING if other is not None:
            return f"{other.mnemonic} still runs: {cycles:+}"
    return f"held up by {other.mnemonic if other else 'what ran'} before: {cycles:+}"


def _own(pricer: Pricer, insn: Insn, before: Insn | None) -> str:
    if insn.kind in isa.MULTIPLES:
        verb = "load" if insn.kind in isa.LOADS else "store"
        return f"{verb} of {insn.register_count} word{'s' if insn.register_count > 1 else ''}"
    what = "flushes the pipeline" if insn.mnemonic == "isb" else _WHAT.get(insn.kind, insn.mnemonic)
    if insn.literal:
        what = f"literal {what}"
    if insn.kind is Kind.STORE and insn.register_offset:
        what = f"{what} with register offset"
    if insn.kind in (Kind.FP_LOAD, Kind.FP_STORE) and insn.register_count == 2:
        what = f"{what} of 2 words"
    if _waits_for_base(pricer, insn, before):
        what = f"{what}, not pipelined as the one before makes its address"
    return what


def _waits_for_base(pricer: Pricer, insn: Insn, before: Insn | None) -> bool:
    """Whether a load could pipeline behind the one before, but for its address."""
    if before is None or insn.kind not in _LOADS_ONE or before.kind not in _LOADS_ONE:
        return False
    return Rule.LOAD_AFTER_LOAD_SAVING in pricer.core.rules and bool(before.writes & insn.address_reads)


def _saved(insn: Insn, other: Insn | None) -> str:
    if insn.kind in isa.MEMORY_KINDS and other is not None and other.kind in isa.LOADS:
        return "pipelined behind the load before"
    return "overlaps the one before"


def _needed(insn: Insn, producer: Insn) -> str:
    if producer.kind in isa.STORES:
        return f"what {producer.mnemonic} stored"
    made = producer.writes & insn.reads
    kind = "load-use" if producer.kind in isa.LOADS else producer.mnemonic
    return f"{register_names(made)} ({kind})"


def register_names(mask: int) -> str:
    """``r0, s3`` of a mask of registers (``Insn.reads``)."""
    names = [_CORE_NAMES[n] for n in range(16) if mask >> n & 1]
    names += [f"s{n}" for n in range(32) if mask >> (16 + n) & 1]
    return ", ".join([*names, "flags"] if mask & FLAGS else names)


_BORDER = frozenset({Cause.NEXT, Cause.NEXT_WAITS, Cause.NEXT_QUEUE})


def _border(charge: Charge) -> str:
    """What the next block gains or loses beside this one."""
    other, cycles = charge.other, charge.cycles
    if charge.cause is Cause.NEXT_QUEUE:
        return f"what follows is {'fetched already' if cycles < 0 else 'not fetched yet'}: {cycles:+}"
    if other is None:
        return f"beside what follows: {cycles:+}"
    if charge.cause is Cause.NEXT_WAITS:
        return f"what follows waits for {other.mnemonic}: {cycles:+}"
    if cycles > 0:
        part = "address" if charge.part is CyclePart.LOAD_STORE else "result"
        return f"what follows ({other.mnemonic}) waits for its {part}: {cycles:+}"
    if charge.part is CyclePart.LOAD_STORE:
        return f"what follows ({other.mnemonic}) is pipelined behind it: {cycles:+}"
    return f"overlaps what follows ({other.mnemonic}): {cycles:+}"


def _refill(charge: Charge, insn: Insn, target: Block | None) -> str:
    if charge.cause is Cause.MISPREDICTED:
        return f"loop exit mispredicted: refill {charge.cycles}"
    what = {
        Flow.CALL: "call",
        Flow.CALL_INDIRECT: "indirect call",
        Flow.RETURN: "return",
        Flow.INDIRECT: "indirect branch",
    }.get(insn.flow, "branch taken")
    wide = target is not None and target.address & 2 and target.insns and target.insns[0].size == 4
    return f"{what}: refill {charge.cycles}{', to 32 bits off their word' if wide else ''}"


@dataclass(frozen=True)
class Event:
    """One class of a site: an instruction of a block, and between which addresses it accessed (-1: unknown)."""

    kind: SiteKind
    block: Block
    index: int
    klass: int
    reach: tuple[int, int] = (-1, -1)


def site_reason(pricer: Pricer, charge: Charge, event: Event) -> str | None:
    """Why an event takes the cycles of ``charge``; None for a slot."""
    insn, cycles = event.block.insns[event.index], charge.cycles
    if charge.cause is Cause.ISSUE:
        return None
    if event.kind is SiteKind.DATA:
        return _data_reason(pricer, insn, event, cycles)
    if event.kind is SiteKind.FETCH:
        how = "after a jump" if event.klass == JUMP_MISS else "in sequence"
        region = pricer.memory.region(event.block.address)
        unit = None if region is None else pricer.memory.instruction_cache(region)
        return f"line miss in {unit.name if unit else 'the cache'} {how}: {cycles:+}"
    if event.kind is SiteKind.BRANCH:
        return f"mispredicted: {cycles:+}"
    if insn.kind in (Kind.DIVIDE, Kind.LONG_MUL, Kind.LONG_MLA):
        what = "divide, by its operands" if insn.kind is Kind.DIVIDE else "long multiply"
        return f"{what}: {cycles + 1}"
    return f"its condition held, {_own(pricer, insn, None)}: {cycles:+}" if cycles else None


def _data_reason(pricer: Pricer, insn: Insn, event: Event, cycles: int) -> str:
    if event.klass == UNALIGNED:
        return f"unaligned: {cycles:+}"
    if event.klass == CHANGED:
        return f"another memory than the load before: {cycles:+}"
    zone, missed = divmod(event.klass, 2)
    region: Region | None = pricer.memory.moved(*event.reach)
    if region is None and 1 <= zone <= len(pricer.zones):
        region = pricer.zones[zone - 1]
    if region is None:
        return f"data: {cycles:+}"
    unit = pricer.memory.data_cache(region)
    where = f"{region.name}{'' if unit is None else f' through {unit.name}'}"
    verb = "store to" if insn.kind in isa.STORES else "load from"
    merged = " behind a partial store" if unit is None and _waits_for_merge(pricer, event, region) else ""
    return f"{'miss, ' if missed and unit is not None else ''}{verb} {where}{merged}: {cycles:+}"


def _waits_for_merge(pricer: Pricer, event: Event, region: Region) -> bool:
    """Whether a load waits for what the store before it makes the memory merge."""
    insns, extra = event.block.insns, real_region(pricer.board, region).data_access
    before = insns[event.index - 1] if event.index else None
    return (
        extra is not None
        and extra.load_behind_partial_store.nominal > 0
        and behind_partial_store(insns[event.index], before)
    )
