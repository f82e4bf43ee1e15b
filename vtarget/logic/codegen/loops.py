"""Nested loops over tensors: fused where memory is contiguous, as broadcasting, data movement and axes need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import Operator, Tensor
from vtarget.logic.codegen.constants import FieldValue, call, operand, struct

# As in the C structures ``vt_broadcast`` and ``vt_move_params``.
BROADCAST_DIMS = 5
MOVE_DIMS = 6
# Offsets in bytes must stay within int32.
LARGEST_BYTES = 1 << 30

Dim = tuple[int, ...]


def strides(shape: Sequence[int]) -> list[int]:
    """Elements between neighbours along each axis of a dense tensor."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def fuse(dims: Sequence[Dim]) -> list[Dim]:
    """The same loops with as few levels as possible.

    A level is (extent, step of one tensor, step of the next, ...), outermost first. Levels of extent 1 go; a level
    whose steps are what the next level walks through altogether is fused with it.
    """
    fused: list[Dim] = []
    for extent, *steps in reversed(dims):
        if extent == 1:
            continue
        if fused and all(step == fused[-1][0] * inner for step, inner in zip(steps, fused[-1][1:], strict=True)):
            fused[-1] = (extent * fused[-1][0], *fused[-1][1:])
        else:
            fused.append((extent, *steps))
    return fused[::-1]


def _outer_filled(values: Sequence[int], filler: int, count: int) -> list[int]:
    return [filler] * (count - len(values)) + list(values)


def broadcast_dims(shape1: Sequence[int], shape2: Sequence[int], output: Sequence[int]) -> list[Dim]:
    """Levels (extent, step of input 1, step of input 2); a step is 0 where an input is broadcast."""
    rank = len(output)
    columns: list[list[int]] = []
    for shape in (shape1, shape2):
        full = _outer_filled(shape, 1, rank)
        columns.append([0 if size == 1 else step for size, step in zip(full, strides(full), strict=True)])
    return fuse(list(zip(output, *columns, strict=True)))


def broadcast_problem(input1: Tensor, input2: Tensor, output: Tensor) -> str | None:
    """The output must have the shape that both inputs broadcast to, in few enough separate loops."""
    rank = max(len(input1.shape), len(input2.shape))
    pairs = list(zip(_outer_filled(input1.shape, 1, rank), _outer_filled(input2.shape, 1, rank), strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        return f"shapes {list(input1.shape)} and {list(input2.shape)} don't broadcast"
    expected = tuple(b if a == 1 else a for a, b in pairs)
    if output.shape != expected:
        return f"output shape {list(output.shape)} doesn't follow from its inputs, which give {list(expected)}"
    if len(broadcast_dims(input1.shape, input2.shape, output.shape)) > BROADCAST_DIMS:
        return f"broadcasting over more than {BROADCAST_DIMS} separate dimensions isn't supported"
    return None


def broadcast_fields(input1: Tensor, input2: Tensor, output: Tensor) -> dict[str, FieldValue]:
    """The fields of a ``vt_broadcast``."""
    dims = broadcast_dims(input1.shape, input2.shape, output.shape)
    names = (("shape", 1), ("step1", 0), ("step2", 0))
    return {
        name: _outer_filled([dim[i] for dim in dims], filler, BROADCAST_DIMS) for i, (name, filler) in enumerate(names)
    }


@dataclass(frozen=True)
class Move:
    """Elements of one tensor going to places in another: levels (extent, input step, output step) in elements."""

    dims: tuple[Dim, ...]
    input_offset: int = 0
    output_offset: int = 0

    @property
    def problem(self) -> str | None:
        """Why no kernel can do it, None if one can."""
        if len(fuse(self.dims)) > MOVE_DIMS:
            return f"moving data in more than {MOVE_DIMS} separate dimensions isn't supported"
        return None

    def copies_all(self, elements: int) -> bool:
        """Whether it is a plain copy of that many elements."""
        fused = fuse(self.dims)
        return fused in ([], [(elements, 1, 1)]) and not self.input_offset and not self.output_offset

    def kernel(self, size_bytes: int) -> tuple[str, dict[str, FieldValue]]:
        """The kernel and the fields of its ``vt_move_params``, for elements of ``size_bytes``."""
        dims, unit, run = fuse(self.dims), 1, size_bytes
        runs = not dims or dims[-1][1:] == (1, 1)
        if runs:
            unit = size_bytes
            run = size_bytes * dims.pop()[0] if dims else size_bytes
        return f"vt_move_{'runs' if runs else 8 * size_bytes}", {
            "shape": _outer_filled([dim[0] for dim in dims], 1, MOVE_DIMS),
            "input_step": _outer_filled([dim[1] * unit for dim in dims], 0, MOVE_DIMS),
            "output_step": _outer_filled([dim[2] * unit for dim in dims], 0, MOVE_DIMS),
            "input_offset": self.input_offset * unit,
            "output_offset": self.output_offset * unit,
            "run_bytes": run,
        }


def copy_layer(operator: Operator, source: Tensor, output: Tensor) -> Layer:
    """The output is the input's content; nothing is done where both are in the same place."""
    value = operand("input", source)
    arguments = (value.expression, f"{{tensor_{output.index}}}", str(output.size_bytes))
    return Layer(
        operator=operator.index,
        kernel="vt_copy",
        call=call("vt_copy", *arguments),
        constants=value.constants,
        sources=("move.c",),
        in_place=in_place(source, output),
    )


def move_layer(operator: Operator, moves: Sequence[tuple[Tensor, Tensor, Move]]) -> Layer:
    """One call per (input, output, move), in that order."""
    if len(moves) == 1 and moves[0][2].copies_all(moves[0][0].elements):
        return copy_layer(operator, moves[0][0], moves[0][1])
    constants: dict[str, Constant] = {}
    declarations, calls, kernels = "", [], []
    for number, (source, output, move) in enumerate(moves):
        kernel, fields = move.kernel(source.type.size_bytes)
        value = operand(f"input{source.index}", source)
        constants.update({constant.name: constant for constant in value.constants})
        declarations += struct("vt_move_params", fields, f"move{number}")
        calls.append(call(kernel, f"&{{layer}}_move{number}", value.expression, f"{{tensor_{output.index}}}"))
        kernels.append(kernel)
    return Layer(
        operator=operator.index,
        kernel=max(kernels, key=kernels.count),
        call="\n    ".join(calls),
        constants=tuple(constants.values()),
        declarations=declarations,
        sources=("move.c",),
    )


def in_place(source: Tensor, output: Tensor) -> tuple[int, ...]:
    """``source`` as an ``in_place`` entry if elements of the output may overwrite those of the same number in it."""
    fits = source.elements == output.elements and source.type is output.type
    return () if source.constant or source.variable or not fits else (source.index,)


def size_problem(*tensors: Tensor) -> str | None:
    """Tensors must have at least one element and a size that offsets can express."""
    for tensor in tensors:
        if min(tensor.shape, default=1) < 1 or tensor.size_bytes > LARGEST_BYTES:
            return f"shape {list(tensor.shape)} can't be handled"
    return None


def axis_problem(axis: int, rank: int) -> str | None:
    """An axis counts from the front, or from the back if negative."""
    return None if -rank <= axis < rank else f"axis {axis} isn't one of {rank}"
