"""What code generation makes of one operator: a call, its constants, and what is worth saying about it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Constant:
    """A constant array of the generated firmware: ``values`` little-endian of C type ``c_type`` (``int8_t``, …).

    ``tensor`` is the model tensor that it is a plain copy of, None for tables that generation computed.
    """

    name: str
    c_type: str
    values: bytes = field(repr=False)
    tensor: int | None = None
    alignment_bytes: int = 4


@dataclass(frozen=True)
class Layer:
    """One operator as C.

    ``call`` is a C statement (or several) in which ``{tensor_N}`` stands for a pointer to tensor N, ``{scratch}`` for
    the layer's scratch buffer and ``{layer}`` for a prefix unique to the layer, which ``constants`` and
    ``declarations`` (file-scope C, before the layer's function) begin their names with. ``kernel`` is the function that
    does the work. ``sources`` are the files of ``firmware/kernels`` that it needs, without headers. ``in_place`` lists
    inputs (tensor indices) whose memory the output may share. ``notes`` are plain sentences for the report.
    """

    operator: int
    kernel: str
    call: str
    constants: tuple[Constant, ...] = ()
    declarations: str = ""
    sources: tuple[str, ...] = ()
    scratch_bytes: int = 0
    macs: int = 0
    in_place: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
