"""Writes tests/tflm_outputs.json: a checksum of what TensorFlow Lite Micro's kernels make of each case of tflmcases.

It needs the package tflite-micro, of which only development releases exist; tests don't.
"""

from __future__ import annotations

import json
from pathlib import Path
from zlib import crc32

import numpy as np
from heavycases import SAMPLES, SEED, OpCase
from tflite_micro.python.tflite_micro import runtime
from tflmcases import AGREED, CASES


def checksum(case: OpCase) -> int:
    """The checksum of the outputs for all samples, one after the other."""
    interpreter = runtime.Interpreter.from_bytes(case.model())
    outputs = []
    for sample in case.samples(SAMPLES, SEED):
        for position, array in enumerate(sample):
            interpreter.set_input(array, position)
        interpreter.invoke()
        outputs.append(np.ascontiguousarray(interpreter.get_output(0)).tobytes())
    return crc32(b"".join(outputs))


if __name__ == "__main__":
    found = {str(case): checksum(case) for case in (*CASES, *AGREED)}
    Path(__file__).with_name("tflm_outputs.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
