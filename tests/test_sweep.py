"""The sweep as a command and from Python: the matrix, its order, its files, its failures, and what may be asked."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from firmwarelib import needs_compiler
from sweeplib import cell, outcome

import vtarget
from vtarget.app.sweep_cmd import sweep as command
from vtarget.base.errors import InputError, RunError
from vtarget.data.sweep import Row, SweepSpec
from vtarget.shell import sweepunit
from vtarget.shell.boardlib import board_names
from vtarget.shell.matrix import Matrix, find_boards, find_files, matrix_of, split_workloads
from vtarget.shell.sweeping import SweepOptions, load_rows, load_spec, run_sweep

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
TINY = str(MODELS / "ad_autoencoder.tflite")
FIRMWARE = str(ROOT / "firmware/examples/fir-m4f.elf")
FOREVER = str(ROOT / "firmware/tests/forever-m4f.elf")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtarget.shell.sweeping.cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr("vtarget.shell.outcomes.cache_dir", lambda: tmp_path / "cache")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--jobs", "1"], standalone_mode=False, catch_exceptions=False)


def matrix(**changes: object) -> Matrix:
    return matrix_of(SweepSpec.model_validate({"models": (TINY,), "boards": ("nucleo-l4r5zi",), **changes}))


def test_cells_stand_in_a_defined_order() -> None:
    whole = matrix(
        models=(TINY, str(MODELS / "lstm_gesture.tflite")),
        boards=("rpi-pico", "nucleo-l4r5zi"),
        engines=("simd", "reference"),
        clocks=(None, 48_000_000),
        arena=("auto", "SRAM1"),
        firmware=(FIRMWARE,),
    )
    found = [(Path(c.workload).stem, c.board, c.engine, c.clock_hz, c.arena) for c in whole.cells]
    assert len(found) == 2 * 2 * 2 * 2 * 2 + 2 * 2
    assert found[:3] == [
        ("ad_autoencoder", "rpi-pico", "simd", None, "auto"),
        ("ad_autoencoder", "rpi-pico", "simd", None, "SRAM1"),
        ("ad_autoencoder", "rpi-pico", "simd", 48_000_000, "auto"),
    ]
    assert found[-1] == ("fir-m4f", "nucleo-l4r5zi", None, 48_000_000, None)
    assert [c.index for c in whole.cells] == list(range(len(found)))
    assert len({c.key for c in whole.cells}) == len(found)


def test_units_hold_what_may_share_a_stream() -> None:
    whole = matrix(boards=("rpi-pico", "nucleo-l4r5zi", "nucleo-f446re"), engines=("simd", "reference"))
    assert sorted(len(unit.cells) for unit in whole.units) == [1, 1, 2, 2]
    assert [matrix(boards=("nucleo-l4r5zi",), clocks=(None, 10_000_000)).units[0].cells[1][0].clock_hz] == [10_000_000]


def test_shards_split_the_whole_without_a_rest() -> None:
    whole = matrix(boards=("all",), engines=("simd", "reference"))
    parts = [whole.shard(number, 4) for number in (1, 2, 3, 4)]
    assert sorted(cell.index for part in parts for cell in part.cells) == [cell.index for cell in whole.cells]
    assert all(part.units for part in parts)


def test_a_key_speaks_of_all_that_an_outcome_depends_on(tmp_path: Path) -> None:
    board = tmp_path / "b.yaml"
    board.write_text("extends: nucleo-l4r5zi\nname: nucleo-l4r5zi\ntitle: other\nclock: {typical: 80 MHz}\n")
    keys = [
        matrix(**changes).cells[0].key
        for changes in (
            {},
            {"engines": ("reference",)},
            {"clocks": (1_000_000,)},
            {"weights": ("SRAM1",)},
            {"cflags": ("-Os",)},
            {"seed": 1},
            {"boards": (str(board),)},
            {"models": (str(MODELS / "lstm_gesture.tflite"),)},
        )
    ]
    assert len(set(keys)) == len(keys)
    assert matrix().cells[0].key == keys[0]


def test_what_is_named_is_found(tmp_path: Path) -> None:
    assert find_boards(["all"]) == board_names()
    assert find_boards(["nucleo-l4*", "rpi-pico", "nucleo-l4r5zi"]) == ["nucleo-l4r5zi", "rpi-pico"]
    for name in ("b.tflite", "a.tflite", "c.elf", "notes.txt"):
        (tmp_path / name).touch()
    assert [Path(p).name for p in find_files([str(tmp_path)], (".tflite",), "models")] == ["a.tflite", "b.tflite"]
    assert [Path(p).name for p in find_files([f"{tmp_path}/[ab]*"], (".tflite",), "models")] == ["a.tflite", "b.tflite"]
    assert split_workloads([str(tmp_path), "x.tflite", "y.hex"]) == (
        (str(tmp_path), "x.tflite"),
        (str(tmp_path), "y.hex"),
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"boards": ("nucleo-x*",)}, r"no board 'nucleo-x\*'"),
        ({"boards": ("nucleo",)}, "no board 'nucleo'"),
        ({"models": ("absent.tflite",)}, "absent.tflite: No such file"),
        ({"models": ("absent/*.tflite",)}, "no models there"),
    ],
)
def test_what_is_not_there_is_named_before_anything_runs(changes: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        matrix(**changes)


def test_a_spec_is_strict_yaml(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("models: [a.tflite]\nboards: [all]\nclocks: [typical, 80 MHz]\nengines: [simd, reference]\n")
    assert load_spec(str(path)).clocks == (None, 80_000_000)
    for line, told in (
        ("engine: simd", "unknown key 'engine'"),
        ("clocks: [fast]", "'fast' is not a frequency"),
        ("samples: 0", "out of range"),
    ):
        path.write_text(f"models: [a.tflite]\nboards: [all]\n{line}\n")
        with pytest.raises(InputError, match=told):
            load_spec(str(path))
    path.write_text("boards: [all]\n")
    with pytest.raises(InputError, match="give models or firmware"):
        load_spec(str(path))


@needs_compiler
def test_failures_are_rows(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    out = tmp_path / "rows.jsonl"
    sweep = [TINY, str(broken), FIRMWARE, "-b", "nucleo-l4r5zi", "-b", "nucleo-g071rb", "--clock", "80 MHz"]
    result = invoke(*sweep, "-o", str(out))
    assert result.return_value == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok", "failed", "failed", "failed", "ok", "failed"]
    assert "80 MHz is not a clock of board nucleo-g071rb" in rows[1]["error"] or "doesn't fit" in rows[1]["error"]
    assert rows[2]["error"].startswith(f"{broken}: is no TensorFlow Lite model")
    assert rows[5]["error"].startswith(("--clock", FIRMWARE))
    assert "6 cells, 4 failed" in result.output
    with pytest.raises(RunError, match="--strict: 4 cells failed"):
        invoke(
            TINY, str(broken), FIRMWARE, "-b", "nucleo-l4r5zi", "-b", "nucleo-g071rb", "--clock", "80 MHz", "--strict"
        )


def test_a_single_failure_is_told_in_the_singular(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    with pytest.raises(RunError, match=r"--strict: 1 cell failed: .*broken\.tflite: is no TensorFlow Lite model"):
        invoke(str(broken), "-b", "rpi-pico", "--strict")


def test_a_bug_is_a_row_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(sweepunit, "parse", bug)
    (row,) = run_sweep(matrix(), SweepOptions(jobs=1, cached=False))
    assert row.outcome.error == "internal error: ZeroDivisionError: of all things"


@needs_compiler
def test_files_of_every_kind_hold_the_same_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the package pyarrow is not installed")
    paths = [tmp_path / f"rows{suffix}" for suffix in (".jsonl", ".csv", ".parquet")]
    outputs = [argument for path in paths for argument in ("-o", str(path))]
    question = ["--where", "latency_ms < 20", "--pareto", "latency_ms,energy_uj", "--sort", "latency_s"]
    result = invoke(TINY, "-b", "nucleo-l4r5zi", "-b", "nucleo-f446re", "-b", "rpi-pico", *question, *outputs)
    assert "2 cells" in result.output
    lines = [json.loads(line) for line in paths[0].read_text().splitlines()]
    assert [line["board"] for line in lines] == ["nucleo-f446re", "nucleo-l4r5zi"]
    assert [line["front"] for line in lines] == [False, True], "no power figure, so not on a front with energy"
    assert parquet.read_table(paths[2]).to_pylist() == lines
    table = list(csv.DictReader(paths[1].open(newline="")))
    assert [row["cycles"] for row in table] == [str(line["cycles"]) for line in lines]
    assert list(table[0]) == list(lines[0])


@pytest.mark.parametrize("piped", [False, True])
def test_a_terminal_shows_rows_as_they_come(piped: bool) -> None:
    """Rows and what is waited for are drawn on standard error and gone at the end; standard output has the table."""
    termios = pytest.importorskip("termios", reason="needs pseudo terminals")
    command = [sys.executable, "-m", "vtarget", "sweep", FIRMWARE, FOREVER, "-b", "nucleo-l4r5zi", "-b", "rpi-pico"]
    command += ["--jobs", "1", "--timeout", "2"]
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (40, 1000))
    out = subprocess.PIPE if piped else follower
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    with subprocess.Popen([*command, "--no-cache"], stdout=out, stderr=follower, env=environment) as process:
        os.close(follower)
        drawn = "".join(drained(leader))
        piped_table = "" if process.stdout is None else process.stdout.read().decode()
    os.close(leader)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    table = piped_table if piped else plain
    assert process.returncode == 0
    assert re.search(r"fir-m4f\.elf +nucleo-l4r5zi +[\d,]+ .*\r\n.*sweeping .* [12]/4", plain, re.DOTALL), (
        "a row above the bar"
    )
    assert re.search(r"waiting for forever-m4f\.elf on nucleo-l4r5zi: \d s", plain)
    assert "limit reached: 2 s of wall time (--timeout)" in table and "4 cells, 3 failed" in table
    assert table.rstrip().endswith("4 cells, 3 failed")
    assert not piped or ("\x1b" not in table and "waiting for" not in table)


def drained(terminal: int) -> Iterator[str]:
    """What is written to a terminal, until nobody has it open."""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux tells the end so
            return
        if not data:
            return
        yield data.decode()


def test_an_endless_firmware_ends_at_its_instructions_and_is_not_run_again() -> None:
    runs: list[int] = []
    spec = {"models": (), "firmware": (FOREVER,), "max_instructions": 1_000_000, "clocks": (None, 24_000_000)}
    for _ in range(2):
        for row in run_sweep(matrix(**spec), SweepOptions(jobs=1, emulated=runs.append)):
            assert row.outcome.error is not None
            assert "limit reached: 1000000 instructions (--max-instructions)" in row.outcome.error
    assert sum(runs) == 1, "one run for both clocks, none for the second sweep"


def test_rows_are_told_as_they_are_finished() -> None:
    told: list[list[str]] = []
    waited: list[str] = []
    spec = {"models": (), "firmware": (FIRMWARE, FOREVER), "max_instructions": 1_000_000}
    options = SweepOptions(
        jobs=1, done=lambda rows: told.append([Path(r.cell.workload).stem for r in rows]), waiting=waited.append
    )
    list(run_sweep(matrix(**spec), options))
    assert told == [[], ["fir-m4f"], ["forever-m4f"]]
    assert waited == ["fir-m4f.elf on nucleo-l4r5zi", "", "forever-m4f.elf on nucleo-l4r5zi", ""]
    list(run_sweep(matrix(**spec), options))
    assert told[3:] == [["fir-m4f", "forever-m4f"]]


@needs_compiler
def test_standard_output_takes_lines_and_nothing_else() -> None:
    result = invoke(TINY, "-b", "nucleo-l4r5zi", "-o", "-")
    (line,) = result.output.splitlines()
    assert json.loads(line)["board"] == "nucleo-l4r5zi"


def test_what_else_is_printed_during_a_sweep_is_not_among_its_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray prints of lost workers to standard output."""

    def talking(*_: object) -> Iterator[Row]:
        print("(raylet) A worker died")
        yield Row(cell(0), outcome(0))

    monkeypatch.setattr("vtarget.shell.sweeping.run_sweep", talking)
    command.main([FIRMWARE, "-b", "nucleo-l4r5zi", "-o", "-"], standalone_mode=False)
    out, err = capsys.readouterr()
    assert [json.loads(line)["board"] for line in out.splitlines()] == ["board0"]
    assert err == "(raylet) A worker died\n"


