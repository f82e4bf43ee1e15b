"""Compiled callbacks are kept below a name of everything that they are made of."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from machinelib import EXAMPLES
from numba import types

from vtarget.shell import nativecache
from vtarget.shell.native import blocks, branches, fastpath, memory, ticks
from vtarget.shell.native.compiling import Recipe
from vtarget.shell.native.kept import Callback, object_code
from vtarget.shell.nativecache import digest, folder, is_filled

ALL = [
    *(blocks.on_rare_block, blocks.on_site, branches.on_new_branch, memory.on_accesses, memory.on_access),
    *(ticks.on_interrupt, ticks.repeat, fastpath.on_block, fastpath.on_memory_block, fastpath.on_branch_block),
    fastpath.on_memory_branch_block,
]


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@dataclass
class Made:
    """A recipe that counts how often it was asked for."""

    factor: int
    times: int = 0

    def llvm(self) -> tuple[str, str]:
        self.times += 1
        return f"define i64 @f(i64 %x) {{\n  %y = mul i64 %x, {self.factor}\n  ret i64 %y\n}}\n", "f"


@pytest.fixture
def made(own_cache: None, monkeypatch: pytest.MonkeyPatch) -> Made:
    recipe = Made(2)
    monkeypatch.setattr(blocks, "made", recipe, raising=False)
    return recipe


def called(address: int, number: int) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(number))


def kept_files() -> list[Path]:
    return [path for path in folder().rglob("*") if path.is_file()]


def test_a_callback_is_compiled_when_its_address_is_asked_for_and_once(made: Made) -> None:
    callback = Callback("blocks", "made")
    assert not is_filled() and made.times == 0
    assert called(callback.address, 21) == 42 and callback.address == callback.address
    assert is_filled()
    assert called(Callback("blocks", "made").address, 4) == 8
    assert made.times == 1 and len(kept_files()) == 1


@pytest.mark.parametrize("cut", [0, 30, -1])
def test_what_is_not_whole_is_made_again(cut: int, made: Made) -> None:
    assert called(Callback("blocks", "made").address, 1) == 2
    (path,) = kept_files()
    path.write_bytes(path.read_bytes()[:cut])
    assert called(Callback("blocks", "made").address, 3) == 6
    assert called(Callback("blocks", "made").address, 5) == 10
    assert made.times == 2


def test_another_version_of_the_sources_or_processor_is_another_file(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.factor = 3
    for number, (name, value) in enumerate(
        [("llvm.get_host_cpu_name", "generic"), ("version", "0"), ("folder", folder() / "other")]
    ):
        assert called(Callback("blocks", "made").address, 2) == 6
        assert made.times == number + 1
        monkeypatch.setattr(f"vtarget.shell.native.kept.{name}", lambda *_, value=value: value)
    assert called(Callback("blocks", "made").address, 2) == 6
    assert made.times == 4


def test_code_that_needs_its_compiler_runs_and_is_not_kept(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def reciprocal(number: int) -> int:
        if number == 0:
            raise ValueError  # which numba's library would tell of
        return 100 // number

    recipe = Recipe(types.int64(types.int64), reciprocal)
    assert not object_code(*recipe.llvm())[1]
    monkeypatch.setattr(blocks, "made", recipe)
    assert called(Callback("blocks", "made").address, 7) == 14
    assert kept_files() == []


@pytest.mark.parametrize("recipe", ALL, ids=range(len(ALL)))
def test_all_of_ours_need_no_compiler(recipe: Recipe | fastpath.BlockRecipe) -> None:
    code, alone = object_code(*recipe.llvm())
    assert alone and len(code) < 32_768


def test_a_second_run_loads_no_compiler() -> None:
    firmware = EXAMPLES / "fir-m4f.elf"
    script = (
        "import sys, vtarget\n"
        f"print(vtarget.run({str(firmware)!r}, 'nucleo-l4r5zi').cycles.nominal, 'numba' in sys.modules)\n"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert second == [first[0], "False"]


def test_the_digest_follows_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "kept.py").write_text("a = 1\n")
    monkeypatch.setattr(nativecache, "__file__", str(tmp_path / "nativecache.py"))
    names = []
    for text in ("H_CURRENT = 0\n", "H_CURRENT = 1\n", "H_CURRENT = 0\n"):
        (tmp_path / "layout.py").write_text(text)
        digest.cache_clear()
        names.append(digest())
    digest.cache_clear()
    assert names[0] == names[2] != names[1]
