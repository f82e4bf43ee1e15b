"""Comparing a firmware's tensors with a reference's, against values worked out by hand."""

from __future__ import annotations

import math
from zlib import crc32

import numpy as np
import pytest

from vtarget.base.errors import InputError
from vtarget.data.graph import ElementType, Graph, Operator, Quantisation, Tensor
from vtarget.data.validation import Tolerance
from vtarget.logic.validation import compare_tensor, cosine, output_crc32, sqnr_db, validate

INT8 = Tensor(7, "y", (4,), ElementType.INT8, Quantisation((0.5,), (-1,)))
FLOAT = Tensor(8, "z", (4,), ElementType.FLOAT32)


def int8(*values: int) -> np.ndarray:
    return np.array(values, np.int8)


def float32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_equal_integers_are_bit_exact() -> None:
    found = compare_tensor(INT8, int8(1, 2, -128, 127), int8(1, 2, -128, 127))
    assert (found.bit_exact, found.within, found.differing) == (True, True, 0)
    assert (found.max_abs_diff, found.mean_abs_diff, found.rmse) == (0, 0, 0)
    assert (found.cosine, found.sqnr_db) == (1.0, None)
    assert (found.tensor, found.name, found.shape, found.type, found.elements) == (7, "y", (4,), "int8", 4)


def test_metrics_of_integers_are_in_steps_and_of_real_values() -> None:
    # Without the zero point: 3, 4, 0, 0 against 3, 4, 3, -1.
    found = compare_tensor(INT8, int8(2, 3, -1, -1), int8(2, 3, 2, -2))
    assert (found.bit_exact, found.within, found.differing) == (False, False, 2)
    assert (found.max_abs_diff, found.mean_abs_diff) == (3.0, 1.0)
    assert found.rmse == pytest.approx(math.sqrt(10 / 4))
    assert found.cosine == pytest.approx(25 / (5 * math.sqrt(35)))
    assert found.sqnr_db == pytest.approx(10 * math.log10(25 / 10))


def test_differences_of_extremes_do_not_wrap() -> None:
    assert compare_tensor(INT8, int8(-128), int8(127)).max_abs_diff == 255
    wide = Tensor(0, "w", (1,), ElementType.INT64)
    far = compare_tensor(wide, np.array([-(2**63)]), np.array([2**63 - 1]))
    assert (far.max_abs_diff, far.differing) == (2.0**64, 1)


@pytest.mark.parametrize(("steps", "within"), [(0, False), (1, False), (2, True)])
def test_steps_of_tolerance(steps: int, within: bool) -> None:
    assert compare_tensor(INT8, int8(5, 6), int8(7, 5), Tolerance(steps=steps)).within is within


def test_float32_is_judged_by_the_largest_magnitude() -> None:
    found = compare_tensor(FLOAT, float32(100, 1e-6, 0), float32(100, 5e-4, 0))
    assert (found.bit_exact, found.within, found.differing) == (False, True, 1)
    assert not compare_tensor(FLOAT, float32(100, 1e-6), float32(100, 2e-3)).within
    assert compare_tensor(FLOAT, float32(100, 1e-6), float32(100, 2e-3), Tolerance(relative=1e-4)).within
    assert not compare_tensor(FLOAT, float32(0, 0), float32(0, 1e-30)).within


def test_not_a_number_is_equal_to_itself_and_to_nothing_else() -> None:
    nan, inf = math.nan, math.inf
    same = compare_tensor(FLOAT, float32(nan, inf, -inf, 3), float32(nan, inf, -inf, 3))
    assert (same.bit_exact, same.within, same.max_abs_diff, same.cosine) == (True, True, 0, 1.0)
    other = compare_tensor(FLOAT, float32(nan, inf, 1, 4, 2), float32(1, -inf, nan, inf, 2))
    assert (other.differing, other.not_finite, other.within, other.max_abs_diff) == (4, 4, False, 0)


def test_negative_zero_is_zero() -> None:
    assert compare_tensor(FLOAT, float32(0.0), float32(-0.0)).bit_exact


def test_nothing_compared_is_equal() -> None:
    found = compare_tensor(INT8, int8(), int8())
    assert (found.bit_exact, found.within, found.mean_abs_diff, found.cosine) == (True, True, 0, None)


def test_cosine() -> None:
    assert cosine(float32(1, 0), float32(0, 2)) == 0
    assert cosine(float32(1, 2), float32(-2, -4)) == -1
    assert cosine(float32(0, 0), float32(1, 1)) is None
    assert cosine(np.array([1e300, 1e300]), np.array([1e-300, 1e-300])) == pytest.approx(1)


