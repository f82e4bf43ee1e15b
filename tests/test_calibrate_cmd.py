"""``vtarget calibrate``, the files that it writes, and ``run`` and ``profile`` with them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from buildlib import needs_gcc
from calibrationlib import FITTED, board_pricer, example, measured, measurement, recorded, true_cycles, truth_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinelib import FIRMWARE, CommandResult, vtarget
from test_calibration import window

from vtarget.base.errors import InputError
from vtarget.data.calibration import Calibration, Residual, Term
from vtarget.logic.calibrationreport import is_told
from vtarget.shell.calibrationfile import (
    apply_calibration,
    calibration_json,
    calibration_text,
    check_calibration_target,
    find_calibration,
    load_calibration,
    save_calibration,
)
from vtarget.shell.measurementfile import save_measurement
from vtarget.shell.recordfile import save_record

BOARD = "nucleo-l4r5zi"
MODELS = Path(__file__).resolve().parent.parent / "models"
SEED = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measurements and records of a twin."""
    place = tmp_path_factory.mktemp("measured")
    for name in FITTED:
        save_measurement(measured(name, BOARD, truth_of(BOARD, SEED)), str(place / f"{name}.json"))
        save_record(recorded(name, BOARD), str(place / f"{name}.record"))
    return place


def calibrate(folder: Path, *options: str | Path, names: tuple[str, ...] = FITTED) -> CommandResult:
    files = [folder / f"{name}.json" for name in names]
    records = [part for name in names for part in ("--record", folder / f"{name}.record")]
    return vtarget("calibrate", *files, "-b", BOARD, *records, *options)


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    path = folder / f"{BOARD}.calibration.yaml"
    assert calibrate(folder, "-o", path, "--quiet") == CommandResult(0, "", "")
    return path


# --- the command -----------------------------------------------------------------------------------------------------


def test_what_it_prints(folder: Path) -> None:
    result = calibrate(folder)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith(f"{BOARD} twin-{SEED}, cortex-m4, 20")
    assert lines[1].split() == ["kernel", "firmware", "calls", "measured", "uncalibrated", "calibrated", "left", "out"]
    assert [line.split()[0] for line in lines if " .. " in line][:3] == ["term", "load", "store"]
    assert "not identified, left at 1" in lines
    assert "  issue: the core issues one instruction a cycle" in lines
    assert any(line.startswith("leave one out") for line in lines)


def test_the_file_says_what_it_was_made_of(folder: Path, written: Path) -> None:
    fit = load_calibration(str(written))
    assert fit.board_serial == f"twin-{SEED}"
    assert fit.board_sha256 == board_pricer(BOARD).board_sha256
    assert [source.file for source in fit.sources] == [f"{name}.json" for name in FITTED]
    assert fit.sources[0].firmware_sha256 == recorded(FITTED[0], BOARD).image_sha256
    assert {row.kernel for row in fit.residuals} >= {"fft_stages", "conv_int8", "memset"}
    assert fit.leave_one_out_pct is not None and fit.leave_one_out_pct < fit.uncalibrated_pct
    assert fit.condition is not None and fit.condition >= 1
    assert abs((date.fromisoformat(fit.date) - datetime.now(UTC).date()).days) <= 1
    assert [source.sha256 for source in fit.sources] == [
        sha256((folder / source.file).read_bytes()).hexdigest() for source in fit.sources
    ]
    assert {(source.probe, source.clock_hz) for source in fit.sources} == {("gdb:3333", board_pricer(BOARD).clock_hz)}
    told = {term: factor.value for term, factor in fit.factors.items() if is_told(factor)}
    assert len(told) >= 3
    for term, value in told.items():
        assert value == pytest.approx(truth_of(BOARD, SEED).factor(term), rel=0.05), term
    assert set(fit.factors) | set(fit.unidentified) == set(Term)
    for row in fit.residuals:
        assert row.measured_cycles > 0 and abs(row.after_pct) <= abs(row.before_pct) + 1, row.kernel


