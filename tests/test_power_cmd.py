"""``vtarget power``: from a recording to a measurement, and from that alone to a calibrated board."""

from __future__ import annotations

import json
import os
from pathlib import Path

import powerlib as lib
import pytest
from click.testing import CliRunner, Result

from vtarget.app.cli import cli
from vtarget.base.errors import VtargetError
from vtarget.data.measurement import UNKNOWN_FIRMWARE, UNKNOWN_SHA256
from vtarget.logic.powerfit import windows as states_of
from vtarget.shell.calibrating import calibrate_board, load_measured
from vtarget.shell.measurementfile import load_measurement
from vtarget.shell.running import execute, price, pricer_for

BOARD = "nucleo-l4r5zi"
PPK2 = str(lib.SAMPLES / "ppk2-columns.csv")
EXAMPLE = Path(__file__).resolve().parent.parent / "firmware" / "examples" / "fir-m4f.elf"


def power(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["power", *arguments], standalone_mode=False)


def refused(*arguments: str) -> str:
    result = power(*arguments)
    assert isinstance(result.exception, VtargetError), result.output
    assert result.exception.exit_code == 2
    return result.exception.one_line()


def test_a_csv_becomes_a_measurement(tmp_path: Path) -> None:
    target = tmp_path / "m.json"
    result = power(
        PPK2, "-b", BOARD, "--gpio", "D2", "--voltage", "3 V", "-o", str(target), "--date", "2025-02-03",
        "--between", "sleep", "--serial", "066B",
    )  # fmt: skip
    assert result.exit_code == 0, result.exception
    shown = [line.split() for line in result.output.splitlines()]
    assert ["run", "3", "100", "ms", "6", "mJ", "60", "mW", "±3.55", "%"] in shown
    measurement = load_measurement(str(target))
    assert (measurement.board, measurement.clock_hz, measurement.date) == (BOARD, 120_000_000, "2025-02-03")
    assert (measurement.firmware_path, measurement.firmware_sha256) == (UNKNOWN_FIRMWARE, UNKNOWN_SHA256)
    assert measurement.board_serial == "066B" and measurement.kernels == ()
    run, sleep = measurement.power
    assert (run.name, run.seconds, run.energy_j, run.spread_j) == ("run", 0.1, 6e-3, 0.426e-3)
    assert (sleep.name, sleep.count, sleep.energy_j) == ("sleep", 2, 3e-3)
    note = "run: measured at 3 V, the board's figures are of 1.8 V (of 3 V: run-3v0-ldo, run-3v0-smps)"
    assert note in measurement.notes


def test_the_json_of_a_measurement_names_the_firmware(tmp_path: Path) -> None:
    result = power(PPK2, "-b", BOARD, "--voltage", "3V", "--json", "-", "--firmware", str(EXAMPLE), "--gpio", "D2")
    content = json.loads(result.output)
    assert content["schema"] == "vtarget.measurement" and len(content["power"]) == 1
    assert content["firmware_path"] == str(EXAMPLE) and content["firmware_sha256"] != UNKNOWN_SHA256


def test_the_day_is_the_files(tmp_path: Path) -> None:
    recording = tmp_path / "r.csv"
    recording.write_text(lib.joulescope_text(), encoding="utf-8")
    os.utime(recording, (1_700_000_000, 1_700_000_000))
    power(str(recording), "-b", BOARD, "--gpio", "gpi0", "-o", str(tmp_path / "m.json"), "--quiet")
    assert load_measurement(str(tmp_path / "m.json")).date == "2023-11-14"


def test_windows_by_time_and_their_names(tmp_path: Path) -> None:
    target = tmp_path / "m.json"
    spans = ("--window", "100ms..0.2 s", "--window", "300 ms..400 ms", "--window", "sleep=210ms..290ms")
    result = power(PPK2, "-b", BOARD, "--voltage", "3V", *spans, "-o", str(target))
    assert result.exit_code == 0, result.exception
    run, sleep = load_measurement(str(target)).power
    assert (run.name, run.count, run.seconds, run.energy_j) == ("run", 2, 0.1, 6e-3)
    assert (sleep.name, sleep.count, sleep.seconds, sleep.energy_j) == ("sleep", 1, 0.08, 2.4e-3)


def test_windows_are_added_to_a_measurement_that_stays_as_it_is(tmp_path: Path) -> None:
    first, second = tmp_path / "m.json", tmp_path / "n.json"
    common = ("-b", BOARD, "--voltage", "3V", "--quiet")
    power(PPK2, *common, "--gpio", "D2", "-o", str(first))
    before = first.read_bytes()
    power(PPK2, *common, "--window", "sleep=0s..90ms", "--add-to", str(first), "-o", str(second))
    assert first.read_bytes() == before
    assert [w.name for w in load_measurement(str(second)).power] == ["run", "sleep"]
    power(PPK2, *common, "--window", "idle=0s..90ms", "--add-to", str(first), "-o", str(first))
    assert [w.name for w in load_measurement(str(first)).power] == ["run", "idle"]
    again = refused(PPK2, *common, "--gpio", "D2", "--add-to", str(first))
    assert again == "the measurement has window run of ppk2-columns.csv (ppk2-csv), D2 high already"
    assert "is of board nucleo-l4r5zi, not of rpi-pico" in refused(PPK2, "-b", "rpi-pico", "--add-to", str(first))
    assert "is at 120 MHz, not at 80 MHz" in refused(PPK2, *common, "--clock", "80MHz", "--add-to", str(first))
    assert "--serial: the measurement" in refused(PPK2, *common, "--serial", "1", "--add-to", str(first))


