"""Fused loops visit the same elements in the same order as the loops that they were made of."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.graph import ElementType, Tensor
from vtarget.logic.codegen.loops import (
    Dim,
    Move,
    axis_problem,
    broadcast_dims,
    broadcast_problem,
    fuse,
    in_place,
    strides,
)
from vtarget.logic.codegen.ops.lookup import interpolated_s16, inverse_square_root


def _visits(dims: list[Dim]) -> list[tuple[int, ...]]:
    """The offsets that nested loops pass, per tensor."""
    columns = [dim[1:] for dim in dims]
    return [
        tuple(sum(i * steps[t] for i, steps in zip(index, columns, strict=True)) for t in (0, 1))
        for index in product(*(range(dim[0]) for dim in dims))
    ]


DIMS = st.lists(st.tuples(st.integers(1, 4), st.integers(-30, 30), st.integers(0, 30)), max_size=5)


@given(DIMS)
def test_fusing_keeps_the_order_of_visits(dims: list[Dim]) -> None:
    fused = fuse(dims)
    assert _visits(fused) == _visits(dims)
    assert len(fused) <= len(dims) and all(dim[0] > 1 for dim in fused)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_a_dense_tensor_is_one_loop(shape: list[int]) -> None:
    dims = [(n, a, a) for n, a in zip(shape, strides(shape), strict=True)]
    size = math.prod(shape)
    assert fuse(dims) == ([(size, 1, 1)] if size > 1 else [])


@given(st.data())
def test_broadcast_loops_read_what_numpy_reads(data: st.DataObject) -> None:
    output = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    shapes = [
        tuple(n if data.draw(st.booleans()) else 1 for n in output)[data.draw(st.integers(0, len(output))) :]
        for _ in (0, 1)
    ]
    shape = np.broadcast_shapes(*shapes)
    dims = broadcast_dims(*shapes, shape)
    numbers = [np.broadcast_to(np.arange(math.prod(s)).reshape(s), shape).reshape(-1).tolist() for s in shapes]
    assert _visits(dims) == list(zip(*numbers, strict=True))


@pytest.mark.parametrize(
    ("dims", "kernel", "run_bytes", "shape"),
    [
        ([(2, 12, 24), (3, 4, 4), (4, 1, 1)], "vt_move_runs", 24, [2]),
        ([(4, 5, 1), (5, 1, 4)], "vt_move_16", 2, [4, 5]),
        ([(3, -1, 1)], "vt_move_16", 2, [3]),
        ([], "vt_move_runs", 2, []),
    ],
)
def test_contiguous_elements_become_runs(dims: list[Dim], kernel: str, run_bytes: int, shape: list[int]) -> None:
    name, fields = Move(tuple(dims)).kernel(2)
    assert (name, fields["run_bytes"]) == (kernel, run_bytes)
    assert fields["shape"] == [1] * (6 - len(shape)) + shape


def test_a_plain_copy_is_known_as_one() -> None:
    assert Move(((2, 3, 3), (3, 1, 1))).copies_all(6)
    assert not Move(((2, 3, 3), (3, 1, 1))).copies_all(12)
    assert not Move(((2, 3, 3), (3, 1, 1)), input_offset=1).copies_all(6)


def test_more_separate_dimensions_than_kernels_have_are_refused() -> None:
    dims = tuple((2, 3**i, 5**i) for i in range(7))
    assert Move(dims).problem == "moving data in more than 6 separate dimensions isn't supported"
    assert Move(dims[:6]).problem is None


def _tensor(index: int, shape: tuple[int, ...], type_: ElementType = ElementType.INT8) -> Tensor:
    return Tensor(index, "", shape, type_)


def test_shapes_must_broadcast_to_the_output() -> None:
    a, b = _tensor(0, (2, 3)), _tensor(1, (2,))
    assert broadcast_problem(a, b, _tensor(2, (2, 3))) == "shapes [2, 3] and [2] don't broadcast"
    b = _tensor(1, (3,))
    assert broadcast_problem(a, b, _tensor(2, (2, 3))) is None
    wrong = "output shape [3, 2] doesn't follow from its inputs, which give [2, 3]"
    assert broadcast_problem(a, b, _tensor(2, (3, 2))) == wrong
    a, b = _tensor(0, (2, 1, 2, 1, 2, 1)), _tensor(1, (1, 2, 1, 2, 1, 2))
    many = "broadcasting over more than 5 separate dimensions isn't supported"
    assert broadcast_problem(a, b, _tensor(2, (2,) * 6)) == many


def test_sharing_memory_needs_the_same_elements_in_memory_of_its_own() -> None:
    output = _tensor(1, (2, 3))
    assert in_place(_tensor(0, (6,)), output) == (0,)
    assert in_place(_tensor(0, (3,)), output) == ()
    assert in_place(_tensor(0, (6,), ElementType.UINT8), output) == ()
    assert in_place(Tensor(0, "", (6,), ElementType.INT8, data=bytes(6)), output) == ()
    assert in_place(Tensor(0, "", (6,), ElementType.INT8, variable=True), output) == ()


def test_axes_count_from_both_ends() -> None:
    assert axis_problem(-2, 2) is None and axis_problem(1, 2) is None
    assert axis_problem(2, 2) == "axis 2 isn't one of 2"
    assert axis_problem(-3, 2) == "axis -3 isn't one of 2"


@given(st.integers(2, 2**29 - 1))
def test_inverse_square_roots_are_right_to_five_digits(value: int) -> None:
    multiplier, shift = inverse_square_root(value)
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(value**-0.5, rel=1e-5)


def test_an_interpolated_table_of_a_line_is_the_line() -> None:
    table = interpolated_s16(lambda value: value, 0.001, 0.002)
    assert table[::128] == [-16384, -8192, 0, 8192, 16384]
    assert len(table) == 513 and table[511] == 16320