def test_json_is_the_files_content(folder: Path, written: Path) -> None:
    result = calibrate(folder, "--json", "-")
    assert json.loads(result.out) == json.loads(json.dumps(calibration_json(load_calibration(str(written)))))


def test_images_are_emulated_where_there_is_no_record(folder: Path, written: Path) -> None:
    path = folder / "again.yaml"
    result = vtarget("calibrate", *(folder / f"{name}.json" for name in FITTED), "-b", BOARD, "-o", path)
    assert result.code == 0
    assert f"emulating {example('fft', BOARD)}" in result.err
    assert load_calibration(str(path)) == load_calibration(str(written))


def test_power_alone_is_enough(tmp_path: Path) -> None:
    made = measurement(BOARD, recorded("fft", BOARD), [], power=(window(0.06),))
    save_measurement(made, str(tmp_path / "power.json"))
    out = tmp_path / "power.yaml"
    result = vtarget("calibrate", tmp_path / "power.json", "-b", BOARD, "-o", out)
    assert result.code == 0, result.err
    assert "run: the board's figures times" in result.out
    fit = load_calibration(str(out))
    assert fit.factors == {} and fit.power[0].factor is not None


def test_errors_name_the_file_and_write_nothing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.yaml"
    fft = folder / "fft.json"
    other = vtarget("calibrate", fft, "-b", "rpi-pico", "-o", out)
    assert (other.code, other.err) == (2, f"error: {fft}: is of board {BOARD}, not of rpi-pico\n")
    assert vtarget("calibrate", tmp_path / "none.json", "-b", BOARD, "-o", out).code == 2
    wrong = vtarget("calibrate", folder / "fft.record", "-b", BOARD, "-o", out)
    assert wrong.code == 2 and "not JSON" in wrong.err
    moved = measured("fft", BOARD, truth_of(BOARD, 8))
    save_measurement(moved, str(tmp_path / "other.json"))
    serials = vtarget("calibrate", fft, tmp_path / "other.json", "-b", BOARD, "-o", out)
    assert (serials.code, serials.err) == (2, "error: the measurements are of more than one board: twin-7, twin-8\n")
    gone = moved.model_copy(update={"firmware_path": "gone.elf", "board_serial": None})
    save_measurement(gone, str(tmp_path / "gone.json"))
    missing = vtarget("calibrate", tmp_path / "gone.json", "-b", BOARD, "-o", out)
    assert missing.code == 2 and "names the image gone.elf, which isn't there" in missing.err
    empty = gone.model_copy(update={"kernels": ()})
    save_measurement(empty, str(tmp_path / "empty.json"))
    assert vtarget("calibrate", tmp_path / "empty.json", "-b", BOARD, "-o", out).code == 2
    assert not out.exists()


