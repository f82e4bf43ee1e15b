"""PAD, PADV2 and MIRROR_PAD: elements added before and after along each axis."""

from __future__ import annotations

from math import prod

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.binary import QUANTISED
from vtarget.logic.codegen.constants import Operand, array_of, call, operand, struct, table_constant
from vtarget.logic.codegen.loops import size_problem
from vtarget.logic.codegen.options import arity_problem, required_input, scales_problem, text, zero_point

# As in the C structures of pad.h.
DIMS = 5

Padding = tuple[int, int, int]


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (3,) if operator.op == "PADV2" else (2,))
    if problem is not None:
        return problem
    source, paddings, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if source is None or paddings is None or not paddings.constant:
        return "its paddings aren't constant"
    if paddings.shape != (len(source.shape), 2):
        return f"its paddings have shape {list(paddings.shape)} for {len(source.shape)} dimensions"
    if source.type is not output.type:
        return f"it turns {source.type.value} into {output.type.value}"
    dims = _dims(operator, graph)
    if any(before < 0 or after < 0 for _, before, after in dims):
        return "a padding is negative"
    expected = tuple(sum(dim) for dim in dims)
    if output.shape != expected:
        return f"output shape {list(output.shape)} doesn't follow from its paddings, which give {list(expected)}"
    return size_problem(source, output) or _kind_problem(operator, graph, source, output)


def _kind_problem(operator: Operator, graph: Graph, source: Tensor, output: Tensor) -> str | None:
    if len(_fused(operator, graph)) > DIMS:
        return f"padding in more than {DIMS} separate dimensions isn't supported"
    if operator.op == "MIRROR_PAD":
        if text(operator, "mode", "unknown") not in ("REFLECT", "SYMMETRIC"):
            return f"mode {text(operator, 'mode', 'unknown')} isn't supported"
        edge = _edge(operator)
        if any(max(before, after) > size - edge for size, before, after in _dims(operator, graph)):
            return "a padding is larger than what it mirrors"
        return None
    value = graph.input(operator, 2) if operator.op == "PADV2" else None
    if operator.op == "PADV2" and (value is None or value.type is not source.type or value.elements != 1):
        return "its padding value isn't one element of the input's type"
    for tensor, role in ((source, "its input"), (value, "its padding value")):
        if tensor is not None and _quantisation(tensor) != _quantisation(output):
            return f"{role} is quantised otherwise than the output"
    return scales_problem(output, "its output") if output.quantisation and output.type in QUANTISED else None


def _quantisation(tensor: Tensor) -> tuple[tuple[float, ...], tuple[int, ...]] | None:
    found = tensor.quantisation
    return None if found is None else (found.scales, found.zero_points)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_pad_*`` or ``vt_mirror_pad``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    value = operand("input", source)
    place = f"{{tensor_{output.index}}}"
    size, before, after = (list(column) for column in zip(*_filled(_fused(operator, graph)), strict=True))
    fields: dict[str, int | list[int]] = {"shape": size, "before": before, "after": after}
    if operator.op == "MIRROR_PAD":
        run = _run(_dims(operator, graph)) * source.type.size_bytes
        declarations = struct("vt_mirror_pad_params", {**fields, "edge": _edge(operator), "run_bytes": run})
        arguments, constants, kernel = [value.expression, place], value.constants, "vt_mirror_pad"
    else:
        filler = _filler(operator, graph, output)
        declarations, kernel = struct("vt_pad_params", fields), f"vt_pad_{8 * source.type.size_bytes}"
        arguments, constants = [value.expression, filler.expression, place], value.constants + filler.constants
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments),
        constants=constants,
        declarations=declarations,
        sources=("pad.c",),
    )


def _filler(operator: Operator, graph: Graph, output: Tensor) -> Operand:
    """What is filled in: an input, or the output's zero."""
    if operator.op == "PADV2":
        return operand("value", required_input(graph, operator, 2))
    stored = ElementType.UINT8 if output.type is ElementType.BOOL else output.type
    constant = table_constant("value", [zero_point(output) if output.type in QUANTISED else 0], stored)
    return Operand(constant.name, (constant,))


def _edge(operator: Operator) -> int:
    """1 if the edge itself isn't repeated."""
    return 1 if text(operator, "mode", "unknown") == "REFLECT" else 0


def _dims(operator: Operator, graph: Graph) -> list[Padding]:
    """(size, elements before, elements after) per axis."""
    source = required_input(graph, operator, 0)
    pairs = array_of(required_input(graph, operator, 1))
    return [(n, int(pair[0]), int(pair[1])) for n, pair in zip(source.shape, pairs, strict=True)]


def _run(dims: list[Padding]) -> int:
    """Elements of the innermost axes that nothing is added to."""
    inner = len(dims)
    while inner and dims[inner - 1][1:] == (0, 0):
        inner -= 1
    return prod(dim[0] for dim in dims[inner:])


def _fused(operator: Operator, graph: Graph) -> list[Padding]:
    """The same with as few axes as possible: an axis without padding joins the one before it.

    For MIRROR_PAD, whose elements don't mix, only axes without padding join, and the innermost are left out as a run.
    """
    dims = _dims(operator, graph)
    mirror = operator.op == "MIRROR_PAD"
    fused: list[Padding] = []
    for size, before, after in dims:
        if fused and (before, after) == (0, 0) and not (mirror and fused[-1][1:] != (0, 0)):
            fused[-1] = (fused[-1][0] * size, fused[-1][1] * size, fused[-1][2] * size)
        else:
            fused.append((size, before, after))
    if mirror and fused and fused[-1][1:] == (0, 0):
        fused.pop()
    return fused


def _filled(dims: list[Padding]) -> list[Padding]:
    return [(1, 0, 0)] * (DIMS - len(dims)) + dims
