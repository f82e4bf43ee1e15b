"""``vtarget run`` on a board, and on stored runs: the same report, with measured figures where there are any."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakeboard import At, FakeBoard, served
from machinelib import EXAMPLES, FIRMWARE, CommandResult, vtarget, write_program
from test_gdb_server import debugged
from test_measuring import QEMU, connected, qemu

import vtarget as library
from vtarget.base.errors import InputError
from vtarget.data.limits import RunLimits
from vtarget.data.measurement import UNKNOWN_FIRMWARE, UNKNOWN_SHA256
from vtarget.data.record import Reason
from vtarget.shell.measurementfile import load_measurement, save_measurement

FIR, L4 = EXAMPLES / "fir-m4f.elf", "nucleo-l4r5zi"
CALLS = 12
ONCE = ("--repeat", "1")


def on_board(*options: str | Path, firmware: Path = FIR, limits: RunLimits = RunLimits()) -> CommandResult:
    """``run`` on our own virtual board behind its GDB server, as on a real one."""
    with debugged(firmware, L4, limits) as session:
        return vtarget("run", firmware, "-b", L4, "--probe", f"gdb:{session.port}", *ONCE, *options)


def rows(text: str) -> dict[str, list[str]]:
    """The first line that begins with each word."""
    return {line.split()[0]: line.split() for line in reversed(text.splitlines()) if line.strip()}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a virtual result, a measured one, its measurement and its record."""
    folder = tmp_path_factory.mktemp("measured")
    done = on_board("--span", "fir_q15", "--record", folder / "m.json", "--json", folder / "board.json")
    assert (done.code, done.err) == (0, "")
    (folder / "board.txt").write_text(done.out, encoding="utf-8")
    virtual = vtarget("run", FIR, "-b", L4, "--span", "fir_q15", "--json", folder / "virtual.json", "--quiet")
    assert virtual == CommandResult(0, "", "")
    return folder


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


# --- a board ---------------------------------------------------------------------------------------------------------


def test_the_same_report_with_measured_kernels(measured: Path) -> None:
    text = (measured / "board.txt").read_text(encoding="utf-8")
    assert text.startswith("console\n  fir crc=")
    assert "measured 20" in text and "DWT_CYCCNT, 1 run)" in text
    table = rows(text)
    assert table["fir_q15"][-1] == "measured" and table["print_hex"][-1] == "estimated"
    assert table["estimated"][1] == f"{document(measured / 'virtual.json')['cycles']:,}"
    assert table["of"] == ["of", "the", "measurement"]


def test_endless_firmware_ends_by_the_limit_on_both(tmp_path: Path) -> None:
    reset = """
        200a movs r0, #10
        0400 lsls r0, r0, #16
        bl spin
        b reset
        """
    spin = "3801 subs r0, #1\n d1fd bne.n -6\n 4770 bx lr"
    firmware = write_program(tmp_path / "endless.elf", L4, {"reset": reset, "spin": spin})
    done = on_board(
        "--timeout", "1", "--json", tmp_path / "m.json", firmware=firmware, limits=RunLimits(wall_seconds=1.0)
    )
    assert done.code == 1
    assert "limit reached: 1 s of wall time (--timeout)" in done.err and done.err.count("\n") == 1
    table = rows(done.out)
    assert "measured" in table["spin"]  # with callees, if not all calls came in time
    (spun,) = (kernel for kernel in document(tmp_path / "m.json")["measured"]["kernels"] if kernel["name"] == "spin")
    assert 0 < spun["calls"] <= int(table["spin"][1])
    each = spun["measured_cycles"] / spun["calls"]
    assert each == pytest.approx(10 * 65536 * 3, rel=0.5)  # SUBS and a taken BNE


