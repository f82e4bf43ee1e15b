"""Where TensorFlow Lite's interpreters are known to differ from TFLM, whose arithmetic the firmware has.

Measured against TFLM's own reference kernels, largest difference in steps (the project's design, "Measured facts about
the reference interpreters").
"""

from __future__ import annotations

from vtarget.data.graph import ElementType, Graph

# (interpreter, or "" for every one; operator; type of its first input) -> steps
KNOWN_STEPS = {
    ("", "UNIDIRECTIONAL_SEQUENCE_LSTM", ElementType.INT8): 2,
    ("", "UNIDIRECTIONAL_SEQUENCE_LSTM", ElementType.INT16): 2,
    # Their reference kernels of SUM don't rescale quantised sums: nothing to compare with.
    ("", "SUM", ElementType.INT8): 255,
    ("", "SUM", ElementType.INT16): 65535,
    ("ai-edge-litert", "FULLY_CONNECTED", ElementType.INT8): 2,
    ("ai-edge-litert", "FULLY_CONNECTED", ElementType.INT16): 3,
}


def allowances(graph: Graph, interpreter: str) -> dict[int, int]:
    """Steps by which the outputs of operators (by index) may differ from ``interpreter`` (``ai-edge-litert``)."""
    found: dict[int, int] = {}
    for operator in graph.operators:
        source = graph.input(operator, 0)
        if source is None:
            continue
        for name in ("", interpreter):
            steps = KNOWN_STEPS.get((name, operator.op, source.type))
            if steps is not None:
                found[operator.index] = max(steps, found.get(operator.index, 0))
    return found
