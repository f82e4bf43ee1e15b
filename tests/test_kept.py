"""Compiled callbacks are kept below a name of everything that they are made of."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numba
import pytest

from vtarget.shell import nativecache
from vtarget.shell.native.kept import Callback, kept
from vtarget.shell.nativecache import digest, folder, is_filled


def compiler(seen: list[str]) -> object:
    return lambda function: seen.append(numba.config.CACHE_DIR) or function


def test_the_name_is_in_force_while_compiling_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    seen: list[str] = []
    assert kept(compiler(seen))(len) is len  # type: ignore[arg-type]
    assert seen == [str(folder())]
    assert numba.config.CACHE_DIR == ""


def test_a_directory_that_somebody_chose_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    seen: list[str] = []
    kept(compiler(seen))(len)  # type: ignore[arg-type]
    assert seen == [str(tmp_path / digest())]


def test_what_fails_to_compile_leaves_the_setting_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")

    def fail(_function: object) -> object:
        raise ValueError

    with pytest.raises(ValueError):
        kept(fail)(len)
    assert numba.config.CACHE_DIR == ""


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


def test_a_callback_is_compiled_when_its_address_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")

    def twice(number: int) -> int:
        return 2 * number

    callback = Callback(numba.types.int64(numba.types.int64), twice)
    assert not is_filled()
    address = callback.address
    assert is_filled() and callback.address == address
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(21) == 42
