"""Compiled callbacks are kept below a name of everything that they are made of."""

from __future__ import annotations

import sys
from pathlib import Path

import numba
import pytest

from vtarget.shell.native.kept import digest, kept

module = sys.modules["vtarget.shell.native.kept"]


def compiler(seen: list[str]) -> object:
    return lambda function: seen.append(numba.config.CACHE_DIR) or function


def test_the_name_is_in_force_while_compiling_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    seen: list[str] = []
    assert kept(compiler(seen))(len) is len  # type: ignore[arg-type]
    assert seen == [str(module.cache_dir() / "native" / digest())]
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
    native = tmp_path / "native"
    native.mkdir()
    (native / "kept.py").write_text("a = 1\n")
    (tmp_path / "layout.py").write_text("H_CURRENT = 0\n")
    monkeypatch.setattr(module, "__file__", str(native / "kept.py"))
    names = []
    for text in ("H_CURRENT = 0\n", "H_CURRENT = 1\n", "H_CURRENT = 0\n"):
        (tmp_path / "layout.py").write_text(text)
        digest.cache_clear()
        names.append(digest())
    digest.cache_clear()
    assert names[0] == names[2] != names[1]
