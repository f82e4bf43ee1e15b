"""Cases of the operators that compute element by element, of one input or two."""

from __future__ import annotations

import numpy as np
from modelwriter import TensorSpec
from opcases import OpCase

ARITHMETIC = ("ADD", "SUB", "MUL")
ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1")
# (scale, zero point) of both inputs and the output.
QUANTISATIONS = {
    "int8": ((0.1, 3), (0.07, -5), (0.15, 7)),
    "uint8": ((0.1, 131), (0.07, 123), (0.15, 135)),
    "int16": ((0.0005, 0), (0.0003, 0), (0.0008, 0)),
    "int32": ((None, 0),) * 3,
    "int64": ((None, 0),) * 3,
    "float32": ((None, 0),) * 3,
}
SHAPES = (
    ((2, 3, 4, 5), (2, 3, 4, 5)),
    ((2, 3, 4, 5), (5,)),
    ((1, 3, 1, 5), (2, 1, 4, 1)),
    ((1,), (4, 7)),
    ((2, 3, 2, 3), (2, 1, 2, 1)),
)


def binary(op, type_, shapes=SHAPES[0], quantisations=None, *, fed=None, note="", **options) -> OpCase:
    """One case of two inputs; ``fed`` is the second input's content if it is constant."""
    first, second, result = quantisations or QUANTISATIONS[type_]
    if op in ("MAXIMUM", "MINIMUM"):
        first = second = result
    if op in ARITHMETIC:
        options.setdefault("fused_activation_function", "NONE")
    fused = options.get("fused_activation_function", "NONE")
    wide = {"low": -1000, "high": 1000} if type_ in ("int32", "int64") else {}
    return OpCase(
        op,
        [TensorSpec(shapes[0], type_, *first), TensorSpec(shapes[1], type_, *second, data=fed)],
        [TensorSpec(np.broadcast_shapes(*shapes), type_, *result)],
        options,
        **wide,
        note="-".join(part for part in (note, fused if fused != "NONE" else "") if part),
    )


def _binary_cases() -> list[OpCase]:
    types = dict.fromkeys(ARITHMETIC, ("int8", "uint8", "int16", "int32", "float32"))
    types |= dict.fromkeys(("MAXIMUM", "MINIMUM"), ("int8", "uint8", "int16", "int32", "int64", "float32"))
    types["SQUARED_DIFFERENCE"] = ("int8", "int32", "float32")
    cases = [binary(op, t, shapes) for op, ts in types.items() for t in ts for shapes in SHAPES]
    for op in ARITHMETIC:
        cases += [
            binary(op, t, ((3, 40),) * 2, fused_activation_function=name)
            for t in ("int8", "int16", "int32", "float32")
            for name in ACTIVATIONS
        ]
    return cases


def _scale_cases() -> list[OpCase]:
    """Many elements with scales drawn at random: rounding shows."""
    rng = np.random.default_rng(7)
    cases = []
    for op in (*ARITHMETIC, "SQUARED_DIFFERENCE"):
        for type_ in ("int8", "int16"):
            if (op, type_) == ("SQUARED_DIFFERENCE", "int16"):
                continue
            for number in range(3):
                a, b = rng.uniform(0.001, 0.1, 2) / (1 if type_ == "int8" else 256)
                span = {"int8": 100, "int16": 20000}[type_]
                out = (a + b if op in ("ADD", "SUB") else a * b * span) * rng.uniform(0.5, 1.0)
                points = rng.integers(-20, 20, 3) if type_ == "int8" else (0, 0, 0)
                pairs = tuple((float(s), int(z)) for s, z in zip((a, b, out), points, strict=True))
                cases.append(binary(op, type_, ((100, 60),) * 2, pairs, note=f"scales{number}"))
    return cases


def _power_cases() -> list[OpCase]:
    """int16 sums of scales that are powers of two have an arithmetic of their own."""
    cases = []
    exponents = {"equal": (12, 12, 12), "second": (12, 10, 10), "first": (10, 12, 10), "finer": (10, 10, 12)}
    for op in ("ADD", "SUB"):
        for note, three in exponents.items():
            for powers in (True, False):
                if powers and note == "finer":
                    continue
                pairs = tuple((2.0**-e, 0) for e in three)
                name = f"{note}{'' if powers else '-general'}"
                cases.append(binary(op, "int16", ((4, 50),) * 2, pairs, note=name, pot_scale_int16=powers))
    cases.append(binary("SUB", "int16", ((4, 50), (50,)), ((2.0**-12, 0),) * 3, note="broadcast", pot_scale_int16=True))
    return cases


def _constant_cases() -> list[OpCase]:
    return [
        binary("ADD", "int8", ((2, 3, 4), (4,)), fed=np.array([1, -128, 127, 5]), note="constant"),
        binary("MUL", "int16", ((2, 3, 4), (1,)), fed=np.array([-32768]), note="constant"),
        binary("SUB", "float32", ((2, 3, 4), (3, 1)), fed=np.array([[1.5], [-2.0], [1e30]]), note="constant"),
        binary("MAXIMUM", "int8", ((5, 2), ()), fed=np.array(3), note="constant"),
        binary("ADD", "int8", ((1, 2, 1, 3, 1), (4, 1, 5, 1, 2)), note="5d"),
    ]


def unary(op, type_, shape, given=(None, 0), result=(None, 0), **fields) -> OpCase:
    """One case of one input."""
    return OpCase(op, [TensorSpec(shape, type_, *given)], [TensorSpec(shape, type_, *result)], **fields)


def _unary_cases() -> list[OpCase]:
    cases = [unary("EXP", "float32", (20, 30)), unary("RSQRT", "float32", (20, 30), low=0.001)]
    cases += [unary("EXP", "float32", (20, 30), low=-80.0, high=80.0, note="wide")]
    quantisations = ((0.02, 3, 0.1, -100), (0.05, -128, 0.02, -128), (0.004, -20, 0.01, 5), (0.1, 0, 1.0, 0))
    for number, (scale, zero, out_scale, out_zero) in enumerate(quantisations):
        for op in ("EXP", "RSQRT"):
            low, note = (zero if op == "RSQRT" else None), f"table{number}"
            cases.append(unary(op, "int8", (64, 16), (scale, zero), (out_scale, out_zero), low=low, note=note))
            low = 0 if op == "RSQRT" else None
            cases.append(unary(op, "int16", (64, 64), (scale / 100, 0), (out_scale / 100, 0), low=low, note=note))
    return cases


CASES = [*_binary_cases(), *_scale_cases(), *_power_cases(), *_constant_cases(), *_unary_cases()]
