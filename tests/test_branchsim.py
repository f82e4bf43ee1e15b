"""The branch predictor in native code: literal counts of small loops, and real traces against plain Python."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import unicorn as uni
from asmlib import needs_assembler, run_program
from hypothesis import given, settings
from hypothesis import strategies as st
from machinelib import EXAMPLES, run_elf

from vtarget.data.core import Core, Predictor
from vtarget.data.insn import Flow
from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, SiteKind
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.logic.profile import build_profile
from vtarget.logic.selfcheck import check_record
from vtarget.logic.zones import MISPREDICTED
from vtarget.shell import layout
from vtarget.shell.boardlib import load_board, load_core
from vtarget.shell.branchsim import BranchSim
from vtarget.shell.calls import Node
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.native.branches import predict
from vtarget.shell.running import pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.sites import Sites

BOARD = "mps2-an500"
WITH_CACHES = "nucleo-f746zg"  # that the examples are for
SHIPPED = load_core("cortex-m7").predictor
LENGTH = 150_000  # instructions of each example
Step = tuple[int, bool, bool]  # address of a branch, whether it is conditional, whether it was taken


class PlainPredictor:
    """The same predictor as lists: each set from the branch used least recently to the last one."""

    def __init__(self, predictor: Predictor) -> None:
        self.ways, self.top = predictor.ways, (1 << predictor.counter_bits) - 1
        self.sets: list[list[list[int]]] = [[] for _ in range(predictor.entries // predictor.ways)]

    def is_mispredicted(self, address: int, *, taken: bool) -> bool:
        found = self.sets[(address >> 1) % len(self.sets)]
        entry = next((entry for entry in found if entry[0] == address), None)
        if entry is None:
            if taken:
                del found[: max(0, len(found) - self.ways + 1)]
                found.append([address, (self.top + 1) // 2])
            return taken
        found.remove(entry)
        found.append(entry)
        guess = entry[1] > self.top // 2
        entry[1] = min(self.top, entry[1] + 1) if taken else max(0, entry[1] - 1)
        return guess != taken


def made(entries: int, ways: int, counter_bits: int) -> Predictor:
    assert SHIPPED is not None
    return SHIPPED.model_copy(update={"entries": entries, "ways": ways, "counter_bits": counter_bits})


def core_with(predictor: Predictor) -> Core:
    return load_core("cortex-m7").model_copy(update={"predictor": predictor})


def counted(record: ExecutionRecord) -> Counter[int]:
    """Mispredictions by the address of the branch."""
    found: Counter[int] = Counter()
    for row in np.flatnonzero(record.site_kind == SiteKind.BRANCH).tolist():
        number = record.node_block[record.site_node[row]]
        block = Block(int(record.block_address[number]), record.block_code[number])
        found[block.addresses[record.site_insn[row]]] += int(record.site_counts[row, MISPREDICTED])
    return +found


# --- literal counts ---------------------------------------------------------------------------------------------------

LOOP = """
fn test
movs r0, #{rounds}
outer: movs r1, #{inner}
inner: subs r1, #1
bne inner
subs r0, #1
bne outer
bx lr
end test
"""
TURNS = """
fn test
movs r0, #{rounds}
1: {compare}
beq 2f
nop
2: subs r0, #1
bne 1b
bx lr
end test
"""


def mispredicted(tmp_path: Any, source: str) -> list[int]:
    """How often each branch of ``test`` was, in order of their addresses; those that never were are left out."""
    ran = run_program(tmp_path, BOARD, source).ran
    return [count for _, count in sorted(counted(ran.record).items())]


@needs_assembler
@pytest.mark.parametrize(
    ("inner", "rounds", "expected"),
    [
        (1, 1, []),  # not taken, as what was never taken is predicted
        (2, 1, [2]),  # taken for the first time, then not
        (100, 1, [2]),
        (3, 10, [2 + 9, 2]),  # from the second round on only the exit
        (100, 10, [2 + 9, 2]),
        (2, 10, [20, 2]),  # one taken and one not by turns: both wrong
    ],
)
def test_a_loop_of_n_rounds_is_mispredicted_when_new_and_at_its_exit(
    inner: int, rounds: int, expected: list[int], tmp_path: Any
) -> None:
    assert mispredicted(tmp_path, LOOP.format(inner=inner, rounds=rounds)) == expected


@needs_assembler
@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        ("tst r0, #1", [50, 2]),  # by turns
        ("tst r0, #7", [2 + 5, 2]),  # taken every eighth time: comes in, is taken for taken once, then never again
        ("cmp r0, #200", [2]),  # never taken
        ("cmp r0, r0", [1, 2]),  # always
    ],
)
def test_branches_forward_by_pattern(compare: str, expected: list[int], tmp_path: Any) -> None:
    assert mispredicted(tmp_path, TURNS.format(rounds=50, compare=compare)) == expected


@needs_assembler
def test_a_misprediction_costs_8_cycles_and_the_live_clock_counts_it(tmp_path: Any) -> None:
    """JNK cortex_m7.md, branching; the flags are set right before."""
    ran = run_program(tmp_path, BOARD, LOOP.format(inner=3, rounds=10)).ran
    silent = ran.record.site_counts.copy()
    silent[ran.record.site_kind == SiteKind.BRANCH] = 0
    profile = build_profile(ran.record, ran.pricer)
    assert profile.cycles.nominal == ran.record.live_cycles
    without = build_profile(replace(ran.record, site_counts=silent, live_cycles=-1), ran.pricer)
    assert profile.cycles.nominal - without.cycles.nominal == 8 * 13


# --- against plain Python ---------------------------------------------------------------------------------------------


@cache
def trace(name: str) -> tuple[Step, ...]:
    """The branches of an example as Python hooks of the emulator see them."""
    options = RunOptions(limits=RunLimits(instructions=LENGTH))
    machine = Machine(load_image(str(EXAMPLES / f"{name}-m7.elf")), pricer_for(WITH_CACHES), options)
    steps: list[Step] = []
    before: list[Block] = []

    def goes_on(address: int) -> None:
        block = before.pop()
        last = block.insns[-1]
        if last.flow not in (Flow.NONE, Flow.TRAP):
            steps.append((block.addresses[-1], last.flow is Flow.CONDITIONAL, address != block.address + block.size))

    def on_block(uc: Any, address: int, size: int, _data: Any) -> None:
        if before:
            goes_on(address)
        before.append(Block(address, bytes(uc.mem_read(address, size))))

    machine.engine.uc.hook_add(uni.UC_HOOK_BLOCK, on_block)
    record = machine.run().record
    last = int(record.block_address[record.node_block[record.final_node]])
    if last != before[-1].address:  # where the limit stopped it, before this hook was called
        goes_on(last)
    return tuple(steps)


@pytest.mark.parametrize("name", ["conv_int8", "fft", "quantise"])
@pytest.mark.parametrize(("entries", "ways", "bits"), [(64, 64, 2), (1, 1, 1), (4, 2, 2), (8, 1, 3), (16, 4, 1)])
def test_real_traces_are_predicted_as_in_plain_python(name: str, entries: int, ways: int, bits: int) -> None:
    predictor = made(entries, ways, bits)
    plain, expected = PlainPredictor(predictor), Counter[int]()
    for address, conditional, taken in trace(name):
        wrong = plain.is_mispredicted(address, taken=taken)
        expected[address] += wrong and conditional
    pricer = Pricer.of(core_with(predictor), load_board(WITH_CACHES))
    options = RunOptions(limits=RunLimits(instructions=LENGTH))
    record = Machine(load_image(str(EXAMPLES / f"{name}-m7.elf")), pricer, options).run().record
    check_record(record)
    assert counted(record) == +expected
    assert sum(expected.values()) > 10
    assert build_profile(record, pricer).cycles.nominal == record.live_cycles


@given(
    geometry=st.sampled_from([(1, 1, 1), (4, 2, 2), (4, 4, 1), (8, 1, 3), (2, 2, 2)]),
    steps=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=200),
)
@settings(deadline=None, max_examples=40)
def test_any_sequence_is_predicted_as_in_plain_python(
    geometry: tuple[int, int, int], steps: list[tuple[int, bool]]
) -> None:
    predictor = made(*geometry)
    words = layout.new_buffer()
    sites = Sites(words, pricer_for(BOARD))
    branches = BranchSim(predictor, words, sites)
    nodes = []
    for number in range(10):
        offset = layout.NODES + (layout.SOURCES + number) * layout.NODE_WORDS
        nodes.append(Node(offset, Block(0x100 + 6 * number, bytes.fromhex("08d0")), 0, number))  # beq .+20
        branches.add(nodes[-1])
    plain, expected = PlainPredictor(predictor), [0] * 10
    for number, taken in steps:
        block = nodes[number].block
        words[layout.H_INSTRUCTIONS] += 1
        predict(words, nodes[number].offset, block.address + (20 if taken else 2))
        expected[number] += plain.is_mispredicted(block.address, taken=taken)
    assert sites.counts()[:, MISPREDICTED].tolist() == expected
    assert words[layout.H_CYCLES] == 6 * sum(expected), "all of them forward"


# --- records of other cores -------------------------------------------------------------------------------------------


def test_records_without_predictions_are_priced_by_averages_and_say_so() -> None:
    record = run_elf(EXAMPLES / "conv_int8-m4f.elf", "nucleo-l4r5zi").record
    assert not np.any(record.site_kind == SiteKind.BRANCH)
    priced = build_profile(record, pricer_for(BOARD))
    assert "branches: how this run's are predicted is not known, each counts as on an average" in priced.not_modelled
    own = run_elf(EXAMPLES / "conv_int8-m7.elf", WITH_CACHES)
    assert np.any(own.record.site_kind == SiteKind.BRANCH)
    assert not [note for note in build_profile(own.record, own.pricer).not_modelled if note.startswith("branches")]


def test_a_core_without_a_predictor_pays_nothing_for_events() -> None:
    own = run_elf(EXAMPLES / "conv_int8-m7.elf", WITH_CACHES).record
    assert pricer_for("mps2-an386").branch(Block(0x100, bytes.fromhex("08d0")), 0, MISPREDICTED).nominal == 0
    assert build_profile(own, pricer_for("mps2-an386")).cycles.nominal > 0


@pytest.mark.parametrize(("entries", "ways"), [(3, 1), (6, 4), (48, 1)])
def test_sets_are_a_power_of_two(entries: int, ways: int) -> None:
    facts = made(4, 4, 2).model_dump() | {"entries": entries, "ways": ways}
    with pytest.raises(ValueError, match="'ways' times a power of two"):
        Predictor.model_validate(facts)
