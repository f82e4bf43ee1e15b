"""Calls, own and inclusive counts of small programs whose instructions are countable by hand (firmware/tests)."""

from __future__ import annotations

import pytest
from machinelib import PROGRAMS, core_alone, run_elf

from vtarget.data.profile import Kernel, Profile

# Every instruction of these programs takes its nominal cycles from the M4's table; the sums are spelled out below.
PUSH2, NOP, CMP, BL, POP2_PC, BX = 3, 1, 1, 2, 6, 2
TAKEN, NOT_TAKEN = 2, 1
OFF_WORD = 1  # a taken branch to a 32-bit instruction that isn't word aligned


def profile_of(name: str) -> Profile:
    return run_elf(PROGRAMS / f"inclusive_{name}-m4f.elf", core_alone("nucleo-l4r5zi")).profile()


def kernel(profile: Profile, name: str) -> Kernel:
    (found,) = [k for k in profile.kernels if k.name == name]
    return found


def row(profile: Profile, name: str) -> tuple[int, int, int, int]:
    """(calls, instructions, own cycles, cycles with callees)."""
    k = kernel(profile, name)
    return k.calls, k.instructions, k.cycles, k.total_cycles


def test_recursion_counts_each_cycle_once() -> None:
    profile = profile_of("recursion")
    leaf = NOP + NOP + BX
    # Four times: push cmp beq(not taken) subs bl pop; once: push cmp beq(taken, to a bl off its word) bl pop.
    own = 4 * (PUSH2 + CMP + NOT_TAKEN + 1 + BL + POP2_PC) + (PUSH2 + CMP + TAKEN + OFF_WORD + BL + POP2_PC)
    assert row(profile, "leaf") == (1, 3, leaf, leaf)
    assert row(profile, "descend") == (5, 29, own, own + leaf)


def test_mutual_recursion_is_exact_for_both() -> None:
    profile = profile_of("recursion")
    level = PUSH2 + CMP + NOT_TAKEN + 1 + BL + POP2_PC
    last = PUSH2 + CMP + TAKEN + POP2_PC
    even, odd = 3 * level, 2 * level + last
    # even(5) is outermost: all of both runs inside it. odd(4) is inside even(5), so all but even(5)'s own is odd's.
    assert row(profile, "mutual_even") == (3, 18, even, even + odd)
    assert row(profile, "mutual_odd") == (3, 16, odd, odd + even - level)


def test_tail_calls_count_as_calls_of_the_function_that_jumps() -> None:
    profile = profile_of("tailcall")
    third = 3 * NOP + BX
    second, first, compiled = NOP + TAKEN, 2 * NOP + TAKEN, NOP + TAKEN
    # After both calls of first it returns to a bl off its word.
    assert row(profile, "third") == (3, 12, 3 * third + 2 * OFF_WORD, 3 * third + 2 * OFF_WORD)
    assert row(profile, "second") == (2, 4, 2 * second, 2 * (second + third + OFF_WORD))
    assert row(profile, "first") == (2, 6, 2 * first, 2 * (first + second + third + OFF_WORD))
    assert row(profile, "tail_compiled") == (1, 2, compiled, compiled + third)


def test_after_tail_calls_the_stack_is_back_at_the_caller() -> None:
    profile = profile_of("tailcall")
    main = PUSH2 + 3 * BL + 1 + POP2_PC
    callees = sum(kernel(profile, name).cycles for name in ("first", "second", "third", "tail_compiled"))
    assert row(profile, "main") == (1, 6, main, main + callees)


def test_function_pointers_are_calls() -> None:
    profile = profile_of("fptr")
    # push ldr(after a stack store: 2) blx(1 + P, P = 2) pop; three of the four calls of it return to a bl off its word
    apply = PUSH2 + 2 + 3 + POP2_PC
    own = 4 * apply + 3 * OFF_WORD
    three, five, one = 2 * NOP + BX, 4 * NOP + BX, BX
    assert row(profile, "one") == (1, 1, one, one)
    assert row(profile, "three") == (2, 6, 2 * three, 2 * three)
    assert row(profile, "five") == (1, 5, five, five)
    assert row(profile, "apply") == (4, 16, own, own + one + 2 * three + five)


def test_longjmp_leaves_the_frames_it_jumps_over() -> None:
    profile = profile_of("longjmp")
    assert [row(profile, name)[:2] for name in ("setjmp", "longjmp", "inner", "middle", "outer", "after")] == [
        (1, 4), (1, 6), (1, 3), (1, 2), (1, 3), (1, 2),
    ]  # fmt: skip
    # ldm of ten 11, mov sp, movs, it behind 16 bits 0, the skipped moveq 1, bx
    longjmp = 11 + 1 + 1 + 0 + 1 + BX
    inner = longjmp + 2 + 1 + BL
    middle = inner + PUSH2 + BL
    outer = middle + 5 + NOP + BL
    assert row(profile, "longjmp")[2:] == (longjmp, longjmp)
    assert row(profile, "inner")[3] == inner
    assert row(profile, "middle")[3] == middle
    assert row(profile, "outer")[3] == outer
    assert row(profile, "after")[2:] == (NOP + BX, NOP + BX)


def test_after_a_longjmp_main_is_charged_as_main() -> None:
    profile = profile_of("longjmp")
    calls, instructions, own, inclusive = row(profile, "main")
    callees = sum(kernel(profile, n).cycles for n in ("setjmp", "outer", "middle", "inner", "longjmp", "after"))
    assert (calls, instructions, inclusive) == (1, 10, own + callees)


def test_virtual_functions_are_called_by_their_demangled_names() -> None:
    profile = profile_of("virtual")
    raw = 3 * NOP + BX
    thermometer = PUSH2 + 2 * NOP + BL + POP2_PC
    assert row(profile, "raw_sample") == (2, 8, 2 * raw, 2 * raw)
    assert row(profile, "sensors::Thermometer::read()") == (2, 10, 2 * thermometer, 2 * (thermometer + raw))
    assert row(profile, "sensors::Barometer::read()") == (1, 2, NOP + BX, NOP + BX)
    assert row(profile, "sensors::Counter::notify(int)") == (3, 9, 3 * (2 * NOP + BX), 3 * (2 * NOP + BX))
    calls, instructions, own, inclusive = row(profile, "sensors::poll(sensors::Sensor&, sensors::Listener&)")
    assert (calls, instructions) == (3, 33)
    assert inclusive == own + 2 * (thermometer + raw) + NOP + BX + 3 * (2 * NOP + BX)


@pytest.mark.parametrize("name", ["recursion", "tailcall", "fptr", "longjmp", "virtual"])
def test_everything_runs_inside_the_reset_handler(name: str) -> None:
    profile = profile_of(name)
    assert kernel(profile, "Reset_Handler").total_cycles == profile.cycles.nominal
    assert sum(k.cycles for k in profile.kernels) == profile.cycles.nominal
    assert sum(k.instructions for k in profile.kernels) == profile.instructions
