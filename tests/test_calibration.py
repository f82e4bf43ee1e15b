"""Fits: what can be told of a board is, what can't is named, and a fit that is no gain is refused."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from calibrationlib import (
    FITTED,
    HELD_OUT,
    board_pricer,
    estimates,
    example,
    measured,
    measurement,
    observations,
    priors,
    recorded,
    true_cycles,
    truth_of,
)
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.errors import InputError, RunError
from vtarget.data.calibration import TERMS, AppliedCalibration, Calibration, Factor, PowerFit, Term
from vtarget.data.measurement import PowerWindow
from vtarget.data.profile import Bound, Profile
from vtarget.logic.calibrated import calibrated_board, half_width, whole
from vtarget.logic.calibration import Observation, calibrate, fit, prior_widths
from vtarget.logic.calibrationreport import is_told
from vtarget.logic.costs import price_parts, relocated_blocks
from vtarget.logic.energy import power_at
from vtarget.logic.observations import observe
from vtarget.logic.powerfit import Watts, fit_power, windows
from vtarget.logic.terms import NUMBER, split_terms
from vtarget.shell.running import price

SEEDS = range(20)
L4, U5, F7, PICO = "nucleo-l4r5zi", "nucleo-u575zi-q", "nucleo-f746zg", "rpi-pico"
PRIORS = np.full(len(TERMS), 0.5)
PRIORS[NUMBER[Term.ISSUE]] = 0.0


def observation(name: str, measured_cycles: float, kin: frozenset[str] = frozenset(), **terms: float) -> Observation:
    """A kernel of these cycles by term."""
    vector = np.zeros(len(TERMS))
    for term, cycles in terms.items():
        vector[NUMBER[Term(term)]] = cycles
    return Observation("f" * 64, name, 1, vector, measured_cycles, kin=kin)


# --- twins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", [L4, U5, F7, PICO])
def test_twenty_twins_are_found_out(board: str) -> None:
    before = []
    for seed in SEEDS:
        truth = truth_of(board, seed)
        found = calibrate(observations(board, seed), priors(board))
        values = found.fit.values
        for names, most in ((FITTED, 0.01), (HELD_OUT, 0.02)):
            for name in names:
                calibrated, plain = estimates(name, board, values), estimates(name, board, np.ones(len(TERMS)))
                for kernel, cycles in true_cycles(name, board, truth).items():
                    assert calibrated[kernel] == pytest.approx(cycles, rel=most), (seed, name, kernel)
                    before.append(abs(plain[kernel] / cycles - 1))
        for term, factor in found.factors().items():
            if is_told(factor):
                assert factor.value == pytest.approx(truth.factor(term), rel=0.05), (seed, term)
        assert sum(is_told(factor) for factor in found.factors().values()) >= 3
        assert set(found.factors()) | set(found.unidentified()) == set(Term)
        assert found.leave_one_out_pct is not None
        assert found.leave_one_out_pct < found.uncalibrated_pct / 2
    assert 0.05 < float(np.median(before)) < 0.25


def test_twins_are_five_to_twenty_five_percent_off() -> None:
    for board in (L4, U5, F7, PICO):
        for seed in SEEDS:
            truth = truth_of(board, seed)
            plain = {name: estimates(name, board, np.ones(len(TERMS))) for name in FITTED}
            kernels = {(n, k): c for n in FITTED for k, c in true_cycles(n, board, truth).items()}
            off = [abs(plain[name][kernel] / cycles - 1) for (name, kernel), cycles in kernels.items()]
            assert 0.05 < float(np.mean(off)) < 0.25, (board, seed)


def test_what_no_kernel_does_is_named() -> None:
    found = calibrate(observations(L4, 1), priors(L4)).unidentified()
    assert {Term.INTERRUPT, Term.MISPREDICTED, Term.ISSUE} <= set(found)
    assert found[Term.INTERRUPT].reason == "hardly any of the measured cycles are its"
    assert found[Term.ISSUE].reason == "the core issues one instruction a cycle"
    assert found[Term.ISSUE].prior_width == 0.0


def test_cores_that_pair_have_a_factor_for_their_slots() -> None:
    for board in (U5, F7):
        factor = calibrate(observations(board, 4), priors(board)).factors()[Term.ISSUE]
        assert is_told(factor)
        assert factor.value == pytest.approx(truth_of(board, 4).factor(Term.ISSUE), rel=0.01)


# --- the fit ---------------------------------------------------------------------------------------------------------


def test_factors_are_found_exactly_where_there_is_no_noise() -> None:
    rows = [
        observation("loads", 1e6 + 2 * 1e6, issue=1e6, load=1e6),
        observation("stores", 1e6 + 0.5 * 1e6, issue=1e6, store=1e6),
        observation("both", 1e6 + 2 * 3e5 + 0.5 * 1e5, issue=1e6, load=3e5, store=1e5),
    ]
    found = fit(rows, PRIORS)
    assert found.values[NUMBER[Term.LOAD]] == pytest.approx(2, rel=1e-3)
    assert found.values[NUMBER[Term.STORE]] == pytest.approx(0.5, rel=1e-2)
    assert found.values[NUMBER[Term.ISSUE]] == 1


def test_terms_that_only_come_together_have_one_factor() -> None:
    rows = [observation(f"k{n}", n * 1e6 * (1 + 0.4), issue=n * 1e6, call=n * 1e5, **{"return": n * 1e5})
            for n in range(1, 5)]  # fmt: skip
    found = calibrate(rows, PRIORS)
    factors = found.factors()
    assert factors[Term.CALL].tied_to == (Term.RETURN,)
    assert factors[Term.RETURN].tied_to == (Term.CALL,)
    assert factors[Term.CALL].value == factors[Term.RETURN].value == pytest.approx(2, rel=0.01)
    assert not is_told(factors[Term.CALL])


def test_a_term_that_the_noise_hides_stays_at_one() -> None:
    rows = [observation(f"k{n}", 1.1e6 + 100, issue=1e6, load=(1 + n / 10) * 5e4, divide=100) for n in range(4)]
    found = fit(rows, PRIORS)
    assert found.values[NUMBER[Term.DIVIDE]] == 1
    assert "tell it" in found.reasons[NUMBER[Term.DIVIDE]]


def test_a_fit_that_is_worse_for_kernels_it_has_not_seen_is_refused() -> None:
    rows = [observation(f"k{n}", 1.2e6 * (1.02 if n % 2 else 0.98), issue=1e6, load=2e5) for n in range(6)]
    with pytest.raises(RunError, match=r"^the fit is refused: kernels left out of it are .* % off with it, .* without"):
        calibrate(rows, PRIORS)


def test_nothing_to_tell_is_an_error() -> None:
    with pytest.raises(RunError, match="nothing can be fitted"):
        calibrate([observation("a", 1e6, issue=1e6)], PRIORS)
    with pytest.raises(InputError, match="no measured kernel"):
        calibrate([], PRIORS)


def test_kernels_that_hold_each_other_are_left_out_together() -> None:
    inner = observation("inner", 3e6, frozenset({"main"}), issue=1e6, load=1e6)
    outer = observation("main", 3.01e6, frozenset({"inner"}), issue=1.01e6, load=1e6)
    found = calibrate([inner, outer], PRIORS)
    assert [judged.left_out_pct for judged in found.kernels] == [None, None]
    assert found.leave_one_out_pct is None
    assert found.residual_pct < 0.5 < found.uncalibrated_pct


def test_a_kernel_that_waits_does_not_spoil_the_fit() -> None:
    rows = [observation(f"k{n}", n * 1e6 + 1.3 * 2e5, issue=n * 1e6, load=2e5) for n in range(1, 7)]
    found = calibrate([*rows, observation("poll", 3e6, issue=1e6, load=2e5)], PRIORS)
    assert found.factors()[Term.LOAD].value == pytest.approx(1.3, rel=0.02)
    assert [judged.observation.kernel for judged in found.outliers()] == ["poll"]


def test_factors_stay_in_bounds() -> None:
    found = fit([observation("a", 4.9e4, load=1e6), observation("b", 4.9e4, load=1e6)], PRIORS)
    assert found.values[NUMBER[Term.LOAD]] == pytest.approx(0.05)


@given(
    st.lists(
        st.tuples(st.floats(0.5, 1.5), *(st.floats(1e3, 1e6) for _ in range(3))), min_size=1, max_size=8
    )
)  # fmt: skip
@hypothesis.example([(0.5, 1750.0, 1029.0, 1000.0), (0.5, 1908.0, 1000.0, 1026.0)])  # two reach the limit in turn
def test_any_kernels_give_a_sound_fit(rows: list[tuple[float, float, float, float]]) -> None:
    kernels = [
        observation(f"k{n}", off * (issue + load + branch), issue=issue, load=load, branch=branch)
        for n, (off, issue, load, branch) in enumerate(rows)
    ]
    found = fit(kernels, PRIORS)
    assert np.all(np.isfinite(found.values)) and np.all(found.values >= 0.05 - 1e-9) and np.all(found.values <= 20)
    grouped = {number for group in found.groups for number in group}
    assert grouped | set(found.reasons) == set(range(len(TERMS))) and not grouped & set(found.reasons)
    assert all(found.values[number] == 1 for number in found.reasons)
    assert found.condition >= 1


def test_priors_are_as_wide_as_the_bounds_leave_open() -> None:
    core = board_pricer(U5).core
    nominal = np.zeros(len(TERMS))
    nominal[NUMBER[Term.ISSUE]], nominal[NUMBER[Term.LOAD]] = 800, 200
    widths = prior_widths(core, nominal, [Bound(900, 1000, 1200)])
    assert widths[NUMBER[Term.LOAD]] == pytest.approx(0.75)  # 300 / 2 of 200
    assert widths[NUMBER[Term.ISSUE]] == core.error_budget.high_pct / 100
    assert prior_widths(board_pricer(L4).core, nominal, [Bound(1000, 1000, 1000)])[NUMBER[Term.LOAD]] == 0.5
    assert prior_widths(board_pricer(L4).core, nominal, [Bound(0, 1000, 9000)])[NUMBER[Term.LOAD]] == 1.0


# --- what belongs together -------------------------------------------------------------------------------------------


def test_terms_add_up_to_the_cycles() -> None:
    for board in (L4, F7, PICO):
        record, pricer = recorded("fft", board), board_pricer(board)
        parts = price_parts(record, pricer, None)
        split = split_terms(parts, relocated_blocks(record, pricer.board))[0]
        assert split.nodes.sum() == price(record, pricer).cycles.nominal
        assert np.array_equal(split.edges.sum(axis=1), parts[0].edges[:, 1])


def test_observations_name_what_they_leave_out() -> None:
    record, pricer = recorded("fft", L4), board_pricer(L4)
    made = measured("fft", L4, truth_of(L4, 0))
    strange = made.kernels[0].model_copy(update={"name": "another", "address": 0x0800_0000})
    often = made.kernels[0].model_copy(update={"calls": 77})
    found = observe(record, pricer, made.model_copy(update={"kernels": (often, *made.kernels[1:], strange)}))
    assert len(found.observations) == len(made.kernels) - 2
    assert found.notes == (
        "not used: another, which the virtual run doesn't have",
        f"not used: {often.name}, which the virtual run calls another number of times",
        "not used: semihost_exit, which the run ended in",
    )


def test_a_measurement_of_something_else_is_refused() -> None:
    record, pricer = recorded("fft", L4), board_pricer(L4)
    other = measured("fir", L4, truth_of(L4, 0))
    with pytest.raises(InputError, match="another image than"):
        observe(record, pricer, other)
    with pytest.raises(InputError, match="of board rpi-pico, not of nucleo-l4r5zi"):
        observe(record, pricer, other.model_copy(update={"board": PICO}))


# --- applying --------------------------------------------------------------------------------------------------------


def applied(truth: Calibration) -> AppliedCalibration:
    return AppliedCalibration("x.calibration.yaml", truth)


def calibrated_profile(name: str, board: str, truth: Calibration) -> Profile:
    return price(recorded(name, board), board_pricer(board), calibration=applied(truth))


@pytest.mark.parametrize("board", [L4, F7, PICO])
def test_a_calibrated_profile_adds_up(board: str) -> None:
    truth = truth_of(board, 2)
    profile = calibrated_profile("fft", board, truth)
    total = int(profile.cycles.nominal)
    assert sum(kernel.cycles for kernel in profile.kernels) == total
    assert profile.waterfall is not None and profile.waterfall.total == total
    for kernel in profile.kernels:
        assert kernel.waterfall is not None and kernel.waterfall.total == kernel.cycles
    by_name = {kernel.name: kernel.total_cycles for kernel in profile.kernels}
    for name, cycles in true_cycles("fft", board, truth).items():
        assert by_name[name] == pytest.approx(cycles, abs=len(profile.kernels) * 20)
    assert profile.latency_s.nominal == pytest.approx(total / profile.clock_hz)
    assert profile.provenance == "calibrated"
    assert profile.calibration is not None
    assert (profile.calibration.file, profile.calibration.board_serial) == ("x.calibration.yaml", "twin-2")


def test_factors_of_one_change_nothing() -> None:
    one = truth_of(L4, 0).model_copy(update={"factors": {}, "power": ()})
    plain, same = price(recorded("fft", L4), board_pricer(L4)), calibrated_profile("fft", L4, one)
    assert same.kernels == plain.kernels and same.waterfall == plain.waterfall
    assert same.cycles.nominal == plain.cycles.nominal
    assert same.cycles.low < same.cycles.nominal < same.cycles.high


def test_bounds_come_from_what_the_fit_leaves_open() -> None:
    terms = np.zeros(len(TERMS), dtype=np.int64)
    terms[NUMBER[Term.ISSUE]], terms[NUMBER[Term.LOAD]] = 700, 300
    sure = truth_of(L4, 0).model_copy(
        update={
            "factors": {
                Term.ISSUE: Factor(value=1.0, low=1.0, high=1.0, prior_width=0.0),
                Term.LOAD: Factor(value=1.5, low=1.4, high=1.6, prior_width=0.5),
            }
        }
    )
    assert half_width(terms, 1150, sure) == pytest.approx(30)
    rough = sure.model_copy(update={"leave_one_out_pct": 2.0})
    assert half_width(terms, 1150, rough) == pytest.approx(np.hypot(30, 46))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_rounding_keeps_sums(values: list[float]) -> None:
    cycles = np.array(values)
    rounded = whole(cycles)
    assert abs(int(rounded.sum()) - float(cycles.sum())) <= 0.5 + 1e-6
    assert np.all(np.abs(rounded - cycles) <= 1 + 1e-6)


def test_other_facts_and_clocks_are_noted() -> None:
    truth = truth_of(L4, 0).model_copy(update={"board_sha256": "0" * 64})
    notes = calibrated_profile("fft", L4, truth).not_modelled
    assert "x.calibration.yaml: it was fitted with other facts of board nucleo-l4r5zi or its core than these" in notes


# --- power -----------------------------------------------------------------------------------------------------------


def window(watts: float, *, name: str = "span", seconds: float = 2.0, spread: float = 0.0) -> PowerWindow:
    return PowerWindow(name=name, count=3, seconds=seconds, energy_j=watts * seconds, spread_j=spread, source="made")


@pytest.mark.parametrize("seed", SEEDS)
def test_power_of_twins_is_found_within_three_percent(seed: int) -> None:
    random = np.random.default_rng(seed)
    for board in (L4, F7):
        pricer = board_pricer(board)
        truth = calibrated_board(pricer.board, applied(truth_of(board, seed)))
        clocks = [pricer.board.clock.typical, pricer.board.clock.typical // 2]
        found: list[Watts] = []
        for clock_hz in clocks:
            power = power_at(truth, clock_hz)
            assert power is not None
            noisy = power.watts.nominal * (1 + 0.01 * random.standard_normal(4))
            made = measurement(
                board, recorded("fft", board), [], power=tuple(window(float(w)) for w in noisy), clock_hz=clock_hz
            )
            found += windows(made, pricer.board)
        fits, notes = fit_power(found, pricer.board)
        assert notes == () and fits[0].base_w is not None
        fitted = calibrated_board(pricer.board, applied(truth_of(board, seed).model_copy(update={"power": fits})))
        for clock_hz in clocks:
            true, mine = power_at(truth, clock_hz), power_at(fitted, clock_hz)
            assert true is not None and mine is not None
            assert mine.watts.nominal == pytest.approx(true.watts.nominal, rel=0.03)
            assert mine.source.startswith("state run,") and "calibrated 1970-01-01, x.calibration.yaml" in mine.source


def test_power_at_one_clock_is_one_factor() -> None:
    pricer = board_pricer(L4)
    nominal = power_at(pricer.board, pricer.clock_hz)
    assert nominal is not None
    made = measurement(L4, recorded("fft", L4), [], power=(window(1.2 * nominal.watts.nominal),))
    (found,), _ = fit_power(windows(made, pricer.board), pricer.board)
    assert found.factor == pytest.approx(1.2) and found.base_w is None
    assert found.residual_pct == pytest.approx(0, abs=1e-3)
    truth = truth_of(L4, 0).model_copy(update={"power": (found,)})
    profile, plain = calibrated_profile("fft", L4, truth), price(recorded("fft", L4), pricer)
    assert profile.energy_j is not None and plain.energy_j is not None
    watts = plain.energy_j.nominal / plain.latency_s.nominal
    assert profile.energy_j.nominal / profile.latency_s.nominal == pytest.approx(1.2 * watts)


def test_power_of_a_board_without_figures_is_noted() -> None:
    board = board_pricer(PICO).board
    assert not board.power
    made = measurement(PICO, recorded("fft", PICO), [], power=(window(0.1),))
    fits, notes = fit_power(windows(made, board), board)
    assert fits == ()
    assert notes == ("power of state run is not fitted: board rpi-pico has no figures for it",)


def test_a_window_named_as_a_state_is_of_that_state() -> None:
    board = board_pricer(L4).board
    states = [state.name for state in board.power]
    made = measurement(L4, recorded("fft", L4), [], power=(window(1e-3, name=states[-1]), window(0.05)))
    assert [one.state for one in windows(made, board)] == [states[-1], states[0]]


@pytest.mark.parametrize(
    "wild",
    [
        {"base_w": 1e3, "watts_per_mhz": 1e3},
        {"base_w": -1e3, "watts_per_mhz": -1e3},
        {"factor": 100.0},
        {"factor": 0.0},
    ],
)
def test_wild_power_stays_in_reason(wild: dict[str, float]) -> None:
    fit = PowerFit(state="run", clocks_hz=(1, 10_000_000_000), windows=1, residual_pct=1e6, **wild)
    profile = calibrated_profile("fft", L4, truth_of(L4, 0).model_copy(update={"power": (fit,)}))
    assert profile.energy_j is not None
    watts = profile.energy_j.nominal / profile.latency_s.nominal
    assert 0 <= watts <= 400
    assert 0 <= profile.energy_j.low <= profile.energy_j.nominal <= profile.energy_j.high


def test_a_power_fit_has_one_form() -> None:
    with pytest.raises(ValueError, match="either 'factor' or both"):
        PowerFit(state="run", factor=1.0, base_w=0.1, watts_per_mhz=0.1, clocks_hz=(1,), windows=1, residual_pct=0.0)
    with pytest.raises(ValueError, match="either 'factor' or both"):
        PowerFit(state="run", base_w=0.1, clocks_hz=(1,), windows=1, residual_pct=0.0)


def test_the_examples_are_there() -> None:
    assert all(example(name, L4).is_file() for name in (*FITTED, *HELD_OUT))
