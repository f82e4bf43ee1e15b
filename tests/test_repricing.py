"""A record priced for another board, clock or placement is what a fresh run there gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from firmwarelib import build, needs_compiler
from machinelib import EXAMPLES, FIRMWARE, PROGRAMS, vtarget

from vtarget.shell.boardlib import load_board

NAMES = build.examples()
HERE, THERE = "nucleo-l4r5zi", "disco-f407vg"
LIKE_IT = "nucleo-f446re"  # the caches of THERE
UNWATCHED = "the run didn't watch this board's caches and data accesses"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("records")
    made = {name: folder / f"{name}.record" for name in NAMES}
    for name, path in made.items():
        result = vtarget("run", EXAMPLES / f"{name}-m4f.elf", "-b", HERE, "--record", path, "--quiet", "--span", "main")
        assert result.code == 0, result.err
    return made


@pytest.fixture(scope="module")
def linked_there(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    programs = [build.Program(FIRMWARE / "examples" / f"{n}.c", "m4f", THERE, f"{n}.elf") for n in NAMES]
    return dict(zip(NAMES, build.build(programs, tmp_path_factory.mktemp(THERE)), strict=True))


def document(*arguments: str | Path) -> dict[str, Any]:
    result = vtarget("run", *arguments, "--json", "-")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert isinstance(found, dict)
    return found


@needs_compiler
@pytest.mark.parametrize("name", NAMES)
def test_priced_for_another_board_as_if_linked_and_run_there(
    name: str, linked_there: dict[str, Path], tmp_path: Path
) -> None:
    made = tmp_path / "record"
    assert vtarget("run", linked_there[name], "-b", THERE, "--span", "main", "--record", made, "--quiet").code == 0
    priced = document("--from-record", made, "-b", LIKE_IT)
    fresh = document(linked_there[name], "-b", LIKE_IT, "--span", "main")
    assert {**priced, "timeline": None} == {**fresh, "timeline": None}  # moments stay those of the recorded run
    assert priced["timeline"]["note"] == "moments are those of the recorded run, on disco-f407vg at 168 MHz"
    assert priced["board"] == {"name": LIKE_IT, "core": "cortex-m4", "clock_hz": 180_000_000}


@needs_compiler
@pytest.mark.parametrize("name", NAMES)
def test_priced_for_a_board_with_other_caches_a_fresh_run_is_inside_the_bounds(
    name: str, records: dict[str, Path], linked_there: dict[str, Path]
) -> None:
    priced = document("--from-record", records[name], "-b", THERE)
    fresh = document(linked_there[name], "-b", THERE, "--span", "main")
    assert priced["instructions"] == fresh["instructions"]
    assert priced["cycles_low"] <= fresh["cycles"] <= priced["cycles_high"]
    # Small kernels stay in the caches; but the F4's keeps no line that its prefetch buffer had.
    assert 0.9 < priced["cycles"] / fresh["cycles"] < 1.01
    assert f"FLASH: {UNWATCHED} (bound +30 %)" in priced["not_modelled"]
    assert priced["board"] == {"name": THERE, "core": "cortex-m4", "clock_hz": 168_000_000}
    assert priced["memory"]["regions"][0]["name"] == "FLASH" and priced["memory"]["regions"][0]["size_bytes"] == 1 << 20


@pytest.mark.parametrize(
    "options",
    [[], ["--clock", "80 MHz"], ["--clock", "16 MHz"], ["--place", "FLASH=SRAM1"], ["--place", "FLASH=SRAM2"],
     ["--clock", "48 MHz", "--place", "FLASH=SRAM1"], ["--power", "run-3v0-smps"]],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_priced_for_other_conditions_as_a_fresh_run_under_them(
    name: str, options: list[str], records: dict[str, Path]
) -> None:
    priced = document("--from-record", records[name], "-b", HERE, *options)
    fresh = document(EXAMPLES / f"{name}-m4f.elf", "-b", HERE, "--span", "main", *options)
    assert {**priced, "timeline": None} == {**fresh, "timeline": None}
    moved = priced["timeline"]["note"] != ""
    assert moved or priced["timeline"] == fresh["timeline"]
    assert moved == bool({"--clock", "--place"} & set(options))


def test_conditions_make_a_difference(records: dict[str, Path]) -> None:
    """So that the equalities above say something."""
    record = records["conv_int8"]
    whole = document("--from-record", record, "-b", HERE)
    seen = [
        document("--from-record", record, *options)
        for options in (
            ["-b", HERE, "--clock", "80 MHz"],
            ["-b", HERE, "--place", "FLASH=SRAM1"],
            ["-b", HERE, "--power", "run-3v0-smps"],
            ["-b", THERE],
        )
    ]
    assert len({json.dumps(d, sort_keys=True) for d in (whole, *seen)}) == 5
    assert {d["instructions"] for d in seen} == {whole["instructions"]}


def test_a_record_of_a_record_is_the_same(records: dict[str, Path], tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert vtarget("run", "--from-record", records["fir"], "-b", THERE, "--record", again, "--quiet").code == 0
    assert again.read_bytes() == records["fir"].read_bytes()


def test_pricing_a_record_starts_no_emulator(records: dict[str, Path]) -> None:
    code = (
        "import sys; from vtarget.app.cli import main\n"
        f"try: main(['run', '--from-record', {str(records['fir'])!r}, '-b', {THERE!r}, '--quiet'])\n"
        "except SystemExit as ended: print(ended.code, 'unicorn' in sys.modules, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FIRMWARE.parent)
    assert done.stdout == "0 False False\n"


def test_a_fault_is_a_fault_on_every_board(tmp_path: Path) -> None:
    record = tmp_path / "record"
    elf = PROGRAMS / "usage_udf-m4f.elf"
    here = vtarget("run", elf, "-b", HERE, "--record", record, "--quiet")
    there = vtarget("run", "--from-record", record, "-b", THERE, "--quiet")
    assert (here.code, there.code) == (1, 1)
    assert (
        here.err
        == there.err
        == f"error: {elf}: undefined instruction, at pc 0x080000f4 in abort_here < main < Reset_Handler\n"
    )


def test_firmware_that_looks_at_the_clock_is_noted_on_another_board(tmp_path: Path) -> None:
    record = tmp_path / "record"
    assert vtarget("run", PROGRAMS / "clock-m4f.elf", "-b", HERE, "--record", record, "--quiet").code == 0
    priced = document("--from-record", record, "-b", THERE)
    noted = f"the firmware read the clock 4 times on {HERE}"
    assert any(note.startswith(noted) for note in priced["not_modelled"])
    assert not any("read the clock" in note for note in document("--from-record", record, "-b", HERE)["not_modelled"])


@pytest.mark.parametrize(
    ("elf", "made_on", "board", "line"),
    [
        (EXAMPLES / "biquad-m4f.elf", HERE, "mps2-an385",
         r"the record executed '.*' at 0x[0-9a-f]{8}, which cortex-m3 of board mps2-an385 lacks \(fp_single\) .*"),
        (PROGRAMS / "microkernels-m4f.elf", "mps2-an386", "mps2-an385", r"the record executed '.*' .* lacks \(.*\) .*"),
        (EXAMPLES / "fir-m4f.elf", HERE, "rpi-pico",
         r"the record executed '.*' .*, which cortex-m0plus of board rpi-pico lacks \(.*\) \(hint: it was made on "
         r"nucleo-l4r5zi \(cortex-m4\)\)"),
    ],
    ids=["floats on M3", "DSP on M3", "Thumb-2 on M0+"],
)  # fmt: skip
def test_a_core_that_lacks_an_instruction_is_refused(
    elf: Path, made_on: str, board: str, line: str, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    assert vtarget("run", elf, "-b", made_on, "--record", record, "--quiet").code == 0
    result = vtarget("run", "--from-record", record, "-b", board)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1 and re.fullmatch(f"error: {line}\n", result.err), result.err


def test_a_core_that_has_all_instructions_prices_the_record_of_a_smaller_one(tmp_path: Path) -> None:
    record = tmp_path / "record"
    elf = EXAMPLES / "fir-m0plus.elf"
    assert vtarget("run", elf, "-b", "rpi-pico", "--record", record, "--quiet").code == 0
    small, large = (document("--from-record", record, "-b", board) for board in ("rpi-pico", HERE))
    assert large["instructions"] == small["instructions"] and large["cycles"] != small["cycles"]
    assert load_board(HERE).core == large["board"]["core"] == "cortex-m4"
