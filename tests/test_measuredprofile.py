"""A profile with a board's figures in it: what is taken over, what stays an estimate, and how that is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.errors import InputError
from vtarget.data.explanation import Explanation
from vtarget.data.measurement import Measurement, Timed
from vtarget.data.profile import Bound, Context, Duty, Kernel, Memory, Profile, Sleeping, Span
from vtarget.data.record import Exit, Reason
from vtarget.data.waterfall import Waterfall
from vtarget.logic.measuredprofile import explained_beside, with_measurement
from vtarget.logic.metrics import facts_of
from vtarget.logic.report import failure, heading, kernel_columns, kernel_table, total_lines
from vtarget.logic.result import profile_json

CLOCK = 100_000_000
SHA = "5" * 64
WATTS = 0.02
MAIN, FILTER, SCALE, HANDLER, BOTH = 0x100, 0x200, 0x300, 0x400, 0x500


def kernel(name: str, address: int, calls: int, cycles: int, total: int, interrupts: int = 0) -> Kernel:
    seconds = cycles / CLOCK
    return Kernel(name, address, calls, cycles // 2, cycles, total, seconds, WATTS * seconds, interrupts,
                  Waterfall(cycles, 0, 0, 0, 0, 0, 0))  # fmt: skip


def bounds(cycles: float) -> Bound:
    return Bound(0.9 * cycles, cycles, 1.2 * cycles)


def estimate(**changes: Any) -> Profile:
    """main (1000 own) calls filter 4 times (2000 own), which calls scale 8 times (1600); both call ``both`` (400)."""
    cycles = bounds(5000)
    seconds = cycles.scaled(1 / CLOCK)
    joules = seconds.scaled(WATTS)
    made = Profile(
        board="board", core="cortex-m4", clock_hz=CLOCK, firmware_path="a.elf", firmware_sha256=SHA,
        exit=Exit(Reason.SEMIHOSTING, 0, 0x180), instructions=2500, cycles=cycles, latency_s=seconds, energy_j=joules,
        power_source="made up", provenance="uncalibrated",
        kernels=(kernel("filter", FILTER, 4, 2000, 3800), kernel("scale", SCALE, 8, 1600, 1600),
                 kernel("main", MAIN, 1, 1000, 5000), kernel("both", BOTH, 2, 400, 400)),
        spans=tuple(Span("scale", index, 100, 200, 2e-6, 4e-8) for index in range(8)),
        memory=Memory(0, 0, 0, (), ()), console="ok\n", not_modelled=(), sleep=(),
        duty=Duty(seconds, joules, None), waterfall=Waterfall(5000, 0, 0, 0, 0, 0, 0),
        contexts=(Context(None, "main", MAIN, 1, 500, 1000), Context(0, "filter", FILTER, 4, 1000, 2000),
                  Context(1, "scale", SCALE, 8, 800, 1600), Context(0, "both", BOTH, 1, 100, 200),
                  Context(1, "both", BOTH, 1, 100, 200)),
    )  # fmt: skip
    return replace(made, **changes)


def timed(name: str, address: int | None, calls: int, cycles: int, *, each: tuple[int, ...] = ()) -> Timed:
    return Timed(name=name, address=address, calls=calls, total_cycles=cycles, spread=4, each=each)


def measurement(*kernels: Timed, **changes: Any) -> Measurement:
    given = {
        "board": "board", "core": "cortex-m4", "probe": "gdb:1", "clock_hz": CLOCK, "counter": "DWT_CYCCNT",
        "firmware_path": "a.elf", "firmware_sha256": SHA, "vtarget_version": "1", "date": "2026-02-03", "runs": 3,
        "overhead_cycles": 2, "exit_code": 0, "kernels": kernels, "console": "ok\n",
    }  # fmt: skip
    return Measurement(**(given | changes))


def found(*kernels: Timed, estimated: Profile | None = None, **changes: Any) -> Profile:
    return with_measurement(estimated or estimate(), measurement(*kernels, **changes))


def by_name(profile: Profile) -> dict[str, Kernel]:
    return {kernel.name: kernel for kernel in profile.kernels}


def owned(profile: Profile) -> dict[str, bool]:
    assert profile.measured is not None
    return {one.name: one.own for one in profile.measured.kernels}


def test_without_a_measurement_nothing_changes() -> None:
    assert with_measurement(estimate(), None) == estimate()
    assert "measured" not in profile_json(estimate())


def test_a_leaf_has_measured_cycles_time_and_energy_and_the_rest_stays() -> None:
    profile = found(timed("scale", SCALE, 8, 2400))
    scale = by_name(profile)["scale"]
    assert (scale.cycles, scale.total_cycles, scale.calls, scale.waterfall) == (2400, 2400, 8, None)
    assert scale.latency_s == pytest.approx(2400 / CLOCK)
    assert scale.energy_j == pytest.approx(WATTS * 2400 / CLOCK)
    before = by_name(estimate())
    assert {name: one for name, one in by_name(profile).items() if name != "scale"} == {
        name: one for name, one in before.items() if name != "scale"
    }
    assert [one.name for one in profile.kernels] == ["scale", "filter", "main", "both"]  # by own cycles


def test_own_cycles_are_what_callees_leave_if_those_are_measured_and_called_by_nothing_else() -> None:
    alone = estimate(
        kernels=(kernel("filter", FILTER, 4, 2000, 3600), kernel("scale", SCALE, 8, 1600, 1600)),
        contexts=(Context(None, "filter", FILTER, 4, 1000, 2000), Context(0, "scale", SCALE, 8, 800, 1600)),
    )
    profile = found(timed("filter", FILTER, 4, 4000), timed("scale", SCALE, 8, 1800), estimated=alone)
    assert owned(profile) == {"filter": True, "scale": True}
    assert (by_name(profile)["filter"].cycles, by_name(profile)["filter"].total_cycles) == (2200, 4000)
    unmeasured = found(timed("filter", FILTER, 4, 4000), estimated=alone)
    assert owned(unmeasured) == {"filter": False}
    assert (by_name(unmeasured)["filter"].cycles, by_name(unmeasured)["filter"].total_cycles) == (2000, 4000)
    shared = found(timed("filter", FILTER, 4, 4000), timed("scale", SCALE, 8, 1800), timed("both", BOTH, 2, 500))
    assert owned(shared) == {"filter": False, "scale": True, "both": True}  # main calls both, too
    noise = found(timed("filter", FILTER, 4, 4000), timed("scale", SCALE, 8, 3990), estimated=alone)
    assert owned(noise) == {"filter": False, "scale": True}
    more = found(timed("filter", FILTER, 4, 4000), timed("scale", SCALE, 8, 4100), estimated=alone)
    assert owned(more) == {"filter": False, "scale": True}


def test_other_numbers_of_calls_have_no_error_and_no_own_cycles() -> None:
    profile = found(timed("scale", SCALE, 5, 1500), timed("gone", 0x900, 1, 10))
    assert profile.measured is not None
    assert [(one.estimated_cycles, one.error_pct, one.own) for one in profile.measured.kernels] == [
        (None,) * 2 + (False,)
    ] * 2
    assert (by_name(profile)["scale"].calls, by_name(profile)["scale"].cycles) == (5, 1600)
    assert "gone" not in by_name(profile)


def test_the_whole_run() -> None:
    profile = found(total=timed("total", None, 1, 6000))
    assert profile.provenance == "measured"
    assert profile.cycles == Bound(5996, 6000, 6004)
    assert profile.latency_s.nominal == pytest.approx(6000 / CLOCK)
    assert profile.energy_j is not None
    assert profile.energy_j.nominal == pytest.approx(WATTS * 6000 / CLOCK)
    assert profile.duty.elapsed_s.nominal == pytest.approx(profile.latency_s.nominal)
    assert profile.duty.average_w is not None and profile.duty.average_w.nominal == pytest.approx(WATTS)
    assert (profile.waterfall, profile.contexts) == (None, estimate().contexts)
    assert ("estimated", "5,000 cycles (-16.67 %)") in total_lines(profile)
    assert heading(profile) == (
        "a.elf on board (cortex-m4 at 100 MHz), measured 2026-02-03 (board through gdb:1, DWT_CYCCNT, 3 runs)"
    )


def test_a_run_without_a_measured_end_is_partly_measured() -> None:
    profile = found(timed("scale", SCALE, 8, 2400))
    assert (profile.provenance, profile.cycles, profile.waterfall) == (
        "partly measured",
        bounds(5000),
        estimate().waterfall,
    )
    assert ("measured", "not the whole run: the totals are estimates") in total_lines(profile)


def test_unknown_power_stays_unknown() -> None:
    unpowered = estimate(energy_j=None, kernels=tuple(replace(k, energy_j=None) for k in estimate().kernels))
    profile = found(timed("scale", SCALE, 8, 2400), total=timed("total", None, 1, 6000), estimated=unpowered)
    assert (profile.energy_j, by_name(profile)["scale"].energy_j, profile.duty.energy_j) == (None, None, None)


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_bounds_are_in_order_and_power_is_the_estimates(cycles: int, spread: int) -> None:
    total = Timed(name="total", address=None, calls=1, total_cycles=cycles, spread=spread)
    profile = found(total=total)
    assert profile.energy_j is not None
    for bound in (profile.cycles, profile.latency_s, profile.energy_j, profile.duty.elapsed_s):
        assert 0 <= bound.low <= bound.nominal <= bound.high
    assert profile.energy_j.nominal == pytest.approx(WATTS * profile.latency_s.nominal)
    assert profile.latency_s.nominal == pytest.approx(cycles / CLOCK)
    document = profile_json(profile)
    assert document["measured"]["total"]["measured_cycles"] == document["cycles"] == cycles


def test_single_calls_if_there_are_as_many() -> None:
    each = tuple(range(300, 308))
    profile = found(spans=(timed("scale", SCALE, 8, sum(each), each=each),))
    assert [span.cycles for span in profile.spans] == list(each)
    assert profile.spans[3].latency_s == pytest.approx(2e-6 * 303 / 200)
    assert profile.spans[3].energy_j == pytest.approx(4e-8 * 303 / 200)
    assert profile.measured is not None and profile.measured.spans == ("scale",)
    fewer = found(spans=(timed("scale", SCALE, 3, 900, each=(300, 300, 300)),))
    assert fewer.spans == estimate().spans
    assert fewer.measured is not None and fewer.measured.spans == ()


def test_console_and_exit_code_are_the_boards_where_they_are_known() -> None:
    profile = found(console="cycles=7\n", exit_code=3)
    assert (profile.console, profile.exit.code) == ("cycles=7\n", 3)
    assert failure(profile) == "a.elf: the firmware exited with code 3"
    unheard = found(console=None, exit_code=None)
    assert (unheard.console, unheard.exit.code) == ("ok\n", 0)
    assert unheard.measured is not None
    assert unheard.measured.notes == (
        "what the board printed did not come through the probe; the console text is the virtual run's",
    )


def test_notes_say_what_to_keep_in_mind() -> None:
    asleep = estimate(
        kernels=(*estimate().kernels, kernel("tick", HANDLER, 1, 10, 10, interrupts=1)),
        sleep=(Sleeping("sleep", CLOCK, 100, 1e-6, 1, None, "none"),),
        clock_hz=CLOCK // 2,
    )
    profile = found(estimated=asleep, notes=("3 kernels are not measured",))
    assert profile.measured is not None
    assert [note.split(":")[0].split(",")[0] for note in profile.measured.notes] == [
        "3 kernels are not measured",
        "measured at 100 MHz",
        "interrupts came",
        "the core slept",
    ]


def test_the_table_and_the_json_tell_measured_from_estimated() -> None:
    alone = found(timed("filter", FILTER, 4, 4000), timed("scale", SCALE, 8, 2000))
    assert kernel_columns(alone)[-3:] == ("estimated", "error", "cycles are")
    assert {row[0]: row[-3:] for row in kernel_table(alone).rows} == {
        "filter": ("3,800", "-5.00 %", "measured with callees"),
        "scale": ("1,600", "-20.00 %", "measured"),
        "main": ("", "", "estimated"),
        "both": ("", "", "estimated"),
    }
    assert len(kernel_columns(estimate())) == len(kernel_table(estimate()).rows[0]) == len(kernel_columns(alone)) - 3
    row = profile_json(alone)["measured"]["kernels"][1]
    assert row == {"name": "scale", "address": SCALE, "calls": 8, "estimated_cycles": 1600, "measured_cycles": 2000,
                   "spread": 4, "error_pct": -20.0, "own": True}  # fmt: skip


def test_what_the_firmware_timed_itself_is_listed() -> None:
    profile = found(spans=(timed("loop", None, 2, 700),))
    assert ("timed (loop)", "700 cycles in 2 calls, by the firmware") in total_lines(profile)
    assert profile_json(profile)["measured"]["self_reported"] == [{"name": "loop", "calls": 2, "measured_cycles": 700}]


def test_another_board_or_firmware_is_refused() -> None:
    with pytest.raises(InputError, match="is of board other, not of board"):
        found(board="other")
    with pytest.raises(InputError, match="is of another firmware than a"):
        found(firmware_sha256="6" * 64)


def test_provenance_keeps_them_apart_in_comparisons() -> None:
    def identity(profile: Profile) -> str:
        return dict(facts_of("r.json", profile_json(profile)).identity)["provenance"]

    assert identity(estimate()) == "uncalibrated"
    assert identity(found(total=timed("total", None, 1, 6000))) == "measured"
    assert identity(found()) == "partly measured"


def test_an_explanation_stands_beside_own_cycles_that_were_measured() -> None:
    explanation = Explanation("scale", False, 1600, ())
    assert explained_beside(explanation, estimate()) == explanation
    beside = replace(explanation, beside_board=True)
    assert explained_beside(explanation, found(timed("scale", SCALE, 8, 2000))) == replace(beside, measured_cycles=2000)
    with_callees = explained_beside(replace(explanation, name="main"), found(timed("scale", SCALE, 8, 2000)))
    assert with_callees == replace(beside, name="main")


def test_the_split_of_estimated_cycles_is_kept_apart() -> None:
    whole = Waterfall(5000, 1000)
    profile = found(total=timed("total", None, 1, 6000), estimated=replace(estimate(), waterfall=whole))
    assert profile.waterfall is None and profile_json(profile)["waterfall"] is None
    assert profile_json(profile)["measured"]["waterfall"]["issue"] == 5000
