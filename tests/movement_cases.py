"""Cases of the operators that only move elements."""

from __future__ import annotations

import numpy as np
from modelwriter import TensorSpec
from opcases import OpCase, constant

TYPES = ("int8", "int16", "float32", "int32", "uint8", "int64", "bool")
QUANTISATIONS = {"int8": (0.1, 3), "uint8": (0.1, 130), "int16": (0.001, 0)}
# What TensorFlow Lite itself doesn't do.
LACKING = {("UNPACK", "int64"), ("PACK", "bool"), ("SPLIT", "bool"), ("SPLIT_V", "bool")}

# (begin, end, strides), output shape, masks: of an input (2, 6, 4).
STRIDED = {
    "forward": (([0, 1, 0], [2, 6, 4], [1, 2, 3]), (2, 3, 2), {}),
    "backward": (([1, 5, -1], [-9, 0, -9], [-1, -2, -1]), (2, 3, 4), {}),
    "masks": (([7, 1, 7], [7, 5, 7], [1, 1, 1]), (2, 4, 4), {"begin_mask": 5, "end_mask": 5}),
    "masks-backward": (([7, 1, 7], [7, 5, 0], [-1, 1, -2]), (2, 4, 2), {"begin_mask": 5, "end_mask": 5}),
    "shrink": (([1, 1, 0], [2, 9, 4], [1, 1, 1]), (5, 4), {"shrink_axis_mask": 1}),
    "shrink-negative": (([0, -1, 0], [2, 9, 4], [1, 1, 1]), (2, 4), {"shrink_axis_mask": 2}),
    "new-axis": (([0, 0, 1], [2, 0, 4], [1, 1, 1]), (2, 1, 3, 4), {"new_axis_mask": 2}),
    "ellipsis": (([0, 1], [0, 3], [1, 1]), (2, 6, 2), {"ellipsis_mask": 1}),
    "ellipsis-new-axis": (
        ([0, 0, 1], [0, 0, 3], [1, 1, 1]),
        (2, 6, 1, 2),
        {"ellipsis_mask": 1, "new_axis_mask": 2},
    ),
    "short": (([1], [2], [1]), (1, 6, 4), {}),
    "offset": (([1, 1, 1], [1, 3, 2], [1, 1, 1]), (1, 3, 2), {"offset": True}),
    "element": (([1, 2, 3], [2, 3, 4], [1, 1, 1]), (), {"shrink_axis_mask": 7}),
}


def moving(op, type_, shapes, outputs, options=None, *, before=(), after=(), note="") -> OpCase:
    """Inputs and outputs of one type and quantisation, between constant operands ``before`` and ``after``."""
    pair = QUANTISATIONS.get(type_, (None, 0))
    inputs = [*before, *(TensorSpec(shape, type_, *pair) for shape in shapes), *after]
    return OpCase(op, inputs, [TensorSpec(shape, type_, *pair) for shape in outputs], options or {}, note=note)


def _join_cases(t: str) -> list[OpCase]:
    return [
        moving("CONCATENATION", t, [(2, 3, 4), (2, 5, 4)], [(2, 8, 4)], {"axis": 1}),
        moving("CONCATENATION", t, [(2, 3, 4), (2, 3, 1), (2, 3, 2)], [(2, 3, 7)], {"axis": -1}),
        moving("CONCATENATION", t, [(1, 3, 4), (2, 3, 4)], [(3, 3, 4)], {"axis": 0}),
        moving("PACK", t, [(2, 3), (2, 3)], [(2, 2, 3)], {"axis": 0, "values_count": 2}),
        moving("PACK", t, [(2, 3)] * 3, [(2, 3, 3)], {"axis": -1, "values_count": 3}),
    ]


def _part_cases(t: str) -> list[OpCase]:
    i32 = "int32"
    return [
        moving("UNPACK", t, [(2, 3, 4)], [(2, 4)] * 3, {"axis": 1, "num": 3}),
        moving("UNPACK", t, [(2, 3)], [(2,)] * 3, {"axis": -1, "num": 3}),
        moving("SPLIT", t, [(2, 6, 4)], [(2, 3, 4)] * 2, {"num_splits": 2}, before=[constant(1, i32)]),
        moving("SPLIT", t, [(2, 6, 4)], [(2, 6, 1)] * 4, {"num_splits": 4}, before=[constant(-1, i32)], note="last"),
        moving(
            "SPLIT_V",
            t,
            [(2, 6, 4)],
            [(2, n, 4) for n in (1, 3, 2)],
            {"num_splits": 3},
            after=[constant([1, 3, 2], i32), constant(1, i32)],
        ),
        moving("SLICE", t, [(2, 6, 4)], [(2, 5, 2)], after=[constant([0, 1, 2], i32), constant([2, -1, 2], i32)]),
        moving("SLICE", t, [(6, 4)], [(2, 4)], after=[constant([3, 0], "int64"), constant([2, 4], "int64")]),
        *(
            moving("STRIDED_SLICE", t, [(2, 6, 4)], [shape], masks, after=[constant(v, i32) for v in bounds], note=note)
            for note, (bounds, shape, masks) in STRIDED.items()
        ),
    ]


