"""ICACHE and DCACHE of the STM32U5: RM0456 chapters 8 and 9."""

from __future__ import annotations

from devices.fakeports import FakePorts
from vtarget.shell.devices.stm32_icache import (
    BSYENDF,
    BUSYCMDF,
    BUSYF,
    CACHEINV,
    CMDENDF,
    CR,
    EN,
    FCR,
    IER,
    SR,
    STARTCMD,
    WAYSEL,
    Stm32Cache,
)


def test_resets_to_two_ways_and_switched_off() -> None:
    assert Stm32Cache(FakePorts()).read(CR, 4) == WAYSEL
    assert Stm32Cache(FakePorts(), data=True).read(CR, 4) == 0


def test_enabling_reads_back() -> None:
    cache = Stm32Cache(FakePorts())
    cache.write(CR, 4, WAYSEL | EN)
    assert (cache.read(CR, 4), cache.read(SR, 4)) == (WAYSEL | EN, 0)
    cache.write(0x20, 4, 0x8000_0123)  # CRR0
    assert cache.read(0x20, 4) == 0x8000_0123


def test_an_invalidation_is_busy_then_ended() -> None:
    ports = FakePorts()
    cache = Stm32Cache(ports)
    cache.write(IER, 4, BSYENDF)
    cache.write(CR, 4, WAYSEL | CACHEINV)
    assert (cache.read(CR, 4), cache.read(SR, 4), ports.irq) == (WAYSEL, BUSYF, False)
    ports.advance(256)
    assert (cache.read(SR, 4), ports.irq) == (BSYENDF, True)
    cache.write(FCR, 4, BSYENDF)
    assert (cache.read(SR, 4), ports.irq) == (0, False)


def test_a_second_invalidation_starts_over() -> None:
    ports = FakePorts()
    cache = Stm32Cache(ports)
    cache.write(CR, 4, CACHEINV)
    ports.advance(200)
    cache.write(CR, 4, CACHEINV)
    ports.advance(200)
    assert cache.read(SR, 4) == BUSYF
    ports.advance(56)
    assert cache.read(SR, 4) == BSYENDF


def test_the_data_cache_runs_commands_on_ranges() -> None:
    ports = FakePorts()
    cache = Stm32Cache(ports, data=True)
    cache.write(CR, 4, EN | 1 << 8 | STARTCMD)
    assert (cache.read(CR, 4), cache.read(SR, 4)) == (EN | 1 << 8, BUSYCMDF)
    ports.advance(256)
    assert cache.read(SR, 4) == CMDENDF
    cache.write(FCR, 4, CMDENDF)
    assert cache.read(SR, 4) == 0


def test_monitors_read_as_zero_and_are_noted() -> None:
    ports = FakePorts(name="ICACHE")
    cache = Stm32Cache(ports)
    cache.write(CR, 4, EN)
    assert not ports.notes
    cache.write(CR, 4, EN | 3 << 16)
    assert ports.notes == ["ICACHE: the hit and miss monitors are not modelled; they read as zero"]
    assert (cache.read(0x10, 4), cache.read(0x14, 4)) == (0, 0)
