"""Ambiq STIMER: Apollo4 register documentation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.base.errors import InputError
from vtarget.shell.devices.ambiq_stimer import (
    CLEAR,
    FREEZE,
    INTCLR,
    INTEN,
    INTSET,
    INTSTAT,
    SCAPCTRL0,
    SCMPR0,
    STCFG,
    STTMR,
    AmbiqStimer,
)

HFRC_6MHZ, HFRC_375KHZ, XTAL_32KHZ = 1, 2, 3
COMPARE_A, COMPARE_B = 1 << 8, 1 << 9


def running(ports: FakePorts, config: int = HFRC_6MHZ) -> AmbiqStimer:
    made = AmbiqStimer(ports)
    made.write(STCFG, 4, config)
    return made


def test_reset_values() -> None:
    device = AmbiqStimer(FakePorts())
    assert [device.read(r, 4) for r in (STCFG, STTMR, SCMPR0, INTEN, INTSTAT)] == [FREEZE, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("clock", "hz"), [(1, 6_000_000), (2, 375_000), (3, 32_768), (4, 16_384), (5, 1024), (6, 1024), (0, 0), (7, 0)]
)
def test_clock_sources(clock: int, hz: int) -> None:
    ports = FakePorts(core_hz=96_000_000)
    device = running(ports, clock)
    ports.advance(96_000_000)
    assert device.read(STTMR, 4) == hz
    assert len(ports.notes) == (clock == 7)


def test_freeze_holds_and_clear_zeroes() -> None:
    ports = FakePorts(core_hz=6_000_000)
    device = running(ports)
    ports.advance(100)
    device.write(STCFG, 4, HFRC_6MHZ | FREEZE)
    ports.advance(100)
    assert device.read(STTMR, 4) == 100
    device.write(STCFG, 4, HFRC_6MHZ | CLEAR)
    ports.advance(100)
    assert device.read(STTMR, 4) == 0
    device.write(STCFG, 4, HFRC_6MHZ)
    ports.advance(5)
    assert device.read(STTMR, 4) == 5


def test_a_compare_is_set_relative_to_the_counter() -> None:
    ports = FakePorts(core_hz=6_000_000)
    device = running(ports, HFRC_6MHZ | COMPARE_A)
    device.write(INTEN, 4, 1)
    ports.advance(1000)
    device.write(INTCLR, 4, 1)
    device.write(SCMPR0, 4, 250 - 3)
    assert device.read(SCMPR0, 4) == 1249
    ports.advance(249)
    assert not ports.irqs["CMPR0"]
    ports.advance(1)
    assert ports.irqs["CMPR0"] and device.read(INTSTAT, 4) == 1
    device.write(INTCLR, 4, 1)
    assert not ports.irqs["CMPR0"]
    assert not ports.irq


def test_a_compare_that_is_not_enabled_sets_nothing() -> None:
    ports = FakePorts(core_hz=6_000_000)
    device = running(ports)
    device.write(SCMPR0, 4, 10)
    ports.advance(100)
    assert device.read(INTSTAT, 4) == 0


def test_overflow_and_software_interrupts() -> None:
    ports = FakePorts(core_hz=6_000_000)
    device = running(ports)
    device.write(INTEN, 4, 1 << 8 | 1 << 3)
    ports.advance(1 << 32)
    assert ports.irq and device.read(STTMR, 4) == 0 and device.read(INTSTAT, 4) == 1 << 8
    device.write(INTSET, 4, 1 << 3)
    assert ports.irqs["CMPR3"]


def test_capture_is_noted() -> None:
    ports = FakePorts(name="STIMER")
    device = AmbiqStimer(ports)
    assert device.read(SCAPCTRL0, 4) == 0x7F
    device.write(SCAPCTRL0, 4, 1 << 9 | 5)
    assert ports.notes == ["STIMER: capture is not modelled"]


def test_refuses_a_frequency_that_is_none() -> None:
    with pytest.raises(InputError, match="device STIMER: hfrc_hz is a frequency in Hz"):
        AmbiqStimer(FakePorts(name="STIMER", options={"hfrc_hz": "fast"}))


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 80), st.sampled_from(["a", "b", "clear", "freeze", "go"]), st.integers(0, 60)),
        max_size=12,
    )
)
def test_equals_the_timer_stepped_count_by_count(steps: list[tuple[int, str, int]]) -> None:
    ports = FakePorts(core_hz=6_000_000)
    device = running(ports, HFRC_6MHZ | COMPARE_A | COMPARE_B)
    device.write(INTEN, 4, 3)
    count, compares, status, frozen = 0, [1, 1], 0, False
    for cycles, what, value in steps:
        for _ in range(0 if frozen else cycles):
            count += 1
            status |= sum((compare == count) << n for n, compare in enumerate(compares))
        ports.advance(cycles)
        assert [ports.irqs.get(f"CMPR{n}", False) for n in range(2)] == [bool(status & 1), bool(status & 2)]
        assert device.read(STTMR, 4) == count
        if what in ("a", "b"):
            device.write(SCMPR0 + 4 * (what == "b"), 4, value)
            compares[what == "b"] = count + value + 3
        elif what == "clear":
            device.write(INTCLR, 4, value & 3)
            status &= ~(value & 3)
        else:
            frozen = what == "freeze"
            device.write(STCFG, 4, HFRC_6MHZ | COMPARE_A | COMPARE_B | (FREEZE if frozen else 0))
