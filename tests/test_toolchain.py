"""Compilers found and called: builds run, are the same anywhere, are cached rightly, and fail in one line."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from buildlib import KINDS, needs_gcc, needs_zig, shared_cache
from machinelib import FIRMWARE, run_elf

from vtarget.base.errors import InputError, RunError
from vtarget.data.record import Reason
from vtarget.data.target import Target, target_of
from vtarget.logic.compileflags import compile_flags
from vtarget.logic.linkerscript import linker_script
from vtarget.shell.boardlib import load_board
from vtarget.shell.buildcache import BuildCache
from vtarget.shell.commands import run_limited
from vtarget.shell.toolchain import BuildResult, compile_and_link, find_toolchain

BOARD = "nucleo-l4r5zi"
# Divides, floats and doubles that cores without instructions for them take from the compiler's library, and memset.
MAIN = """
#include <stdint.h>
#include <string.h>
#include "answer.h"
volatile int64_t dividend = 77000000539, divisor = 77;
volatile float x = 2.5f;
volatile double y = 1.5;
static uint8_t bytes[64];
int main(void)
{
    volatile int count = 40;
    memset(bytes, 3, (size_t)count);
    const int right = dividend / divisor == 1000000007 && x * x == 6.25f && y * y == 2.25 && bytes[39] == 3;
    return right && bytes[40] == 0 ? ANSWER : 1;
}
"""


def sources(main: str = MAIN) -> dict[str, str | Path]:
    common = {f"board/{name}": FIRMWARE / "common" / name for name in ("memory.c", "semihost.c", "startup.c")}
    return {**common, "main.c": main}


def headers(answer: str = "0") -> dict[str, str | Path]:
    return {
        "board/semihost.h": FIRMWARE / "common" / "semihost.h",
        "freestanding/string.h": FIRMWARE / "freestanding" / "string.h",
        "answer.h": f"#define ANSWER {answer}\n",
        "unused.h": "#define UNUSED 1\n",
    }


def build(folder: Path, kind: str = "gcc", board: str = BOARD, **options: Any) -> BuildResult:
    described = load_board(board)
    arguments: dict[str, Any] = {
        "sources": sources(),
        "headers": headers(),
        "target": target_of(described),
        "linker_script": linker_script(described),
        "toolchain": find_toolchain(kind),
        "output": folder / "firmware.elf",
        "include_dirs": (".", "board", "freestanding"),
        "cflags": ("-Werror",),
        "cache": shared_cache(),
    }
    arguments |= options
    return compile_and_link(arguments.pop("sources"), arguments.pop("headers"), **arguments)


# Finding.


def test_an_unknown_choice_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError) as error:
        find_toolchain("clang")
    assert error.value.one_line() == "there is no toolchain 'clang' (hint: toolchains: auto, gcc, zig)"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("gcc", "arm-none-eabi-gcc is not on the PATH (hint: or use --toolchain zig after pip install 'vtarget[cc]')"),
        ("zig", "the package ziglang is not installed (hint: pip install 'vtarget[cc]')"),
        ("auto", "no Arm compiler found (hint: pip install 'vtarget[cc]')"),
    ],
)
def test_without_compilers_the_error_says_what_to_install(
    choice: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        find_toolchain(choice)
    assert error.value.one_line() == message


@needs_gcc
def test_gcc_is_preferred_and_says_its_version() -> None:
    found = find_toolchain()
    assert (found.kind, found.name) == ("gcc", "arm-none-eabi-gcc")
    assert found.version[-1].isdigit() and "arm-none-eabi" not in found.version


@needs_zig
def test_zig_stands_in_where_there_is_no_gcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_toolchain()
    assert (found.kind, found.name) == ("zig", "zig cc")
    assert found.version.count(".") == 2


def test_a_compiler_that_does_not_run_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arm-none-eabi-gcc").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "arm-none-eabi-gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    with pytest.raises(InputError, match=r"arm-none-eabi-gcc does not run: .* exit status 3"):
        find_toolchain("gcc")


# What is built.

GCC_BOARDS = ["rpi-pico", "mps2-an385", "nucleo-f746zg", "mps2-an500", "nucleo-u575zi-q"]
ON_BOARDS = [pytest.param("gcc", board, marks=needs_gcc) for board in (BOARD, *GCC_BOARDS)]
# zig builds its library for each core first, which takes seconds.
ON_BOARDS.append(pytest.param("zig", BOARD, marks=needs_zig))


@pytest.mark.parametrize(("kind", "board"), ON_BOARDS)
def test_the_firmware_runs(kind: str, board: str, tmp_path: Path) -> None:
    built = build(tmp_path, kind, board)
    ended = run_elf(built.elf, board).record.exit
    assert (ended.reason, ended.code) == (Reason.SEMIHOSTING, 0)
    assert built.compiler == find_toolchain(kind).name
    assert built.flags[-1] == "-Werror"


@pytest.mark.parametrize("kind", KINDS)
def test_functions_have_their_names(kind: str, tmp_path: Path) -> None:
    record = run_elf(build(tmp_path, kind).elf, BOARD).record
    assert {"main", "memset", "Reset_Handler", "semihost_exit"} <= {function.name for function in record.functions}


def test_flags_of_each_core() -> None:
    def chosen(kind: str, core: str, dsp: bool = False, fpu: str | None = None) -> str:
        flags = compile_flags(kind, Target(core, dsp, fpu))
        return " ".join(flags[: flags.index("-std=c11")])

    assert chosen("gcc", "cortex-m0") == "-mthumb -mcpu=cortex-m0 -mfloat-abi=soft"
    assert chosen("gcc", "cortex-m4", True, "fpv4-sp-d16") == (
        "-mthumb -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard"
    )
    assert chosen("gcc", "cortex-m33") == "-mthumb -mcpu=cortex-m33+nodsp -mfloat-abi=soft"
    assert chosen("zig", "cortex-m0plus") == "-target thumb-freestanding-eabi -mcpu=cortex_m0plus"
    assert chosen("zig", "cortex-m33", True, "fpv5-sp-d16") == (
        "-target thumb-freestanding-eabihf -mcpu=cortex_m33+dsp+fp_armv8d16sp"
    )
    with pytest.raises(InputError, match="no compiler options are known for core cortex-a53"):
        compile_flags("gcc", Target("cortex-a53"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("core", "dsp", "fpu"), [("cortex-m33", False, None), ("cortex-m7", True, "fpv5-d16")])
def test_the_compiler_knows_the_core_as_the_target_says(
    kind: str, core: str, dsp: bool, fpu: str | None, tmp_path: Path
) -> None:
    main = f"""
