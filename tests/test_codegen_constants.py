"""Pieces of C: arrays, structures, operands, and filling them in."""

from __future__ import annotations

import numpy as np
import pytest

from vtarget.data.graph import ElementType, Quantisation, Tensor
from vtarget.logic.codegen.constants import (
    array_of,
    call,
    definition,
    fill,
    float_literal,
    initial_byte,
    operand,
    struct,
    table_constant,
    tensor_constant,
)

CONSTANT = Tensor(3, "w", (2, 2), ElementType.INT16, data=np.array([[1, -2], [300, -32768]], "<i2").tobytes())


def test_filling_in_leaves_the_braces_of_c_alone() -> None:
    text = "{ f(&{layer}_params, {tensor_12}, {scratch}); struct s a = {0}; }"
    filled = fill(text, "layer_04", lambda n: f"(arena + {n})", "arena")
    assert filled == "{ f(&layer_04_params, (arena + 12), arena); struct s a = {0}; }"


def test_a_constant_tensor_is_its_content() -> None:
    constant = tensor_constant("filter", CONSTANT)
    assert (constant.name, constant.c_type, constant.tensor) == ("{layer}_filter", "int16_t", 3)
    assert (
        definition(constant) == "_Alignas(4) static const int16_t {layer}_filter[4] = {\n    1, -2, 300, -32768,\n};\n"
    )
    assert array_of(CONSTANT).tolist() == [[1, -2], [300, -32768]]


def test_extreme_numbers_are_valid_c() -> None:
    smallest = table_constant("t", [-(2**31), 2**31 - 1], ElementType.INT32)
    assert "(-2147483647 - 1), 2147483647," in definition(smallest)
    longest = table_constant("t", [-(2**63), 2**63 - 1], ElementType.INT64)
    assert "_Alignas(8) static const int64_t {layer}_t[2] = {\n    INT64_MIN, 9223372036854775807,\n" in definition(
        longest
    )
    values = np.array([np.inf, -np.inf, np.nan, 1.5], np.float32)
    text = definition(table_constant("t", values, ElementType.FLOAT32))
    assert '__builtin_inff(), -__builtin_inff(), __builtin_nanf(""), 0x1.8000000000000p+0f,' in text


def test_a_table_that_does_not_fit_its_type_is_refused() -> None:
    with pytest.raises(OverflowError, match="a value doesn't fit int8"):
        table_constant("t", [128], ElementType.INT8)


@pytest.mark.parametrize("value", [0.1, -3.4028234663852886e38, 1e-45, 0.0, 16777217.0])
def test_float_literals_are_exact(value: float) -> None:
    literal = float_literal(value)
    assert literal.endswith("f")
    assert np.float32(float.fromhex(literal[:-1])) == np.float32(value)


def test_numbers_without_a_float_literal_are_refused() -> None:
    with pytest.raises(OverflowError, match="has no float32 literal"):
        float_literal(float("inf"))


def test_a_structure_with_arrays_and_structures_inside() -> None:
    text = struct("vt_params", {"a": 1, "b": True, "c": [1, 2], "d": {"e": 0.5, "f": "{layer}_x"}, "g": -(2**31)})
    assert text == (
        "static const vt_params {layer}_params = {\n    .a = 1,\n    .b = 1,\n    .c = {1, 2},\n"
        "    .d = {.e = 0x1.0000000000000p-1f, .f = {layer}_x},\n    .g = (-2147483647 - 1),\n};\n"
    )


def test_operands() -> None:
    plain = Tensor(7, "x", (1,), ElementType.INT8)
    state = Tensor(8, "s", (1,), ElementType.INT8, data=b"\1", variable=True)
    assert operand("bias", None).expression == "NULL"
    assert operand("input", plain).expression == "{tensor_7}"
    assert operand("state", state).expression == "{tensor_8}"
    assert (operand("filter", CONSTANT).expression, operand("filter", CONSTANT).constants) == (
        "{layer}_filter",
        (tensor_constant("filter", CONSTANT),),
    )
    assert call("f", "a", "{layer}_b") == "f(a, {layer}_b);"


def test_variables_start_at_their_zero_point_if_int8() -> None:
    quantisation = Quantisation((0.1,), (-3,))
    assert initial_byte(Tensor(0, "s", (1,), ElementType.INT8, quantisation)) == 253
    assert initial_byte(Tensor(0, "s", (1,), ElementType.INT16, quantisation)) == 0
    assert initial_byte(Tensor(0, "s", (1,), ElementType.INT8)) == 0
