"""Cases in which TensorFlow Lite Micro decides: the interpreter's arithmetic is another, or it refuses the model."""

from __future__ import annotations

from heavycases import SequenceCase, conv_2d, elementwise, fully_connected, lstm, reduction, softmax, svdf
from opcases import OpCase

WITHOUT_BIAS = [conv_2d(type_, bias=False) for type_ in ("int8", "int16")]
DENSE = [
    *(
        fully_connected(type_, shape, units=9)
        for type_ in ("int8", "int16")
        for shape in ((1, 16), (3, 7), (2, 3, 8), (1, 257))
    ),
    *(
        fully_connected(type_, bias=False, activation=activation)
        for type_ in ("int8", "int16")
        for activation in ("NONE", "RELU6", "RELU_N1_TO_1")
    ),
    *(
        fully_connected(type_, shape, units=9, per_channel=True, bias=bias)
        for type_ in ("int8", "int16")
        for shape in ((1, 16), (4, 33))
        for bias in (True, False)
    ),
]
SUMS = [
    reduction("SUM", type_, shape, axes, keep, source, output)
    for type_, source, output in (("int8", (0.05, 7), (0.4, -5)), ("int16", (0.0005, 0), (0.002, 0)))
    for shape, axes, keep in (((1, 4, 5, 6), (1, 2), True), ((2, 3, 4), (-1,), False), ((2, 3, 4, 5), (1, 3), False))
]
SEQUENCES = [
    lstm(type_, **arguments)
    for type_ in ("int8", "int16")
    for arguments in (
        {},
        {"batches": 2},
        {"batches": 2, "time_major": True},
        {"cell_clip": 0.3},
        {"steps": 12},
        {"steps": 10, "inputs": 1, "units": 20},
        {"cell_scale": 2.0**-13},
        {"cell_scale": 2.0**-9},
    )
]
FILTERS = [svdf("int8", activation="NONE"), svdf("int8", batches=2, rank=2)]
CASES: list[OpCase | SequenceCase] = [*WITHOUT_BIAS, *DENSE, *SUMS, *SEQUENCES, *FILTERS]
# A check of the recorded outputs: both agree on these.
AGREED = [elementwise("LOGISTIC", "int8", (0.05, 5), (1 / 256, -128)), softmax("int8", "int8", (4, 33), 0.1)]
