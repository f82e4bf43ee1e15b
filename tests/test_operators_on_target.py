"""Every operator on virtual boards, with both engines, gives what TensorFlow Lite gives.

All cases of a board and an engine are one firmware. Integers are bit-exact; float32 is within 1e-5 of the output's
largest magnitude. Where the interpreter is known to differ from TensorFlow Lite Micro, or refuses the model, the
latter decides: its recorded checksums hold the reference kernels on this machine, and those hold the board.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import conversion_cases
import elementwise_cases
import movement_cases
import numpy as np
import pytest
import test_codegen_ops_activation
import test_codegen_ops_sequence
import test_codegen_ops_weighted
import tflmcases
from heavycases import SEED, our_outputs
from hostkernels import HostModel
from opcases import FLOAT_TOLERANCE, OpCase, build_cases
from targetkernels import TargetRun, run_models

from vtarget.shell.interpreter import interpret_in_process

pytestmark = [
    pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found"),
    pytest.mark.skipif(importlib.util.find_spec("ai_edge_litert") is None, reason="ai-edge-litert not found"),
]

Array = np.ndarray[Any, Any]
Runs = dict[str, TargetRun]

ENGINES = ("reference", "simd")
M4 = "mps2-an386"
SAMPLED = {"m0plus": "rpi-pico", "m3": "mps2-an385", "m7": "mps2-an500", "m33": "nucleo-u575zi-q"}
ROOM_BYTES = {"rpi-pico": 130_000}
RECORDED = json.loads(Path(__file__).with_name("tflm_outputs.json").read_text(encoding="utf-8"))

BY_INTERPRETER = {
    str(case): case
    for module in (
        elementwise_cases,
        movement_cases,
        conversion_cases,
        test_codegen_ops_weighted,
        test_codegen_ops_activation,
        test_codegen_ops_sequence,
    )
    for case in module.CASES
}
BY_MICRO = {str(case): case for case in tflmcases.CASES}
# The interpreter rounds these once where TensorFlow Lite Micro rounds twice; they are at most this many steps apart.
ROUNDED_ONCE = {name: BY_INTERPRETER[name] for name in test_codegen_ops_weighted.ROUNDED_ONCE}
ROUNDING_STEPS = 1
CASES = {**BY_INTERPRETER, **BY_MICRO}
# Only what a plain copy of a flag, or of a table's saturated end, leaves.
FLAT = {
    "SQUEEZE-bool-1x6x1",
    "RSQRT-int8-64x16-table2",
    *(f"CAST-{t}_bool-20x30" for t in ("int16", "int32", "int64", "float32")),
}


def _kind(case: OpCase) -> tuple[str, ...]:
    return (case.op, *(spec.type for spec in (*case.inputs, *case.outputs) if spec is not None))


# One case of each operator and combination of types, not the plainest.
SAMPLE = {_kind(case): name for name, case in CASES.items()}.values()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Runs]:
    """By board and engine, what became of every case, by name."""

    @cache
    def run(board: str, engine: str) -> Runs:
        cases = CASES if board == M4 else {name: CASES[name] for name in SAMPLE}
        found: Runs = {}
        for part in _parts(cases, board):
            models, fed = [case.model() for case in part.values()], [case.samples(1, SEED)[0] for case in part.values()]
            ran = run_models(models, fed, tmp_path_factory.mktemp("target"), board, engine)
            found |= dict(zip(part, ran, strict=True))
        return found

    return run


def _parts(cases: Mapping[str, OpCase], board: str) -> list[dict[str, OpCase]]:
    """Cases whose tensors fit the board together, as many parts as that takes."""
    room = ROOM_BYTES.get(board, 2_000_000)
    parts: list[dict[str, OpCase]] = [{}]
    used = 0
    for name, case in cases.items():
        tensors = [spec for spec in (*case.inputs, *case.outputs) if spec is not None and spec.data is None]
        size = sum(int(np.prod(spec.shape)) * np.dtype(spec.type).itemsize + 16 for spec in tensors)
        if used + size > room:
            parts.append({})
            used = 0
        parts[-1][name] = case
        used += size
    return parts


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModel]:
    """The reference kernels on this machine, for the cases that the interpreter doesn't decide."""
    cases = {**BY_MICRO, **ROUNDED_ONCE}
    return build_cases(list(cases.values()), tmp_path_factory.mktemp("host"))


