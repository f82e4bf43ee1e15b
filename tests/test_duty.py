"""Awake and asleep together: energy of a duty cycle, average power, battery life; their JSON and their lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinelib import EXAMPLES, run_elf, vtarget

from vtarget.data.board import Board, PowerPoint, PowerState
from vtarget.data.image import RegionUse
from vtarget.data.profile import Battery, Bound, Duty, Kernel, Memory, Profile, Sleeping
from vtarget.data.record import Exit, Frame, Reason, Sleep, Stack
from vtarget.logic.duty import battery_life, duty_of, sleep_power, sleeping
from vtarget.logic.report import duty_lines, failure, kernel_table, total_lines
from vtarget.logic.result import profile_json
from vtarget.shell.boardlib import load_board

MHZ = 1_000_000
AWAKE_J = Bound(1e-3, 2e-3, 4e-3)
SLEEPY = Sleeping("sleep", 4 * MHZ, 3_996_000, 0.999, 10, Bound(0.5e-3, 1e-3, 2e-3), "state sleep: a table")


def state(name: str, *milliwatts: tuple[int, float]) -> PowerState:
    """A power state with bounds of -50 % and +100 %: (MHz, mW) of each point."""
    points = tuple(
        PowerPoint(clock=mhz * MHZ, nominal=mw / 1000, low=mw / 2000, high=mw / 500, source=f"{name} table")
        for mhz, mw in milliwatts
    )
    return PowerState(name=name, voltage=3.0, regulator="ldo", points=points)


def board(*states: PowerState) -> Board:
    return load_board("mps2-an386").model_copy(update={"power": states})


def watts(described: Board, asleep: str, mhz: int, run_state: str | None = None) -> float | None:
    """Nominal power of a sleep state."""
    power = sleep_power(described, asleep, mhz * MHZ, run_state)
    return None if power is None else power.watts.nominal


BOARD = board(
    state("run", (20, 20.0)),
    state("run-smps", (20, 10.0)),
    state("sleep", (20, 4.0)),
    state("sleep-smps", (20, 2.0)),
    state("stop1", (4, 0.010), (20, 0.020)),
)


def test_sleep_has_the_power_of_its_state_at_the_supply_of_the_run() -> None:
    assert watts(BOARD, "sleep", 20) == 0.004
    assert watts(BOARD, "sleep", 20, "run") == 0.004
    assert watts(BOARD, "sleep", 20, "run-smps") == 0.002
    assert watts(BOARD, "stop1", 20, "run-smps") == 0.00002  # the only figure that there is
    assert watts(board(state("run-ldo", (20, 9.0)), state("sleep-ldo", (20, 3.0))), "sleep", 20) == 0.003


def test_the_power_of_sleep_follows_the_clock_but_that_of_a_deep_state_does_not() -> None:
    assert watts(BOARD, "sleep", 5) == pytest.approx(0.001)
    assert watts(BOARD, "stop1", 5) == 0.00001
    assert watts(BOARD, "stop1", 1) == 0.00001
    assert watts(BOARD, "stop1", 16) == 0.00002
    assert watts(BOARD, "stop1", 200) == 0.00002


def test_a_state_without_a_figure_has_no_power() -> None:
    assert watts(BOARD, "standby", 20) is None
    assert watts(board(), "sleep", 20) is None
    assert watts(board(state("run", (20, 20.0))), "sleep", 20) is None


def test_each_sleep_state_of_a_record_is_priced_by_itself() -> None:
    record = run_elf(EXAMPLES / "fir-m4f.elf", "nucleo-l4r5zi").record
    slept = (Sleep("sleep", 20 * MHZ, 40_000_000, 7), Sleep("standby", 20 * MHZ, 20, 1))
    light, deep = sleeping(replace(record, sleep=slept), BOARD, None, "run")
    assert (light.seconds, light.cycles, light.wakeups, light.clock_hz) == (2.0, 40_000_000, 7, 20 * MHZ)
    assert light.energy_j == Bound(0.004, 0.008, 0.016)
    assert light.power_source == "state sleep, 3 V ldo: sleep table"
    assert (deep.seconds, deep.energy_j) == (1e-6, None)
    assert deep.power_source == "no power figure for standby on this board"
    # At another core clock the firmware sleeps as long, at that clock's power.
    slower, _ = sleeping(replace(record, sleep=slept), BOARD, 5 * MHZ, "run")
    assert (slower.seconds, slower.clock_hz) == (2.0, 5 * MHZ)
    assert slower.energy_j is not None
    assert slower.energy_j.nominal == pytest.approx(0.002)


def test_energy_and_time_of_a_duty_cycle_add_up() -> None:
    duty = duty_of(Bound(0.0009, 0.001, 0.0012), Bound(0.001, 0.002, 0.004), (SLEEPY,))
    assert duty.elapsed_s == Bound(0.9999, 1.0, 1.0002)
    assert duty.energy_j == Bound(0.0015, 0.003, 0.006)
    assert duty.average_w is not None
    assert duty.average_w.nominal == 0.003
    assert duty.average_w.low == 0.0015 / 0.9999
    assert duty.average_w.high == 0.006 / 1.0002


def test_energy_is_unknown_if_that_of_any_part_is() -> None:
    unknown = replace(SLEEPY, energy_j=None)
    elapsed = Bound(1.999, 1.999, 1.999)
    assert duty_of(Bound(1, 1, 1), Bound(1, 1, 1), (unknown,)) == Duty(elapsed, None, None)
    assert duty_of(Bound(1, 1, 1), None, (SLEEPY,)) == Duty(elapsed, None, None)
    assert duty_of(Bound(0, 0, 0), Bound(0, 0, 0), ()) == Duty(Bound(0, 0, 0), None, None)


def test_without_sleep_the_average_is_the_power_of_running() -> None:
    assert duty_of(Bound(1, 2, 4), Bound(0.01, 0.04, 0.12), ()).average_w == Bound(0.01, 0.02, 0.03)


positive = st.floats(1e-9, 1e6)
bounds = st.tuples(positive, positive, positive).map(lambda three: Bound(*sorted(three)))


@given(bounds, bounds, st.lists(st.tuples(positive, bounds), max_size=3))
def test_bounds_stay_in_order(awake_s: Bound, awake_j: Bound, parts: list[tuple[float, Bound]]) -> None:
    asleep = tuple(Sleeping("sleep", MHZ, 1, seconds, 1, joules, "") for seconds, joules in parts)
    duty = duty_of(awake_s, awake_j, asleep)
    assert duty.energy_j is not None
    assert duty.average_w is not None
    for bound in (duty.elapsed_s, duty.energy_j, duty.average_w):
        assert bound.low <= bound.nominal <= bound.high
    battery = battery_life(duty, 100, 3.0)
    assert battery is not None
    assert battery.life_s.low <= battery.life_s.nominal <= battery.life_s.high


def test_a_battery_lasts_its_joules_over_the_average_power() -> None:
    duty = Duty(Bound(1, 1, 1), Bound(0.001, 0.002, 0.004), Bound(0.001, 0.002, 0.004))
    # 1000 mAh at 3 V are 10 800 J.
    assert battery_life(duty, 1000, 3.0) == Battery(1000, 3.0, Bound(2_700_000, 5_400_000, 10_800_000))


def test_a_battery_s_life_is_unknown_where_the_average_is() -> None:
    nothing = Bound(0, 0, 0)
    assert battery_life(Duty(Bound(1, 1, 1), None, None), 1000, 3.0) is None
    assert battery_life(Duty(Bound(1, 1, 1), nothing, nothing), 1000, 3.0) is None


# What it looks like.


def made_up(*asleep: Sleeping, battery_mah: float | None = None, energy_j: Bound | None = AWAKE_J) -> Profile:
    """A profile of one kernel that is an interrupt handler, awake for a millisecond."""
    latency = Bound(0.001, 0.001, 0.001)
    duty = duty_of(latency, energy_j, asleep)
    return Profile(
        board="a-board", core="cortex-m4", clock_hz=4 * MHZ, firmware_path="a.elf", firmware_sha256="00",
        exit=Exit(Reason.IDLE, 0, 0x100, "waits for an interrupt that can't come"), instructions=3000,
        cycles=Bound(4000, 4000, 4000), latency_s=latency, energy_j=energy_j,
        power_source="state run: a table" if energy_j else "no power figure for this board", provenance="uncalibrated",
        kernels=(Kernel("tick", 0x200, 12, 3000, 4000, 4000, 0.001, 2e-3 if energy_j else None, 10),),
        spans=(), memory=Memory(100, 50, 8, (RegionUse("FLASH", 100, 1000),), (Stack("msp", 0x20000000, 0x1FFFFFF8),)),
        console="", not_modelled=(), sleep=asleep, duty=duty,
        battery=battery_life(duty, battery_mah, 3.0) if battery_mah else None,
    )  # fmt: skip


def test_the_lines_of_a_duty_cycle() -> None:
    deep = Sleeping("stop2", 4 * MHZ, 36_000_000, 9.0, 1, Bound(1e-6, 2e-6, 4e-6), "state stop2: a table")
    assert total_lines(made_up(SLEEPY, deep, battery_mah=220)) == [
        ("instructions", "3,000"),
        ("cycles", "4,000 (4,000 .. 4,000)"),
        ("time", "1.00 ms (1.00 ms .. 1.00 ms)"),
        ("energy", "2.00 mJ (1.00 mJ .. 4.00 mJ)"),
        ("power", "state run: a table"),
        ("sleep", "999 ms at 4 MHz, 10 wake-ups, 1.00 mJ (500 µJ .. 2.00 mJ)"),
        ("stop2", "9.00 s at 4 MHz, 1 wake-up, 2.00 µJ (1.00 µJ .. 4.00 µJ)"),
        ("elapsed", "10.0 s, awake 0.01 % of it"),
        ("average", "300 µW (150 µW .. 600 µW)"),
        ("per wake-up", "273 µJ (136 µJ .. 546 µJ)"),
        ("battery", "91.6 days (45.8 days .. 183 days) from 220 mAh at 3 V, the chip alone"),
        ("stack (msp)", "8 bytes at most"),
        ("ended by", "idle: waits for an interrupt that can't come at 0x00000100"),
    ]


def test_the_lines_without_sleep_and_without_figures() -> None:
    assert duty_lines(made_up()) == []
    assert duty_lines(made_up(battery_mah=10_000)) == [
        ("battery", "15.0 hours (7.50 hours .. 30.0 hours) from 10000 mAh at 3 V, the chip alone")
    ]
    lines = dict(duty_lines(made_up(replace(SLEEPY, energy_j=None, power_source="no power figure for sleep"))))
    assert lines == {
        "sleep": "999 ms at 4 MHz, 10 wake-ups, energy unknown",
        "elapsed": "1.00 s, awake 0.1 % of it",
        "average": "unknown (no power figure for sleep)",
    }
    mostly_awake = replace(SLEEPY, seconds=0.000_004, cycles=16)
    assert dict(duty_lines(made_up(mostly_awake)))["elapsed"] == "1.00 ms, awake 100 % of it"


@pytest.mark.parametrize(
    ("life_s", "text"),
    [
        (90, "0.03 hours"),
        (172_799, "48.0 hours"),
        (172_800, "2.00 days"),
        (86_400 * 730, "730 days"),
        (86_400 * 730.5, "2.00 years"),
        (3.0e10, "951 years"),
    ],
)
def test_a_life_is_told_in_hours_days_or_years(life_s: float, text: str) -> None:
    profile = replace(made_up(), battery=Battery(1000, 3.0, Bound(life_s, life_s, life_s)))
    assert duty_lines(profile) == [("battery", f"{text} ({text} .. {text}) from 1000 mAh at 3 V, the chip alone")]


def test_a_life_that_nobody_sees_the_end_of_has_no_bounds() -> None:
    profile = replace(made_up(), battery=Battery(1000, 3.0, Bound(1.08e13, 5e12, 1e14)))
    assert duty_lines(profile) == [("battery", "more than 1,000 years from 1000 mAh at 3 V, the chip alone")]


def test_handlers_are_marked() -> None:
    assert kernel_table(made_up()).rows == (
        ("tick (interrupt)", "12", "3,000", "4,000", "4,000", "1.00 ms", "2.00 mJ", "100.0 %"),
    )


def test_the_json_of_a_duty_cycle() -> None:
    result = profile_json(made_up(SLEEPY, battery_mah=220))
    assert result["kernels"][0]["interrupts"] == 10
    assert result["sleep"] == [
        {
            "state": "sleep",
            "clock_hz": 4_000_000,
            "cycles": 3_996_000,
            "seconds": 0.999,
            "wakeups": 10,
            "energy_j": 1e-3,
            "energy_j_low": 0.5e-3,
            "energy_j_high": 2e-3,
            "power_source": "state sleep: a table",
        }
    ]
    assert result["duty"] == {
        "elapsed_s": 1.0,
        "elapsed_s_low": 1.0,
        "elapsed_s_high": 1.0,
        "energy_j": 3e-3,
        "energy_j_low": 1.5e-3,
        "energy_j_high": 6e-3,
        "average_w": 3e-3,
        "average_w_low": 1.5e-3,
        "average_w_high": 6e-3,
    }
    assert result["battery"] == {
        "capacity_mah": 220,
        "volts": 3.0,
        "life_s": pytest.approx(792_000),
        "life_s_low": pytest.approx(396_000),
        "life_s_high": pytest.approx(1_584_000),
    }


def test_the_json_where_nothing_is_known() -> None:
    result = profile_json(made_up(replace(SLEEPY, energy_j=None), energy_j=None))
    assert (result["sleep"][0]["energy_j"], result["sleep"][0]["energy_j_high"]) == (None, None)
    assert (result["duty"]["energy_j"], result["duty"]["average_w_low"], result["battery"]) == (None, None, None)
    assert profile_json(made_up())["sleep"] == []


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (Exit(Reason.SCRIPT, 0, 0x100, "uart script line 3: end"), None),
        (
            Exit(Reason.SCRIPT, 1, 0x100, 'uart script line 1: "x" did not come', (Frame("main", 0x100),)),
            'a.elf: uart script line 1: "x" did not come, at pc 0x00000100 in main',
        ),
        (
            Exit(Reason.STUCK, 0, 0x100, "polls register A (0x40000000)", (Frame("f", 0x100), Frame("main", 0x90))),
            "a.elf: polls register A (0x40000000), at pc 0x00000100 in f < main",
        ),
        (Exit(Reason.RESET, 0, 0x100, "the firmware asked for a system reset"), None),
        (Exit(Reason.IDLE, 0, 0x100, "idle loop"), None),
    ],
)
def test_which_endings_are_failures(ended: Exit, text: str | None) -> None:
    assert failure(replace(made_up(), exit=ended)) == text


# Through the command line.


def test_a_battery_needs_power_figures_and_a_capacity() -> None:
    example = EXAMPLES / "fir-m0plus.elf"
    refused = vtarget("run", example, "-b", "rpi-pico", "--battery-mah", "100")
    assert (refused.code, refused.err) == (2, "error: --battery-mah: board rpi-pico has no power figures\n")
    for text in ("0", "-1", "nan", "inf", "much"):
        wrong = vtarget("run", EXAMPLES / "fir-m4f.elf", "-b", "nucleo-l4r5zi", "--battery-mah", text)
        assert (wrong.code, wrong.err.count("\n")) == (2, 1)
        assert "--battery-mah" in wrong.err


def test_a_battery_feeds_a_firmware_that_never_sleeps_at_the_power_of_running() -> None:
    shown = vtarget("run", EXAMPLES / "fir-m4f.elf", "-b", "nucleo-l4r5zi", "--battery-mah", "1000")
    # 6480 J over 41.7, 55.2 and 35.0 mW; bounds of time cancel out.
    assert "battery        43.2 hours (32.6 hours .. 51.4 hours) from 1000 mAh at 1.8 V, the chip alone\n" in shown.out