def test_sqnr() -> None:
    assert sqnr_db(float32(10, 0), float32(9, 0)) == pytest.approx(20)
    assert sqnr_db(float32(1), float32(3)) == pytest.approx(-6.0206, abs=1e-4)
    assert sqnr_db(float32(0), float32(1)) is None
    assert sqnr_db(float32(1), float32(1)) is None
    assert sqnr_db(np.array([1e300]), np.array([1e300 + 1e290])) == pytest.approx(200, abs=1e-3)


def graph() -> Graph:
    tensors = tuple(Tensor(i, f"t{i}", (2,), ElementType.INT8) for i in range(4))
    ops = (Operator(0, "RELU", (0,), (1,)), Operator(1, "TANH", (1,), (2,)), Operator(2, "LOGISTIC", (2,), (3,)))
    return Graph("m.tflite", "", "m", tensors, ops, (0,), (3,))


def run(*layers: tuple[int, int]) -> dict[int, np.ndarray]:
    return {index + 1: int8(*values) for index, values in enumerate(layers)}


def test_the_first_diverging_layer_is_named() -> None:
    expected = [run((1, 2), (3, 4), (5, 6)), run((1, 2), (3, 4), (5, 6))]
    actual = [run((1, 2), (3, 4), (5, 6)), run((1, 2), (3, 6), (5, 7))]
    found = validate(graph(), expected, actual, "an interpreter 1.0")
    assert (found.reference, found.samples) == ("an interpreter 1.0", 2)
    assert found.first_diverging is not None
    assert (found.first_diverging.index, found.first_diverging.op) == (1, "TANH")
    assert [layer.bit_exact for layer in found.layers] == [True, False, False]
    assert (found.passed, found.bit_exact, found.max_abs_diff) == (False, False, 1.0)
    assert found.layers[1].outputs[0].elements == 4
    assert found.layers[1].outputs[0].mean_abs_diff == 0.5
    assert found.outputs == found.layers[2].outputs


def test_equal_runs_pass() -> None:
    found = validate(graph(), [run((1, 2), (3, 4), (5, 6))], [run((1, 2), (3, 4), (5, 6))], "it")
    assert (found.passed, found.bit_exact, found.first_diverging, found.max_abs_diff) == (True, True, None, 0)
    assert found.crc32 == f"{crc32(bytes([5, 6])):08x}"


def test_tolerance_and_allowances_pass_what_they_allow() -> None:
    expected, actual = [run((1, 2), (3, 4), (5, 6))], [run((1, 2), (3, 6), (5, 7))]
    assert validate(graph(), expected, actual, "it", Tolerance(steps=2)).passed
    first = validate(graph(), expected, actual, "it", allowances={1: 1}).first_diverging
    assert first is not None and first.index == 1
    allowed = validate(graph(), expected, actual, "it", allowances={1: 2})
    assert (allowed.passed, allowed.bit_exact, allowed.unjudged) == (True, False, (2,))


def test_layers_behind_an_allowance_that_is_not_used_are_judged() -> None:
    expected, actual = [run((1, 2), (3, 4), (5, 6))], [run((1, 2), (3, 4), (5, 7))]
    found = validate(graph(), expected, actual, "it", allowances={1: 2})
    assert (found.passed, found.unjudged) == (False, ())
    assert found.first_diverging is not None and found.first_diverging.index == 2


def test_what_one_side_lacks_is_left_out() -> None:
    expected, actual = [run((1, 2), (3, 4), (5, 6))], [{3: int8(5, 6)}]
    found = validate(graph(), expected, actual, "it")
    assert [len(layer.outputs) for layer in found.layers] == [0, 0, 1]
    assert found.passed


def test_an_output_that_is_an_input_is_compared_too() -> None:
    passing = Graph("m", "", "m", graph().tensors, graph().operators, (0,), (0, 3))
    one = {0: int8(1, 1), 3: int8(5, 6)}
    found = validate(passing, [one], [{0: int8(1, 2), 3: int8(5, 6)}], "it")
    assert [output.bit_exact for output in found.outputs] == [False, True]
    assert not found.passed


@pytest.mark.parametrize(
    ("actual", "line"),
    [
        ([], "0 samples of the firmware against 1 of it"),
        ([run((1, 2))], "output tensor 3 't3' has not been captured"),
        ([{3: int8(1)}], "tensor 3 't3', sample 0: 1 elements against 2 of the reference"),
    ],
)
def test_sides_that_do_not_match_are_refused(actual: list[dict[int, np.ndarray]], line: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(graph(), [run((1, 2), (3, 4), (5, 6))], actual, "it")
    assert caught.value.one_line() == line


def test_the_checksum_is_of_little_endian_bytes_in_order() -> None:
    assert output_crc32([]) == "00000000"
    samples = [[np.array([1, 2], ">i2"), int8(3)], [int8(4)]]
    assert output_crc32(samples) == f"{crc32(bytes([1, 0, 2, 0, 3, 4])):08x}"
    assert output_crc32([[np.frombuffer(b"123456789", np.int8)]]) == "cbf43926"
