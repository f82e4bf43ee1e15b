"""Speed as ratios within one run; ``python tests/bench/figures.py`` prints the absolute figures of a machine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from speedlib import Speed, Workload, measure, python_seconds, run_bare, sleeping_seconds, without_memory

from vtarget.logic.pricing import Pricer
from vtarget.shell.running import pricer_for

CONVOLUTION = Workload("conv_int8", 300)
FFT = Workload("fft", 1000)
FOLLOWED = [CONVOLUTION, Workload("fc_int8", 3000), FFT]
TICKING = [Workload("conv_int8", 300, ticking=True), Workload("fft", 1000, ticking=True)]
# The fixed piece of Python took this long on the machine for which the limit below was set.
PYTHON_SECONDS = 0.04


def quietest(
    workload: Workload,
    slowness: Callable[[Speed], float],
    enough: float,
    attempts: int = 8,
    pricer: Pricer | None = None,
) -> Speed:
    """The attempt with the least slowness: what else runs on the machine only ever adds to it."""
    found: list[Speed] = []
    while not found or (slowness(found[-1]) > enough and len(found) < attempts):
        found.append(measure(workload, pricer, lambda speed: slowness(speed) <= enough))
    return min(found, key=slowness)


@pytest.mark.parametrize("workload", [CONVOLUTION, FFT], ids=lambda w: w.name)
def test_counting_costs_at_most_a_quarter_of_bare_emulation(workload: Workload) -> None:
    speed = quietest(workload, lambda s: s.ratio, 1.25, pricer=without_memory())
    assert speed.instructions >= 50_000_000
    assert speed.ratio <= 1.25


@pytest.mark.parametrize("workload", [CONVOLUTION, FFT], ids=lambda w: w.name)
def test_a_virtual_m4_at_120_mhz_is_twice_as_fast_as_the_real_one(workload: Workload) -> None:
    speed = quietest(workload, lambda s: s.counted_s / s.virtual_s, 0.5, pricer=without_memory())
    assert speed.virtual_s / speed.counted_s >= 2


@pytest.mark.parametrize("workload", TICKING, ids=lambda w: w.name)
def test_interrupts_each_millisecond_cost_at_most_half_of_bare_emulation(workload: Workload) -> None:
    """The bare run has no hooks and no ticks: the counted one may take 1.5 times as long."""
    speed = quietest(workload, lambda s: s.ratio, 1.5, pricer=without_memory())
    assert speed.instructions >= 50_000_000
    assert speed.ratio <= 1.5


@pytest.mark.parametrize("workload", FOLLOWED, ids=lambda w: w.name)
def test_an_instruction_cache_costs_at_most_six_tenths_of_bare_emulation(workload: Workload) -> None:
    speed = quietest(workload, lambda s: s.ratio, 1.6, pricer=without_memory(instruction_cache=True))
    assert speed.ratio <= 1.6


@pytest.mark.parametrize("workload", FOLLOWED, ids=lambda w: w.name)
def test_caches_and_data_accesses_cost_at_most_four_times_bare_emulation(workload: Workload) -> None:
    speed = quietest(workload, lambda s: s.ratio, 4)
    assert speed.instructions >= 50_000_000
    assert speed.ratio <= 4


def test_ten_seconds_of_sleep_with_ticks_each_millisecond_take_a_fifth_of_a_second() -> None:
    """0.2 s, or as much more as Python itself is slower just now than it was at PYTHON_SECONDS."""
    rounds = [(sleeping_seconds(10_000), python_seconds()) for _ in range(5)]
    seconds, python = min(r[0] for r in rounds), min(r[1] for r in rounds)
    assert seconds <= 0.2 * max(1.0, python / PYTHON_SECONDS)


def test_counting_is_150_times_faster_than_a_python_hook_per_instruction() -> None:
    counted = measure(CONVOLUTION, without_memory(), lambda _: True)
    small = Workload("conv_int8", 1)
    image, pricer = small.image, pricer_for("nucleo-l4r5zi")
    executed = [0]

    def hook(_uc: object, _address: int, _size: int, _data: object) -> None:
        executed[0] += 1

    seconds = run_bare(image, pricer, small.options(image), hook)
    hooked_rate = executed[0] / seconds
    assert counted.instructions / counted.counted_s >= 150 * hooked_rate