def _order_cases(t: str) -> list[OpCase]:
    orders = {"nchw": [0, 3, 1, 2], "middle": [0, 2, 1, 3], "all": [3, 2, 1, 0], "same": [0, 1, 2, 3]}
    shape = (2, 3, 4, 5)
    cases = [
        moving(
            "TRANSPOSE",
            t,
            [shape],
            [tuple(shape[axis] for axis in order)],
            after=[constant(order, "int32")],
            note=note,
        )
        for note, order in orders.items()
    ]
    return [
        *cases,
        moving("TRANSPOSE", t, [(4, 1, 5)], [(1, 4, 5)], after=[constant([1, 0, 2], "int32")], note="copy"),
        moving("TRANSPOSE", t, [(2, 3, 2, 3, 2)], [(2, 2, 2, 3, 3)], after=[constant([4, 2, 0, 3, 1], "int32")]),
        moving("RESHAPE", t, [(2, 6, 4)], [(12, 4)], {"new_shape": [12, 4]}, after=[constant([12, 4], "int32")]),
        moving("SQUEEZE", t, [(1, 6, 1)], [(6,)], {"squeeze_dims": [0, 2]}),
        moving("EXPAND_DIMS", t, [(6, 2)], [(6, 1, 2)], after=[constant(1, "int32")]),
    ]


def _gather_cases(t: str) -> list[OpCase]:
    return [
        moving("GATHER", t, [(4, 3, 2)], [(5, 3, 2)], {"axis": 0}, after=[constant([1, 3, 0, 0, 2], "int32")]),
        moving(
            "GATHER",
            t,
            [(4, 3, 2)],
            [(4, 2, 2, 2)],
            {"axis": 1},
            after=[constant([[1, 2], [0, 0]], "int64")],
            note="2d",
        ),
        moving(
            "GATHER",
            t,
            [(2, 3, 4)],
            [(2, 4, 4)],
            {"axis": 1, "batch_dims": 1},
            after=[constant([[1, 2, 0, 0], [0, 2, 2, 1]], "int32")],
            note="batches",
        ),
        moving("GATHER", t, [(4, 3)], [(4,)], {"axis": 1}, after=[constant(2, "int32")], note="one"),
    ]


def _pad_cases(t: str) -> list[OpCase]:
    image, i32 = (2, 3, 4, 2), "int32"
    filler = TensorSpec((1,), t, *QUANTISATIONS.get(t, (None, 0)), data=np.array([1]))
    inner, every = constant([[0, 0], [1, 2], [2, 0], [0, 0]], i32), constant([[0, 0], [1, 2], [2, 0], [0, 1]], i32)
    wide = constant([[1, 0], [0, 1], [1, 1], [0, 2], [1, 0]], i32)
    return [
        moving("PAD", t, [image], [(2, 6, 6, 2)], after=[inner]),
        moving("PAD", t, [(3, 4)], [(4, 7)], after=[constant([[1, 0], [0, 3]], "int64")]),
        moving("PAD", t, [(1, 2, 3, 4, 2)], [(2, 3, 5, 6, 3)], after=[wide]),
        moving("PADV2", t, [image], [(2, 6, 6, 3)], after=[every, filler]),
    ]


def _mirror_cases(t: str) -> list[OpCase]:
    image, reflect, symmetric = (2, 3, 4, 2), {"mode": "REFLECT"}, {"mode": "SYMMETRIC"}
    inner = constant([[0, 0], [1, 2], [2, 0], [0, 0]], "int32")
    full = constant([[0, 0], [1, 3], [2, 4], [0, 0]], "int32")
    small = constant([[1, 1], [1, 0], [3, 2]], "int32")
    return [
        moving("MIRROR_PAD", t, [image], [(2, 6, 6, 2)], reflect, after=[inner], note="reflect"),
        moving("MIRROR_PAD", t, [image], [(2, 7, 10, 2)], symmetric, after=[full], note="symmetric"),
        moving("MIRROR_PAD", t, [(2, 3, 4)], [(4, 4, 9)], reflect, after=[small], note="reflect"),
    ]


def _cases() -> list[OpCase]:
    groups = (_join_cases, _part_cases, _order_cases, _gather_cases, _pad_cases, _mirror_cases)
    every = [case for t in TYPES[:3] for group in groups for case in group(t)]
    # One case per operator of the types that move like those.
    for t in TYPES[3:]:
        seen: set[str] = set()
        for case in (case for group in groups for case in group(t)):
            if case.op not in seen and (case.op, t) not in LACKING:
                seen.add(case.op)
                every.append(case)
    return every


CASES = _cases()
