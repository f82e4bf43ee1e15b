"""Functions that numba makes callbacks of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba


@dataclass(frozen=True)
class Recipe:
    """A function and the C signature by which native code calls it."""

    signature: Any
    function: Callable[..., Any]

    def llvm(self) -> tuple[str, str]:
        """The text of an LLVM module, and the callback's name in it. It takes numba seconds."""
        # Division as C has it: nobody is there who could be told of an error.
        compiled = numba.cfunc(self.signature, error_model="numpy")(self.function)
        return compiled.inspect_llvm(), compiled.native_name
