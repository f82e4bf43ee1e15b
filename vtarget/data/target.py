"""What generated code is generated for: the facts of a core that kernels are chosen by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A core as code generation sees it.

    ``core`` is its name (``cortex-m4``), ``dsp`` whether it has the DSP extension (SMLAD and friends), ``fpu`` the
    floating-point unit's name (``fpv4-sp-d16``), None for software floating point.
    """

    core: str
    dsp: bool = False
    fpu: str | None = None
