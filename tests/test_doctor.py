"""``vtarget doctor``: what is made of findings, tools and packages that are missing, fail or hang, and the command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from machinelib import vtarget

from vtarget.base.errors import InputError, RunError
from vtarget.data.doctor import Check, Finding, Status
from vtarget.logic.doctor import (
    PYTHONS,
    SUBJECTS,
    advice,
    check,
    details,
    document,
    exit_code,
    folder_finding,
    packages_finding,
    python_finding,
    rows,
    size,
    terminal_finding,
    usable,
    verdict,
)
from vtarget.shell import doctor as shell
from vtarget.shell import interpreter, selftest
from vtarget.shell.buildcache import cache_dir

PROJECT = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
GIB = 1 << 30


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0]


def checked(*findings: Finding, manager: str | None = None) -> list[Check]:
    return [check(finding, manager) for finding in findings]


GOOD = Finding("emulator", "unicorn 2.1.4", facts={"unicorn": "2.1.4"})
NO_GDB = Finding("gdb")
HANGS = Finding("make", problem="make: it did not end within 10 s", facts={"make": "/usr/bin/make", "bytes": 12345})


def test_a_finding_is_ok_missing_or_broken_and_says_what_gets_it() -> None:
    ok, missing, broken = checked(GOOD, NO_GDB, HANGS, manager="apt")
    assert [one.status for one in (ok, missing, broken)] == [Status.OK, Status.MISSING, Status.BROKEN]
    assert [one.required for one in (ok, missing, broken)] == [True, False, False]
    assert [one.remedy for one in (ok, missing, broken)] == ["", "apt install gdb-multiarch", "apt install make"]
    assert (check(NO_GDB).remedy, check(NO_GDB, "brew").remedy) == (
        "install a gdb for Arm",
        "brew install arm-none-eabi-gdb",
    )


def test_a_broken_package_is_installed_again() -> None:
    assert check(Finding("Zig")).remedy == "pip install 'vtarget[cc]'"
    assert check(Finding("Zig", problem="x")).remedy == "pip install --force-reinstall 'vtarget[cc]'"
    assert check(Finding("packages", problem="x")).remedy == "pip install --force-reinstall vtarget"


def test_the_exit_code_is_1_only_for_what_is_required() -> None:
    assert exit_code(checked(GOOD, NO_GDB, HANGS)) == 0
    assert exit_code(checked(replace(GOOD, problem="crashed"), NO_GDB)) == 1
    assert exit_code(checked(Finding("TFLite interpreter"))) == 1


def test_tables_and_the_verdict() -> None:
    checks = checked(GOOD, NO_GDB, HANGS)
    assert rows(checks) == [
        ("emulator", "ok", "unicorn 2.1.4"),
        ("gdb", "missing", "-"),
        ("make", "broken", "make: it did not end within 10 s"),
    ]
    assert advice(checks) == [
        ("gdb", "debugging a run (run --gdb)", "install a gdb for Arm"),
        ("make", "building an exported project", "install GNU make"),
    ]
    assert details(checks) == [
        ("emulator", "unicorn", "2.1.4"),
        ("make", "make", "/usr/bin/make"),
        ("", "bytes", "12,345"),
    ]
    assert verdict(checks) == "ready, without 2 of 2 optional parts"
    assert verdict(checked(GOOD)) == "ready"
    assert verdict(checked(Finding("Python", problem="old"), GOOD, Finding("TFLite interpreter"))) == (
        "not ready: Python is broken, TFLite interpreter is missing"
    )


def test_the_document() -> None:
    found = document(checked(GOOD, HANGS), "1.2.3")
    assert list(found) == ["schema", "schema_version", "vtarget_version", "ok", "checks"]
    assert (found["schema"], found["schema_version"], found["vtarget_version"]) == ("vtarget.doctor", 1, "1.2.3")
    assert found["ok"] is True and document(checked(Finding("emulator")), "1")["ok"] is False
    assert found["checks"][0] == {
        "name": "emulator",
        "status": "ok",
        "required": True,
        "found": "unicorn 2.1.4",
        "problem": None,
        "purpose": "every run",
        "remedy": None,
        "facts": {"unicorn": "2.1.4"},
    }
    assert found["checks"][1]["problem"] == "make: it did not end within 10 s"


@pytest.mark.parametrize(
    ("version", "bits", "problem"),
    [
        ((3, 11, 0), 64, ""),
        ((3, 13, 9), 64, ""),
        ((3, 10, 2), 64, "3.10.2 on Linux: not 3.11 to 3.13"),
        ((3, 14, 0), 64, "3.14.0 on Linux: not 3.11 to 3.13"),
        ((3, 12, 1), 32, "3.12.1 on Linux: 32 bits, not 64"),
    ],
)
def test_pythons(version: tuple[int, int, int], bits: int, problem: str) -> None:
    assert python_finding(version, bits, "Linux", {}).problem == problem


def test_folders() -> None:
    assert folder_finding("cache folder", 2 * GIB, 300, "", {}).found == "300 B used, 2.00 GiB free"
    assert folder_finding("temporary folder", 2 * GIB, None, "", {}).found == "2.00 GiB free"
    assert folder_finding("cache folder", 3 << 20, 0, "", {}).problem == "only 3.00 MiB free"
    assert folder_finding("cache folder", 3 << 20, 0, "can't be written", {}).problem == "can't be written"
    assert [size(n) for n in (0, 999, 1000, 10239, 104 << 20, 1 << 50)] == [
        *("0 B", "999 B", "0.98 KiB", "10.0 KiB", "104 MiB", "1024 TiB"),
    ]


def test_packages() -> None:
    both = packages_finding("PPK2", {"ppk2-api": "0.9.2", "pyserial": "3.5"}, {})
    assert (both.found, both.problem) == ("ppk2-api 0.9.2, pyserial 3.5", "")
    assert check(packages_finding("PPK2", {"ppk2-api": "0.9.2", "pyserial": None}, {})).status is Status.MISSING
    one = packages_finding("PPK2", {"ppk2-api": "0.9.2", "pyserial": "3.5"}, {"pyserial": "OSError: no"})
    assert (check(one).status, one.problem) == (Status.BROKEN, "pyserial: OSError: no")
    core = packages_finding("packages", {"numpy": "2.0", "rich": None, "click": "8", "joblib": "1"}, {"click": "no"})
    assert core.problem == "click: no; rich: not installed"
    assert [usable([core], name) for name in ("numpy", "rich", "click")] == [True, False, False]
    assert packages_finding("packages", dict.fromkeys("abcd", "1"), {}).found == "all 4 load"


def test_terminals() -> None:
    assert terminal_finding(80, "truecolor", "utf-8").found == "80 columns, truecolor, utf-8"
    assert terminal_finding(40, None, "ascii").found == "40 columns, no colour, ascii"
    assert terminal_finding(None, None, "utf-8").found == "not a terminal, utf-8"


def test_what_is_looked_for_is_what_the_project_requires() -> None:
    low, high = ("{}.{}".format(*version) for version in PYTHONS)
    assert PROJECT["requires-python"] == f">={low},<{high}"
    tried = {"unicorn", "numba", "llvmlite", "ai-edge-litert"}  # by running them
    assert {name_of(text) for text in PROJECT["dependencies"]} == set(shell.CORE_PACKAGES) | tried
    extras = PROJECT["optional-dependencies"]
    for name, packages in shell.OPTIONAL_PACKAGES.items():
        extra = re.fullmatch(r"pip install 'vtarget\[(\w+)\]'", SUBJECTS[name].otherwise)
        if extra is not None:
            assert {name_of(text) for text in extras[extra[1]]} >= set(packages), name
    named = re.findall(r"vtarget\[(\w+)\]", " ".join(subject.otherwise for subject in SUBJECTS.values()))
    assert set(named) == set(extras) - {"test", "dev"}


def test_trials_that_raise_crash_exit_or_hang_are_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in {
        "vt_noisy": "print('hello')",
        "vt_raising": "raise RuntimeError('libfoo is \\x1b too old')",
        "vt_crashing": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
        "vt_leaving": "import sys\nsys.exit(0)",
        "vt_hanging": "import time\ntime.sleep(60)",
    }.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    trials = ("vt_noisy", "vt_raising", "vt_crashing", "vt_leaving", "vt_nowhere", "vt_hanging", "json")
    assert selftest.try_all(trials, tmp_path, 3) == {
        "vt_noisy": ("vt_noisy", ""),
        "vt_raising": ("", r"RuntimeError: libfoo is \x1b too old"),
        "vt_crashing": ("", "it ended its process (SIGSEGV)"),
        "vt_leaving": ("", "it ended its process (exit code 0)"),
        "vt_nowhere": ("", "ModuleNotFoundError: No module named 'vt_nowhere'"),
        "vt_hanging": ("", "it did not end within 3 s"),
        "json": ("json", ""),
    }


def test_the_emulator_and_native_code_are_judged_by_their_results(monkeypatch: pytest.MonkeyPatch) -> None:
    assert selftest.emulate() == "the sum of 1 to 100: 5050"
    assert selftest.count() == "instructions counted: 304"
    monkeypatch.setattr(selftest, "_INSTRUCTIONS", 303)
    with pytest.raises(RunError, match="instructions counted: 304 instead of 303"):
        selftest.count()
    monkeypatch.setattr(selftest, "_SUM", 5051)
    with pytest.raises(RunError, match="the sum of 1 to 100: 5050 instead of 5051"):
        selftest.emulate()


def test_an_interpreter_that_is_not_there_is_told_from_one_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interpreter, "INTERPRETERS", {"vt-no-such-distribution": "vt_nowhere"})
    with pytest.raises(InputError, match="no TensorFlow Lite interpreter is installed"):
        interpreter.installed()
    assert selftest.load_interpreter() == ""
    monkeypatch.setattr(interpreter, "INTERPRETERS", {"click": "vt_nowhere"})
    with pytest.raises(ModuleNotFoundError, match="vt_nowhere"):
        selftest.load_interpreter()


def tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_tools_that_answer_fail_or_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path, "arm-none-eabi-gcc", """
case "$*" in
*--version) echo "arm-none-eabi-gcc (15:13.2.rel1-2 by Somebody) 13.2.1 20231009";;
*library.c) exit 1;;
*) test -f empty.c;;
esac""")  # fmt: skip
    tool(tmp_path, "gdb-multiarch", f"exec {shutil.which('sleep')} 60")
    tool(tmp_path, "arm-none-eabi-gdb", "echo 'GNU gdb (Arm GNU Toolchain 13.2) 14.1.90'")
    tool(tmp_path, "make", "echo 'make: cannot execute binary file' >&2; exit 126")
    tool(tmp_path, "cmake", "echo hello")
    tool(tmp_path, "openocd", "echo 'Open On-Chip Debugger 0.12.0+dev' >&2")
    tool(tmp_path, "JLinkGDBServerCLExe", f"exec {shutil.which('sleep')} 60")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {finding.name: finding for finding in shell.look(tool_s=3)}
    gcc = found["arm-none-eabi-gcc"]
    assert (gcc.found, gcc.problem) == ("13.2.1, without C library headers", "")
    assert gcc.facts == {
        "path": str(tmp_path / "arm-none-eabi-gcc"),
        "version": "13.2.1",
        "C library headers": False,
    }
    assert found["gdb"].found == "arm-none-eabi-gdb 14.1.90"
    assert list(found["gdb"].facts) == ["gdb-multiarch", "arm-none-eabi-gdb"]
    assert (found["make"].found, found["make"].problem) == (
        "",
        "make: make: cannot execute binary file (exit code 126)",
    )
    assert found["CMake"].found == "cmake of unknown version"
    assert found["GDB servers"].found == "openocd 0.12.0+dev, JLinkGDBServerCLExe"
    assert list(found) == [name for name in SUBJECTS if name != "terminal"]


def test_a_compiler_that_cannot_compile_and_a_debugger_that_hangs_are_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, "arm-none-eabi-gcc", "test \"$1\" = --version || { echo 'no cc1'; exit 1; }; echo gcc 13.2.1")
    tool(tmp_path, "gdb-multiarch", f"exec {shutil.which('sleep')} 60")
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = {finding.name: check(finding) for finding in shell.look(tool_s=2)}
    assert checks["arm-none-eabi-gcc"].told == "arm-none-eabi-gcc: no cc1 (exit code 1)"
    assert checks["gdb"].told == "gdb-multiarch: it did not end within 2 s"
    assert {checks[name].status for name in ("arm-none-eabi-gcc", "gdb")} == {Status.BROKEN}
    assert checks["make"].status is Status.MISSING


def test_without_a_temporary_folder_the_rest_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shell.tempfile, "TemporaryDirectory", full)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = {finding.name: finding for finding in shell.look()}
    assert found["temporary folder"].problem == "can't be written: No space left on device"
    assert found["emulator"].problem == "not tried: no temporary folder"
    assert found["Python"].problem == found["vtarget"].problem == found["cache folder"].problem == ""


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    problem = shell._cache().problem
    assert problem == "can't be written: Not a directory"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (cache_dir() / "objects" / "00").mkdir(parents=True)
    (cache_dir() / "objects" / "00" / "x").write_bytes(bytes(2048))
    assert shell._cache().found.startswith("2.00 KiB used, ")
    assert shell._cache().facts == {"folder": str(cache_dir()), "bytes of objects": 2048}


def test_the_command_on_this_machine(tmp_path: Path) -> None:
    target = tmp_path / "doctor.json"
    done = vtarget("doctor", "-v", "--json", target)
    found = json.loads(target.read_text())
    assert (done.code, done.err) == (0, ""), done.out
    checks = {one["name"]: one for one in found["checks"]}
    assert list(checks) == list(SUBJECTS)
    assert found["ok"] and {one["status"] for one in checks.values() if one["required"]} == {"ok"}
    assert checks["emulator"]["found"].endswith(": the sum of 1 to 100: 5050")
    assert checks["Python"]["facts"]["executable"] == sys.executable
    lines = done.out.splitlines()
    assert lines[0].split() == ["part", "status", "what", "there", "is"]
    assert lines[-1].startswith("ready")
    assert any(line.split()[:2] == ["kept", "files"] for line in lines)


def test_json_on_standard_output_is_all_that_is_printed() -> None:
    done = vtarget("doctor", "--json", "-")
    assert json.loads(done.out)["schema"] == "vtarget.doctor"


def test_something_broken_that_is_required_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Finding("native code", problem="OSError: no executable memory")
    packages = packages_finding("packages", {"rich": "13"}, {})
    monkeypatch.setattr(shell, "look", lambda load_all: [packages, broken])
    done = vtarget("doctor")
    assert (done.code, done.err) == (1, "")
    assert re.search(r"^native code +broken +OSError: no executable memory$", done.out, re.MULTILINE)
    assert re.search(r"^native code +counting .* pip install --force-reinstall numba llvmlite$", done.out, re.MULTILINE)
    assert done.out.endswith("\nnot ready: native code is broken\n")
    assert json.loads(vtarget("doctor", "--json", "-").out)["ok"] is False


def test_packages_that_the_command_itself_needs_may_be_broken(tmp_path: Path) -> None:
    for name in ("rich", "pydantic"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise ZeroDivisionError('in {name}')\n")
    done = subprocess.run(
        [sys.executable, "-m", "vtarget", "doctor"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    broken = "pydantic: ZeroDivisionError: in pydantic; rich: ZeroDivisionError: in rich"
    assert f"packages: broken: {broken}" in lines
    assert "emulator: broken: ZeroDivisionError: in pydantic" in lines
    assert lines[-1] == "not ready: packages is broken, emulator is broken, native code is broken"


@pytest.mark.parametrize("arguments", [("--xyz",), ("more",), ("--json", ""), ("--json", "nowhere/x.json")])
def test_wrong_usage_is_exit_status_2(arguments: tuple[str, ...]) -> None:
    done = vtarget("doctor", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


def test_the_help_lists_it() -> None:
    assert re.search(r"^  doctor +Check what vtarget needs", vtarget("--help").out, re.MULTILINE)