@needs_compiler
def test_shards_are_put_together_and_asked(tmp_path: Path) -> None:
    sweep = [TINY, "-b", "nucleo-l4r5zi", "-b", "rpi-pico", "-e", "simd", "-e", "reference"]
    whole = tmp_path / "whole.jsonl"
    invoke(*sweep, "-o", str(whole))
    parts = [tmp_path / f"part{number}.jsonl" for number in (1, 2)]
    for number, part in enumerate(parts, start=1):
        invoke(*sweep, "--shard", f"{number}/2", "-o", str(part), "--no-cache")
    together = tmp_path / "together.jsonl"
    invoke("--from", str(parts[1]), "--from", str(parts[0]), "-o", str(together))
    assert together.read_bytes() == whole.read_bytes()
    with pytest.raises(RunError, match="holds of no row"):
        invoke("--from", str(whole), "--where", "cycles < 1")
    whole.write_text("{}\n")
    with pytest.raises(InputError, match=r"whole.jsonl:1: no row of a sweep"):
        load_rows([str(whole)])


@needs_compiler
def test_a_later_sweep_takes_what_an_earlier_one_found() -> None:
    runs: list[int] = []
    options = SweepOptions(jobs=1, emulated=runs.append)
    first = list(run_sweep(matrix(), options))
    assert runs == [1]
    assert list(run_sweep(matrix(), options)) == first
    assert runs == [1]
    wider = list(run_sweep(matrix(clocks=(None, 80_000_000)), options))
    assert (wider[0].outcome, runs) == (first[0].outcome, [1, 1])
    assert wider[1].outcome.clock_hz == 80_000_000


