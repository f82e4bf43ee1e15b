"""Ambiq's TIMER (Apollo4) and CTIMER (Apollo3), from their register documentation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.base.errors import InputError
from vtarget.shell.devices.ambiq_ctimer import Apollo3Timers, Apollo4Timers

HFRC_4 = 24_000_000  # HFRC / 4 of the Apollo4
CTRL, TIMER, CMP0, CMP1 = 0x200, 0x204, 0x208, 0x20C
GLOBEN, INTEN, INTSTAT, INTCLR, INTSET = 0x10, 0x60, 0x64, 0x68, 0x6C
EN, CLR, EDGE, UPCOUNT, PWM = 1, 2, 1 << 4, 2 << 4, 4 << 4


def test_apollo4_reset_values() -> None:
    device = Apollo4Timers(FakePorts())
    assert [device.read(r, 4) for r in (0x04, GLOBEN, CTRL, TIMER, INTSTAT)] == [0x100000, 0xFFFF, 0, 0, 0]


@pytest.mark.parametrize(
    ("code", "hz"),
    [(0, 24_000_000), (1, 6_000_000), (2, 1_500_000), (5, 23_437), (6, 1024), (0xA, 32_768), (0xF, 1024), (0x10, 256)],
)
def test_apollo4_clocks(code: int, hz: int) -> None:
    ports = FakePorts(core_hz=96_000_000)
    device = Apollo4Timers(ports)
    device.write(CMP0, 4, 0xFFFFFFFF)
    device.write(CTRL, 4, code << 8 | UPCOUNT | EN)
    ports.advance(96_000_000)
    assert device.read(TIMER, 4) == hz


def test_apollo4_periodic_interrupt_as_the_hal_programs_it() -> None:
    ports = FakePorts(core_hz=HFRC_4)
    device = Apollo4Timers(ports)
    base = 0x20 * 3
    device.write(base + CTRL, 4, UPCOUNT)
    device.write(base + CMP0, 4, 24_000)
    device.write(base + CMP1, 4, 0xFFFFFFFF)
    device.write(base + CTRL, 4, UPCOUNT | CLR)
    device.write(INTEN, 4, 1 << 6)
    device.write(base + CTRL, 4, UPCOUNT | EN)
    assert device.read(base + CTRL, 4) == UPCOUNT | EN
    for _ in range(3):
        ports.advance(24_000)
        assert ports.irqs["TIMER3"] and ports.irq and not ports.irqs["TIMER2"]
        device.write(INTCLR, 4, 1 << 6)
    assert [cycle for cycle, line, level in ports.irq_log if level and line == "TIMER3"] == [24_000, 48_000, 72_000]


def test_apollo4_edge_stops_at_its_end() -> None:
    ports = FakePorts(core_hz=HFRC_4)
    device = Apollo4Timers(ports)
    device.write(CMP0, 4, 100)
    device.write(CMP1, 4, 40)
    device.write(CTRL, 4, EDGE | EN)
    ports.advance(50)
    assert device.read(INTSTAT, 4) == 2
    ports.advance(1000)
    assert (device.read(INTSTAT, 4), device.read(TIMER, 4)) == (3, 100)


def test_apollo4_global_enable() -> None:
    ports = FakePorts(core_hz=HFRC_4)
    device = Apollo4Timers(ports)
    device.write(CMP0, 4, 0xFFFFFFFF)
    device.write(GLOBEN, 4, 0xFFFE)
    device.write(CTRL, 4, UPCOUNT | EN)
    ports.advance(50)
    assert device.read(TIMER, 4) == 0
    device.write(GLOBEN, 4, 0xFFFF)
    ports.advance(50)
    assert device.read(TIMER, 4) == 50


def test_apollo4_notes_what_is_not_modelled() -> None:
    ports = FakePorts(name="TIMER")
    device = Apollo4Timers(ports)
    device.write(CTRL, 4, 0xD << 4 | EN)
    device.write(CTRL, 4, 0x80 << 8 | UPCOUNT | EN)
    device.write(CTRL, 4, 1 << 16 | UPCOUNT | EN)
    assert ports.notes == [
        f"TIMER: {what} is not modelled; the timer stands still" for what in ("function 13", "clock 0x80", "a trigger")
    ]


def test_software_can_set_interrupts() -> None:
    ports = FakePorts()
    device = Apollo4Timers(ports)
    device.write(INTEN, 4, 1 << 31)
    device.write(INTSET, 4, 1 << 31)
    assert ports.irqs["TIMER15"]


def test_refuses_a_frequency_that_is_none() -> None:
    with pytest.raises(InputError, match="device TIMER: hfrc_hz is a frequency in Hz"):
        Apollo4Timers(FakePorts(name="TIMER", options={"hfrc_hz": 0}))


@settings(max_examples=200)
@given(
    function=st.sampled_from([EDGE, UPCOUNT, PWM]),
    steps=st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["cmp0", "cmp1", "clear", "stop", "go"]), st.integers(0, 25)),
        max_size=12,
    ),
)
def test_apollo4_equals_the_timer_stepped_count_by_count(function: int, steps: list[tuple[int, str, int]]) -> None:
    ports = FakePorts(core_hz=HFRC_4)
    device = Apollo4Timers(ports)
    device.write(CMP0, 4, 10)
    device.write(INTEN, 4, 3)
    device.write(CTRL, 4, function | EN)
    count, compares, enabled, status = 0, [10, 0], True, 0
    running = True
    for cycles, what, value in steps:
        for _ in range(cycles if running else 0):
            count += 1
            status |= sum((count == compare) << n for n, compare in enumerate(compares))
            if count == compares[0] and function == EDGE:
                running = False
                break
            count = 0 if count == compares[0] else count
        ports.advance(cycles)
        assert ports.irq == bool(status)
        assert (device.read(TIMER, 4), device.read(INTSTAT, 4)) == (count, status)
        if what == "clear":
            device.write(INTCLR, 4, 3)
            status = 0
        elif what in ("stop", "go"):
            enabled = what == "go"
            device.write(CTRL, 4, function | enabled)
        else:
            compares[what == "cmp1"] = value
            device.write(CMP1 if what == "cmp1" else CMP0, 4, value)
        running = enabled and not (function == EDGE and count == compares[0] != 0)


A_EN, A_CLR, A_IE0, A_HFRC_4, REPEAT, CONTINUOUS = 1, 1 << 11, 1 << 9, 1 << 1, 1 << 6, 6 << 6
LINK = 1 << 31
A3_INTEN, A3_INTSTAT, A3_INTCLR = 0x200, 0x204, 0x208


def test_apollo3_two_halves_of_sixteen_bits() -> None:
    ports = FakePorts(core_hz=12_000_000)
    device = Apollo3Timers(ports)
    device.write(0x44, 4, 1000)
    device.write(0x48, 4, 300)
    half = A_EN | A_HFRC_4 | REPEAT | A_IE0
    device.write(0x4C, 4, half | half << 16)
    ports.advance(950)
    assert device.read(0x40, 4) == 50 << 16 | 950
    assert device.read(A3_INTSTAT, 4) == 1 << 5
    device.write(A3_INTEN, 4, 1 << 4)
    ports.advance(49)
    assert not ports.irq
    ports.advance(1)
    assert ports.irq
    device.write(A3_INTCLR, 4, 1 << 4)
    assert not ports.irq


def test_apollo3_linked_free_running_counter() -> None:
    ports = FakePorts(core_hz=12_000_000)
    device = Apollo3Timers(ports)
    device.write(0x0C, 4, LINK | A_CLR | A_HFRC_4 | CONTINUOUS)
    device.write(0x0C, 4, LINK | A_EN | A_HFRC_4 | CONTINUOUS)
    ports.advance(1_000_000)
    assert device.read(0x00, 4) == 1_000_000
    device.write(0x0C, 4, LINK | A_CLR | A_EN | A_HFRC_4 | CONTINUOUS)
    assert device.read(0x00, 4) == 0


def test_apollo3_linked_period_has_halves_in_both_registers() -> None:
    ports = FakePorts(core_hz=12_000_000)
    device = Apollo3Timers(ports)
    device.write(0x04, 4, 120_000 & 0xFFFF)
    device.write(0x08, 4, 120_000 >> 16)
    device.write(A3_INTEN, 4, 1)
    device.write(0x0C, 4, LINK | A_EN | A_HFRC_4 | REPEAT | A_IE0)
    for _ in range(2):
        ports.advance(120_000)
        device.write(A3_INTCLR, 4, 1)
    assert [cycle for cycle, _, level in ports.irq_log if level] == [120_000, 240_000]


def test_apollo3_without_its_interrupt_enable_a_compare_sets_no_flag() -> None:
    ports = FakePorts(core_hz=12_000_000)
    device = Apollo3Timers(ports)
    device.write(0x04, 4, 100)
    device.write(0x0C, 4, A_EN | A_HFRC_4)
    ports.advance(500)
    assert (device.read(0x00, 4), device.read(A3_INTSTAT, 4)) == (100, 0)


def test_apollo3_has_its_stimer_in_the_same_block() -> None:
    ports = FakePorts(core_hz=3_000_000)
    device = Apollo3Timers(ports)
    device.write(0x300, 4, 1)
    device.write(0x140, 4, 1 | 1 << 8)
    device.write(0x150, 4, 97)
    ports.advance(100)
    assert device.read(0x144, 4) == 100 and ports.irqs["CMPR0"] and not ports.irq
