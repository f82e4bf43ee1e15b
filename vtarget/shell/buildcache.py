"""A per-user cache of files, named by what they are made of. Safe under concurrency, bounded in size."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

LIMIT_BYTES = 256 << 20
# Cleaning goes this far below the limit, so that it is rare.
_CLEAN_SHARE = 0.75
_ELF_MAGIC = b"\x7fELF"


def cache_dir() -> Path:
    """Where this platform keeps caches: XDG_CACHE_HOME or its default, with ``vtarget`` below it."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named) / "vtarget"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vtarget"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "vtarget" / "Cache"
    return Path.home() / ".cache" / "vtarget"


def content_key(parts: Iterable[str | bytes]) -> str:
    """A name for what is made of ``parts``, each told apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


class BuildCache:
    """Files that begin with ``magic`` (ELF) by key below ``root``. A cache that can't be written keeps nothing and
    stops nobody."""

    def __init__(self, root: Path, limit_bytes: int = LIMIT_BYTES, *, magic: bytes = _ELF_MAGIC) -> None:
        self.root = root
        self._limit_bytes = limit_bytes
        self._magic = magic

    def read(self, key: str) -> bytes | None:
        """What was kept under ``key``, None if nothing (whole) was."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data if data.startswith(self._magic) else None

    def write(self, key: str, data: bytes) -> None:
        """Keep ``data`` under ``key``."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                Path(name).replace(path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise

    def clean(self) -> None:
        """Remove what was not used for longest while there is more than the limit."""
        files = sorted(self._files(), key=lambda found: found[1])
        total = sum(size for _, _, size in files)
        if total <= self._limit_bytes:
            return
        for path, _, size in files:
            if total <= self._limit_bytes * _CLEAN_SHARE:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size

    def _path(self, key: str) -> Path:
        return self.root / "objects" / key[:2] / key

    def _files(self) -> Iterator[tuple[Path, int, int]]:
        """(path, time of last use, bytes) of every file kept; those that vanish meanwhile are left out."""
        for folder in ("objects", "logs"):
            for path in (self.root / folder).rglob("*"):
                with contextlib.suppress(OSError):
                    if path.is_file():
                        info = path.stat()
                        yield path, info.st_mtime_ns, info.st_size
