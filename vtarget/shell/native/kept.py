"""Where compiled callbacks are kept between runs.

Numba's cache looks at the file of the function alone, and not at what it was made of: constants of the layout,
functions that were inlined. So ours lies below a name that all of these decide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba

from vtarget.shell.buildcache import cache_dir


@cache
def digest() -> str:
    """Of every source that native code is made of."""
    here = Path(__file__).resolve().parent
    sources = [here.parent / "layout.py", *sorted(here.glob("*.py"))]
    return sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def kept(compiler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A numba decorator with ``cache=True``, whose results are kept there."""

    def compile_kept(function: Any) -> Any:
        theirs = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str((Path(theirs) if theirs else cache_dir() / "native") / digest())
        try:
            return compiler(function)
        finally:
            numba.config.CACHE_DIR = theirs

    return compile_kept
