"""The scoreboard of a Cortex-M33, M55, M7 or M85, run at one bound of the core's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vtarget.data.core import Core, Rule
from vtarget.data.insn import Insn
from vtarget.logic.cost.latency import NOMINAL, Needs, Use
from vtarget.logic.cost.pairing import ALWAYS, Pairing
from vtarget.logic.cost.steps import Step, at_bounds

_STORE_BUFFER = 5
_EARLY_FLAGS = 3
NOBODY = -1
ANY = -1  # all registers and the flags, and what stores left
_ACCUMULATE = Use.ACCUMULATE
_make = tuple.__new__  # half of the time that making a named tuple takes by its name
# When the slowest use of a result can have it, when it was made, its registers, latencies, and whether it is awaited.
Pending = tuple[int, int, int, tuple[int, ...], bool]


class State(NamedTuple):
    """Where one run stands: the next free cycle, results under way, and who could be paired with.

    ``pending`` has the newest first, ``latest`` is when all of them are there. ``open_sort`` (NOBODY if none can) is
    the sort of the instruction that issued in ``open_cycle``. ``fp_free`` is the first cycle for any floating-point
    instruction, ``add_free`` for one that a multiply-add holds up, ``drained`` when the store buffer is empty,
    ``flags`` when they were set last.
    """

    clock: int = 0
    pending: Sequence[Pending] = ()
    latest: int = 0
    open_sort: int = NOBODY
    open_cycle: int = 0
    fp_free: int = 0
    add_free: int = 0
    drained: int = 0
    last_store: Insn | None = None
    flags: int = -1

    def busy_after(self, gap: int) -> bool:
        """Whether what follows ``gap`` cycles later can still feel what is under way."""
        start = self.clock + gap
        return self.latest > start or self.fp_free > start or self.add_free > start

    def behind(self, gap: int, *, apart: bool) -> State:
        """The same, ``gap`` cycles later; ``apart``: what follows can't be paired with what came before."""
        clock, pending, latest, open_sort, open_cycle, fp_free, add_free, drained, last_store, flags = self
        sort = NOBODY if apart else open_sort
        after = clock + gap, pending, latest, sort, open_cycle, fp_free, add_free, drained, last_store, flags
        return _make(State, after)


AT_REST = State()


class Run(NamedTuple):
    """What a lane did: where it stands, the ``clocks`` before each instruction and behind the last, and where other
    bounds would have gone another way: those bounds (a bit each), the index, and the state before that instruction."""

    state: State
    clocks: list[int]
    forks: Sequence[tuple[int, int, State]] = ()


class Lane:
    """The scoreboard at one bound."""

    def __init__(self, core: Core, bound: int, pairing: Pairing) -> None:
        self._bound = bound
        self._bit = 1 << bound
        self._watched = ALWAYS & ~self._bit if bound == NOMINAL else 0
        self._drain_cycles = at_bounds(core, Rule.SMALL_STORE_DRAIN)[bound]
        self._early_flags_saving = at_bounds(core, Rule.EARLY_FLAGS_SAVING)[bound]
        self._pairing = pairing

    def run(self, state: State, steps: Sequence[Step]) -> Run:
        """Issue instructions one after the other. Most of the time of pricing is spent in this loop over locals."""
        clock, pending, latest, open_sort, open_cycle, fp_free, add_free, drained, last_store, flags = state
        bit, alike, known = self._bit, self._watched, self._pairing.known
        clocks, forks = [], []
        under_way = ANY if pending else 0
        for step in steps:
            clocks.append(clock)
            issue, reads, needs, results, early, early_needs, results_at, same, sort, shift, sets, special = step
            free = ready = 0
            fpu = None
            if special is not None:
                fpu, store, transfer = special
                if fpu is not None:
                    free = ready = max(fp_free, add_free) if fpu.waits_add else fp_free
                elif store is not None:
                    free = ready = drained - _STORE_BUFFER * self._drain(last_store, store)
            depends = reads & under_way  # else nothing that it reads can still be under way
            if depends:
                for left, use in needs:
                    for _, made, writes, latencies, _ in pending:
                        if writes & left:
                            at = made + latencies[use]
                            if at > ready:
                                ready = at
                            left &= ~writes
            pair = False
            if (
                open_sort >= 0
                and ready <= open_cycle
                and issue
                and (special is None or not transfer or add_free <= open_cycle)
            ):
                bounds = known.get((open_sort, sort), -1)
                if bounds < 0:
                    bounds = self._pairing.bounds(open_sort, sort)
                pair = bounds & bit != 0
                same &= bounds if pair else ~bounds
            if alike & ~same:
                before = clock, pending, latest, open_sort, open_cycle, fp_free, add_free, drained, last_store, flags
                forks.append((alike & ~same, len(clocks) - 1, _make(State, before)))
                alike &= same
            cycle = issued = open_cycle if pair else clock if clock > ready else ready
            if fpu is not None and fpu.ahead and cycle > clock:
                issued = max(clock, free, _operands_ready(pending, needs, fpu.ahead))
            if early and (not pair or shift) and (not depends or _operands_ready(pending, early_needs) <= cycle):
                results = early
            if issued + issue > clock:
                clock = issued + issue
            open_sort, open_cycle = NOBODY if pair or not issue else sort, issued
            if latest <= clock:
                pending, under_way = (), 0
            elif len(pending) > 1:  # of several, the latest stays anyway
                pending = [result for result in pending if result[0] > clock]
            made = cycle + results_at
            for writes, latencies, longest, awaited in results:
                until = made + longest
                if until > latest:
                    latest = until
                pending = [(until, made, writes, latencies, awaited), *pending]
                under_way |= writes
            if special is not None:
                if fpu is not None:
                    fp_free = max(fp_free, cycle + (fpu.blocks or issued < cycle))
                    add_free = max(add_free, cycle + fpu.blocks_add)
                elif store is not None:
                    drained, last_store = max(drained, cycle) + self._drain(last_store, store), store
            if sets:
                flags = cycle
        clocks.append(clock)
        after = clock, pending, latest, open_sort, open_cycle, fp_free, add_free, drained, last_store, flags
        return _make(Run, (_make(State, after), clocks, forks))

    def early_flags(self, state: State) -> int:
        """What a misprediction costs less if the flags were set long before the branch, the last instruction."""
        return self._early_flags_saving if state.clock - 1 - state.flags >= _EARLY_FLAGS else 0

    def _drain(self, before: Insn | None, store: Insn) -> int:
        """Cycles in which the store buffer merges a byte or halfword; half as many in both banks by turns."""
        return self._drain_cycles if _same_bank(before, store) else self._drain_cycles // 2


def _operands_ready(pending: Sequence[Pending], needs: Needs, ahead: int = 0) -> int:
    """The first cycle in which all operands are there; ``ahead`` cycles before where the FPU can wait for them."""
    ready = 0
    for left, use in needs:
        for _, made, writes, latencies, awaited in pending:
            if writes & left:
                at = made + latencies[use]
                if ahead and awaited and use is not _ACCUMULATE:
                    at -= ahead
                if at > ready:
                    ready = at
                left &= ~writes
    return ready


def _same_bank(before: Insn | None, store: Insn) -> bool:
    """Whether both are known to store to words of one bank (address bit 2)."""
    a, b = None if before is None else before.address, store.address
    if a is None or b is None or a.base != b.base or a.index >= 0 or b.index >= 0 or store.writeback:
        return False
    return not (a.offset ^ b.offset) & 4
