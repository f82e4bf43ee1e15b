"""What is kept of sweeps: a journal that survives a kill, and a cache of outcomes by what they are of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from vtarget.base.errors import InputError
from vtarget.data.sweep import Outcome
from vtarget.shell.buildcache import BuildCache, cache_dir, content_key
from vtarget.shell.datadir import boards_dir, firmware_dir

FORMAT = "vtarget.sweep.journal"
CACHE_LIMIT_BYTES = 64 << 20
_MOST_JOURNAL_BYTES = 1 << 30


class Journal:
    """An append-only file of outcomes by key. What ``add`` was told is on the disk when it returns; a line that a kill
    cut short is dropped by ``resume``."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        """InputError if it can't be written, or, to ``resume``, is no journal."""
        self.path = path
        self.known: dict[str, Outcome] = {}
        try:
            whole = self._read() if resume and path.exists() else 0
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if whole else "w+b")
            self._file.truncate(whole)
            self._file.seek(whole)
            if not whole:
                self._write([{"format": FORMAT, "version": 1}])
        except OSError as error:
            raise InputError(f"--journal {path}: can't be used: {error.strerror or error}") from None

    def _read(self) -> int:
        """Take in what is there; how many bytes of it are whole lines."""
        if self.path.stat().st_size > _MOST_JOURNAL_BYTES:
            raise InputError(f"--journal {self.path}: larger than any journal")
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                entry = json.loads(line)
                if number == 1:
                    if entry.get("format") != FORMAT:
                        raise ValueError("no journal")
                else:
                    self.known[str(entry["key"])] = outcome_of(entry["outcome"])
            except (ValueError, TypeError, LookupError, AttributeError):
                raise InputError(
                    f"--journal {self.path}: line {number} is not of a sweep's journal", hint="leave out --resume"
                ) from None
        return whole

    def add(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        """Append outcomes, by key, and wait until they are on the disk."""
        self._write([{"key": key, "outcome": asdict(outcome)} for key, outcome in outcomes])

    def _write(self, entries: list[dict[str, Any]]) -> None:
        self._file.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class OutcomeCache:
    """Outcomes of earlier sweeps by key, in the user's cache. One that can't be read or written keeps nothing."""

    def __init__(self, root: Path | None = None) -> None:
        folder = cache_dir() / "sweeps" if root is None else root
        self._files = BuildCache(folder, CACHE_LIMIT_BYTES, magic=b"{")

    def get(self, key: str) -> Outcome | None:
        """The outcome kept under ``key``, None if there is none."""
        data = self._files.read(key)
        try:
            return None if data is None else outcome_of(json.loads(data))
        except (ValueError, TypeError, LookupError):
            return None

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome."""
        self._files.write(key, json.dumps(asdict(outcome)).encode())

    def clean(self) -> None:
        """Keep the cache within its limit."""
        self._files.clean()


def outcome_of(plain: Any) -> Outcome:
    """An outcome from its plain values; TypeError or LookupError if they aren't those of one."""
    return Outcome(**{**plain, "not_modelled": tuple(plain["not_modelled"])})


@cache
def code_digest() -> str:
    """A digest of this vtarget: of all that an outcome depends on besides what is swept."""
    package = Path(__file__).resolve().parents[1]
    folders = [(package, ".py"), (boards_dir(), ".yaml")]
    folders += [(firmware_dir() / name, "") for name in ("kernels", "common", "freestanding")]
    parts: list[str | bytes] = []
    for folder, suffix in folders:
        for path in sorted(folder.rglob(f"*{suffix}")):
            if path.is_file() and "__pycache__" not in path.parts and "_data" not in path.relative_to(folder).parts:
                parts += [path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).digest()]
    return content_key(parts)
