"""The cache of built files: where it is, what it keeps, and that it stays small."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from vtarget.shell.buildcache import BuildCache, cache_dir, content_key

ELF = b"\x7fELF"


def test_it_is_where_the_platform_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "vtarget"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # not allowed by the XDG specification
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_dir() == tmp_path / ".cache" / "vtarget"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_dir() == tmp_path / "Library" / "Caches" / "vtarget"


def test_keys_tell_parts_apart() -> None:
    assert content_key(["ab", "c"]) != content_key(["a", "bc"])
    assert content_key(["a", b"b"]) == content_key(["a", "b"])
    assert len(content_key([])) == 64


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "new" / "cache")
    key = content_key(["x"])
    assert cache.read(key) is None
    cache.write(key, ELF + b"one")
    assert cache.read(key) == ELF + b"one"
    cache.write(key, ELF + b"two")
    assert cache.read(key) == ELF + b"two"


def test_what_is_no_elf_file_is_not_read(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path)
    cache.write(content_key(["x"]), b"torn")
    assert cache.read(content_key(["x"])) is None


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_others_can_not_look_into_it(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache")
    key = content_key(["x"])
    cache.write(key, ELF)
    (folder,) = (tmp_path / "cache" / "objects").iterdir()
    assert folder.stat().st_mode & 0o077 == 0


def test_cleaning_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path, limit_bytes=1000)
    keys = [content_key([str(number)]) for number in range(6)]
    for number, key in enumerate(keys):
        cache.write(key, ELF + bytes(196))
        path = next(p for p in tmp_path.rglob(key))
        os.utime(path, (1000 + number, 1000 + number))
    cache.read(keys[0])
    cache.clean()
    assert [cache.read(key) is not None for key in keys] == [True, False, False, False, True, True]


def test_cleaning_leaves_a_small_cache_alone(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path, limit_bytes=1000)
    cache.write(content_key(["x"]), ELF + bytes(996))
    cache.clean()
    assert cache.read(content_key(["x"])) is not None