def test_one_run_of_a_firmware_is_priced_at_all_clocks_if_time_is_nothing_to_it() -> None:
    runs: list[int] = []
    spec = {"models": (), "firmware": (FIRMWARE,), "clocks": (None, 24_000_000, 80_000_000)}
    rows = list(run_sweep(matrix(**spec), SweepOptions(jobs=1, cached=False, emulated=runs.append)))
    assert sum(runs) == 1
    for row in rows:
        alone = vtarget.run(FIRMWARE, "nucleo-l4r5zi", clock_hz=row.cell.clock_hz)
        assert (row.outcome.cycles, row.outcome.latency_s) == (alone.cycles.nominal, alone.latency_s.nominal)


@needs_compiler
def test_outputs_are_validated_on_request() -> None:
    (row,) = run_sweep(matrix(validation=True), SweepOptions(jobs=1, cached=False))
    assert (row.outcome.bit_exact, row.outcome.max_abs_diff) == (True, 0.0)


@needs_compiler
def test_from_python() -> None:
    result = vtarget.sweep(TINY, ["nucleo-l4r5zi", "rpi-pico"], jobs=1)
    assert len(result) == 2 and not result.failed
    assert [row["board"] for row in result.to_dicts()] == ["nucleo-l4r5zi", "rpi-pico"]
    assert result.ask(where="latency_ms < 10")[0].cell.board == "nucleo-l4r5zi"
    assert "<table>" in result._repr_html_() and repr(result) == "SweepResult(2 cells)"
    with pytest.raises(InputError, match=r"sweep: engines.*'fast' is not one of reference, simd"):
        vtarget.sweep(TINY, engines=["fast"])
    with pytest.raises(InputError, match="sweep: samples: 0 is out of range"):
        vtarget.sweep(TINY, samples=0)
    pytest.importorskip("pandas", reason="the package pandas is not installed")
    assert list(result.to_pandas()["board"]) == ["nucleo-l4r5zi", "rpi-pico"]