def test_the_json_says_what_is_measured(measured: Path) -> None:
    board, virtual = document(measured / "board.json"), document(measured / "virtual.json")
    assert (board["provenance"], virtual["provenance"]) == ("measured", "uncalibrated")
    assert set(board) - set(virtual) == {"measured"}
    how = board["measured"]
    assert (how["runs"], how["counter"], how["spans"]) == (1, "DWT_CYCCNT", ["fir_q15"])
    assert how["total"]["measured_cycles"] == board["cycles"]
    assert how["total"]["estimated_cycles"] == virtual["cycles"]
    (kernel,) = [row for row in how["kernels"] if row["name"] == "fir_q15"]
    assert kernel["own"] is True and abs(kernel["error_pct"]) < 0.1  # our own board: only stops move misses
    assert sum(span["cycles"] for span in board["spans"]) == kernel["measured_cycles"]
    for field in ("instructions", "console", "exit", "memory", "contexts", "not_modelled"):
        assert board[field] == virtual[field]


def test_memory_goes_in_and_comes_out(tmp_path: Path) -> None:
    (tmp_path / "three").write_bytes((3).to_bytes(4, "little"))
    write = ("--write", f"iterations={tmp_path / 'three'}")
    done = on_board(*write, "--read", f"output={tmp_path / 'board'}", "--json", tmp_path / "r.json", "--quiet",
                    "--record", tmp_path / "m.json")  # fmt: skip
    assert done == CommandResult(0, "", "")
    assert vtarget("run", FIR, "-b", L4, *write, "--read", f"output={tmp_path / 'virtual'}", "--quiet").code == 0
    assert (tmp_path / "board").read_bytes() == (tmp_path / "virtual").read_bytes()
    assert [row["calls"] for row in document(tmp_path / "r.json")["kernels"] if row["name"] == "fir_q15"] == [3]
    again = vtarget("run", "--from-record", tmp_path / "m.json", "-b", L4, "--json", "-")  # three calls there, too
    assert [row["calls"] for row in json.loads(again.out)["kernels"] if row["name"] == "fir_q15"] == [3]


def test_kernels_and_the_end_can_be_chosen(tmp_path: Path) -> None:
    done = on_board("--kernels", "^fir", "--until", "check_output", "--json", tmp_path / "r.json")
    assert (done.code, done.err) == (0, "")
    result = document(tmp_path / "r.json")
    assert (result["exit"]["reason"], result["provenance"]) == ("until", "measured")
    assert [row["name"] for row in result["kernels"]] == ["fir_q15"]
    assert [row["name"] for row in result["measured"]["kernels"]] == ["fir_q15"]


def test_from_python() -> None:
    with debugged(FIR, L4) as session:
        profile = library.run(FIR, L4, spans=["fir_q15"], probe=f"gdb:{session.port}", repeats=1)
    assert (profile.provenance, len(profile.spans), profile.exit.reason) == ("measured", CALLS, Reason.SEMIHOSTING)
    assert profile.measured is not None and profile.measured.spans == ("fir_q15",)
    with pytest.raises(InputError, match="no such kind of probe"):
        library.run(FIR, L4, probe="usb")


def test_a_budget_is_of_the_measured_figures(measured: Path) -> None:
    cycles = document(measured / "board.json")["cycles"]
    replay = ("run", "--from-record", measured / "m.json", "-b", L4, "--quiet", "--fail-if")
    assert vtarget(*replay, f"cycles > {cycles}").code == 0
    broken = vtarget(*replay, f"cycles >= {cycles}")
    assert (broken.code, broken.err.count("\n")) == (1, 1) and f"cycles is {cycles}" in broken.err


def test_a_board_that_fails_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    with served(FakeBoard([At(0x08000100)], has_cyccnt=False)) as port:
        done = vtarget("run", FIR, "-b", L4, "--probe", f"gdb:{port}", "--record", tmp_path / "m.json",
                       "--json", tmp_path / "r.json", "--read", f"output={tmp_path / 'o'}")  # fmt: skip
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("error: the core has no cycle counter")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_qemu_is_a_board_without_a_counter() -> None:
    firmware, board = FIRMWARE / "rtos" / "rtos-m4f.elf", "mps2-an386"
    with qemu(board) as port:
        connected(port).close()
        done = vtarget("run", firmware, "-b", board, "--probe", f"gdb:{port}", *ONCE)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("error: the core has no cycle counter")


