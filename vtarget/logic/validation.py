"""Compares tensors of a firmware with those of a reference, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10, sqrt
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from vtarget.base.errors import InputError
from vtarget.base.names import quoted
from vtarget.data.graph import Graph, Tensor
from vtarget.data.validation import LayerComparison, TensorComparison, Tolerance, Validation

Array = npt.NDArray[Any]
Tensors = Mapping[int, Array]

BIT_EXACT = Tolerance()
ANYTHING = Tolerance(steps=1 << 62, relative=float("inf"))


def validate(
    graph: Graph,
    expected: Sequence[Tensors],
    actual: Sequence[Tensors],
    reference: str,
    tolerance: Tolerance = BIT_EXACT,
    *,
    allowances: Mapping[int, int] | None = None,
) -> Validation:
    """Compares what a firmware computed with what ``reference`` did: one mapping of tensor index to content per sample.

    Tensors that either side lacks are left out, except for the model's outputs. ``allowances`` are steps by which the
    outputs of an operator (by index) may differ where a reference is known to; what follows from such a difference is
    compared, but not judged.

    :raises InputError: the sides have different numbers of samples or elements, or an output is missing.
    """
    if len(expected) != len(actual):
        raise InputError(f"{len(actual)} samples of the firmware against {len(expected)} of {reference}")
    layers: list[LayerComparison] = []
    unjudged: list[int] = []
    astray: set[int] = set()
    for operator in graph.operators:
        known = (allowances or {}).get(operator.index, 0)
        follows = not astray.isdisjoint(operator.inputs)
        allowed = ANYTHING if follows else Tolerance(max(tolerance.steps, known), tolerance.relative)
        compared = (
            _compare(graph.tensors[index], expected, actual, allowed)
            for index in operator.outputs
            if all(index in tensors for tensors in (*expected, *actual))
        )
        layer = LayerComparison(operator.index, operator.op, tuple(compared))
        layers.append(layer)
        if follows:
            unjudged.append(operator.index)
        if follows or (known and layer.within and not layer.bit_exact):
            astray.update(operator.outputs)
    for index in graph.outputs:
        if any(index not in tensors for tensors in (*expected, *actual)):
            raise InputError(f"output tensor {index} {quoted(graph.tensors[index].name)} has not been captured")
    judged = {output.tensor: output for layer in layers for output in layer.outputs}
    outputs = tuple(
        judged.get(index) or _compare(graph.tensors[index], expected, actual, tolerance) for index in graph.outputs
    )
    crc = output_crc32([[tensors[index] for index in graph.outputs] for tensors in actual])
    return Validation(reference, len(expected), outputs, tuple(layers), crc, tuple(unjudged))


def output_crc32(samples: Sequence[Sequence[Array]]) -> str:
    """The CRC-32 (as of zlib) of all arrays' little-endian bytes, in order, in eight hexadecimal digits."""
    crc = 0
    for sample in samples:
        for array in sample:
            crc = crc32(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes(), crc)
    return f"{crc:08x}"


def _compare(
    tensor: Tensor, expected: Sequence[Tensors], actual: Sequence[Tensors], allowed: Tolerance
) -> TensorComparison:
    for number, (want, have) in enumerate(zip(expected, actual, strict=True)):
        if want[tensor.index].size != have[tensor.index].size:
            place = f"tensor {tensor.index} {quoted(tensor.name)}, sample {number}"
            raise InputError(
                f"{place}: {have[tensor.index].size} elements against {want[tensor.index].size} of the reference"
            )
    wanted, had = (
        np.concatenate([tensors[tensor.index].reshape(-1) for tensors in side]) if side else np.zeros(0)
        for side in (expected, actual)
    )
    return compare_tensor(tensor, wanted, had, allowed)


def compare_tensor(
    tensor: Tensor, expected: Array, actual: Array, tolerance: Tolerance = BIT_EXACT
) -> TensorComparison:
    """Compares two arrays of ``tensor``'s type and any one shape, elements in the same order."""
    differs, not_finite = _differing(expected, actual)
    want = np.where(not_finite, 0, expected).astype(np.float64)
    have = np.where(not_finite, 0, actual).astype(np.float64)
    # Equal infinities and NaNs are no error, and no signal either.
    same = ~differs & ~np.isfinite(want)
    want, have = np.where(same, 0.0, want), np.where(same, 0.0, have)
    error = np.abs(have - want)
    largest = float(error.max(initial=0.0))
    peak = float(np.abs(want).max(initial=0.0))
    limit = tolerance.relative * peak if tensor.type == "float32" else float(tolerance.steps)
    point = tensor.quantisation.zero_points[0] if tensor.quantisation is not None else 0
    return TensorComparison(
        tensor=tensor.index,
        name=tensor.name,
        shape=tensor.shape,
        type=str(tensor.type),
        elements=int(expected.size),
        differing=int(differs.sum()),
        not_finite=int(not_finite.sum()),
        max_abs_diff=largest,
        mean_abs_diff=float(error.mean()) if error.size else 0.0,
        rmse=sqrt(float(np.square(error).mean())) if error.size else 0.0,
        cosine=cosine(want - point, have - point),
        sqnr_db=sqnr_db(want - point, have - point),
        within=largest <= limit and not not_finite.any(),
    )


def _differing(expected: Array, actual: Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where the two differ, and where they do in being finite (or in which infinity it is)."""
    differs = expected != actual
    if expected.dtype.kind != "f":
        return differs, np.zeros(expected.shape, np.bool_)
    differs &= ~(np.isnan(expected) & np.isnan(actual))
    return differs, differs & ~(np.isfinite(expected) & np.isfinite(actual))


def cosine(expected: Array, actual: Array) -> float | None:
    """The cosine of the angle between two arrays taken as vectors, at most 1; None if either is all zeros."""
    want, have = expected.astype(np.float64).reshape(-1), actual.astype(np.float64).reshape(-1)
    if not want.any() or not have.any():
        return None
    # Scaled first, so that squares of large values stay finite and those of small ones don't vanish.
    want, have = want / np.abs(want).max(), have / np.abs(have).max()
    return min(1.0, max(-1.0, float(want @ have) / sqrt(float(want @ want) * float(have @ have))))


def sqnr_db(expected: Array, actual: Array) -> float | None:
    """Signal to quantisation noise: 10 log10 (sum expected^2 / sum (actual - expected)^2); None if either sum is 0."""
    want = expected.astype(np.float64).reshape(-1)
    noise = actual.astype(np.float64).reshape(-1) - want
    if not want.any() or not noise.any():
        return None
    peak, noise_peak = float(np.abs(want).max()), float(np.abs(noise).max())
    want, noise = want / peak, noise / noise_peak
    return 10 * log10(float(want @ want) / float(noise @ noise)) + 20 * (log10(peak) - log10(noise_peak))