def test_a_price_in_a_board_file_is_a_metric(tmp_path: Path) -> None:
    board = tmp_path / "b.yaml"
    price = "price: {amount: 19.9, currency: EUR, source: the shop}"
    board.write_text(f"extends: nucleo-l4r5zi\nname: priced\ntitle: other\n{price}\n")
    (row,) = run_sweep(
        matrix(models=(), firmware=(FIRMWARE,), boards=(str(board),)), SweepOptions(jobs=1, cached=False)
    )
    assert (row.outcome.price, row.outcome.price_currency) == (19.9, "EUR")
    plain = vtarget.pricer_for("nucleo-l4r5zi").board
    priced = vtarget.pricer_for(str(board)).board
    assert repr(priced).replace("'priced'", "'nucleo-l4r5zi'").replace("'other'", repr(plain.title)) == repr(plain)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to sweep"),
        ([TINY, "--shard", "3/2"], "--shard 3/2: is no part"),
        ([TINY, "-o", "rows.xlsx"], "not one of .jsonl, .csv, .parquet"),
        ([TINY, "-o", "absent/rows.csv"], "no such directory"),
        ([TINY, "--spec", "x.yaml"], "--spec is the whole matrix"),
        ([TINY, "--from", "x.jsonl"], "--from asks rows that are there"),
        ([TINY, "--clock", "fast"], r"sweep: clocks\.0: 'fast' is not a frequency"),
        ([TINY, "-b", " "], r"sweep: boards\.0: must not be empty"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        invoke(*arguments)
