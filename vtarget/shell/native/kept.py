"""Where compiled callbacks are kept between runs, and how they come into being: each when a run first needs it.

Numba's cache looks at the file of the function alone, and not at what it was made of: constants of the layout,
functions that were inlined. So ours lies below a name that all of these decide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numba

from vtarget.shell.nativecache import digest, folder


def kept(compiler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A numba decorator with ``cache=True``, whose results are kept there."""

    def compile_kept(function: Any) -> Any:
        theirs = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(Path(theirs) / digest() if theirs else folder())
        try:
            return compiler(function)
        finally:
            numba.config.CACHE_DIR = theirs

    return compile_kept


class Callback:
    """A function of ours for native code to call. It is compiled, which takes seconds, or taken from what earlier runs
    have kept, when somebody first asks for its address: no run needs all of them."""

    def __init__(self, signature: Any, function: Callable[..., Any]) -> None:
        self._signature, self._function = signature, function

    @cached_property
    def address(self) -> int:
        """Where its machine code begins; it stays there."""
        self._compiled = kept(numba.cfunc(self._signature, cache=True))(self._function)
        return int(self._compiled.address)
