"""Native code that unicorn calls without entering Python (home of numba and llvmlite).

Before each block unicorn calls a block callback (``fastpath``). A known transition is counted there; an unknown one
asks Python (once). The modules hold recipes; what is asked for here loads none of them if an earlier run has.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from vtarget.shell.native.kept import Callback

on_rare_block = Callback("blocks", "on_rare_block")
on_site = Callback("blocks", "on_site")
on_new_branch = Callback("branches", "on_new_branch")
on_accesses = Callback("memory", "on_accesses")
on_access = Callback("memory", "on_access")
on_interrupt = Callback("ticks", "on_interrupt")
_REPEAT = Callback("ticks", "repeat")
_BLOCKS = {
    (memory, branches): Callback("fastpath", f"on{'_memory' * memory}{'_branch' * branches}_block")
    for memory in (False, True)
    for branches in (False, True)
}

MISS_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def function_address(function: Any) -> int:
    """The address of a ctypes function or callback."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def block_callback(*, memory: bool, branches: bool) -> int:
    """The address of the native block callback for what a run has to follow, for ``uc_hook_add``; its user data is the
    state buffer."""
    return _BLOCKS[memory, branches].address


def repeat_ticks(words: int) -> None:
    """Serve the thread that the buffer at ``words`` (``tickwords``) describes, as far as native code can."""
    _repeat()(words)


@cache
def _repeat() -> Any:
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(_REPEAT.address)