# --- where estimated cycles went --------------------------------------------------------------------------------------


def table(text: str, *titles: str) -> list[list[str]]:
    """The rows of the table whose head begins with these words, as words."""
    lines = text.splitlines()
    begin = next(at for at, line in enumerate(lines) if tuple(line.split()[: len(titles)]) == titles)
    return [line.split() for line in lines[begin : lines.index("", begin)]]


def test_where_estimated_cycles_went_stands_beside_what_was_measured(measured: Path) -> None:
    shown = ("--waterfall", "--explain", "fir_q15", "--explain", "print_hex", "--json", measured / "shown.json")
    replayed = vtarget("run", "--from-record", measured / "m.json", "-b", L4, *shown)
    virtual = vtarget("run", "--from-record", measured / "m.json.record", "-b", L4, *shown[:-2])
    assert (replayed.code, replayed.err, virtual.code) == (0, "", 0)
    ours = table(replayed.out, "where", "estimated", "cycles", "went", "estimated", "share")
    theirs = table(virtual.out, "where", "cycles", "went", "cycles", "share")
    assert [row[:3] for row in ours[2:]] == [row[:3] for row in theirs[2:]]
    ours = table(replayed.out, "kernel", "estimated", "issue")
    theirs = table(virtual.out, "kernel", "cycles", "issue")
    assert ours[2:] == theirs[2:]  # own cycles that are measured leave the estimate's split as it is
    found = document(measured / "shown.json")
    cycles = {row["name"]: row["cycles"] for row in found["kernels"]}
    first, second = found["explain"]
    assert f"\nfir_q15: {first['cycles']:,} cycles, estimated ({cycles['fir_q15']:,} measured)\n" in replayed.out
    assert f"\nprint_hex: {second['cycles']:,} cycles, estimated\n" in replayed.out
    assert (first["measured_cycles"], second["measured_cycles"]) == (cycles["fir_q15"], None)
    assert f"\nfir_q15: {first['cycles']:,} cycles\n" in virtual.out
    assert found["waterfall"] is None  # of what was measured
    assert sum(found["measured"]["waterfall"].values()) == found["measured"]["total"]["estimated_cycles"]


def test_a_run_on_a_board_shows_the_same(measured: Path) -> None:
    shown = ("--waterfall", "--explain", "fir_q15")
    done = on_board("--span", "fir_q15", *shown)
    again = vtarget("run", "--from-record", measured / "m.json", "-b", L4, *shown)
    assert (done.code, done.err, again.code) == (0, "", 0)
    for titles in (("where", "estimated"), ("kernel", "estimated", "issue"), ("address", "count", "cycles")):
        assert table(done.out, *titles) == table(again.out, *titles)


def test_what_a_board_took_at_another_clock_is_not_known(tmp_path: Path) -> None:
    done = on_board("--clock", "60MHz", "--record", tmp_path / "m.json", "--json", tmp_path / "board.json", "--quiet")
    assert done == CommandResult(0, "", "")
    again = vtarget("run", "--from-record", tmp_path / "m.json", "-b", L4, "--json", "-")
    assert again.out == (tmp_path / "board.json").read_text(encoding="utf-8")  # at 60 MHz, without being told
    assert json.loads(again.out)["board"]["clock_hz"] == 60_000_000
    page = vtarget("report", "--record", tmp_path / "m.json", "-o", tmp_path / "page.html")
    assert page.code == 0 and "60 MHz" in (tmp_path / "page.html").read_text(encoding="utf-8")


# --- stored runs -----------------------------------------------------------------------------------------------------


def test_a_stored_measurement_gives_the_same_bytes(measured: Path, tmp_path: Path) -> None:
    replay = vtarget("run", "--from-record", measured / "m.json", "-b", L4, "--json", tmp_path / "again.json")
    assert (replay.code, replay.err) == (0, "")
    assert replay.out == (measured / "board.txt").read_text(encoding="utf-8")
    assert (tmp_path / "again.json").read_bytes() == (measured / "board.json").read_bytes()
    record = vtarget("run", "--from-record", measured / "m.json.record", "-b", L4, "--json", tmp_path / "virtual.json")
    assert record.code == 0
    assert (tmp_path / "virtual.json").read_bytes() == (measured / "virtual.json").read_bytes()


