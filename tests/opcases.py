"""Differential cases: one-operator models whose generated layer must give the interpreter's outputs."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hostkernels import HostModel, build
from modelwriter import Field, TensorSpec, one_op_model

from vtarget.logic.codegen.registry import problems
from vtarget.shell.interpreter import interpret_in_process
from vtarget.shell.tflitefile import parse_model

Array = np.ndarray[Any, Any]
# What float32 outputs may differ by, relative to the output's largest magnitude.
FLOAT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class OpCase:
    """One operator on random inputs; ``low`` and ``high`` are the range of real or integer values fed."""

    op: str
    inputs: Sequence[TensorSpec | None]
    outputs: Sequence[TensorSpec]
    options: Mapping[str, Field] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    note: str = ""

    def model(self) -> bytes:
        """The case as a model."""
        return one_op_model(self.op, self.inputs, self.outputs, self.options)

    def samples(self, count: int, seed: int) -> list[list[Array]]:
        """Random inputs, the same for the same seed."""
        rng = np.random.default_rng(seed)
        fed = [spec for spec in self.inputs if spec is not None and spec.data is None]
        return [[self._random(spec, rng) for spec in fed] for _ in range(count)]

    def _random(self, spec: TensorSpec, rng: np.random.Generator) -> Array:
        shape, dtype = tuple(spec.shape), np.dtype(spec.type)
        if dtype.kind == "f":
            low, high = -4.0 if self.low is None else self.low, 4.0 if self.high is None else self.high
            return rng.uniform(low, high, shape).astype(dtype)
        if dtype.kind == "b":
            return rng.integers(0, 2, shape).astype(dtype)
        limits = np.iinfo(dtype)
        low = max(limits.min, -(2**31)) if self.low is None else int(self.low)
        high = min(limits.max, 2**31 - 1) if self.high is None else int(self.high)
        return rng.integers(low, high, shape, dtype=np.int64, endpoint=True).astype(dtype)

    def __str__(self) -> str:
        """As a test's name."""
        fed = [spec for spec in self.inputs if spec is not None and spec.data is None]
        shapes = "_".join("x".join(map(str, spec.shape)) or "scalar" for spec in fed)
        types = "_".join(dict.fromkeys([*(spec.type for spec in fed), self.outputs[0].type]))
        return "-".join(part for part in (self.op, types, shapes, self.note) if part)


def constant(values: Any, type_: str) -> TensorSpec:
    """A constant operand without quantisation: an axis, bounds, a permutation."""
    array = np.array(values, np.dtype(type_))
    return TensorSpec(array.shape, type_, data=array)


def compare(case: OpCase, host: HostModel, samples: int = 2, seed: int = 1) -> None:
    """Every output of every sample equals the interpreter's; float32 within FLOAT_TOLERANCE."""
    fed = case.samples(samples, seed)
    expected = interpret_in_process(case.model(), fed, tensors=[]).samples
    for sample, result in zip(fed, expected, strict=True):
        got = host.run(sample)
        for position, (ours, theirs) in enumerate(zip(got, result.outputs, strict=True)):
            assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, f"{case}: output {position}"
            if ours.dtype.kind == "f":
                scale = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0))
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=FLOAT_TOLERANCE * scale, err_msg=str(case))
            else:
                np.testing.assert_array_equal(ours, theirs, err_msg=f"{case}: output {position}")


def build_cases(cases: Sequence[OpCase], folder: Path) -> dict[str, HostModel]:
    """Every case's model as host code, by the case's name."""
    names = [str(case) for case in cases]
    assert len(set(names)) == len(names), sorted(name for name in set(names) if names.count(name) > 1)
    return dict(zip(names, build([case.model() for case in cases], folder), strict=True))


def compare_in_place(case: OpCase, host: HostModel) -> int:
    """Runs with the output in the memory of each input that allows it; how many do."""
    allowed = host.layers[0].in_place
    (sample,) = case.samples(1, seed=2)
    expected = host.run(sample)
    for index in allowed:
        content = dict(zip(host.graph.inputs, sample, strict=True))
        buffers = {i: np.frombuffer(bytearray(array.tobytes()), np.uint8) for i, array in content.items()}
        assert host.graph.tensors[index].size_bytes == host.graph.tensors[host.graph.outputs[0]].size_bytes
        buffers[host.graph.outputs[0]] = buffers[index]
        pointers = (ctypes.c_void_p * len(host.graph.tensors))()
        for i, buffer in buffers.items():
            pointers[i] = buffer.ctypes.data
        host.function(pointers, None)
        assert buffers[index].tobytes() == expected[0].tobytes(), f"{case}: in place of input {index}"
    return len(allowed)


def refusal(case: OpCase) -> str | None:
    """Why the case can't be generated, without the operator's number and name; None if it can."""
    found = problems(parse_model("case.tflite", case.model()))
    assert len(found) <= 1
    return found[0].removeprefix(f"operator 0 {case.op}: ") if found else None
