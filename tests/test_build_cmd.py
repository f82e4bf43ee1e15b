"""``vtarget build``: the project it writes builds the same bytes with make and CMake, and misuse is one line."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from buildlib import HOSTILE, KINDS, conv_model, needs_gcc, own_cache, shared_cache
from machinelib import run_elf, vtarget
from modelwriter import OpSpec, TensorSpec, write_model

from vtarget.data.record import Reason

__all__ = ["own_cache"]

BOARD = "nucleo-l4r5zi"
FILES = {
    *("CMakeLists.txt", "LICENSE", "Makefile", "README.md", "firmware.elf", "freestanding/string.h", "vtarget.json"),
    *("board/board.ld", "board/main.c", "board/memory.c", "board/semihost.c", "board/semihost.h", "board/startup.c"),
    *("kernels/conv_2d.c", "kernels/conv_2d.h", "kernels/vt_quant.h", "kernels/vt_window.h"),
    *("model/model.c", "model/model.h", "model/weights.c", "model/weights.h"),
}

pytestmark = pytest.mark.usefixtures("own_cache")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make not found")
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake not found")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model())
    return path


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def tool(folder: Path, *command: str) -> None:
    """Run a build tool; the python3 that a Makefile calls is this one, and zig has built its library already."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "ZIG_GLOBAL_CACHE_DIR": str(shared_cache().root / "zig")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_gcc
