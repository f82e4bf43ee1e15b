"""Which kernels are measured, and in which passes."""

from __future__ import annotations

import re
from itertools import combinations

from machinelib import EXAMPLES, PROGRAMS, run_elf

from vtarget.logic.measureplan import RESERVED, empty_span, plan_measurement

L4 = "nucleo-l4r5zi"


def test_the_kernels_with_most_cycles_are_chosen() -> None:
    ran = run_elf(EXAMPLES / "fir-m4f.elf", L4)
    plan = plan_measurement(ran.record, ran.profile(), 6)
    assert [pick.name for pick in plan.picks] == ["fir_q15"]
    assert plan.picks[0].calls == 12
    assert re.fullmatch(r"8 kernels with 1\.\d % of the estimated cycles are not measured \(.*\)", plan.notes[0])


def test_kernels_by_pattern_and_spans_in_any_case() -> None:
    ran = run_elf(EXAMPLES / "fir-m4f.elf", L4)
    plan = plan_measurement(ran.record, ran.profile(), 6, pattern=re.compile("^print_"), spans=("main", "nobody"))
    assert {pick.name for pick in plan.picks} == {"main", "print_text", "print_hex"}
    assert "nobody is not measured: it isn't called" in plan.notes


def test_a_pass_has_no_more_kernels_than_comparators_and_none_that_call_each_other() -> None:
    ran = run_elf(PROGRAMS / "inclusive_fptr-m4f.elf", L4)
    profile = ran.profile()
    for comparators in (RESERVED + 1, 6, 8):
        plan = plan_measurement(ran.record, profile, comparators, pattern=re.compile("."))
        assert all(0 < len(group) <= comparators - RESERVED for group in plan.passes)
        assert len({pick.address for pick in plan.picks}) == len(plan.picks) > 3
        main = next(group for group in plan.passes if any(pick.name == "main" for pick in group))
        assert [pick.name for pick in main] == ["main"] or len(main) > 1
        nested = {frozenset(pair) for group in plan.passes for pair in combinations([p.name for p in group], 2)}
        assert not any("main" in pair and "semihost_exit" not in pair for pair in nested)


def test_handlers_and_kernels_with_too_many_calls_are_left_out() -> None:
    ran = run_elf(PROGRAMS / "ticks-m4f.elf", L4)
    plan = plan_measurement(ran.record, ran.profile(), 6, pattern=re.compile("."), most_calls=1)
    assert any("it is an exception handler" in note for note in plan.notes)
    assert all(pick.calls == 1 for pick in plan.picks)


def test_the_instruction_that_overhead_is_measured_on() -> None:
    ran = run_elf(EXAMPLES / "fir-m4f.elf", L4)
    place = empty_span(ran.record)
    assert place is not None
    assert place % 4 == 0
    opcode = int.from_bytes(ran.machine.engine.read(place, 2), "little")
    assert opcode >> 11 == 0b00100  # MOVS Rd, #imm8