def test_a_csv_alone_calibrates_the_power_of_a_board(tmp_path: Path) -> None:
    target = tmp_path / "m.json"
    power(PPK2, "-b", BOARD, "--voltage", "3V", "--gpio", "D2", "-o", str(target), "--quiet")
    calibration = tmp_path / f"{BOARD}.calibration.yaml"
    done = CliRunner().invoke(
        cli, ["calibrate", str(target), "-b", BOARD, "-o", str(calibration), "--quiet"], standalone_mode=False
    )
    assert done.exit_code == 0, done.exception
    run = CliRunner().invoke(
        cli,
        ["run", str(EXAMPLE), "-b", BOARD, "--calibration", str(calibration), "--json", "-"],
        standalone_mode=False,
    )
    result = json.loads(run.output)
    assert result["energy_j"] / result["latency_s"] == pytest.approx(0.060, rel=1e-4)
    plain = price(execute(EXAMPLE, pricer_for(BOARD)).record, pricer_for(BOARD))
    assert plain.energy_j is not None
    assert result["energy_j"] != pytest.approx(plain.energy_j.nominal, rel=0.1)


def test_two_clocks_give_a_power_that_grows_with_the_clock(tmp_path: Path) -> None:
    files = []
    for mhz, milliwatts in (("120", 60.0), ("60", 35.0)):
        recording, target = tmp_path / f"{mhz}.csv", tmp_path / f"{mhz}.json"
        recording.write_text(f"time,power\n0,{milliwatts / 1e3}\n1,{milliwatts / 1e3}\n", encoding="utf-8")
        assert power(str(recording), "-b", BOARD, "--clock", f"{mhz}MHz", "-o", str(target)).exit_code == 0
        files.append(load_measured(str(target)))
    (fit,) = calibrate_board(BOARD, files, version="0").power
    assert (fit.base_w, fit.watts_per_mhz) == pytest.approx((0.010, 25 / 60 / 1e3), rel=1e-4)


def test_the_width_of_a_window_is_the_fits(tmp_path: Path) -> None:
    target = tmp_path / "m.json"
    power(PPK2, "-b", BOARD, "--voltage", "3V", "--gpio", "D2", "-o", str(target), "--quiet")
    (state,) = states_of(load_measurement(str(target)), pricer_for(BOARD).board)
    assert (state.state, state.watts, state.width) == pytest.approx(("run", 0.06, 0.00213))


def test_names_that_calibrate_takes_for_run_are_remarked_on() -> None:
    result = power(PPK2, "-b", BOARD, "--voltage", "1.8V", "--gpio", "D2", "--name", "slep")
    assert f"slep is no power state of {BOARD}" in result.output and "calibrate takes it for 'run'" in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--voltage", "3"), "--voltage: '3' has no unit"),
        (("--voltage", "0 V"), "--voltage: 0 V is no supply"),
        (("--voltage", "-1 V"), "--voltage: '-1 V' is negative"),
        (("--window", "1s"), "--window '1s' is not [NAME=]START..END"),
        (("--window", "=1s..2s"), "--window '=1s..2s' is not [NAME=]START..END"),
        (("--window", "2s..1s"), "--window '2s..1s' ends before it begins"),
        (("--window", "1..2"), "--window: '1' has no unit"),
        (("--voltage", "3V", "--window", "1s..2s"), "--window 1s..2s is not in the recording (0 s to 0.7 s)"),
        (("--gpio", "D2", "--window", "1s..2s"), "--gpio and --window exclude each other"),
        (("--voltage", "3V", "--between", "sleep", "--window", "0s..100ms"), "--between goes with --gpio"),
        (("--debounce", "1"), "--debounce: '1' has no unit"),
        (("--only", "("), "--only: "),
        (("--date", "yesterday"), "--date yesterday: is no day as YYYY-MM-DD"),
        (("--date", "2026-13-45"), "--date 2026-13-45: is no day as YYYY-MM-DD"),
        (("--clock", "999 MHz"), "--clock: 999 MHz is not a clock of board"),
        (("--firmware", "none.elf", "--voltage", "3V"), "--firmware none.elf: No such file"),
        (("--add-to", "none.json"), "none.json"),
        (("-o", PPK2), "ppk2-columns.csv: is RECORDING, too"),
        (("-o", "no/such/place.json"), "-o no/such/place.json: no such directory"),
    ],
)
def test_what_cant_be_meant_is_refused(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(PPK2, "-b", BOARD, *arguments)


def test_nothing_is_written_when_a_recording_is_bad(tmp_path: Path) -> None:
    bad, target = tmp_path / "bad.csv", tmp_path / "m.json"
    bad.write_text("time,power\n0,1\n1,x\n", encoding="utf-8")
    assert refused(str(bad), "-b", BOARD, "-o", str(target)) == f"{bad}: line 3: 'x' in column power is not a number"
    assert list(tmp_path.iterdir()) == [bad]
