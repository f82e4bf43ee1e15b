"""``vtarget run``: every option, the JSON contract, and one line with exit status 2 for what can't be used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from machinelib import EXAMPLES, PROGRAMS, CommandResult, vtarget, write_program

ROOT = EXAMPLES.parent.parent
BOARD = "nucleo-l4r5zi"
FIR = EXAMPLES / "fir-m4f.elf"
VIRTUAL = PROGRAMS / "inclusive_virtual-m4f.elf"
RECURSION = PROGRAMS / "inclusive_recursion-m4f.elf"

needs_binutils = pytest.mark.skipif(
    shutil.which("arm-none-eabi-objcopy") is None, reason="arm-none-eabi-objcopy not found"
)


def run_json(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    result = vtarget("run", *arguments, "-b", BOARD, "--json", "-")
    assert result.code == code, result.err
    document = json.loads(result.out)
    assert isinstance(document, dict)
    return document


def kernels(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {k["name"]: k for k in document["kernels"]}


# The JSON contract.

NUMBER = (int, float)
CONTRACT: dict[str, Any] = {
    "schema": str,
    "schema_version": int,
    "vtarget_version": str,
    "board": {"name": str, "core": str, "clock_hz": int},
    "firmware": {"path": str, "sha256": str},
    "exit": {"reason": str, "code": int, "pc": int, "detail": str, "call_stack": [{"function": str, "address": int}]},
    "instructions": int,
    "cycles": int,
    "cycles_low": int,
    "cycles_high": int,
    "latency_s": NUMBER,
    "latency_s_low": NUMBER,
    "latency_s_high": NUMBER,
    "energy_j": NUMBER,
    "energy_j_low": NUMBER,
    "energy_j_high": NUMBER,
    "power_source": str,
    "provenance": str,
    "kernels": [
        {
            "name": str,
            "address": int,
            "calls": int,
            "instructions": int,
            "cycles": int,
            "total_cycles": int,
            "latency_s": NUMBER,
            "energy_j": NUMBER,
        }
    ],
    "spans": [{"name": str, "index": int, "instructions": int, "cycles": int, "latency_s": NUMBER, "energy_j": NUMBER}],
    "layers": [],
    "memory": {
        "flash_bytes": int,
        "ram_bytes": int,
        "stack_peak_bytes": int,
        "arena_bytes": type(None),
        "regions": [{"name": str, "used_bytes": int, "size_bytes": int}],
        "stacks": [{"name": str, "top": int, "lowest": int, "bytes": int}],
    },
    "validation": type(None),
    "console": str,
    "not_modelled": [str],
}


def check_shape(value: Any, shape: Any, place: str) -> None:
    if isinstance(shape, dict):
        assert isinstance(value, dict) and set(shape) <= set(value), place
        for key, inner in shape.items():
            check_shape(value[key], inner, f"{place}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), place
        for index, item in enumerate(value):
            check_shape(item, shape[0], f"{place}[{index}]")
    else:
        assert isinstance(value, shape) and not isinstance(value, bool), f"{place}: {value!r}"


def test_json_has_every_field_of_the_contract() -> None:
    document = run_json(FIR, "--span", "fir_q15")
    check_shape(document, CONTRACT, "")
    assert document["kernels"] and document["spans"] and document["exit"]["call_stack"]


def test_json_values_hang_together() -> None:
    document = run_json(FIR)
    assert (document["schema"], document["schema_version"], document["provenance"]) == (
        "vtarget.profile",
        1,
        "uncalibrated",
    )
    assert document["board"] == {"name": BOARD, "core": "cortex-m4", "clock_hz": 120_000_000}
    assert document["firmware"]["path"] == str(FIR)
    assert document["console"] == "fir crc=0xedc0b4b9 ok\n"
    assert document["cycles_low"] <= document["cycles"] <= document["cycles_high"]
    assert document["latency_s"] == document["cycles"] / 120_000_000
    assert sum(k["cycles"] for k in document["kernels"]) == document["cycles"]
    assert sum(k["instructions"] for k in document["kernels"]) == document["instructions"]
    own = [k["cycles"] for k in document["kernels"]]
    assert own == sorted(own, reverse=True)
    reset = kernels(document)["Reset_Handler"]
    assert reset["total_cycles"] == document["cycles"]
    assert kernels(document)["fir_q15"]["calls"] == 12


def test_the_same_command_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    outputs = []
    for seed in ("1", "2"):
        target = tmp_path / f"{seed}.json"
        command = [sys.executable, "-m", "vtarget", "run", str(VIRTUAL), "-b", BOARD, "--json", str(target), "--span",
                   "raw_sample", "--record", str(tmp_path / f"{seed}.record")]  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        outputs.append((done.stdout, target.read_bytes(), (tmp_path / f"{seed}.record").read_bytes()))
    assert outputs[0] == outputs[1]
    assert len(outputs[0][1]) > 1000


def test_json_on_standard_output_comes_alone() -> None:
    result = vtarget("run", FIR, "-b", BOARD, "--json", "-")
    assert result.out.startswith("{\n") and result.out.endswith("}\n")
    assert result.err == ""


def test_json_of_a_failed_run_is_written_all_the_same(tmp_path: Path) -> None:
    target = tmp_path / "profile.json"
    result = vtarget("run", PROGRAMS / "usage_udf-m4f.elf", "-b", BOARD, "--json", target, "--quiet")
    assert (result.code, result.out) == (1, "")
    document = json.loads(target.read_text())
    check_shape(document, CONTRACT, "")
    assert document["exit"]["reason"] == "fault"
    assert document["exit"]["call_stack"][0] == {"function": "abort_here", "address": 0x080000F4}


# What is printed.


ENDING = ("time", "energy", "share")


def test_table_totals_and_memory_are_printed() -> None:
    result = vtarget("run", FIR, "-b", BOARD)
    lines = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert lines[:2] == ["console", "  fir crc=0xedc0b4b9 ok"]
    assert lines[3] == f"{FIR} on {BOARD} (cortex-m4 at 120 MHz), uncalibrated"
    assert lines[4].split() == ["kernel", "calls", "instructions", "cycles", "with", "callees", *ENDING]
    assert lines[6].split()[:2] == ["fir_q15", "12"]
    assert any(line.startswith("ended by       semihosting exit, code 0") for line in lines)
    assert any(line.split()[:1] == ["FLASH"] for line in lines)


def test_quiet_prints_nothing() -> None:
    assert vtarget("run", FIR, "-b", BOARD, "--quiet") == CommandResult(0, "", "")


def test_demangled_names_are_printed_and_can_be_asked_for() -> None:
    result = vtarget("run", VIRTUAL, "-b", BOARD, "--kernels", "sensors::")
    names = [line.split("  ")[0] for line in result.out.splitlines() if line.startswith("sensors::")]
    assert names == [
        "sensors::poll(sensors::Sensor&, sensors::Listener&)",
        "sensors::Thermometer::read()",
        "sensors::Counter::notify(int)",
        "sensors::Barometer::read()",
    ]
    assert "void sensors::poll_with<sensors::Barometer>(…)  " in result.out


def test_kernels_selects_by_regular_expression_in_table_and_json() -> None:
    document = run_json(FIR, "--kernels", "^(fir_q15|crc)")
    assert [k["name"] for k in document["kernels"]] == ["fir_q15"]
    whole = run_json(FIR)
    assert document["cycles"] == whole["cycles"]
    assert run_json(FIR, "--kernels", "nothing like that")["kernels"] == []
    none = vtarget("run", FIR, "-b", BOARD, "--kernels", "nothing like that")
    assert "\nnone of 9 kernels has a name that --kernels matches\n" in none.out


# Spans.


def test_each_call_of_a_span_has_its_own_cycles() -> None:
    document = run_json(FIR, "--span", "fir_q15", "--span", "fill_random")
    (fir,) = (k for k in document["kernels"] if k["name"] == "fir_q15")
    spans = [s for s in document["spans"] if s["name"] == "fir_q15"]
    assert [s["index"] for s in spans] == list(range(12))
    assert sum(s["cycles"] for s in spans) == fir["total_cycles"]
    assert sum(s["instructions"] for s in spans) == fir["instructions"]
    assert [s["index"] for s in document["spans"] if s["name"] == "fill_random"] == [0]


def test_spans_hold_what_they_call() -> None:
    document = run_json(VIRTUAL, "--span", "sensors::Thermometer::read()", "--span", "raw_sample")
    by_name = kernels(document)
    for name in ("sensors::Thermometer::read()", "raw_sample"):
        spans = [s for s in document["spans"] if s["name"] == name]
        assert [s["index"] for s in spans] == [0, 1]
        assert sum(s["cycles"] for s in spans) == by_name[name]["total_cycles"]
    # read: push nop nop bl pop; raw_sample: nop nop nop bx.
    reads = [s for s in document["spans"] if s["name"] == "sensors::Thermometer::read()"]
    assert [s["instructions"] for s in reads] == [5 + 4, 5 + 4]


def test_the_mangled_name_of_a_span_is_understood() -> None:
    document = run_json(VIRTUAL, "--span", "_ZN7sensors11Thermometer4readEv")
    assert [s["name"] for s in document["spans"]] == ["sensors::Thermometer::read()"] * 2


def test_recursion_inside_a_span_belongs_to_it() -> None:
    document = run_json(RECURSION, "--span", "descend", "--span", "mutual_even")
    descend, mutual = document["spans"]
    # firmware/tests/inclusive_recursion.c: 29 instructions of descend and 3 of the leaf; 18 and 16 of the mutual pair.
    assert (descend["name"], descend["instructions"]) == ("descend", 32)
    assert (mutual["name"], mutual["instructions"]) == ("mutual_even", 34)
    assert descend["cycles"] == kernels(document)["descend"]["total_cycles"]


# Memory in and out.


def test_write_sets_the_iterations_of_an_example(tmp_path: Path) -> None:
    count = tmp_path / "count"
    seen = {}
    for iterations in (1, 2, 5):
        count.write_bytes(iterations.to_bytes(4, "little"))
        document = run_json(FIR, "--write", f"iterations={count}")
        seen[iterations] = kernels(document)["fir_q15"]
        assert document["console"] == "fir crc=0xedc0b4b9 ok\n"
    assert [seen[n]["calls"] for n in (1, 2, 5)] == [1, 2, 5]
    assert seen[2]["cycles"] - seen[1]["cycles"] == (seen[5]["cycles"] - seen[2]["cycles"]) // 3


def test_what_is_written_to_bss_survives_the_startup_code(tmp_path: Path) -> None:
    given, output = tmp_path / "given", tmp_path / "output"
    given.write_bytes(bytes(range(1, 65)))
    elf = PROGRAMS / "clock-m4f.elf"
    result = vtarget("run", elf, "-b", BOARD, "--quiet", "--until", "spin", "--write", f"0x20040040={given}",
                     "--read", f"0x20040040:64={output}")  # fmt: skip
    assert result == CommandResult(0, "", "")
    assert output.read_bytes() == bytes(range(1, 65))
    result = vtarget("run", PROGRAMS / "forever-m4f.elf", "-b", BOARD, "--quiet", "--until", "work",
                     "--write", f"progress={write(tmp_path, b'abcd')}", "--read", f"progress={output}")  # fmt: skip
    assert (result.code, output.read_bytes()) == (0, b"abcd")


def write(folder: Path, data: bytes) -> Path:
    path = folder / "data"
    path.write_bytes(data)
    return path


def test_read_saves_a_symbol_or_a_stretch(tmp_path: Path) -> None:
    whole, part, at = tmp_path / "whole", tmp_path / "part", tmp_path / "at"
    result = vtarget("run", FIR, "-b", BOARD, "--quiet", "--read", f"output={whole}", "--read", f"output:0x10={part}",
                     "--read", f"0x08000000:8={at}")  # fmt: skip
    assert result == CommandResult(0, "", "")
    assert len(whole.read_bytes()) == 512
    assert part.read_bytes() == whole.read_bytes()[:16]
    assert at.read_bytes() == b"\x00\x00\x0a\x20" + at.read_bytes()[4:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["at", "part", "whole"]


def test_results_replace_files_whole(tmp_path: Path) -> None:
    target, link = tmp_path / "profile.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert vtarget("run", FIR, "-b", BOARD, "--quiet", "--json", link).code == 0
    assert link.is_symlink() and json.loads(target.read_text())["schema"] == "vtarget.profile"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.json", "profile.json"]


def test_results_go_to_devices_too() -> None:
    result = vtarget("run", FIR, "-b", BOARD, "--quiet", "--json", "/dev/null", "--read", "output=/dev/null")
    assert result == CommandResult(0, "", "")
    assert Path("/dev/null").is_char_device()


# Clock, power, strictness.


def test_clock_and_power_state_change_time_and_energy() -> None:
    fast, slow = run_json(FIR), run_json(FIR, "--clock", "60 MHz")
    assert slow["board"]["clock_hz"] == 60_000_000
    assert slow["latency_s"] == slow["cycles"] / 60e6
    assert slow["cycles"] < fast["cycles"] and slow["energy_j"] is not None  # fewer wait states
    other = run_json(FIR, "--power", "run-3v0-smps")
    assert other["energy_j"] == pytest.approx(fast["energy_j"] * 33.2 / 41.7)


def test_strict_fails_for_what_is_approximated_and_only_for_that() -> None:
    result = vtarget("run", PROGRAMS / "microkernels-m4f.elf", "-b", "mps2-an386", "--strict", "--quiet")
    note = "energy: no power figure is known for this board"
    assert result == CommandResult(1, "", f"error: --strict: not modelled: {note}\n")
    assert vtarget("run", FIR, "-b", BOARD, "--strict", "--quiet") == CommandResult(0, "", "")


# Other formats of the same program.


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("converted")
    made = {name: folder / f"fir.{name}" for name in ("bin", "hex", "stripped")}
    for target, arguments in (("bin", ["-O", "binary"]), ("hex", ["-O", "ihex"]), ("stripped", ["--strip-all"])):
        subprocess.run(["arm-none-eabi-objcopy", *arguments, str(FIR), str(made[target])], check=True)
    return made


@needs_binutils
@pytest.mark.parametrize("form", ["bin", "hex", "stripped"])
def test_other_formats_cost_the_same_and_name_kernels_by_address(form: str, converted: dict[str, Path]) -> None:
    expected = run_json(FIR)
    document = run_json(converted[form], *(["--base", "0x08000000"] if form == "bin" else []))
    for field in ("instructions", "cycles", "cycles_low", "cycles_high", "energy_j", "console"):
        assert document[field] == expected[field], field
    assert document["memory"]["stack_peak_bytes"] == expected["memory"]["stack_peak_bytes"]
    names = kernels(document)
    assert all(re.fullmatch(r"sub_[0-9a-f]{8}", name) for name in names)
    fir = kernels(expected)["fir_q15"]
    found = names[f"sub_{fir['address']:08x}"]
    assert [found[k] for k in ("calls", "instructions", "cycles", "total_cycles")] == [
        fir[k] for k in ("calls", "instructions", "cycles", "total_cycles")
    ]
    main = kernels(expected)["main"]
    assert names[f"sub_{main['address']:08x}"]["total_cycles"] == main["total_cycles"]


@needs_binutils
def test_a_raw_binary_goes_to_the_boot_region_by_itself(converted: dict[str, Path]) -> None:
    assert run_json(converted["bin"])["cycles"] == run_json(FIR)["cycles"]


# What can't be used: one line, exit status 2.


def refused(*arguments: str | Path) -> str:
    """The one line that a command is refused with, without its ``error: ``."""
    result = vtarget("run", *arguments)
    assert (result.code, result.out) == (2, ""), result
    assert result.err.startswith("error: ") and result.err.endswith("\n") and result.err.count("\n") == 1
    return result.err.removeprefix("error: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["-b", "nucleo-l4r5z"], r"no board 'nucleo-l4r5z'.* \(hint: did you mean 'nucleo-l4r5zi'\?.*"),
        (["-b", "./no-such.yaml"], r"no-such\.yaml: can't be read: No such file or directory"),
        (
            ["-b", BOARD, "--until", "fir_q16"],
            r"--until: no symbol 'fir_q16' in .*fir-m4f\.elf \(hint: did you mean .*fir_q15.*",
        ),
        (["-b", BOARD, "--until", "-4"], r"--until: -4 is no 32-bit address"),
        (["-b", BOARD, "--until", "0x100000000"], r"--until: 0x100000000 is no 32-bit address"),
        (["-b", BOARD, "--span", "fir"], r"--span: no symbol 'fir' in .*"),
        (["-b", BOARD, "--span", "output"], r"--span: no symbol 'output' in .*"),
        (["-b", BOARD, "--kernels", "(fir"], r"--kernels '\(fir': not a regular expression: missing \), .*"),
        (["-b", BOARD, "--clock", "fast"], r"--clock: .*'?fast'?.*"),
        (["-b", BOARD, "--clock", "80"], r"--clock: .*80.*"),
        (
            ["-b", BOARD, "--clock", "121 MHz"],
            r"--clock: 121 MHz is not a clock of board nucleo-l4r5zi .*up to 120 MHz\)",
        ),
        (["-b", BOARD, "--clock", "0 Hz"], r"--clock: '0 Hz' is out of range, .*"),
        (["-b", BOARD, "--place", "FLASH"], r"--place 'FLASH': expected WHAT=REGION"),
        (["-b", BOARD, "--place", "FLASH=SRAM9"], r"--place: board nucleo-l4r5zi has no region 'SRAM9' .*"),
        (["-b", BOARD, "--power", "runn"], r".*'runn'.*"),
        (["-b", BOARD, "--write", "iterations"], r"--write 'iterations': expected SYMBOL=FILE"),
        (["-b", BOARD, "--write", "iterations=no/such"], r"--write no/such: No such file or directory"),
        (["-b", BOARD, "--write", "iterations=."], r"--write \.: is a directory"),
        (["-b", BOARD, "--write", "iterations=/dev/zero"], r"--write /dev/zero: is no regular file"),
        (["-b", BOARD, "--write", f"iterations={FIR}"], r"--write iterations: \d+ bytes do not fit it \(4 bytes\)"),
        (
            ["-b", BOARD, "--write", f"iteration={FIR}"],
            r"--write: no symbol 'iteration' in .*did you mean .*iterations.*",
        ),
        (["-b", BOARD, "--write", f"0x70000000={FIR}"], r"--write: 0x70000000\.\.0x7000\w+ is not memory of board .*"),
        (["-b", BOARD, "--write", f"0x2009fff0={FIR}"], r"--write: 0x2009fff0\.\.0x200a\w+ is not memory of board .*"),
        (["-b", BOARD, "--read", "output=no/such/file"], r"--read no/such/file: no such directory: no/such"),
        (["-b", BOARD, "--read", "output=."], r"--read \.: is a directory"),
        (["-b", BOARD, "--read", "0x20000000=x"], r"--read 0x20000000: its size is unknown or unusable .*"),
        (["-b", BOARD, "--read", "output:0=x"], r"--read output: its size is unknown or unusable .*"),
        (["-b", BOARD, "--read", "output:0x7fffffff=x"], r"--read output: its size is unknown or unusable .*"),
        (["-b", BOARD, "--read", "0xe000ed00:4=x"], r"--read: 0xe000ed00\.\.0xe000ed04 is not memory of board .*"),
        (
            ["-b", BOARD, "--read", "0x20000000:0x200000=x"],
            r"--read: 0x20000000\.\.0x20200000 is not memory of board .*",
        ),
        (["-b", BOARD, "--base", "boot"], r"--base 'boot': not an address .*"),
        (["-b", BOARD, "--base", "-1"], r"--base: -1 is no 32-bit address"),
        (["-b", BOARD, "--base", "0x08000000"], r"--base is for raw binaries, but .* is ELF and has its own addresses"),
        (["-b", BOARD, "--json", "no/such/file"], r"--json no/such/file: no such directory: no/such"),
        (["-b", BOARD, "--json", "."], r"--json \.: is a directory"),
        (["-b", BOARD, "--record", "no/such/file"], r"--record no/such/file: no such directory: no/such"),
        (["-b", BOARD, "--timeout", "nan"], r"Invalid value for '--timeout': nan is not a finite number\."),
        (["-b", BOARD, "--timeout", "0"], r"Invalid value for '--timeout': .*"),
        (["-b", BOARD, "--max-seconds", "inf"], r"Invalid value for '--max-seconds': inf is not a finite number\."),
        (["-b", BOARD, "--max-seconds", "-1"], r"Invalid value for '--max-seconds': .*"),
        (["-b", BOARD, "--max-instructions", "0"], r"Invalid value for '--max-instructions': .*"),
        (["-b", BOARD, "--max-instructions", "many"], r"Invalid value for '--max-instructions': .*"),
        (["-b", BOARD, "--no-such-option"], r"No such option.*--no-such-option.*"),
        ([], r"Missing option '-b' / '--board'\. \(hint: 'vtarget run --help' shows all\)"),
        (["-b", BOARD, "--from-record", "x"], r"FIRMWARE and --from-record exclude each other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unusable_option(arguments: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = refused(FIR, *arguments)
    assert re.fullmatch(line, found), found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("missing.elf", None, r".*missing\.elf: no such file"),
        ("folder", b"", r".*folder: is a directory, expected a firmware file"),
        ("empty.elf", b"", r".*empty\.elf: empty file"),
        (
            "host.elf",
            b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e" + bytes(45),
            r".*host\.elf: machine is .*, expected Arm .*",
        ),
        ("text.bin", b"hello world, this is no firmware", r".*text\.bin: no vector table: 0x08000000 .*"),
    ],
    ids=["missing", "folder", "empty", "other machine", "text"],
)
def test_unusable_firmware(name: str, content: bytes | None, line: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    found = refused(path, "-b", BOARD)
    assert re.fullmatch(line, found), found


def test_missing_firmware_argument() -> None:
    assert refused("-b", BOARD) == "missing argument FIRMWARE (or --from-record FILE)"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--until", "main"), ("--max-instructions", "5"), ("--max-seconds", "1"), ("--span", "main"), ("--write", "a=b"),
     ("--read", "a=b"), ("--base", "0")],
)  # fmt: skip
def test_options_of_a_run_are_refused_with_a_record(option: str, value: str) -> None:
    assert refused("-b", BOARD, "--from-record", "x", option, value) == f"{option} needs a run, not --from-record"


def test_an_unwritable_place_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "profile.json"
    target.write_text("before")

    def full_disk(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    result = vtarget("run", FIR, "-b", BOARD, "--quiet", "--json", target)
    assert (result.code, result.err) == (2, f"error: --json {target}: can't be written: No space left on device\n")
    assert target.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["profile.json"]


def test_control_characters_of_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    program = {"Reset_Handler": "bl evil\x1b[2J\n", "evil\x1b[2J": "de00 udf #0"}
    elf = write_program(tmp_path / "p.elf", BOARD, program)
    result = vtarget("run", elf, "-b", BOARD)
    assert result.code == 1
    assert "\x1b" not in result.out + result.err
    assert "evil\\x1b[2J" in result.err
