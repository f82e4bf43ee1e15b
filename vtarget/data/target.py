"""What generated code is generated for: the facts of a core that kernels are chosen by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vtarget.data.board import Board

_FPU_NAMES = {"fpv4-sp": "fpv4-sp-d16", "fpv5-sp": "fpv5-sp-d16", "fpv5-dp": "fpv5-d16"}


@dataclass(frozen=True)
class Target:
    """A core as code generation sees it.

    ``core`` is its name (``cortex-m4``), ``dsp`` whether it has the DSP extension (SMLAD and friends), ``fpu`` the
    floating-point unit's name (``fpv4-sp-d16``), None for software floating point.
    """

    core: str
    dsp: bool = False
    fpu: str | None = None


def target_of(board: Board, core: str | None = None) -> Target:
    """What to generate code for on ``board``; ``core`` is the core's name where ``board.core`` is a file."""
    return Target(core or board.core, board.dsp, None if board.fpu is None else _FPU_NAMES[board.fpu])