def test_it_writes_a_project_and_says_what_it_is(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = vtarget("build", model, "-b", BOARD, "-o", out, "-e", "reference", "--toolchain", "gcc")
    assert (done.code, done.err) == (0, "")
    assert names(out) == FILES
    for expected in ("on nucleo-l4r5zi (cortex-m4), reference", "firmware.elf", "FLASH", "SRAM1", "arm-none-eabi-gcc"):
        assert expected in done.out
    assert "\narena      704 bytes in SRAM1\nweights    312 bytes in FLASH\n" in done.out
    ended = run_elf(out / "firmware.elf", BOARD).record.exit
    assert (ended.reason, ended.code) == (Reason.SEMIHOSTING, 0)


@needs_gcc
def test_json_says_the_same_and_is_kept_with_the_project(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("build", model, "-b", BOARD, "-o", out, "-e", "reference", "--toolchain", "gcc")
    done = vtarget(*arguments, "--json", "-")
    told = json.loads(done.out)
    assert told["schema"] == "vtarget.build" and told["schema_version"] == 1
    assert told["memory"]["arena_bytes"] == 704 and told["memory"]["weights_region"] == "FLASH"
    assert told["board"] == {"name": BOARD, "core": "cortex-m4"}
    assert told["compiler"]["name"] == "arm-none-eabi-gcc" and "-O2" in told["compiler"]["flags"]
    kept = json.loads((out / "vtarget.json").read_text())
    assert set(kept.pop("files")) == FILES - {"vtarget.json"}
    assert kept == told
    assert vtarget(*arguments, "--json", "-").out == done.out


@pytest.mark.parametrize("kind", KINDS)
@needs_make
def test_make_builds_the_same_bytes(kind: str, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cflags = "--cflags=-O3 '-DTEXT=\"$a #b;c\"'"
    assert vtarget("build", model, "-b", BOARD, "-o", out, "--toolchain", kind, cflags).code == 0
    tool(out, "make", "-j2")
    assert (out / "build" / "firmware.elf").read_bytes() == (out / "firmware.elf").read_bytes()
    tool(out, "make", "clean")
    assert not (out / "build").exists()


@pytest.mark.parametrize("kind", KINDS)
@needs_cmake
@needs_make
def test_cmake_builds_the_same_bytes(kind: str, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cflags = "--cflags=-O3 '-DTEXT=\"$a #b\"'"
    assert vtarget("build", model, "-b", BOARD, "-o", out, "--toolchain", kind, cflags).code == 0
    tool(out, "cmake", "-B", "build", "-G", "Unix Makefiles")
    tool(out, "cmake", "--build", "build")
    assert (out / "build" / "firmware.elf").read_bytes() == (out / "firmware.elf").read_bytes()


@needs_gcc
@needs_cmake
@needs_make
def test_a_cmake_project_can_use_the_library(model: Path, tmp_path: Path) -> None:
    assert (
        vtarget("build", model, "-b", BOARD, "-o", tmp_path / "net", "-e", "reference", "--toolchain", "gcc").code == 0
    )
    (tmp_path / "app.c").write_text(
        '#include "model.h"\nint main(void) { model_init(); model_invoke(); return model_output(0) == 0; }\n'
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.21)\nset(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_SYSTEM_PROCESSOR arm)\n"
        "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\nset(CMAKE_C_COMPILER arm-none-eabi-gcc)\n"
        "project(app C)\nadd_compile_options(-mcpu=cortex-m4 -mthumb -O2)\nadd_subdirectory(net)\n"
        "add_executable(app app.c)\ntarget_link_libraries(app model)\n"
        "target_link_options(app PRIVATE -mcpu=cortex-m4 -mthumb --specs=nosys.specs)\n"
    )
    tool(tmp_path, "cmake", "-B", "out", "-G", "Unix Makefiles")
    tool(tmp_path, "cmake", "--build", "out")
    assert (tmp_path / "out" / "app").read_bytes().startswith(b"\x7fELF")


@needs_gcc
def test_names_of_the_model_reach_no_file_unescaped(tmp_path: Path) -> None:
    path = tmp_path / "x`$(id) & <b>.tflite"
    path.write_bytes(conv_model(HOSTILE, HOSTILE))
    done = vtarget("build", path, "-b", BOARD, "-o", tmp_path / "out", "--toolchain", "gcc")
    assert done.code == 0
    assert "\x00" not in done.out and "\u202e" not in done.out
    for name in names(tmp_path / "out") - {"firmware.elf", "vtarget.json"}:
        text = (tmp_path / "out" / name).read_bytes().decode()
        assert text.isascii() and "$(id)" not in text and "`?" not in text and "%s" not in text, name
    heading = (tmp_path / "out" / "README.md").read_text().splitlines()[0]
    assert heading == "# in?put?s? int main; ?"


@needs_gcc
def test_the_readme_tells_how_to_build_and_call_it(model: Path, tmp_path: Path) -> None:
    assert vtarget("build", model, "-b", BOARD, "-o", tmp_path / "out", "--weights", "SRAM2").code == 0
    text = (tmp_path / "out" / "README.md").read_text()
    for expected in ("# conv\n", "model_invoke();", "cmake -B build", "`board/placement.c` copies the weights", "MIT"):
        assert expected in text
    assert "| `.rodata.model_weights` | SRAM2 |" in text
    assert max(len(line) for line in text.splitlines()) <= 120
    assert (tmp_path / "out" / "LICENSE").read_text() == (Path(__file__).parent.parent / "LICENSE").read_text()


@needs_gcc
def test_it_builds_again_over_its_own_files_only(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("build", model, "-b", BOARD, "-o", out, "--toolchain", "gcc")
    assert vtarget(*arguments).code == 0
    assert vtarget(*arguments, "-e", "reference").code == 0
    assert names(out) == FILES
    (out / "board" / "main.c").write_text("int main(void) { return 0; }\n")
    refused = vtarget(*arguments)
    assert refused.code == 2
    assert refused.err.startswith(f"error: -o {out}: has files that vtarget did not write or that were changed since: ")
    assert vtarget(*arguments, "--force").code == 0
    assert "vt_next_sample" in (out / "board" / "main.c").read_text()


@needs_gcc
def test_a_compile_error_leaves_no_project(model: Path, tmp_path: Path) -> None:
    done = vtarget("build", model, "-b", BOARD, "-o", tmp_path / "out", "--toolchain", "gcc", "--cflags=-fno-such")
    assert done.code == 1
    assert done.err.startswith("error: compiling ") and "unrecognized command-line option" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


MISUSE = {
    "--cflags '-O3 \"': No closing quotation": ("--cflags", '-O3 "'),
    "there is no engine 'fast' (hint: engines: reference, simd)": ("-e", "fast"),
    "board nucleo-l4r5zi has no region 'SRAM9'": ("--weights", "SRAM9"),
    "region FLASH of board nucleo-l4r5zi is flash: no arena there": ("--arena", "FLASH"),
    "no board 'nucleo-l4r5z'": ("-b", "nucleo-l4r5z"),
    "--json /no/such/place.json: no such directory: /no/such": ("--json", "/no/such/place.json"),
}


@pytest.mark.parametrize("message", MISUSE)
def test_misuse_is_one_line(message: str, model: Path, tmp_path: Path) -> None:
    done = vtarget("build", model, "-b", BOARD, "-o", tmp_path / "out", *MISUSE[message])
    assert done.code == 2
    assert done.err.startswith(f"error: {message}") and done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"nothing of the kind")
    done = vtarget("build", tmp_path / "x.tflite", "-b", BOARD, "-o", tmp_path / "out")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_every_operator_that_is_not_supported_is_named(tmp_path: Path) -> None:
    tensors = [TensorSpec((1, 4), "float32", name=name) for name in "abc"]
    ops = [OpSpec("COS", [0], [1]), OpSpec("SIN", [1], [2])]
    (tmp_path / "x.tflite").write_bytes(write_model(tensors, ops, [0], [2]))
    done = vtarget("build", tmp_path / "x.tflite", "-b", BOARD, "-o", tmp_path / "out")
    assert done.code == 2
    assert "operator 0 COS" in done.err and "operator 1 SIN" in done.err and done.err.count("\n") == 1


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the package ziglang not found")
def test_without_gcc_zig_builds_it(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = vtarget("build", model, "-b", BOARD, "-o", tmp_path / "out")
    assert done.code == 0 and "compiler   zig cc" in done.out
    assert "python3 -m ziglang cc" in (tmp_path / "out" / "Makefile").read_text()