def test_without_its_record_the_image_is_emulated(measured: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    shutil.copy(measured / "m.json", path)
    assert load_measurement(str(path)).firmware_path == str(FIR)
    expected = (measured / "board.json").read_bytes()
    for firmware in ((), (FIR,)):
        done = vtarget("run", *firmware, "--from-record", path, "-b", L4, "--json", "-")
        assert (done.code, done.err) == (0, "")
        assert done.out.encode() == expected
    moved = path.read_text(encoding="utf-8").replace(str(FIR), "moved.elf")
    path.write_text(moved, encoding="utf-8")
    done = vtarget("run", "--from-record", path, "-b", L4)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "names the image moved.elf, which isn't there (hint: name it: FIRMWARE --from-record FILE)" in done.err
    assert vtarget("run", FIR, "--from-record", path, "-b", L4, "--quiet").code == 0


def test_what_measure_writes_is_replayed_too(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    with debugged(FIR, L4) as session:
        until = ("--until", "check_output", "-o", path, "--quiet")
        done = vtarget("measure", FIR, "-b", L4, "--probe", f"gdb:{session.port}", *ONCE, *until)
    assert done == CommandResult(0, "", "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.json", "m.json.record"]
    result = json.loads(vtarget("run", "--from-record", path, "-b", L4, "--json", "-").out)
    assert (result["exit"]["reason"], result["provenance"]) == ("until", "measured")


def test_comparing_takes_all_kinds_and_tells_them_apart(measured: Path, tmp_path: Path) -> None:
    board, virtual, replay = measured / "board.json", measured / "virtual.json", tmp_path / "replay.json"
    assert vtarget("run", "--from-record", measured / "m.json", "-b", L4, "--json", replay, "--quiet").code == 0
    refused = vtarget("compare", virtual, board)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "not comparable: provenance: uncalibrated and measured (hint: --allow provenance" in refused.err
    allowed = vtarget("compare", virtual, board, "--allow", "provenance")
    assert allowed.code == 0  # our own board takes the cycles that it is estimated to take
    assert "compared in spite of another provenance: uncalibrated and measured" in allowed.out
    same = vtarget("compare", board, replay, "--all")
    assert same.code == 0 and "worse" not in same.out and "in spite" not in same.out


def test_reports_take_all_kinds(measured: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert vtarget("report", measured / "virtual.json", measured / "board.json", "-o", page).code == 0
    text = page.read_text(encoding="utf-8")
    assert "DWT_CYCCNT, 1 run" in text and "Of the measurement: " in text
    stored = tmp_path / "stored.html"
    assert (
        vtarget("report", "--record", measured / "m.json", "--record", measured / "m.json.record", "-o", stored).code
        == 0
    )
    assert "DWT_CYCCNT, 1 run" in stored.read_text(encoding="utf-8")
    other = vtarget("report", "--record", measured / "m.json", "-b", "rpi-pico", "-o", tmp_path / "none.html")
    assert (other.code, other.err.count("\n")) == (2, 1) and "is of board nucleo-l4r5zi" in other.err
    for form in ("perfetto", "speedscope", "collapsed"):
        assert vtarget("report", measured / "board.json", "-o", tmp_path / form, "--format", form).code == 0


# --- misuse ----------------------------------------------------------------------------------------------------------

PROBE = (FIR, "-b", L4, "--probe", "gdb:127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ((FIR, "-b", L4, "--probe", "usb"), 2, "--probe 'usb': no such kind of probe"),
        (PROBE, 1, "no GDB server at port 1 of 127.0.0.1"),
        (("-b", L4, "--probe", "gdb:1"), 2, "missing argument FIRMWARE"),
        ((FIR, "-b", L4, "--repeat", "2"), 2, "--repeat needs --probe"),
        ((FIR, "-b", L4, "--no-flash"), 2, "--no-flash needs --probe"),
        ((*PROBE, "--max-seconds", "1"), 2, "--max-seconds is for the virtual board, not for --probe"),
        ((*PROBE, "--max-instructions", "1"), 2, "--max-instructions is for the virtual board, not for --probe"),
        ((*PROBE, "--uart", "x=stdio"), 2, "--uart is for the virtual board, not for --probe"),
        ((*PROBE, "--span-gpio", "PB7"), 2, "--span-gpio is for the virtual board, not for --probe"),
        ((*PROBE, "--wait-states", "2"), 2, "--wait-states 2 is for estimates: a real board is as it is"),
        ((*PROBE, "--clock", "1MHz", "--clock", "2MHz"), 2, "--clock 2MHz is for estimates: a real board is as it is"),
        ((*PROBE, "--from-record", "m.json"), 2, "--probe needs a run, not --from-record"),
        ((*PROBE, "--span", "nowhere"), 2, "--span: no symbol 'nowhere'"),
        ((*PROBE, "--power", "never"), 2, "no power state 'never'"),
        ((*PROBE, "--record", "/nowhere/m.json"), 2, "--record /nowhere/m.json: no such directory"),
        (
            (FIRMWARE / "tests" / "fault_jump-m4f.elf", "-b", L4, "--probe", "gdb:127.0.0.1:1"),
            1,
            "nothing is measured, for the emulated run failed: ",
        ),
    ],
)
def test_misuse_is_one_line(arguments: tuple[str | Path, ...], code: int, error: str) -> None:
    done = vtarget("run", *arguments)
    assert (done.code, done.out) == (code, "")
    assert error in done.err and "Traceback" not in done.err
    assert done.err.strip().count("\n") == 0 or done.err.startswith("Usage:")


def test_what_a_stored_measurement_cant_do(measured: Path, tmp_path: Path) -> None:
    stored = measured / "m.json"
    broken, power = tmp_path / "broken.json", tmp_path / "power.json"
    broken.write_text("{", encoding="utf-8")
    alone = {"firmware_path": UNKNOWN_FIRMWARE, "firmware_sha256": UNKNOWN_SHA256}
    save_measurement(load_measurement(str(stored)).model_copy(update=alone), str(power))
    for arguments, error in (
        (("--from-record", stored, "-b", "rpi-pico"), "is of board nucleo-l4r5zi, not of rpi-pico"),
        ((EXAMPLES / "fft-m4f.elf", "--from-record", stored, "-b", L4), "is of another firmware than"),
        (
            ("--from-record", stored, "-b", L4, "--cache", "off"),
            "--cache off is for estimates: a real board is as it is "
            f"(hint: estimates can be had: --from-record {stored}.record)",
        ),
        (("--from-record", stored, "-b", L4, "--table", "--clock", "1MHz"), "--clock 1MHz is for estimates"),
        (
            ("--from-record", stored, "-b", L4, "--clock", "80MHz"),
            f"{stored}: was measured at 120 MHz, which doesn't tell what the board takes at 80 MHz (hint: estimates",
        ),
        (("--from-record", stored, "-b", L4, "--explain", "ftf"), "--explain: no kernel 'ftf' ran"),
        (("--from-record", stored, "-b", L4, "--until", "main"), "--until needs a run, not --from-record"),
        (("--from-record", stored, "-b", L4, "--power", "never"), "never"),
        (("--from-record", broken, "-b", L4), "not JSON"),
        (("--from-record", power, "-b", L4), "it is of power alone"),
        (("--from-record", measured / "virtual.json", "-b", L4), "not a measurement"),
        ((FIR, "--from-record", measured / "m.json.record", "-b", L4), "FIRMWARE and --from-record exclude each other"),
    ):
        done = vtarget("run", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
        assert error in done.err


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No calibration lies in the working directory."""
    monkeypatch.chdir(tmp_path)
    yield
