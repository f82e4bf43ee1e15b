"""STM32 timers: what RM0090 17 to 20 and RM0432 30 to 32 describe, and a timer stepped tick by tick."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.base.errors import InputError
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_tim import (
    ARPE,
    ARR,
    CCMR1,
    CCR1,
    CEN,
    CNT,
    CR1,
    CR2,
    DIER,
    DIR,
    EGR,
    OPM,
    PSC,
    SMCR,
    SR,
    UDIS,
    UIFREMAP,
    URS,
    Stm32Tim,
)

OFFSETS = {
    "CR1": CR1,
    "CR2": CR2,
    "SMCR": SMCR,
    "DIER": DIER,
    "SR": SR,
    "EGR": EGR,
    "CCMR1": CCMR1,
    "CNT": CNT,
    "PSC": PSC,
    "ARR": ARR,
    "CCR1": CCR1,
}


def tim(ports: FakePorts, **registers: int) -> Stm32Tim:
    """A timer with registers written in the order given, by name (``CCR1`` with its neighbours at +4)."""
    made = Stm32Tim(ports)
    write(made, **registers)
    return made


def write(timer: Stm32Tim, **registers: int) -> None:
    for name, value in registers.items():
        timer.write(OFFSETS[name], 4, value)


def test_reset_values() -> None:
    timer = tim(FakePorts())
    assert [timer.read(r, 4) for r in (CR1, DIER, SR, EGR, CNT, PSC, ARR)] == [0, 0, 0, 0, 0, 0, 0xFFFF]
    wide = Stm32Tim(FakePorts(options={"bits": 32}))
    assert wide.read(ARR, 4) == 0xFFFFFFFF


def test_one_millisecond_tick_as_the_hal_programs_it() -> None:
    """80 MHz, PSC 79, ARR 999, UG, clear UIF, interrupt enabled: one interrupt each 80 000 cycles."""
    ports = FakePorts(core_hz=80_000_000)
    timer = tim(ports, PSC=79, ARR=999, EGR=1, SR=0, DIER=1, CR1=CEN)
    for _ in range(5):
        ports.advance(80_000)
        assert ports.irq
        timer.write(SR, 4, ~1 & 0xFFFFFFFF)
        assert not ports.irq
    assert [cycle for cycle, _, level in ports.irq_log if level] == [80_000 * n for n in range(1, 6)]


def test_the_prescaler_is_taken_over_at_the_update() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=9, PSC=4, CR1=CEN)
    ports.advance(9)
    assert timer.read(CNT, 4) == 9
    ports.advance(1 + 5 * 3)
    assert (timer.read(CNT, 4), timer.read(SR, 4) & 1) == (3, 1)


def test_auto_reload_is_immediate_without_preload_and_waits_with_it() -> None:
    for arpe, wraps in ((0, 6), (ARPE, 10)):
        ports = FakePorts()
        timer = tim(ports, ARR=9, EGR=1, CR1=CEN | arpe)
        ports.advance(2)
        timer.write(ARR, 4, 5)
        ports.advance(wraps - 2 - 1)
        assert timer.read(CNT, 4) == wraps - 1
        ports.advance(1)
        assert timer.read(CNT, 4) == 0
        ports.advance(6)
        assert timer.read(CNT, 4) == 0


def test_counting_down_updates_after_zero() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=7, CR1=DIR, EGR=1, SR=0)
    timer.write(CR1, 4, DIR | CEN)
    seen = []
    for _ in range(9):
        seen.append((timer.read(CNT, 4), timer.read(SR, 4) & 1))
        ports.advance(1)
    assert seen == [(7, 0), (6, 0), (5, 0), (4, 0), (3, 0), (2, 0), (1, 0), (0, 0), (7, 1)]


def test_a_change_of_direction_keeps_the_count() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=100, CR1=CEN)
    ports.advance(40)
    timer.write(CR1, 4, CEN | DIR)
    ports.advance(15)
    assert timer.read(CNT, 4) == 25


def test_one_pulse_stops_at_the_update() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=9, DIER=1, CR1=CEN | OPM)
    ports.advance(500)
    assert (timer.read(CR1, 4), timer.read(CNT, 4), timer.read(SR, 4) & 1) == (OPM, 0, 1)
    assert [entry for entry in ports.irq_log if entry[2]] == [(10, "", True)]


def test_software_update_generation() -> None:
    ports = FakePorts()
    timer = tim(ports, PSC=3, EGR=1)
    assert timer.read(SR, 4) == 1
    write(timer, SR=0, CR1=URS, EGR=1)
    assert timer.read(SR, 4) == 0
    write(timer, CR1=UDIS, CNT=50, PSC=0, EGR=1)
    assert (timer.read(CNT, 4), timer.read(SR, 4)) == (0, 0)
    timer.write(CR1, 4, CEN | UDIS)
    ports.advance(8)
    assert timer.read(CNT, 4) == 2  # UDIS: the prescaler in use is still 4


def test_without_updates_it_wraps_and_sets_no_flag() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=9, CR1=CEN | UDIS)
    ports.advance(25)
    assert (timer.read(CNT, 4), timer.read(SR, 4) & 1) == (5, 0)


def test_flags_are_cleared_by_writing_zero_only() -> None:
    ports = FakePorts()
    timer = tim(ports, EGR=0b11111)
    assert timer.read(SR, 4) == 0b11111
    timer.write(SR, 4, 0b11101)
    assert timer.read(SR, 4) == 0b11101
    timer.write(SR, 4, 0b11111)
    assert timer.read(SR, 4) == 0b11101


def test_compare_flags_come_at_the_count() -> None:
    ports = FakePorts()
    timer = Stm32Tim(ports)
    timer.write(ARR, 4, 99)
    for channel, value in enumerate((10, 20, 99, 500)):
        timer.write(CCR1 + 4 * channel, 4, value)
    timer.write(DIER, 4, 0b11110)
    timer.write(CR1, 4, CEN)
    seen = []
    for cycle in range(1, 101):
        ports.advance(1)
        seen += [(cycle, n) for n in range(1, 5) if timer.read(SR, 4) >> n & 1]
        timer.write(SR, 4, 1)
    assert seen == [(10, 1), (20, 2), (99, 3), (100, 4)]  # above ARR: with the overflow
    assert [cycle for cycle, _, level in ports.irq_log if level] == [10, 20, 99, 100]


def test_a_preloaded_compare_value_waits_for_the_update() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=99, CCMR1=0x0808, CCR1=50, CR1=CEN)
    ports.advance(60)
    assert timer.read(SR, 4) & 2 == 0
    ports.advance(40)
    timer.write(SR, 4, 0)
    ports.advance(50)
    assert timer.read(SR, 4) & 2 == 2


def test_thirty_two_bits() -> None:
    ports = FakePorts(options={"bits": 32})
    timer = tim_wide = Stm32Tim(ports)
    write(tim_wide, CNT=0xFFFFFFF0, CR1=CEN)
    ports.advance(15)
    assert timer.read(CNT, 4) == 0xFFFFFFFF
    ports.advance(1)
    assert (timer.read(CNT, 4), timer.read(SR, 4) & 1) == (0, 1)


def test_the_copy_of_the_update_flag_in_the_counter() -> None:
    timer = tim(FakePorts(), CR1=UIFREMAP, EGR=1, CNT=5)
    assert timer.read(CNT, 4) == 0x80000005
    timer.write(SR, 4, 0)
    assert timer.read(CNT, 4) == 5


def test_separate_lines() -> None:
    ports = FakePorts(options={"lines": "separate"})
    timer = Stm32Tim(ports)
    write(timer, ARR=9, CCR1=5, DIER=3, CR1=CEN)
    ports.advance(5)
    assert ports.irqs == {"UP": False, "CC": True}
    ports.advance(5)
    assert ports.irqs == {"UP": True, "CC": True}


def test_a_basic_timer_has_no_channels() -> None:
    ports = FakePorts(name="TIM6")
    timer = make_device("stm32_tim.basic", ports)
    timer.write(ARR, 4, 9)
    timer.write(CR1, 4, CEN)
    ports.advance(100)
    assert timer.read(SR, 4) == 1


def test_a_null_auto_reload_blocks_the_counter() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=0, DIER=1, CR1=CEN)
    ports.advance(100)
    assert (timer.read(CNT, 4), timer.read(SR, 4), ports.irq) == (0, 0, False)


def test_a_counter_above_the_auto_reload_value_runs_on() -> None:
    ports = FakePorts()
    timer = tim(ports, CNT=0xFFF0, ARR=9, CR1=CEN)
    ports.advance(16)
    assert (timer.read(CNT, 4), timer.read(SR, 4) & 1) == (0, 0)
    ports.advance(10)
    assert (timer.read(CNT, 4), timer.read(SR, 4) & 1) == (0, 1)


def test_nothing_is_scheduled_that_nobody_sees() -> None:
    ports = FakePorts()
    timer = tim(ports, ARR=9, CR1=CEN)
    assert ports.schedule.take_due(1 << 60) is None
    timer.write(DIER, 4, 1)
    ports.advance(10)
    assert ports.irq
    assert ports.schedule.take_due(1 << 60) is None


def test_a_change_of_the_clock_keeps_the_count() -> None:
    ports = FakePorts(clock="PCLK1_TIM")
    timer = tim(ports, ARR=999, DIER=1, CR1=CEN)
    ports.advance(400)
    ports.set_clocks({"PCLK1_TIM": 500_000})
    assert timer.read(CNT, 4) == 400
    ports.advance(100)
    assert timer.read(CNT, 4) == 450
    ports.advance(1100)
    assert ports.irq_log == [(400 + 2 * 600, "", True)]


def test_notes_what_is_not_modelled() -> None:
    ports = FakePorts(name="TIM3")
    tim(ports, CR1=1 << 5, SMCR=7, DIER=1 << 8, CCMR1=1, CR2=0x20)
    assert [note.removeprefix("TIM3: ").removesuffix(" not modelled") for note in ports.notes] == [
        "centre-aligned counting is",
        "slave modes and external clocks is",
        "DMA requests is",
        "input capture is",
        "the trigger output is",
    ]


@pytest.mark.parametrize("options", [{"bits": 8}, {"bits": "16"}, {"channels": 5}, {"lines": "three"}])
def test_refuses_other_options(options: dict[str, int | str]) -> None:
    with pytest.raises(InputError, match="device TIM9: a TIM has bits 16 or 32"):
        Stm32Tim(FakePorts(name="TIM9", options=options))


class Stepped:
    """A timer that is stepped tick by tick. Counting up or down, preloads, UDIS, URS, OPM, two channels."""

    def __init__(self) -> None:
        self.words = {CR1: 0, PSC: 0, ARR: 0xFFFF, CCR1: 0, CCR1 + 4: 0, CCMR1: 0}
        self.count = self.flags = self.phase = self.psc = 0
        self.arr = 0xFFFF
        self.ccr = [0, 0]

    def update(self, *, flag: bool) -> None:
        self.psc, self.arr = self.words[PSC], self.words[ARR]
        self.ccr = [self.words[CCR1], self.words[CCR1 + 4]]
        self.flags |= flag

    def tick(self) -> None:
        cr1 = self.words[CR1]
        if not cr1 & CEN or not self.arr:
            return
        self.phase += 1
        if self.phase <= self.psc:
            return
        self.phase = 0
        down = bool(cr1 & DIR)
        end = 0 if down else self.arr
        wraps = self.count == end or (not down and self.count == 0xFFFF)
        overflows = self.count == end
        arrived = (self.arr if down else 0) if wraps else self.count + (-1 if down else 1)
        for channel in range(2):
            above = wraps and self.ccr[channel] > self.arr >= self.count
            if self.ccr[channel] == arrived or above:
                self.flags |= 2 << channel
        if overflows and not cr1 & UDIS:
            self.update(flag=True)
            if cr1 & OPM:
                self.words[CR1] &= ~CEN
        self.count = (self.arr if down else 0) if wraps else arrived

    def write(self, offset: int, value: int) -> None:
        if offset == SR:
            self.flags &= value
        elif offset == EGR:
            self.phase = 0
            if not self.words[CR1] & UDIS:
                self.update(flag=not self.words[CR1] & URS)
            self.count = self.arr if self.words[CR1] & DIR else 0
        elif offset == CNT:
            self.count = value
        else:
            self.words[offset] = value
        if offset in (CR1, ARR) and not self.words[CR1] & ARPE:
            self.arr = self.words[ARR]
        for channel in range(2):
            preload = self.words[CCMR1] & 0x08 << 8 * channel
            if offset in (CCMR1, CCR1 + 4 * channel) and not preload:
                self.ccr[channel] = self.words[CCR1 + 4 * channel]


WRITES = st.one_of(
    st.tuples(st.just(CR1), st.sampled_from([CEN, CEN | ARPE, CEN | DIR, CEN | DIR | ARPE, CEN | UDIS, CEN | OPM, 0])),
    st.tuples(st.just(PSC), st.integers(0, 3)),
    st.tuples(st.just(ARR), st.integers(0, 12)),
    st.tuples(st.sampled_from([CCR1, CCR1 + 4]), st.integers(0, 14)),
    st.tuples(st.just(CCMR1), st.sampled_from([0, 0x08, 0x0800, 0x0808])),
    st.tuples(st.just(CNT), st.sampled_from([0, 3, 9, 0xFFF8])),
    st.tuples(st.just(SR), st.sampled_from([0, 1, 6])),
    st.tuples(st.just(EGR), st.just(1)),
)


@settings(max_examples=300)
@given(
    dier=st.integers(0, 7),
    steps=st.lists(st.tuples(st.integers(0, 90), WRITES, st.booleans()), max_size=14),
)
def test_equals_the_timer_stepped_tick_by_tick(dier: int, steps: list[tuple[int, tuple[int, int], bool]]) -> None:
    ports = FakePorts(options={"channels": 2})
    timer, model = Stm32Tim(ports), Stepped()
    timer.write(DIER, 4, dier)
    timer.write(CR1, 4, CEN)
    timer.write(ARR, 4, 9)
    model.write(CR1, CEN)
    model.write(ARR, 9)
    for cycles, (offset, value), look in steps:
        before, irqs = bool(model.flags & dier), []
        for _ in range(cycles):
            model.tick()
            irqs.append(bool(model.flags & dier))
        begin = ports.cycle
        ports.advance(cycles)
        rises = [cycle - begin for cycle, _, level in ports.irq_log if level and cycle > begin]
        assert rises == ([irqs.index(True) + 1] if True in irqs and not before else [])
        assert ports.irq == bool(model.flags & dier)
        if look:
            assert timer.read(CNT, 4) == model.count
            assert timer.read(SR, 4) == model.flags
            assert timer.read(CR1, 4) == model.words[CR1]
        timer.write(offset, 4, value)
        model.write(offset, value)
