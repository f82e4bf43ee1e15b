"""Cases of resizing, of conversions between types and quantisations, and of the index of the largest."""

from __future__ import annotations

from modelwriter import TensorSpec
from opcases import OpCase, constant

SHAPE = (20, 30)
QUANTISATIONS = {"int8": (0.1, 3), "uint8": (0.1, 130), "int16": (0.001, 0), "int32": (1e-5, 0)}
RESIZE_OPTIONS = {"": {}, "corners": {"align_corners": True}, "centers": {"half_pixel_centers": True}}
# Input image, height and width of the output.
RESIZES = (
    ((2, 4, 5, 3), (8, 10)),
    ((2, 4, 5, 3), (7, 3)),
    ((1, 7, 6, 1), (11, 13)),
    ((1, 7, 6, 2), (1, 1)),
    ((1, 1, 1, 2), (4, 5)),
)
REQUANTISATIONS = (
    *(("float32", t) for t in ("int8", "uint8", "int16")),
    *(("int8", t) for t in ("int8", "uint8", "int16")),
    *(("uint8", t) for t in ("int8", "uint8", "int16")),
    *(("int16", t) for t in ("int8", "int16", "int32")),
    *(("int32", t) for t in ("int8", "int16")),
)
ELEMENT_TYPES = ("int8", "uint8", "int16", "int32", "int64", "float32", "bool")


def _resize_cases() -> list[OpCase]:
    types = {
        "RESIZE_NEAREST_NEIGHBOR": ("int8", "int16", "float32", "uint8"),
        "RESIZE_BILINEAR": ("int8", "int16", "float32"),
    }
    return [
        OpCase(
            op,
            [TensorSpec(shape, t, *QUANTISATIONS.get(t, (None, 0))), constant(size, "int32")],
            [TensorSpec((shape[0], *size, shape[3]), t, *QUANTISATIONS.get(t, (None, 0)))],
            options,
            note="-".join(part for part in ("x".join(map(str, size)), name) if part),
        )
        for op, ts in types.items()
        for t in ts
        for name, options in RESIZE_OPTIONS.items()
        for shape, size in RESIZES
    ]


def _quantize_cases() -> list[OpCase]:
    cases = []
    for a, b in REQUANTISATIONS:
        for note, factor, shift in (("same", 1.0, 0), ("finer", 0.3, 5), ("coarser", 2.7, -4)):
            given, result = QUANTISATIONS.get(a, (None, 0)), QUANTISATIONS[b]
            scale = (given[0] if given[0] and a in ("int8", "uint8") else result[0]) * factor
            pair = (scale, result[1] + (shift if b in ("int8", "uint8") else 0))
            cases.append(OpCase("QUANTIZE", [TensorSpec(SHAPE, a, *given)], [TensorSpec(SHAPE, b, *pair)], note=note))
    return cases


def _dequantize_cases() -> list[OpCase]:
    channels = TensorSpec((4, 3, 5), "int8", [0.1, 0.02, 0.7], [0, 0, 0], 1)
    real = TensorSpec((4, 3, 5), "float32")
    cases = [
        OpCase("DEQUANTIZE", [TensorSpec(SHAPE, t, *QUANTISATIONS[t])], [TensorSpec(SHAPE, "float32")])
        for t in ("int8", "uint8", "int16")
    ]
    return [
        *cases,
        OpCase("DEQUANTIZE", [channels], [real], note="channels"),
        OpCase("QUANTIZE", [real], [channels], note="channels"),
    ]


def cast_options(a: str, b: str) -> dict[str, str]:
    """The options of a cast from type ``a`` to type ``b``."""
    return {"in_data_type": a, "out_data_type": b}


def _cast_cases() -> list[OpCase]:
    cases = [
        OpCase("CAST", [TensorSpec(SHAPE, a)], [TensorSpec(SHAPE, b)], cast_options(a, b))
        for a in ELEMENT_TYPES
        for b in ELEMENT_TYPES
    ]
    beyond = [
        OpCase(
            "CAST",
            [TensorSpec(SHAPE, "float32")],
            [TensorSpec(SHAPE, b)],
            cast_options("float32", b),
            low=-1e6,
            high=1e6,
            note="beyond",
        )
        for b in ("int8", "uint8", "int16", "int32", "int64")
    ]
    return cases + beyond


def _arg_cases() -> list[OpCase]:
    cases = []
    for t in ("int8", "uint8", "int32", "float32"):
        for op in ("ARG_MAX", "ARG_MIN"):
            for axis, shape, out in ((1, (3, 5), "int32"), (-1, (3, 40), "int64"), (0, (40, 5), "int32")):
                given = TensorSpec((3, 40, 5), t, *(QUANTISATIONS[t] if t in ("int8", "uint8") else (None, 0)))
                # Few different values, so that the first of several must be found.
                spread = {} if t == "float32" else {"low": 10, "high": 20}
                cases.append(
                    OpCase(
                        op,
                        [given, constant(axis, "int32")],
                        [TensorSpec(shape, out)],
                        {"output_type": out},
                        **spread,
                        note=f"axis{axis}",
                    )
                )
    return cases


CASES = [*_resize_cases(), *_quantize_cases(), *_dequantize_cases(), *_cast_cases(), *_arg_cases()]