#if {"!" if dsp else ""}defined(__ARM_FEATURE_DSP)
#error dsp
#endif
#if {"!" if fpu else ""}defined(__ARM_FP)
#error fpu
#endif
#if defined(__ARM_FP) && (__ARM_FP & 12) != {12 if fpu == "fpv5-d16" else 4}
#error precision
#endif
#error as told
"""
    # Linking is not what this is about, and zig would build its library for one more core.
    with pytest.raises(RunError, match=r"error: .*as told"):
        build(tmp_path, kind, sources={"main.c": main}, target=Target(core, dsp, fpu))


@pytest.mark.parametrize("kind", KINDS)
def test_builds_in_different_places_are_the_same_bytes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    for name in ("one", "another, longer place"):
        (tmp_path / name / "tmp").mkdir(parents=True)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name / "tmp"))
        cache = BuildCache(tmp_path / name / "cache")
        if kind == "zig":  # its own library is built once only
            cache.root.mkdir()
            (shared_cache().root / "zig").mkdir(parents=True, exist_ok=True)
            (cache.root / "zig").symlink_to(shared_cache().root / "zig")
        result = build(tmp_path / name, kind, cache=cache)
        assert result.compiled == len(sources())
        built.append(result.elf.read_bytes())
    assert built[0] == built[1]
    assert str(tmp_path).encode() not in built[0]
    assert sys.prefix.encode() not in built[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_environment_has_no_say(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answer.h").write_text("#define ANSWER 9\n")
    monkeypatch.setenv("CPATH", str(tmp_path))
    monkeypatch.setenv("C_INCLUDE_PATH", str(tmp_path))
    given = headers()
    del given["answer.h"]
    with pytest.raises(RunError, match=r"^compiling main\.c: .*answer\.h"):
        build(tmp_path, kind, headers=given)


# The cache.


@needs_gcc
def test_only_what_changed_is_compiled(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache")
    assert build(tmp_path, cache=cache).compiled == 4
    assert build(tmp_path, cache=cache).compiled == 0
    assert build(tmp_path, cache=cache, headers=headers() | {"unused.h": "#define UNUSED 2\n"}).compiled == 0
    assert build(tmp_path, cache=cache, headers=headers("7")).compiled == 1
    assert run_elf(tmp_path / "firmware.elf", BOARD).record.exit.code == 7
    assert build(tmp_path, cache=cache, sources=sources(MAIN + "\n")).compiled == 1
    assert build(tmp_path, cache=cache, cflags=("-O1",)).compiled == 4
    newer = replace(find_toolchain("gcc"), version="99")
    assert build(tmp_path, cache=cache, toolchain=newer).compiled == 4


@needs_gcc
def test_a_header_in_a_header_counts(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache")
    nested = headers() | {"answer.h": '#include "deep.h"\n', "deep.h": "#define ANSWER 0\n"}
    assert build(tmp_path, cache=cache, headers=nested).compiled == 4
    assert build(tmp_path, cache=cache, headers=nested | {"deep.h": "#define ANSWER 5\n"}).compiled == 1
    assert run_elf(tmp_path / "firmware.elf", BOARD).record.exit.code == 5


@needs_gcc
def test_options_that_name_files_are_not_cached(tmp_path: Path) -> None:
    (tmp_path / "extra.h").write_text("#define EXTRA 3\n")
    main = "int main(void) { return EXTRA; }"
    cache = BuildCache(tmp_path / "cache")
    for answer in (3, 4):
        (tmp_path / "extra.h").write_text(f"#define EXTRA {answer}\n")
        build(tmp_path, cache=cache, sources=sources(main), cflags=("-include", f"{tmp_path}/extra.h"))
        assert run_elf(tmp_path / "firmware.elf", BOARD).record.exit.code == answer


@needs_gcc
def test_a_broken_cache_is_built_anew(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache")
    before = build(tmp_path, cache=cache).elf.read_bytes()
    for path in cache.root.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    again = build(tmp_path, cache=cache)
    assert (again.compiled, again.elf.read_bytes()) == (4, before)


@needs_gcc
def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    for _ in range(2):
        assert build(tmp_path, cache=BuildCache(tmp_path / "cache")).compiled == 4


@needs_gcc
def test_builds_at_once_share_a_cache(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache", limit_bytes=3000)
    for number in range(4):
        (tmp_path / str(number)).mkdir()
    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(lambda n: build(tmp_path / str(n), cache=cache).elf.read_bytes(), range(4)))
    assert len(set(built)) == 1
    assert not list(cache.root.rglob("*.part"))


# Failure.


@needs_gcc
def test_a_compile_error_is_one_line_with_the_log(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache")
    with pytest.raises(RunError) as error:
        build(tmp_path, sources=sources("int main(void)\n{\n    return wrong;\n}\n"), cache=cache)
    line = error.value.one_line()
    assert line.startswith("compiling main.c: main.c:3:12: error: 'wrong' undeclared")
    log = Path(line.partition("hint: all messages: ")[2].removesuffix(")"))
    assert log.is_file() and "return wrong;" in log.read_text()
    assert error.value.exit_code == 1 and "\n" not in line


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_error_is_one_line(kind: str, tmp_path: Path) -> None:
    missing = "int absent(void);\nint main(void) { return absent(); }\n"
    with pytest.raises(RunError, match=r"^linking: .*absent"):
        build(tmp_path, kind, sources=sources(missing))
    big = "volatile char much[1 << 20];\nint main(void) { return much[5]; }\n"
    with pytest.raises(RunError, match=r"^linking: .*SRAM3"):
        build(tmp_path, kind, sources=sources(big))


@needs_gcc
def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written: No such file or directory"):
        build(tmp_path, output=tmp_path / "no" / "where.elf")


def test_a_source_outside_the_project_is_refused(tmp_path: Path) -> None:
    toolchain = replace(find_toolchain("auto"), command=("true",))
    with pytest.raises(InputError, match=r"source name '\.\./main\.c' leaves the project"):
        build(tmp_path, sources={"../main.c": MAIN}, toolchain=toolchain, cache=BuildCache(tmp_path / "cache"))


@pytest.mark.skipif(shutil.which("sh") is None, reason="sh not found")
def test_a_compiler_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    started = time.monotonic()
    script = f"(sleep 1; touch {tmp_path}/late) & sleep 60"
    with pytest.raises(RunError, match=r"compiling x: the compiler did not end within 0\.2 s"):
        run_limited(["sh", "-c", script], tmp_path, dict(os.environ), "compiling x", 0.2, "the compiler")
    assert time.monotonic() - started < 30
    time.sleep(1.3)
    assert not (tmp_path / "late").exists()


def test_a_compiler_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="compiling x: /nowhere/cc does not start: No such file or directory"):
        run_limited(["/nowhere/cc"], tmp_path, {}, "compiling x", 9, "the compiler")