@cache
def _interpreted(name: str) -> tuple[Array, ...]:
    case = BY_INTERPRETER[name]
    return interpret_in_process(case.model(), case.samples(1, SEED), tensors=[]).samples[0].outputs


def _assert_equal(got: list[Array], expected: tuple[Array, ...], steps: int = 0) -> None:
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if ours.dtype.kind == "f":
            largest = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0))
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=FLOAT_TOLERANCE * largest)
        elif steps:
            assert np.abs(ours.astype(np.int64) - theirs.astype(np.int64)).max(initial=0) <= steps
        else:
            np.testing.assert_array_equal(ours, theirs)


def _check(name: str, run: TargetRun, hosts: dict[str, HostModel]) -> None:
    if name in BY_MICRO or name in ROUNDED_ONCE:
        _assert_equal(run.outputs, tuple(our_outputs(CASES[name], hosts[name])[:1]))
    if name in ROUNDED_ONCE:
        _assert_equal(run.outputs, _interpreted(name), ROUNDING_STEPS)
    elif name not in BY_MICRO:
        _assert_equal(run.outputs, _interpreted(name))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES, ids=str)
def test_m4(name: str, engine: str, runs: Callable[[str, str], Runs], hosts: dict[str, HostModel]) -> None:
    _check(name, runs(M4, engine)[name], hosts)


@pytest.mark.parametrize("core", SAMPLED)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SAMPLE, ids=str)
def test_other_cores(
    name: str, engine: str, core: str, runs: Callable[[str, str], Runs], hosts: dict[str, HostModel]
) -> None:
    _check(name, runs(SAMPLED[core], engine)[name], hosts)


@pytest.mark.parametrize("name", BY_MICRO, ids=str)
def test_this_machines_reference_kernels_are_tensorflow_lite_micros(name: str, hosts: dict[str, HostModel]) -> None:
    outputs = our_outputs(BY_MICRO[name], hosts[name])
    assert crc32(b"".join(output.tobytes() for output in outputs)) == RECORDED[name]


def test_the_cases_are_many_and_of_every_operator() -> None:
    operators = Counter(case.op for case in CASES.values())
    assert len(CASES) >= 400
    assert set(operators) >= {
        *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"),
        *("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "SUM", "SOFTMAX", "LOGISTIC", "TANH"),
        *("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "PRELU", "HARD_SWISH"),
        *("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "EXP", "RSQRT"),
        *("CONCATENATION", "SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE", "PAD", "PADV2", "MIRROR_PAD"),
        *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PACK", "UNPACK", "GATHER"),
        *("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR", "QUANTIZE", "DEQUANTIZE", "CAST", "ARG_MAX", "ARG_MIN"),
        *("L2_NORMALIZATION", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    }


def test_outputs_are_more_than_one_value() -> None:
    """A case whose output is all the same would show little."""
    plain = {name for name in BY_INTERPRETER if all(len(np.unique(output)) < 2 for output in _interpreted(name))}
    sizes = {name: max(output.size for output in _interpreted(name)) for name in plain}
    assert {name for name, size in sizes.items() if size > 2} <= FLAT


def test_fast_kernels_are_among_them(runs: Callable[[str, str], Runs]) -> None:
    layers = [(run.graph.operators[0].op, layer) for run in runs(M4, "simd").values() for layer in run.layers]
    fast = {op for op, layer in layers if any(source.startswith("simd/") for source in layer.sources)}
    assert fast >= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "AVERAGE_POOL_2D", "MAX_POOL_2D"}
