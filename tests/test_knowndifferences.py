"""Which operators may differ from which interpreter."""

from __future__ import annotations

from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.logic.knowndifferences import allowances


def test_allowances_are_by_operator_type_and_interpreter() -> None:
    tensors = tuple(
        Tensor(i, f"t{i}", (2,), element)
        for i, element in enumerate([ElementType.INT8, ElementType.INT16, ElementType.FLOAT32])
    )
    ops = (
        Operator(0, "FULLY_CONNECTED", (0,), (0,)),
        Operator(1, "FULLY_CONNECTED", (1,), (1,)),
        Operator(2, "FULLY_CONNECTED", (2,), (2,)),
        Operator(3, "UNIDIRECTIONAL_SEQUENCE_LSTM", (0,), (0,)),
        Operator(4, "CONV_2D", (0,), (0,)),
    )
    graph = Graph("m.tflite", "", "m", tensors, ops, (0,), (2,))
    assert allowances(graph, "ai-edge-litert") == {0: 2, 1: 3, 3: 2}
    assert allowances(graph, "tflite-runtime") == {3: 2}
