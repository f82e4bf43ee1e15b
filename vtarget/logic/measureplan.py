"""Which kernels to measure on a board, and in which passes: a core has few comparators. Pure.

A pass has a breakpoint at the entry of each of its kernels, one where the call that runs will return to, and one at the
end of the run. Kernels of a pass were never active together in the virtual run, so that stopping for one of them takes
nothing from another's time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from vtarget.data.profile import Kernel, Profile
from vtarget.data.record import ExecutionRecord
from vtarget.logic.decode import Block

SHARE = 0.98  # of the cycles, as far as stopping so often is bearable
MOST_CALLS = 2000  # of a kernel: a stop and a start take milliseconds through a probe
MOST_KERNELS = 32
MOVS = 0b00100  # MOVS Rd, #imm8, encoding T1 (DDI 0403 A7.7.76)
RESERVED = 2  # comparators of a pass that aren't entries: the return, and the end of the run


@dataclass(frozen=True)
class Pick:
    """A kernel to measure, with what the virtual run says of it."""

    name: str
    address: int
    calls: int
    total_cycles: int


@dataclass(frozen=True)
class Plan:
    """Passes over the firmware, and what they leave out, in words."""

    passes: tuple[tuple[Pick, ...], ...]
    notes: tuple[str, ...]

    @property
    def picks(self) -> tuple[Pick, ...]:
        """All kernels of all passes."""
        return tuple(pick for group in self.passes for pick in group)


def plan_measurement(
    record: ExecutionRecord,
    profile: Profile,
    comparators: int,
    *,
    pattern: re.Pattern[str] | None = None,
    spans: tuple[str, ...] = (),
    most_calls: int = MOST_CALLS,
) -> Plan:
    """The kernels in which most of the cycles are (or those that the pattern finds), and the ``spans`` in any case.

    ``comparators`` is how many breakpoints the core can have, at least RESERVED + 1.
    """
    wanted, notes = _wanted(profile, pattern)
    named = [kernel for kernel in profile.kernels if kernel.name in spans]
    chosen: list[Kernel] = []
    refused: list[str] = []
    for kernel in {k.address: k for k in (*named, *wanted)}.values():
        reason = _unmeasurable(kernel, most_calls)
        if reason is None:
            chosen.append(kernel)
        else:
            refused.append(f"{kernel.name} is not measured: {reason}")
    missing = [f"{name} is not measured: it isn't called" for name in spans if name not in {k.name for k in named}]
    groups = _group(chosen, _together(record), comparators - RESERVED)
    picks = tuple(tuple(Pick(k.name, k.address, k.calls, k.total_cycles) for k in group) for group in groups)
    return Plan(picks, (*notes, *missing, *refused))


def empty_span(record: ExecutionRecord) -> int | None:
    """Where an instruction stands that takes one cycle on every core: a MOVS of a constant, inside a block, in one word
    with what stands behind it. It is the one that executed most often; None if there was none."""
    counts = np.zeros(len(record.block_code), dtype=np.int64)
    np.add.at(counts, record.node_block[record.edge_target], record.edge_count)
    for number in np.argsort(-counts, kind="stable").tolist():
        block = Block(int(record.block_address[number]), record.block_code[number])
        for address, insn in zip(block.addresses[:-1], block.insns[:-1], strict=True):
            opcode = int.from_bytes(block.code[address - block.address :][:2], "little")
            if counts[number] and opcode >> 11 == MOVS and insn.size == 2 and address % 4 == 0 and not insn.predicated:
                return address
    return None


def _wanted(profile: Profile, pattern: re.Pattern[str] | None) -> tuple[list[Kernel], list[str]]:
    if pattern is not None:
        return [kernel for kernel in profile.kernels if pattern.search(kernel.name)], []
    by_own = sorted(profile.kernels, key=lambda k: (-k.cycles, k.address))
    total, reached = sum(k.cycles for k in by_own), 0
    found: list[Kernel] = []
    for kernel in by_own:
        if reached >= SHARE * total or len(found) == MOST_KERNELS:
            break
        found.append(kernel)
        reached += kernel.cycles
    left_out = len(by_own) - len(found)
    share = 100 * (total - reached) / total if total else 0.0
    note = f"{left_out} kernels with {share:.1f} % of the estimated cycles are not measured (--kernels names others)"
    return found, [note] if left_out else []


def _unmeasurable(kernel: Kernel, most_calls: int) -> str | None:
    if kernel.interrupts:
        return "it is an exception handler, and returns to no address"
    if kernel.calls == 0:
        return "it is never called: the run begins or goes on in it"
    if kernel.calls > most_calls:
        return f"{kernel.calls:,} calls, at most {most_calls:,} can be stopped at"
    return None


def _together(record: ExecutionRecord) -> dict[int, set[int]]:
    """For the address of each function, the addresses of those that were active along with it."""
    members: list[frozenset[int]] = []
    found: dict[int, set[int]] = {}
    for parent, function in zip(record.chain_parent.tolist(), record.chain_function.tolist(), strict=True):
        above = members[parent] if parent >= 0 else frozenset()
        address = record.functions[function].address
        members.append(above | {address})
        found.setdefault(address, set()).update(above)
        for other in above:
            found.setdefault(other, set()).add(address)
    return found


def _group(kernels: list[Kernel], together: dict[int, set[int]], room: int) -> list[list[Kernel]]:
    """As few groups as come easily of at most ``room`` kernels that are never active together."""
    groups: list[list[Kernel]] = []
    for kernel in kernels:
        apart = together.get(kernel.address, set())
        for group in groups:
            if len(group) < room and not any(k.address in apart for k in group):
                group.append(kernel)
                break
        else:
            groups.append([kernel])
    return groups
