"""Generated elementwise layers give what TensorFlow Lite's interpreter gives, in place or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from elementwise_cases import CASES, binary, unary
from hostkernels import HostModel
from opcases import OpCase, build_cases, compare, compare_in_place, refusal

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not found")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModel]:
    folder: Path = tmp_path_factory.mktemp("elementwise")
    return build_cases(CASES, folder)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer_equals_the_interpreter(case: OpCase, built: dict[str, HostModel]) -> None:
    compare(case, built[str(case)])


def test_sharing_memory_with_an_input_changes_nothing(built: dict[str, HostModel]) -> None:
    shared = sum(compare_in_place(case, built[str(case)]) for case in CASES)
    assert shared > 150


def test_every_operator_may_share_the_memory_of_an_input_that_is_as_large(built: dict[str, HostModel]) -> None:
    whole = [case for case in CASES if case.inputs[0].shape == case.outputs[0].shape]
    assert all(built[str(case)].layers[0].in_place[0] == 0 for case in whole)
    broadcast = binary("ADD", "int8", ((1,), (4, 7)))
    assert built[str(broadcast)].layers[0].in_place == (1,)


def test_inputs_that_tensorflow_lite_refuses_give_the_largest_inverse_root(tmp_path: Path) -> None:
    case = unary("RSQRT", "int8", (1, 4), (0.5, 10), (0.01, -128))
    layer = build_cases([case], tmp_path)[str(case)]
    (got,) = layer.run([np.array([[-128, 9, 10, 110]], np.int8)])
    assert got.tolist() == [[127, 127, 127, -114]]


def test_the_simd_engine_says_that_it_uses_the_reference_kernel() -> None:
    from hostkernels import Target
    from modelwriter import one_op_model

    from vtarget.logic.codegen.registry import emit
    from vtarget.shell.tflitefile import parse_model

    case = binary("SQUARED_DIFFERENCE", "int8")
    graph = parse_model("x.tflite", one_op_model(case.op, case.inputs, case.outputs))
    layer = emit(graph.operators[0], graph, "simd", Target("cortex-m4", dsp=True))
    assert layer.notes == ("no fast kernel for SQUARED_DIFFERENCE: reference kernel used",)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (binary("ADD", "int64"), "its first input has type int64"),
        (binary("SQUARED_DIFFERENCE", "uint8"), "its first input has type uint8"),
        (
            binary("ADD", "int8", quantisations=((0.1, 0), (0.1, 0), (1e-8, 0))),
            "the output's scale is too small for those of the inputs",
        ),
        (
            binary("MUL", "int8", quantisations=((1.0, 0), (1.0, 0), (1e-10, 0))),
            "the output's scale is too small for those of the inputs",
        ),
        (binary("ADD", "int8", fused_activation_function="TANH"), "fused activation TANH isn't supported"),
        (binary("ADD", "int8", quantisations=((None, 0), (0.1, 0), (0.1, 0))), "its first input has no quantisation"),
        (
            binary("SUB", "int16", quantisations=((0.5, 0), (0.5, 0), (0.25, 0)), pot_scale_int16=True),
            "int16 inputs with power-of-two scales must be as fine as the output, one of them of its scale",
        ),
        (
            binary("ADD", "int16", ((2, 3), (3,)), ((0.5, 0),) * 3, pot_scale_int16=True),
            "int16 inputs with power-of-two scales can't broadcast",
        ),
        (unary("EXP", "int32", (3,)), "its input has type int32"),
        (unary("EXP", "int8", (3,)), "its input has no quantisation"),
    ],
    ids=lambda value: str(value) if isinstance(value, OpCase) else "",
)
def test_what_is_refused_and_why(case: OpCase, reason: str) -> None:
    assert refusal(case) == reason


def test_float_functions_are_right_to_a_few_units_in_the_last_place(tmp_path: Path) -> None:
    exponents = np.concatenate([np.linspace(-86, 88.7, 20001), [0.0, -0.0]]).astype(np.float32)
    roots = np.concatenate([np.logspace(-37, 38, 20001), [4.0, 2.0**-100, 1e-40]]).astype(np.float32)
    cases = [unary("EXP", "float32", exponents.shape), unary("RSQRT", "float32", roots.shape)]
    built = build_cases(cases, tmp_path)
    (exp,), (rsqrt,) = (built[str(case)].run([x]) for case, x in zip(cases, (exponents, roots), strict=True))
    np.testing.assert_allclose(exp, np.exp(exponents.astype(np.float64)), rtol=2e-7)
    np.testing.assert_allclose(rsqrt, 1 / np.sqrt(roots.astype(np.float64)), rtol=2e-7)


def test_float_functions_at_their_limits(tmp_path: Path) -> None:
    cases = [unary("EXP", "float32", (5,)), unary("RSQRT", "float32", (5,))]
    built = build_cases(cases, tmp_path)
    (exp,) = built[str(cases[0])].run([np.array([89, -104, np.inf, -np.inf, np.nan], np.float32)])
    (rsqrt,) = built[str(cases[1])].run([np.array([0, np.inf, -1, -0.0, np.nan], np.float32)])
    np.testing.assert_array_equal(exp, np.array([np.inf, 0, np.inf, 0, np.nan], np.float32))
    np.testing.assert_array_equal(rsqrt, np.array([np.inf, 0, np.nan, -np.inf, np.nan], np.float32))


def test_int16_squared_differences_which_the_interpreter_lacks(tmp_path: Path) -> None:
    case = binary("SQUARED_DIFFERENCE", "int16", ((40, 50), (50,)), ((0.001, 0), (0.0007, 0), (0.08, 0)))
    ((a, b),) = case.samples(1, 3)
    (got,) = build_cases([case], tmp_path)[str(case)].run([a, b])
    real = (a * np.float64(0.001) - b * np.float64(0.0007)) ** 2 / 0.08
    assert np.abs(got - np.clip(real, -32768, 32767)).max() < 4.0
    assert len(np.unique(got)) > 1000


def test_tables_need_scales_that_single_precision_can_do() -> None:
    case = unary("EXP", "int16", (3,), (1e30, 0), (0.1, 0))
    assert refusal(case) == "its scales 1e+30 and 0.1 are beyond single precision"
