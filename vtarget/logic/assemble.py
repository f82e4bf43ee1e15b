"""From what stands in a model file to a Graph: types, shapes and constants checked, variables resolved."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, prod

from vtarget.base.errors import InputError
from vtarget.base.names import quoted
from vtarget.data.graph import ElementType, Graph, Quantisation, Tensor
from vtarget.data.rawmodel import RawModel, RawSubgraph, RawTensor
from vtarget.logic.modelcheck import structural_problems
from vtarget.logic.variables import Variables, resolve_variables

MOST_RANK = 8
MOST_TENSOR_BYTES = 256 << 20
MOST_VARIABLE_BYTES = 64 << 20
MOST_LISTED = 12

_TYPES = {member.name: member for member in ElementType}
_ZERO_POINT_RANGE = {
    ElementType.INT8: (-(1 << 7), (1 << 7) - 1),
    ElementType.UINT8: (0, (1 << 8) - 1),
    ElementType.INT16: (-(1 << 15), (1 << 15) - 1),
}


def assemble(raw: RawModel, path: str, sha256: str) -> Graph:
    """The Graph of a decoded file.

    :raises InputError: the file has what a Graph can't have; all of it is listed in one line.
    """
    main = raw.subgraphs[0]
    variables, problems = resolve_variables(raw)
    used = _used(main)
    tensors = tuple(_tensor(tensor, tensor.index in used, variables, problems) for tensor in main.tensors)
    held_bytes = sum(tensor.size_bytes for tensor in tensors if tensor.variable)
    if held_bytes > MOST_VARIABLE_BYTES:
        problems.append(f"variables of {held_bytes} bytes in total, at most {MOST_VARIABLE_BYTES} are supported")
    _refuse(path, problems)
    graph = Graph(
        path,
        sha256,
        main.name,
        tuple(_with_initial(tensor) for tensor in tensors),
        variables.operators,
        main.inputs,
        main.outputs,
    )
    _refuse(path, structural_problems(graph))
    return graph


def _refuse(path: str, problems: list[str]) -> None:
    problems = list(dict.fromkeys(problems))
    if not problems:
        return
    listed = "; ".join(problems[:MOST_LISTED])
    more = f" (+{len(problems) - MOST_LISTED} more)" if len(problems) > MOST_LISTED else ""
    hint = "convert the model with fixed input shapes" if any("dynamic" in problem for problem in problems) else None
    raise InputError(f"{path}: {listed}{more}", hint=hint)


def _used(main: RawSubgraph) -> set[int]:
    """Tensors that something refers to. Files may hold others, of any type."""
    used = {*main.inputs, *main.outputs}
    for operator in main.operators:
        used.update(operator.inputs, operator.outputs, operator.intermediates)
    return used


def _tensor(raw: RawTensor, used: bool, variables: Variables, problems: list[str]) -> Tensor:
    """A tensor; for one that is unused or has a problem (which is added to ``problems``), a scalar in its place."""
    placeholder = Tensor(raw.index, raw.name, (), ElementType.INT8)
    if not used:
        return placeholder
    if raw.index in variables.contents:
        content = variables.contents[raw.index]
        like = replace(content.tensor, index=raw.index, name=content.name)
        return replace(_tensor(like, True, Variables(), problems), variable=True)
    if raw.index in variables.aliases:
        return placeholder
    problem = _problem(raw)
    if problem is not None:
        problems.append(f"tensor {raw.index} {quoted(raw.name)}: {problem}")
        return placeholder
    quantisation = None if raw.quantisation is None else _tidy(raw.quantisation)
    data = b"" if raw.data is None and prod(raw.shape) == 0 else raw.data
    return Tensor(raw.index, raw.name, raw.shape, _TYPES[raw.type], quantisation, data, raw.variable)


def _tidy(quantisation: Quantisation) -> Quantisation:
    """Of a tensor with one scale, the axis means nothing."""
    return quantisation if quantisation.per_channel else replace(quantisation, axis=0)


def _problem(raw: RawTensor) -> str | None:
    if raw.type not in _TYPES:
        return f"type {raw.type} isn't supported"
    if raw.sparse:
        return "sparse tensors aren't supported"
    if len(raw.shape) > MOST_RANK:
        return f"{len(raw.shape)} dimensions, at most {MOST_RANK} are supported"
    if _dynamic(raw):
        return f"dynamic shape {list(raw.signature or raw.shape)}"
    size_bytes = prod(raw.shape) * _TYPES[raw.type].size_bytes
    if size_bytes > MOST_TENSOR_BYTES:
        return f"shape {list(raw.shape)} takes {size_bytes} bytes, at most {MOST_TENSOR_BYTES} are supported"
    if raw.data is not None and raw.variable:
        return "a variable with constant content"
    if raw.data is not None and len(raw.data) != size_bytes:
        return f"{len(raw.data)} bytes of content where shape {list(raw.shape)} of {raw.type} takes {size_bytes}"
    return None if raw.quantisation is None else _quantisation_problem(raw.quantisation, raw)


def _dynamic(raw: RawTensor) -> bool:
    """Whether a dimension is open. Converters leave the batch open and write 1 for it, which is taken as meant."""
    if any(n < 0 for n in raw.shape):
        return True
    if not raw.signature:
        return False
    if len(raw.signature) != len(raw.shape):
        return True
    return any(n < 0 and not (place == 0 and raw.shape[0] == 1) for place, n in enumerate(raw.signature))


def _quantisation_problem(quantisation: Quantisation, raw: RawTensor) -> str | None:
    for scale in quantisation.scales:
        if not isfinite(scale) or scale < 0:
            return f"quantisation scale {scale}"
    low, high = _ZERO_POINT_RANGE.get(_TYPES[raw.type], (-(1 << 31), (1 << 31) - 1))
    for point in quantisation.zero_points:
        if not low <= point <= high:
            return f"zero point {point} is outside {low}..{high} of {raw.type}"
    if quantisation.per_channel:
        axis, count = quantisation.axis, len(quantisation.scales)
        if not 0 <= axis < len(raw.shape):
            return f"quantised along axis {axis} of shape {list(raw.shape)}"
        if raw.shape[axis] != count:
            return f"{count} scales along axis {axis} of shape {list(raw.shape)}"
    return None


def _with_initial(tensor: Tensor) -> Tensor:
    """A variable with what it holds before the first call: as TFLM does, zero points if it is int8, else zeros."""
    if not tensor.variable or tensor.data is not None:
        return tensor
    point = 0
    if tensor.type is ElementType.INT8 and tensor.quantisation is not None:
        point = tensor.quantisation.zero_points[0]
    return replace(tensor, data=bytes([point & 0xFF]) * tensor.size_bytes)
