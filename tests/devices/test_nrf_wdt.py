"""nRF watchdog: nRF52840 PS 6.36."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.nrf_wdt import (
    CONFIG,
    CRV,
    INTENCLR,
    INTENSET,
    RELOAD,
    REQSTATUS,
    RR,
    RREN,
    RUNSTATUS,
    START,
    TIMEOUT,
    NrfWdt,
)

HZ = 32_768


def started(ports: FakePorts, *, crv: int, rren: int = 1, interrupt: bool = False) -> NrfWdt:
    watchdog = NrfWdt(ports)
    watchdog.write(CRV, 4, crv)
    watchdog.write(RREN, 4, rren)
    if interrupt:
        watchdog.write(INTENSET, 4, 1)
    watchdog.write(START, 4, 1)
    return watchdog


def test_reset_values() -> None:
    watchdog = NrfWdt(FakePorts())
    assert [watchdog.read(r, 4) for r in (TIMEOUT, RUNSTATUS, REQSTATUS, CRV, RREN, CONFIG)] == [
        *(0, 0, 1, 0xFFFFFFFF, 1, 1)
    ]


@given(crv=st.integers(0, 100_000))
def test_the_time_to_a_reset(crv: int) -> None:
    ports = FakePorts(core_hz=HZ)
    watchdog = started(ports, crv=crv)
    ports.advance(max(crv, 15))
    assert ports.resets == 0 and watchdog.read(RUNSTATUS, 4) == 1
    ports.advance(1)
    assert ports.resets == 1
    ports.advance(HZ)
    assert ports.resets == 1


def test_every_enabled_request_must_be_fed() -> None:
    ports = FakePorts(core_hz=HZ)
    watchdog = started(ports, crv=99, rren=0b101)
    ports.advance(90)
    watchdog.write(RR, 4, RELOAD)
    assert watchdog.read(REQSTATUS, 4) == 0b100
    watchdog.write(RR + 8, 4, RELOAD)
    assert watchdog.read(REQSTATUS, 4) == 0b101
    ports.advance(90)
    watchdog.write(RR, 4, RELOAD)
    watchdog.write(RR + 8, 4, 0x12345678)
    ports.advance(10)
    assert ports.resets == 1


def test_an_interrupt_comes_two_clocks_before_the_reset_which_nothing_averts() -> None:
    ports = FakePorts(core_hz=HZ)
    watchdog = started(ports, crv=99, interrupt=True)
    ports.advance(100)
    assert ports.irq and watchdog.read(TIMEOUT, 4) == 1 and ports.resets == 0
    watchdog.write(RR, 4, RELOAD)
    watchdog.write(TIMEOUT, 4, 0)
    assert not ports.irq
    ports.advance(2)
    assert ports.resets == 1


def test_its_configuration_is_fixed_once_it_runs() -> None:
    watchdog = started(FakePorts(), crv=99)
    watchdog.write(CRV, 4, 5)
    watchdog.write(RREN, 4, 0xFF)
    assert (watchdog.read(CRV, 4), watchdog.read(RREN, 4)) == (99, 1)


def test_interrupt_enables_and_the_note_on_sleep() -> None:
    ports = FakePorts(name="WDT")
    watchdog = NrfWdt(ports)
    watchdog.write(INTENSET, 4, 1)
    assert watchdog.read(INTENCLR, 4) == 1
    watchdog.write(INTENCLR, 4, 1)
    assert watchdog.read(INTENSET, 4) == 0
    watchdog.write(CONFIG, 4, 0)
    watchdog.write(START, 4, 1)
    assert ports.notes == ["WDT: the pause in sleep is not modelled; it counts on"]