def test_a_fit_that_is_no_gain_is_not_written(tmp_path: Path) -> None:
    exact = measured("fft", BOARD, truth_of(BOARD, SEED).model_copy(update={"factors": {}}), jitter_pct=0.0)
    contrary = tuple(
        timed.model_copy(update={"total_cycles": round(timed.total_cycles * (1.03 if number % 2 else 0.97))})
        for number, timed in enumerate(exact.kernels)
    )
    save_measurement(exact.model_copy(update={"kernels": contrary}), str(tmp_path / "m.json"))
    save_record(recorded("fft", BOARD), str(tmp_path / "fft.record"))
    out = tmp_path / "x.yaml"
    result = vtarget("calibrate", tmp_path / "m.json", "-b", BOARD, "--record", tmp_path / "fft.record", "-o", out)
    assert result.code == 1
    assert "error: the fit is refused: kernels left out of it are" in result.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("place", "why"), [(".", "it is a directory"), ("none/x.calibration.yaml", "no such directory: none")]
)
def test_a_place_that_can_hold_no_calibration_is_told_why(
    place: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        check_calibration_target(place)
    assert str(refused.value) == f"'{place}': a calibration can't be written there: {why}"


def test_other_files_are_left_alone(folder: Path, tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text("# mine\nname: my-board\n")
    result = calibrate(folder, "-o", board)
    assert result.code == 2 and "exists and is no calibration: it is left alone" in result.err
    assert board.read_text() == "# mine\nname: my-board\n"
    assert calibrate(folder, "-o", tmp_path).code == 2
    assert calibrate(folder, "-o", tmp_path / "no" / "such.yaml").code == 2


def test_no_command_writes_a_result_over_yaml(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("# mine\nname: my-board\n")
    recording = FIRMWARE.parent / "tests" / "data" / "power" / "ppk2-columns.csv"
    for command in (
        ("measure", example("fir", BOARD), "-b", BOARD, "--probe", "gdb:1", "-o", mine),
        ("power", recording, "-b", BOARD, "--voltage", "1.8 V", "-o", mine),
        ("run", example("fir", BOARD), "-b", BOARD, "--json", mine),
    ):
        result = vtarget(*command)
        assert result.code == 2 and "exists, and YAML is written by people: it is left alone" in result.err, command[0]
    assert mine.read_text() == "# mine\nname: my-board\n"


# --- run and profile -------------------------------------------------------------------------------------------------


def run_json(*options: str | Path) -> dict[str, object]:
    result = vtarget("run", example("fir", BOARD), "-b", *options, "--json", "-")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert isinstance(found, dict)
    return found


def test_run_applies_the_file_that_it_is_given(written: Path) -> None:
    result = run_json(BOARD, "--calibration", written)
    assert result["provenance"] == "calibrated"
    fit = load_calibration(str(written))
    facts = {"file": str(written), "date": fit.date, "board_serial": f"twin-{SEED}", "error_pct": fit.error_pct}
    assert result["calibration"] == facts
    true = true_cycles("fir", BOARD, truth_of(BOARD, SEED))
    kernels = {k["name"]: k["total_cycles"] for k in result["kernels"]}  # type: ignore[attr-defined]
    assert kernels["fir_q15"] == pytest.approx(true["fir_q15"], rel=0.02)
    assert run_json(BOARD, "--calibration", written.parent)["cycles"] == result["cycles"]
    plain = run_json(BOARD, "--no-calibration")
    assert plain["provenance"] == "uncalibrated" and plain["calibration"] is None
    assert plain["cycles"] != result["cycles"]


def test_run_finds_it_beside_the_boards_yaml(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = tmp_path / "mine.yaml"
    board.write_text(f"extends: {BOARD}\nname: mine\ntitle: My board\n")
    assert run_json(board)["provenance"] == "uncalibrated"
    beside = tmp_path / "mine.calibration.yaml"
    save_calibration(load_calibration(str(written)).model_copy(update={"board": "mine"}), str(beside))
    assert run_json(board)["provenance"] == "calibrated"
    assert run_json(board, "--no-calibration")["provenance"] == "uncalibrated"
    monkeypatch.chdir(written.parent)
    assert run_json(BOARD)["calibration"]["file"] == written.name  # type: ignore[index]
    assert find_calibration("rpi-pico", board_pricer("rpi-pico").board) is None


def test_headings_and_tables_of_suppositions_are_calibrated(written: Path) -> None:
    result = vtarget("run", example("fir", BOARD), "-b", BOARD, "--calibration", written)
    assert f"calibrated {load_calibration(str(written)).date} (" in result.out
    options = ("--wait-states", "0", "--table", "--json", "-")
    table = vtarget("run", example("fir", BOARD), "-b", BOARD, "--calibration", written, *options)
    rows = json.loads(table.out)["rows"]
    assert rows[0]["cycles"] == run_json(BOARD, "--calibration", written)["cycles"]
    assert rows[1]["cycles"] < rows[0]["cycles"]


@needs_gcc
def test_waterfalls_are_calibrated_and_explanations_say_that_they_are_not(written: Path, folder: Path) -> None:
    run = ("run", "--from-record", folder / "fft.record", "-b", BOARD, "--waterfall", "--explain", "fft_stages")
    without = vtarget(*run, "--no-calibration")
    applied = vtarget(*run, "--calibration", written)
    assert "where cycles went, calibrated" in applied.out and "calibrated" not in _explained(without.out)[0]
    results = [json.loads(vtarget(*run, *which, "--json", "-").out)
               for which in (("--no-calibration",), ("--calibration", written))]  # fmt: skip
    plain, calibrated = ({row["name"]: row for row in one["kernels"]}["fft_stages"] for one in results)
    before, after = (one["explain"][0] for one in results)
    assert (before["cycles"], before["calibrated_cycles"]) == (plain["cycles"], None)
    assert (after["cycles"], after["calibrated_cycles"]) == (plain["cycles"], calibrated["cycles"])
    assert before["blocks"] == after["blocks"]
    assert sum(calibrated["waterfall"].values()) == calibrated["cycles"] != plain["cycles"]
    said = f"{plain['cycles']:,} cycles, uncalibrated ({calibrated['cycles']:,} calibrated)"
    assert _explained(applied.out)[0] == f"fft_stages: {said}"
    assert _explained(without.out)[1:] == _explained(applied.out)[1 : len(_explained(without.out))]


def _explained(text: str) -> list[str]:
    """The explanation's heading and its first block."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("fft_stages: "))
    return lines[start : start + 8]


def test_layers_of_models_are_calibrated(written: Path) -> None:
    command = (
        "profile",
        MODELS / "ad_autoencoder.tflite",
        "-b",
        BOARD,
        "--no-validate",
        "--json",
        "-",
        "--explain",
        "0",
    )
    plain, fitted = vtarget(*command, "--no-calibration"), vtarget(*command, "--calibration", written)
    assert (plain.code, fitted.code) == (0, 0), plain.err + fitted.err
    before, after = json.loads(plain.out), json.loads(fitted.out)
    assert (before["provenance"], after["provenance"]) == ("uncalibrated", "calibrated")
    assert all(a["cycles"] > b["cycles"] for a, b in zip(after["layers"], before["layers"], strict=True))
    assert sum(after["waterfall"].values()) == after["cycles"]
    assert (after["explain"][0]["cycles"], before["explain"][0]["calibrated_cycles"]) == (
        before["explain"][0]["cycles"],
        None,
    )
    assert after["explain"][0]["calibrated_cycles"] == pytest.approx(after["layers"][0]["cycles"], rel=1e-3)
    assert 0 <= after["cycles"] - sum(layer["cycles"] for layer in after["layers"]) < 0.01 * after["cycles"]


def test_unusable_choices_are_errors(written: Path, tmp_path: Path) -> None:
    both = vtarget("run", example("fir", BOARD), "-b", BOARD, "--calibration", written, "--no-calibration")
    assert (both.code, both.err) == (2, "error: --calibration and --no-calibration exclude each other\n")
    other = vtarget("run", example("fir", "rpi-pico"), "-b", "rpi-pico", "--calibration", written)
    assert other.code == 2 and f"is of board {BOARD}, not of rpi-pico" in other.err
    assert vtarget("run", example("fir", BOARD), "-b", BOARD, "--calibration", tmp_path / "none.yaml").code == 2
    assert vtarget("run", example("fir", BOARD), "-b", BOARD, "--calibration", tmp_path).code == 2


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_reads_back_as_it_was_written(written: Path, tmp_path: Path) -> None:
    fit = load_calibration(str(written))
    strange = Residual(
        firmware='f\n"\\\u2028\x7f.elf', kernel="ns::k<\U0001f600>: {a, b} # c", calls=1, measured_cycles=2,
        before_pct=1e-7, after_pct=-1e-05,
    )  # fmt: skip
    changed = fit.model_copy(update={"residuals": (strange,), "notes": ("- a: b", "'", "\ttab")})
    path = tmp_path / "x.yaml"
    save_calibration(changed, str(path))
    assert load_calibration(str(path)) == changed
    save_calibration(fit, str(path))
    assert path.read_text() == calibration_text(fit)
    assert list(tmp_path.iterdir()) == [path]


HOSTILE = [
    ("", "is empty"),
    ("[1, 2]", "must be a mapping"),
    ("name: x\n", "not a calibration"),
    ("schema: vtarget.calibration\nschema_version: 2\n", "schema_version is 2"),
    ("schema: vtarget.calibration\nschema_version: true\n", "schema_version is True"),
    ("schema: vtarget.calibration\nschema_version: 1\n", "is missing"),
    ("schema: &a vtarget.calibration\n", "anchors"),
    ("schema: !!python/object:os.system x\n", "tags are not allowed"),
    ("\x00", "control character"),
    ("{" * 5000, "a key must be plain text"),
    ("a: " + "[" * 5000, ""),
]


@pytest.mark.parametrize(("text", "message"), HOSTILE)
def test_hostile_files_are_one_line_errors(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.calibration.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_calibration(str(path))
    assert message in caught.value.message and "\n" not in caught.value.message


CHANGES = [
    ({"factors": {"load": {"value": 2.0, "low": 3.0, "high": 4.0, "prior_width": 0.5}}}, "low <= value <= high"),
    ({"factors": {"load": {"value": -1.0, "low": -1.0, "high": 4.0, "prior_width": 0.5}}}, "out of range"),
    ({"factors": {"load": {"value": 1e9, "low": 1.0, "high": 1e9, "prior_width": 0.5}}}, "out of range"),
    ({"factors": {"loads": {"value": 1.0, "low": 1.0, "high": 1.0, "prior_width": 0.5}}}, "unknown key 'loads'"),
    ({"unidentified": {"load": {"reason": "none", "prior_width": 0.5}}}, "fitted and unidentified at once"),
    ({"uncalibrated_pct": -1.0}, "out of range"),
    ({"condition": 0.5}, "out of range"),
    ({"date": "yesterday"}, "does not have the form"),
    ({"board_sha256": "abc"}, "does not have the form"),
    ({"unknown_key": 1}, "unknown key 'unknown_key'"),
    ({"power": [{"state": "run", "clocks_hz": [1], "windows": 1, "residual_pct": 0.0}]}, "give either 'factor'"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_wrong_values_are_named(change: dict[str, object], message: str, written: Path, tmp_path: Path) -> None:
    content = calibration_json(load_calibration(str(written))) | change
    path = tmp_path / "x.yaml"
    path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items()))
    with pytest.raises(InputError, match=message):
        load_calibration(str(path))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 5000), size=st.integers(0, 40), junk=st.binary(max_size=12))
def test_damaged_files_are_read_or_refused(written: Path, tmp_path: Path, at: int, size: int, junk: bytes) -> None:
    data = written.read_bytes()
    at %= len(data)
    path = tmp_path / "damaged.yaml"
    path.write_bytes(data[:at] + junk + data[at + size :])
    try:
        assert isinstance(load_calibration(str(path)), Calibration)
    except InputError as error:
        assert "\n" not in error.one_line()


def test_a_directory_holds_a_file_per_board(written: Path) -> None:
    found = apply_calibration(str(written.parent), board_pricer(BOARD).board)
    assert found.fit.board == BOARD
    assert found.fit.factor(Term.INTERRUPT) == 1
    with pytest.raises(InputError, match=r"rpi-pico\.calibration\.yaml"):
        apply_calibration(str(written.parent), board_pricer("rpi-pico").board)
