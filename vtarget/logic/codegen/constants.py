"""Pieces of C that every operator needs: constant arrays, parameter structures, operands, and filling them in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtarget.data.emission import Constant
from vtarget.data.graph import ElementType, Tensor

FieldValue = bool | int | float | str | Sequence[int] | Mapping[str, "FieldValue"]

C_TYPES: Mapping[ElementType, str] = {
    ElementType.INT8: "int8_t",
    ElementType.UINT8: "uint8_t",
    ElementType.INT16: "int16_t",
    ElementType.INT32: "int32_t",
    ElementType.INT64: "int64_t",
    ElementType.FLOAT32: "float",
    ElementType.BOOL: "uint8_t",
}
SUFFIXES: Mapping[ElementType, str] = {
    ElementType.INT8: "s8",
    ElementType.UINT8: "u8",
    ElementType.INT16: "s16",
    ElementType.INT32: "s32",
    ElementType.INT64: "s64",
    ElementType.FLOAT32: "f32",
    ElementType.BOOL: "u8",
}
_PLACEHOLDER = re.compile(r"\{(?:tensor_(\d+)|(layer|scratch))\}")


def array_of(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The content of a constant tensor, in its shape."""
    assert tensor.data is not None
    return np.frombuffer(tensor.data, dtype=np.dtype(tensor.type.value).newbyteorder("<")).reshape(tensor.shape)


def initial_byte(tensor: Tensor) -> int:
    """What every byte of a variable tensor is before the first inference: an int8 one's zero point, else 0."""
    if tensor.type is not ElementType.INT8 or tensor.quantisation is None or not tensor.quantisation.zero_points:
        return 0
    return tensor.quantisation.zero_points[0] & 0xFF


def tensor_constant(name: str, tensor: Tensor) -> Constant:
    """A constant tensor's content as the C array ``{layer}_name``."""
    assert tensor.data is not None
    return Constant(f"{{layer}}_{name}", C_TYPES[tensor.type], tensor.data, tensor.index)


def table_constant(name: str, values: Sequence[int] | np.ndarray[Any, Any], type_: ElementType) -> Constant:
    """Computed values as the C array ``{layer}_name``.

    :raises OverflowError: a value doesn't fit ``type_``.
    """
    array = np.asarray(values, dtype=np.float32 if type_ is ElementType.FLOAT32 else np.int64)
    if type_ is not ElementType.FLOAT32:
        limits = np.iinfo(type_.value)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise OverflowError(f"{name}: a value doesn't fit {type_.value}")
    data = array.astype(np.dtype(type_.value).newbyteorder("<")).tobytes()
    return Constant(f"{{layer}}_{name}", C_TYPES[type_], data)


@dataclass(frozen=True)
class Operand:
    """A tensor as a C expression (a pointer), with the constants that the expression needs."""

    expression: str
    constants: tuple[Constant, ...] = ()


def operand(name: str, tensor: Tensor | None) -> Operand:
    """A pointer to a tensor: its place in the arena, the array ``{layer}_name`` if constant, NULL if left out."""
    if tensor is None:
        return Operand("NULL")
    if tensor.constant:
        return Operand(f"{{layer}}_{name}", (tensor_constant(name, tensor),))
    return Operand(f"{{tensor_{tensor.index}}}")


def float_literal(value: float) -> str:
    """``value`` rounded to float32 as a C literal that is exactly it."""
    single = float(np.float32(value))
    if single != single or single in (float("inf"), float("-inf")):
        raise OverflowError(f"{value} has no float32 literal")
    return f"{single.hex()}f"


def _value_text(value: FieldValue) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return "(-2147483647 - 1)" if value == -(2**31) else str(value)
    if isinstance(value, float):
        return float_literal(value)
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "{" + ", ".join(f".{key} = {_value_text(item)}" for key, item in value.items()) + "}"
    return "{" + ", ".join(_value_text(item) for item in value) + "}"


def struct(c_type: str, fields: Mapping[str, FieldValue], name: str = "params") -> str:
    """The definition of a constant structure ``{layer}_name``; a text value is a C expression, a sequence an array.

    A mapping is a structure inside it.
    """
    lines = "".join(f"    .{key} = {_value_text(value)},\n" for key, value in fields.items())
    return f"static const {c_type} {{layer}}_{name} = {{\n{lines}}};\n"


def _literal(value: bool | int | float, c_type: str) -> str:
    if c_type != "float":
        return "INT64_MIN" if value == -(2**63) else _value_text(int(value))
    if value != value:
        return '__builtin_nanf("")'
    if value in (float("inf"), float("-inf")):
        return "__builtin_inff()" if value > 0 else "-__builtin_inff()"
    return float_literal(value)


def definition(constant: Constant) -> str:
    """The definition of a constant array as C, one element at least; ``{layer}`` stays to be filled in."""
    dtype = np.dtype("<f4" if constant.c_type == "float" else constant.c_type.removesuffix("_t"))
    values = np.frombuffer(constant.values, dtype=dtype.newbyteorder("<")).tolist() or [0]
    rows = [values[i : i + 16] for i in range(0, len(values), 16)]
    body = "".join(f"    {', '.join(_literal(v, constant.c_type) for v in row)},\n" for row in rows)
    aligned = f"_Alignas({max(constant.alignment_bytes, dtype.itemsize)}) "
    return f"{aligned}static const {constant.c_type} {constant.name}[{len(values)}] = {{\n{body}}};\n"


def call(function: str, *arguments: str) -> str:
    """A C statement that calls ``function``."""
    return f"{function}({', '.join(arguments)});"


def fill(text: str, layer: str, tensor: Callable[[int], str], scratch: str = "NULL") -> str:
    """``text`` with ``{layer}``, ``{tensor_N}`` and ``{scratch}`` replaced; every other brace is C's own."""
    replacements = {"layer": layer, "scratch": scratch}

    def replace(match: re.Match[str]) -> str:
        return tensor(int(match[1])) if match[1] is not None else replacements[match[2]]

    return _PLACEHOLDER.sub(replace, text)
