"""The interrupt controller: literal cases of the Arm ARM, and `preempting` against a model written from its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from systemlib import Bench

from vtarget.data.exceptions import Vector
from vtarget.shell.nvic import ALWAYS_ENABLED, LOWEST_PRIORITY, Masks, Nvic, members

ISER, ICER, ISPR, ICPR, IABR, IPR = 0xE000E100, 0xE000E180, 0xE000E200, 0xE000E280, 0xE000E300, 0xE000E400
NONE = Masks()


def ready(nvic: Nvic, irq: int, priority: int) -> int:
    """Enable and pend an interrupt; its exception number."""
    number = Vector.EXTERNAL + irq
    nvic.set_priority(number, priority)
    nvic.enable(1 << number)
    nvic.pend(number)
    return number


# Registers.


def test_interrupts_are_enabled_pended_and_cleared_by_words() -> None:
    bench = Bench(lines=40)
    bench.write(ISER, 0x00000005)
    bench.write(ISER + 4, 0xFFFFFFFF)
    assert (bench.read(ISER), bench.read(ICER), bench.read(ISER + 4)) == (5, 5, 0xFF)
    bench.write(ICER, 1)
    assert bench.read(ISER) == 4
    bench.write(ISPR + 4, 0x81)
    assert (bench.read(ISPR + 4), bench.read(ICPR + 4), bench.read(ISPR)) == (0x81, 0x81, 0)
    bench.write(ICPR + 4, 0x80)
    assert bench.nvic.pending == 1 << 16 + 32
    bench.nvic.enter(16 + 32)
    assert (bench.read(IABR + 4), bench.read(ISPR + 4)) == (1, 0)
    bench.write(IABR + 4, 0xFF)
    assert bench.read(IABR + 4) == 1


def test_narrow_accesses_of_set_and_clear_registers_act_by_their_ones() -> None:
    bench = Bench()
    bench.write(ISER, 0xFFFFFFFF)
    bench.write(ICER + 1, 0x0F, 1)
    assert bench.read(ISER) == 0xFFFFF0FF
    bench.write(ICER + 2, 0x8000, 2)
    assert bench.read(ISER) == 0x7FFFF0FF
    bench.write(ISER + 3, 0x80, 1)
    assert (bench.read(ISER), bench.read(ISER + 1, 1), bench.read(ISER + 2, 2)) == (0xFFFFF0FF, 0xF0, 0xFFFF)
    bench.write(ISPR + 1, 1, 1)
    bench.write(ICPR, 0xFF, 1)
    assert bench.read(ISPR) == 0x100


def test_priorities_are_bytes_of_which_the_upper_bits_stick() -> None:
    bench = Bench(lines=10)
    bench.write(IPR + 4, 0x12345678)
    assert bench.read(IPR + 4) == 0x10305070
    bench.write(IPR + 5, 0xFF, 1)
    assert bench.read(IPR + 4) == 0x1030F070
    bench.write(IPR + 6, 0xA0B0, 2)
    assert bench.read(IPR + 4) == 0xA0B0F070
    assert bench.read(IPR + 6, 2) == 0xA0B0
    bench.write(IPR + 8, 0xFFFFFFFF)
    assert bench.read(IPR + 8) == 0x0000F0F0  # interrupts 10 and 11 aren't there
    assert [bench.nvic.priority(16 + n) for n in range(4, 10)] == [0x70, 0xF0, 0xB0, 0xA0, 0xF0, 0xF0]
    bench.write(IPR + 300, 0xFFFFFFFF)
    assert bench.read(IPR + 300) == 0


def test_what_lies_between_the_registers_reads_as_zero() -> None:
    bench = Bench()
    for address in (ISER + 0x40, 0xE000E380, 0xE000E3FC, IPR + 492):
        bench.write(address, 0xFFFFFFFF)
        assert bench.read(address) == 0
    assert bench.nvic.enabled == ALWAYS_ENABLED
    assert bench.block.untouched == {}


def test_some_exceptions_are_always_enabled() -> None:
    nvic = Nvic(32, 4, baseline=False)
    nvic.disable(-1)
    assert members(nvic.enabled) == [2, 3, 11, 12, 14, 15]


# Priorities.


def test_fixed_priorities() -> None:
    nvic = Nvic(32, 4, baseline=False)
    for number in (1, 2, 3):
        nvic.set_priority(number, 0x80)
    assert [nvic.priority(n) for n in (1, 2, 3, 4)] == [-3, -2, -1, 0]


@pytest.mark.parametrize(
    ("prigroup", "priority", "group"),
    # DDI 0403 table B1-6: PRIGROUP n leaves bits 7..n+1 as the group.
    [(0, 0xFF, 0xFE), (3, 0xFF, 0xF0), (3, 0x7F, 0x70), (4, 0xF0, 0xE0), (6, 0xF0, 0x80), (7, 0xF0, 0), (7, -1, -1)],
)
def test_priority_groups(prigroup: int, priority: int, group: int) -> None:
    nvic = Nvic(32, 8, baseline=False)
    nvic.set_prigroup(prigroup)
    assert nvic.group(priority) == group


def test_execution_priority() -> None:
    nvic = Nvic(32, 4, baseline=False)
    assert nvic.execution_priority(NONE) == LOWEST_PRIORITY
    nvic.set_priority(20, 0x40)
    nvic.set_priority(21, 0x20)
    nvic.active = 1 << 20 | 1 << 21
    assert nvic.execution_priority(NONE) == 0x20
    assert nvic.execution_priority(Masks(basepri=0x10)) == 0x10
    assert nvic.execution_priority(Masks(basepri=0x30)) == 0x20
    assert nvic.execution_priority(Masks(primask=True)) == 0
    assert nvic.execution_priority(Masks(faultmask=True)) == -1
    nvic.active |= 1 << Vector.NMI
    assert nvic.execution_priority(Masks(primask=True, faultmask=True)) == -2
    nvic.set_prigroup(5)
    nvic.active = 1 << 20
    assert nvic.execution_priority(NONE) == 0x40
    nvic.set_prigroup(7)
    assert nvic.execution_priority(NONE) == 0


def test_basepri_bits_that_are_not_implemented_do_not_count() -> None:
    """B1.4.3: they are RAZ/WI like those of the priority registers, so 0x0f with four bits masks nothing."""
    nvic = Nvic(32, 4, baseline=False)
    number = ready(nvic, 0, 0xF0)
    assert nvic.preempting(Masks(basepri=0x0F)) == number
    assert nvic.preempting(Masks(basepri=0xFF)) is None
    nvic.set_priority(number, 0xE0)
    assert nvic.preempting(Masks(basepri=0xFF)) == number


def test_the_most_urgent_comes_first_and_of_equals_the_lowest_number() -> None:
    nvic = Nvic(32, 4, baseline=False)
    low, urgent, alike = ready(nvic, 1, 0x50), ready(nvic, 9, 0x20), ready(nvic, 12, 0x20)
    order = []
    while (number := nvic.preempting(NONE)) is not None:
        order.append(number)
        nvic.enter(number)
        nvic.leave(number)
    assert order == [urgent, alike, low]


def test_a_subpriority_orders_what_waits_but_does_not_preempt() -> None:
    nvic = Nvic(32, 4, baseline=False)
    nvic.set_prigroup(5)  # groups are bits 7..6
    first, second = ready(nvic, 3, 0x70), ready(nvic, 4, 0x40)
    assert nvic.preempting(NONE) == second
    nvic.unpend(second)
    nvic.enter(first)
    nvic.pend(second)
    assert nvic.preempting(NONE) is None
    nvic.set_prigroup(3)
    assert nvic.preempting(NONE) == second


def test_basepri_lets_only_more_urgent_ones_through() -> None:
    nvic = Nvic(32, 4, baseline=False)
    number = ready(nvic, 0, 0x40)
    assert nvic.preempting(Masks(basepri=0x40)) is None
    assert nvic.preempting(Masks(basepri=0x50)) == number
    assert nvic.preempting(Masks(basepri=0)) == number


def test_primask_and_faultmask_leave_what_they_must() -> None:
    nvic = Nvic(32, 4, baseline=False)
    ready(nvic, 0, 0)
    assert nvic.preempting(Masks(primask=True)) is None
    nvic.pend(Vector.HARD_FAULT)
    assert nvic.preempting(Masks(primask=True)) == Vector.HARD_FAULT
    assert nvic.preempting(Masks(faultmask=True)) is None
    nvic.pend(Vector.NMI)
    assert nvic.preempting(Masks(primask=True, faultmask=True)) == Vector.NMI
    nvic.enter(Vector.NMI)
    assert nvic.preempting(NONE) is None


def test_what_ends_a_sleep_ignores_primask_alone() -> None:
    nvic = Nvic(32, 4, baseline=False)
    ready(nvic, 0, 0x40)
    assert nvic.wakes(Masks(primask=True))
    assert not nvic.wakes(Masks(primask=True, basepri=0x40))
    assert not nvic.wakes(Masks(faultmask=True))


def test_synchronous_exceptions_need_to_be_enabled_and_more_urgent() -> None:
    nvic = Nvic(32, 4, baseline=False)
    assert not nvic.can_preempt(Vector.USAGE_FAULT, NONE)
    nvic.enable(1 << Vector.USAGE_FAULT)
    assert nvic.can_preempt(Vector.USAGE_FAULT, NONE)
    assert not nvic.can_preempt(Vector.USAGE_FAULT, Masks(primask=True))
    nvic.active = 1 << 20
    assert not nvic.can_preempt(Vector.SVCALL, NONE)
    assert nvic.can_preempt(Vector.HARD_FAULT, NONE)
    nvic.active |= 1 << Vector.HARD_FAULT
    assert not nvic.can_preempt(Vector.HARD_FAULT, NONE)


# Lines.


def test_a_level_that_stays_high_pends_again_after_its_handler() -> None:
    nvic = Nvic(32, 4, baseline=False)
    nvic.set_line(3, True)
    assert nvic.pending == 1 << 19
    nvic.unpend(19)
    assert nvic.pending == 1 << 19
    nvic.enter(19)
    assert nvic.pending == 0
    nvic.leave(19)
    assert nvic.pending == 1 << 19
    nvic.set_line(3, False)
    assert nvic.pending == 1 << 19  # latched
    nvic.enter(19)
    nvic.leave(19)
    assert nvic.pending == 0


def test_a_pulse_while_the_handler_runs_pends_again() -> None:
    """B3.4.1: a pulse is sampled while the interrupt is active too: it then becomes active and pending."""
    nvic = Nvic(32, 4, baseline=False)
    nvic.set_line(3, True)
    nvic.enter(19)
    nvic.set_line(3, False)
    nvic.set_line(3, True)
    nvic.set_line(3, False)
    nvic.leave(19)
    assert nvic.pending == 1 << 19


def test_lines_that_are_not_there_do_nothing() -> None:
    nvic = Nvic(8, 2, baseline=True)
    nvic.set_line(8, True)
    assert nvic.pending == 0


def test_who_waits_is_told_of_pending_exceptions() -> None:
    nvic = Nvic(32, 4, baseline=False)
    told: list[int] = []
    nvic.on_pending = lambda: told.append(nvic.pending)
    nvic.set_line(0, True)
    nvic.set_line(0, True)
    nvic.enable(1 << 17)
    assert told == [1 << 16]
    nvic.enable(1 << 16)
    nvic.write_priorities(16, 0x10)
    assert told == [1 << 16] * 3


def test_interrupts_reach_a_handler_only_from_above() -> None:
    nvic = Nvic(32, 4, baseline=False)
    nvic.enable(1 << 20)
    assert not nvic.unreachable(NONE)
    nvic.active = 1 << Vector.USAGE_FAULT
    assert nvic.unreachable(NONE)  # all are at priority 0
    nvic.set_priority(Vector.USAGE_FAULT, 0x40)
    assert not nvic.unreachable(NONE)
    assert nvic.unreachable(Masks(primask=True))
    for number in (20, Vector.PENDSV, Vector.SYSTICK):
        assert not nvic.unreachable(Masks(basepri=0x10))
        nvic.set_priority(number, 0x80)
    assert nvic.unreachable(Masks(basepri=0x10)) and nvic.unreachable(NONE)
    nvic.active = 1 << Vector.HARD_FAULT
    nvic.set_priority(20, 0)
    assert nvic.unreachable(NONE)


# Against the text of B1.5.4.

NUMBERS = [2, 3, 4, 5, 6, 11, 12, 14, 15, 16, 17, 18, 19, 47]
SETS = st.sets(st.sampled_from(NUMBERS))


def brute_force(nvic: Nvic, priorities: dict[int, int], masks: Masks, group_bits: int) -> int | None:
    """Each exception alone, by the rules of the manual; priorities are those that the registers hold."""
    fixed = {2: -2, 3: -1}

    def group(number: int) -> int:
        value = fixed.get(number, priorities.get(number, 0))
        return value if value < 0 else value - value % (1 << group_bits)

    boosted = LOWEST_PRIORITY
    for number in members(nvic.active):
        boosted = min(boosted, group(number))
    basepri = masks.basepri & 0xF0
    if basepri:
        boosted = min(boosted, basepri - basepri % (1 << group_bits))
    if masks.primask:
        boosted = min(boosted, 0)
    if masks.faultmask:
        boosted = min(boosted, -1)
    best: tuple[int, int] | None = None
    for number in NUMBERS:
        if nvic.pending >> number & 1 and nvic.enabled >> number & 1:
            rank = (fixed.get(number, priorities.get(number, 0)), number)
            best = rank if best is None or rank < best else best
    return best[1] if best is not None and group(best[1]) < boosted else None


@given(
    pending=SETS, active=SETS, enabled=SETS,
    priorities=st.dictionaries(st.sampled_from(NUMBERS[2:]), st.integers(0, 255)),
    masks=st.builds(Masks, st.booleans(), st.sampled_from([0, 0x0F, 0x10, 0x40, 0x80, 0xF0, 0xFF]), st.booleans()),
    prigroup=st.integers(0, 7),
)  # fmt: skip
def test_preempting_is_what_the_manual_says(
    pending: set[int], active: set[int], enabled: set[int], priorities: dict[int, int], masks: Masks, prigroup: int
) -> None:
    nvic = Nvic(32, 4, baseline=False)
    nvic.set_prigroup(prigroup)
    nvic.enable(sum(1 << n for n in enabled))
    for number, value in priorities.items():
        nvic.set_priority(number, value)
    for number in pending:
        nvic.pend(number)
    nvic.active = sum(1 << n for n in active)
    kept = {n: v & 0xF0 for n, v in priorities.items()}
    assert nvic.preempting(masks) == brute_force(nvic, kept, masks, prigroup + 1)
