"""Where compiled callbacks are kept; apart from those, so that asking for the place loads no compiler."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from vtarget.shell.buildcache import cache_dir


@cache
def digest() -> str:
    """Of every source that native code is made of."""
    here = Path(__file__).resolve().parent
    sources = [here / "layout.py", *sorted((here / "native").glob("*.py"))]
    return sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def folder() -> Path:
    """The folder for the native code of this version."""
    return cache_dir() / "native" / digest()


def is_filled() -> bool:
    """Whether a run before this one has compiled native code of this version."""
    return folder().is_dir()
