"""The STM32 random number generator: its time, its interrupt, and that it repeats."""

from __future__ import annotations

from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Option
from vtarget.shell.devices.prng import Pcg32
from vtarget.shell.devices.stm32_rng import Stm32Rng

CR, SR, DR = 0, 4, 8
RNGEN, IE, CONDRST = 4, 8, 1 << 30


def made(**options: Option) -> tuple[Stm32Rng, FakePorts]:
    ports = FakePorts(core_hz=96_000_000, clock_hz=48_000_000, name="RNG", options=options)
    return Stm32Rng(ports), ports


def test_a_word_every_40_ticks_of_its_clock() -> None:
    rng, ports = made()
    rng.write(CR, 4, RNGEN)
    ports.advance(79)  # the core runs twice as fast
    assert rng.read(SR, 4) == 0
    ports.advance(1)
    assert rng.read(SR, 4) == 1
    words = Pcg32(1)
    assert rng.read(DR, 4) == words.next()
    assert rng.read(SR, 4) == 0
    assert rng.read(DR, 4) == 0
    ports.advance(80)
    assert rng.read(DR, 4) == words.next()


def test_seed_changes_the_words() -> None:
    first = []
    for seed in (1, 1, 2):
        rng, ports = made(seed=seed)
        rng.write(CR, 4, RNGEN)
        ports.advance(1000)
        first.append(rng.read(DR, 4))
    assert first[0] == first[1] != first[2]


def test_interrupt_while_a_word_waits() -> None:
    rng, ports = made()
    rng.write(CR, 4, RNGEN | IE)
    ports.advance(80)
    rng.read(DR, 4)
    ports.advance(80)
    assert [(cycle, level) for cycle, _, level in ports.irq_log] == [(80, True), (80, False), (160, True)]


def test_disabling_drops_what_was_made() -> None:
    rng, ports = made()
    rng.write(CR, 4, RNGEN)
    ports.advance(80)
    rng.write(CR, 4, 0)
    ports.advance(1000)
    assert rng.read(SR, 4) == 0


def test_queue_of_four() -> None:
    rng, ports = made(words=4)
    rng.write(CR, 4, RNGEN)
    ports.advance(80 * 10)
    for _ in range(4):
        assert rng.read(SR, 4) == 1
        rng.read(DR, 4)
    assert rng.read(SR, 4) == 0


def test_conditioning_reset_holds_it() -> None:
    rng, ports = made()
    rng.write(CR, 4, RNGEN | CONDRST)
    ports.advance(1000)
    assert rng.read(SR, 4) == 0
    assert ports.schedule.next_cycle > 1 << 60
    rng.write(CR, 4, RNGEN)
    ports.advance(80)
    assert rng.read(SR, 4) == 1


def test_stopped_clock_is_noted_and_holds_it() -> None:
    ports = FakePorts(core_hz=1_000_000, clock="CLK48", name="RNG")
    ports.set_clocks({"CLK48": 0})
    rng = Stm32Rng(ports)
    rng.write(CR, 4, RNGEN)
    ports.advance(10_000)
    assert rng.read(SR, 4) == 0
    assert ports.notes == ["RNG: enabled while its clock is off, so no random number comes"]
    ports.set_clocks({"CLK48": 1_000_000})
    ports.advance(40)
    assert rng.read(SR, 4) == 1


def test_error_flags_are_never_set_by_writing_them() -> None:
    rng, _ = made()
    rng.write(SR, 4, 0x60)
    assert rng.read(SR, 4) == 0
