"""The recorder against a per-instruction hook, and its self-checks against forged records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from machinelib import EXAMPLES, PROGRAMS, Ran, run_elf, write_program

from vtarget.base.errors import RunError
from vtarget.data.insn import Dynamic
from vtarget.data.record import ExecutionRecord, SiteKind
from vtarget.logic.cost import operand_class
from vtarget.logic.decode import Block
from vtarget.logic.selfcheck import check_record
from vtarget.shell import layout
from vtarget.shell.engine import Engine
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.native.blocks import hash_slot, observed_class
from vtarget.shell.recording import lost_observations
from vtarget.shell.running import price, pricer_for
from vtarget.shell.runoptions import RunOptions

BOARD = "nucleo-l4r5zi"


def executed_by_hook(path: Path) -> Counter[int]:
    """How often each address executed, counted by a Python hook on every instruction of an uninstrumented run."""
    import unicorn

    pricer = pricer_for(BOARD)
    machine = Machine(load_image(str(path)), pricer, RunOptions())
    counts: Counter[int] = Counter()
    machine.engine.uc.hook_add(unicorn.UC_HOOK_CODE, lambda _uc, address, _size, _data: counts.update((address,)))
    machine.run()
    return counts


def counted_by_blocks(record: ExecutionRecord) -> tuple[Counter[int], Counter[int]]:
    """(passages of each unconditional instruction, observed executions of each dynamic one), by address."""
    blocks = [Block(int(a), c) for a, c in zip(record.block_address, record.block_code, strict=True)]
    left: Counter[int] = Counter()
    for source, count in zip(record.edge_source.tolist(), record.edge_count.tolist(), strict=True):
        left[source] += count
    plain: Counter[int] = Counter()
    for node, block_number in enumerate(record.node_block.tolist()):
        block = blocks[block_number]
        partial = record.final_instructions if node == record.final_node else 0
        for index, (address, insn) in enumerate(zip(block.addresses, block.insns, strict=True)):
            if not insn.predicated:
                plain[address] += left[node] + (index < partial)
    dynamic: Counter[int] = Counter()
    rows = zip(record.site_node.tolist(), record.site_insn.tolist(), record.site_kind.tolist(), strict=True)
    for row, (node, index, kind) in enumerate(rows):
        if kind == SiteKind.OPERANDS:
            address = blocks[record.node_block[node]].addresses[index]
            dynamic[address] += int(record.site_counts[row].sum())
    return +plain, dynamic


@pytest.mark.parametrize("name", ["quantise", "fir", "conv_int8"])
def test_counts_equal_a_hook_on_every_instruction(name: str) -> None:
    path = EXAMPLES / f"{name}-m4f.elf"
    hooked = executed_by_hook(path)
    plain, dynamic = counted_by_blocks(run_elf(path, BOARD).record)
    assert {a: hooked[a] for a in plain} == plain
    assert {a: hooked[a] for a in dynamic} == dict(dynamic)


def test_predicated_instructions_are_seen_only_when_they_execute() -> None:
    record = run_elf(EXAMPLES / "quantise-m4f.elf", BOARD).record
    blocks = [Block(int(a), c) for a, c in zip(record.block_address, record.block_code, strict=True)]
    kinds = {
        blocks[record.node_block[n]].insns[i].dynamic
        for n, i in zip(record.site_node.tolist(), record.site_insn.tolist(), strict=True)
    }
    assert Dynamic.DIVIDE in kinds


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("kind", [layout.OBSERVE_DIVIDE, layout.OBSERVE_LONG_MULTIPLY])
def test_native_operand_classes_are_those_of_the_cost_model(kind: int, signed: int) -> None:
    generator = np.random.default_rng(7)
    widths = generator.integers(0, 33, size=(2000, 2))
    operands = [tuple(int(generator.integers(0, 1 << 32)) >> (32 - int(w)) for w in row) for row in widths]
    dynamic = Dynamic.DIVIDE if kind == layout.OBSERVE_DIVIDE else Dynamic.LONG_MULTIPLY
    edges = [(0, 0), (0, 1), (1, 0), (0x80000000, 1), (0xFFFFFFFF, 0x80000000), (0xFFFFFFFF, 1)]
    for rn, rm in [*edges, *operands]:
        assert observed_class(kind, rn, rm, signed) == operand_class(dynamic, rn, rm, bool(signed))


def test_python_and_native_agree_on_hash_slots() -> None:
    for source, key, context in [(64, 0x800000100 | 8 << 32, -1), (99, 0x8000123 | 2 << 32, 7), (1 << 25, 1 << 40, 0)]:
        assert layout.hash_slot_of(source, key, context) == hash_slot(source, key, context)


def test_stack_peak_is_the_lowest_pointer() -> None:
    record = run_elf(PROGRAMS / "inclusive_recursion-m4f.elf", BOARD).record
    (stack,) = record.stacks
    # Reset_Handler pushes 8 bytes, main 8, descend 8 each, five deep; the longer mutual recursion goes six deep.
    assert stack.name == "msp"
    assert stack.bytes == stack.top - stack.lowest == 8 + 8 + 6 * 8


@pytest.fixture(scope="module")
def ran() -> Ran:
    return run_elf(PROGRAMS / "inclusive_recursion-m4f.elf", BOARD)


def test_self_check_passes_a_true_record(ran: Ran) -> None:
    check_record(ran.record)


def test_self_check_finds_a_wrong_instruction_count(ran: Ran) -> None:
    with pytest.raises(RunError, match=r"instructions counted, but blocks add up to"):
        check_record(replace(ran.record, instructions=ran.record.instructions + 1))


def test_self_check_finds_an_edge_that_was_missed(ran: Ran) -> None:
    counts = ran.record.edge_count.copy()
    counts[3] += 1
    with pytest.raises(RunError, match="self-check"):
        check_record(replace(ran.record, edge_count=counts))


def test_self_check_finds_an_unobserved_divide() -> None:
    record = run_elf(EXAMPLES / "quantise-m4f.elf", BOARD).record
    counts = record.site_counts.copy()
    operands = record.site_kind == SiteKind.OPERANDS
    counts[np.flatnonzero(counts.sum(axis=1) * operands)[0]] = 0
    with pytest.raises(RunError, match=r"observed 0 times in \d+ passages"):
        check_record(replace(record, site_counts=counts))


def test_a_limit_stops_at_the_block_that_passes_it_and_counts_it_once() -> None:
    whole = run_elf(EXAMPLES / "fir-m4f.elf", BOARD)
    from vtarget.data.limits import RunLimits

    totals = []
    for limit in (1000, 1001, 5000, 99_999):
        record = run_elf(EXAMPLES / "fir-m4f.elf", BOARD, limits=RunLimits(instructions=limit)).record
        totals.append(record.instructions - limit)
        assert (
            record.live_cycles
            == run_elf(EXAMPLES / "fir-m4f.elf", BOARD, limits=RunLimits(instructions=limit)).profile().cycles.nominal
        )
    assert all(0 <= over < 64 for over in totals)
    assert whole.record.exit.reason.value == "semihosting"


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    from vtarget.shell import budget

    whole = run_elf(EXAMPLES / "fir-m4f.elf", BOARD).record
    monkeypatch.setattr(budget, "FIRST_CHUNK", 10_001)
    monkeypatch.setattr(budget, "CHUNK_SECONDS", 0.0)
    pieces = run_elf(EXAMPLES / "fir-m4f.elf", BOARD).record
    assert pieces.instructions == whole.instructions
    assert pieces.live_cycles == whole.live_cycles
    assert np.array_equal(pieces.edge_count, whole.edge_count)


def test_engine_maps_aliases_onto_the_same_memory() -> None:
    engine = Engine(pricer_for(BOARD).board)
    engine.write(0x10000010, b"same")
    assert engine.read(0x20030010, 4) == b"same"


RESET = "b500 push {lr}\nbl main\ne7fe b ."


def test_a_register_jump_to_code_without_a_symbol_stays_in_the_jumping_function(tmp_path: Path) -> None:
    functions = {
        "Reset_Handler": RESET,
        "main": "b500 push {lr}\nbl f\nbd00 pop {pc}",
        "f": "4901 ldr r1, [pc, #4]\n4708 bx r1\nbf00 nop\nbf00 nop\n.word 0x08000801",
    }
    nameless = {0x08000800: bytes.fromhex("00bf00bf00bf7047")}  # nop nop nop bx lr
    elf = write_program(tmp_path / "p.elf", BOARD, functions, extra=nameless)
    kernels = {k.name: (k.calls, k.instructions) for k in run_elf(elf, BOARD).profile().kernels}
    assert kernels["main"] == (1, 3)
    assert kernels["f"] == (1, 2 + 4)


def test_code_that_changes_after_it_ran_is_told(tmp_path: Path) -> None:
    main = """
    4c04 ldr r4, [pc, #16]
    4805 ldr r0, [pc, #20]
    6020 str r0, [r4]
    1c65 adds r5, r4, #1
    47a8 blx r5
    4804 ldr r0, [pc, #16]
    6020 str r0, [r4]
    47a8 blx r5
    e7fe b .
    bf00 nop
    .word 0x20000000
    .word 0x4770bf00
    .word 0x47703001
    """
    elf = write_program(tmp_path / "p.elf", BOARD, {"Reset_Handler": RESET, "main": main})
    record = run_elf(elf, BOARD).record
    assert record.not_modelled == (
        "code at 0x20000000 was overwritten after it first ran, and is counted as it was then",
    )


def test_another_description_of_a_board_does_not_look_like_a_contradiction() -> None:
    ran = run_elf(EXAMPLES / "fir-m4f.elf", BOARD)
    board = ran.pricer.board.model_copy(update={"caches": ()})
    profile = price(ran.record, pricer_for(board))
    assert profile.cycles.nominal > ran.record.live_cycles


def test_observations_of_no_known_instruction_are_told() -> None:
    ran = run_elf(EXAMPLES / "quantise-m4f.elf", BOARD)
    recorder = ran.machine.recorder
    assert lost_observations(recorder) == []
    recorder.words[layout.H_LOST_SITES] = 3
    assert lost_observations(recorder) == [
        "3 observations of operands belonged to no counted instruction, and are not priced"
    ]


def test_a_page_border_inside_an_it_block_is_no_contradiction(tmp_path: Path) -> None:
    """0x080007fc: ite ne, then at 0x080007fe an sdivne that crosses the border and isn't executed."""
    functions = {
        "Reset_Handler": RESET,
        "main": "b500 push {lr}\n4b01 ldr r3, [pc, #4]\n4798 blx r3\nbd00 pop {pc}\n.word 0x080007f9",
    }
    code = "0021" + "0029" + "14bf" + "90fbf1f2" + "0022" + "7047"  # movs r1, #0; cmp r1, #0; ite ne; sdivne; moveq; bx
    elf = write_program(tmp_path / "p.elf", BOARD, functions, extra={0x080007F8: bytes.fromhex(code)})
    record = run_elf(elf, BOARD).record
    assert record.exit.reason.value == "return"
    assert record.not_modelled == (
        "code at 0x080007fe begins inside an IT block that a page border splits, "
        "and is priced as if all of it executed",
    )
    assert int(record.site_counts[record.site_kind == SiteKind.OPERANDS].sum()) == 0
