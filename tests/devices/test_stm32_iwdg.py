"""STM32 independent watchdog: RM0090 21 and RM0432 38."""

from __future__ import annotations

import pytest

from devices.fakeports import FakePorts
from vtarget.shell.devices.stm32_iwdg import KR, PR, RELOAD_KEY, RLR, SR, START_KEY, UNLOCK_KEY, WINR, Stm32Iwdg

LSI = 32_000


def unlocked(ports: FakePorts, *, prescaler: int = 0, reload: int = 0xFFF) -> Stm32Iwdg:
    watchdog = Stm32Iwdg(ports)
    watchdog.write(KR, 4, START_KEY)
    watchdog.write(KR, 4, UNLOCK_KEY)
    watchdog.write(PR, 4, prescaler)
    watchdog.write(RLR, 4, reload)
    watchdog.write(KR, 4, RELOAD_KEY)
    return watchdog


def test_reset_values() -> None:
    watchdog = Stm32Iwdg(FakePorts())
    assert [watchdog.read(r, 4) for r in (KR, PR, RLR, SR, WINR)] == [0, 0, 0xFFF, 0, 0xFFF]


@pytest.mark.parametrize(("prescaler", "ms"), [(0, 512), (1, 1024), (4, 8192), (6, 32_768), (7, 32_768)])
def test_longest_timeouts_of_the_manuals_table(prescaler: int, ms: int) -> None:
    ports = FakePorts(core_hz=LSI, clock_hz=LSI)
    unlocked(ports, prescaler=prescaler)
    ports.advance(LSI * ms // 1000 - 1)
    assert ports.resets == 0
    ports.advance(1)
    assert ports.resets == 1


def test_the_shortest_timeout() -> None:
    ports = FakePorts(core_hz=LSI, clock_hz=LSI)
    unlocked(ports, reload=0)
    ports.advance(4)
    assert ports.resets == 1


def test_feeding_it_in_time() -> None:
    ports = FakePorts(core_hz=LSI, clock_hz=LSI)
    watchdog = unlocked(ports, reload=99)
    for _ in range(10):
        ports.advance(399)
        watchdog.write(KR, 4, RELOAD_KEY)
    assert ports.resets == 0
    ports.advance(400)
    assert ports.resets == 1


def test_locked_registers_ignore_writes() -> None:
    watchdog = unlocked(FakePorts(), reload=50)
    watchdog.write(RLR, 4, 7)
    watchdog.write(PR, 4, 7)
    assert (watchdog.read(RLR, 4), watchdog.read(PR, 4)) == (50, 0)


def test_not_started_it_never_fires() -> None:
    ports = FakePorts(core_hz=LSI, clock_hz=LSI)
    watchdog = Stm32Iwdg(ports)
    watchdog.write(KR, 4, RELOAD_KEY)
    ports.advance(LSI * 100)
    assert ports.resets == 0


def test_a_reload_before_the_window_opens_resets() -> None:
    ports = FakePorts(core_hz=LSI, clock_hz=LSI)
    watchdog = unlocked(ports, reload=99)
    watchdog.write(KR, 4, UNLOCK_KEY)
    watchdog.write(WINR, 4, 49)
    ports.advance(4 * 60)
    watchdog.write(KR, 4, RELOAD_KEY)
    assert ports.resets == 0
    ports.advance(4 * 10)
    watchdog.write(KR, 4, RELOAD_KEY)
    assert ports.resets == 1


def test_without_a_window() -> None:
    ports = FakePorts(options={"window": False})
    watchdog = unlocked(ports)
    watchdog.write(KR, 4, UNLOCK_KEY)
    watchdog.write(WINR, 4, 5)
    assert watchdog.read(WINR, 4) == 0
    watchdog.write(KR, 4, RELOAD_KEY)
    assert ports.resets == 0
