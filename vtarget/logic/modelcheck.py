"""Whether a graph's operators can be executed in their order: what they read is there, what they write is theirs."""

from __future__ import annotations

from collections.abc import Iterator

from vtarget.base.names import quoted
from vtarget.data.graph import NO_TENSOR, Graph, Operator


def structural_problems(graph: Graph) -> list[str]:
    """Everything wrong with the order and the wiring of a graph, in plain words; empty if it can be executed.

    Operators come in execution order, so an input that nothing before has written is the one way to a cycle.
    """
    return [*_graph_problems(graph), *_operator_problems(graph)]


def _shown(graph: Graph, index: int) -> str:
    return f"tensor {index} {quoted(graph.tensors[index].name)}"


def _graph_problems(graph: Graph) -> Iterator[str]:
    if not graph.operators:
        yield "the model has no operators"
    if not graph.outputs:
        yield "the model has no outputs"
    for place, index in enumerate(graph.inputs):
        tensor = graph.tensors[index]
        if index in graph.inputs[:place]:
            yield f"input {place}, {_shown(graph, index)}, is an input already"
        elif tensor.constant or tensor.variable:
            yield f"input {place}, {_shown(graph, index)}, is a {'constant' if tensor.constant else 'variable'}"


def _operator_problems(graph: Graph) -> Iterator[str]:
    written = {*graph.inputs, *(tensor.index for tensor in graph.tensors if tensor.constant or tensor.variable)}
    for operator in graph.operators:
        place = f"operator {operator.index} {operator.op}"
        for index in operator.inputs:
            if index != NO_TENSOR and index not in written:
                yield f"{place}: input {_shown(graph, index)} isn't written by anything before it"
        yield from (f"{place}: output {problem}" for problem in _output_problems(graph, operator, written))
        written.update(operator.outputs)
    for number, index in enumerate(graph.outputs):
        if index not in written:
            yield f"output {number}, {_shown(graph, index)}, isn't written by anything"
        elif graph.tensors[index].constant and graph.tensors[index].elements:
            yield f"output {number}, {_shown(graph, index)}, is a constant"


def _output_problems(graph: Graph, operator: Operator, written: set[int]) -> Iterator[str]:
    for place, index in enumerate(operator.outputs):
        tensor = graph.tensors[index]
        if tensor.constant and tensor.elements == 0:
            yield f"{_shown(graph, index)} has no elements"
        elif tensor.constant:
            yield f"{_shown(graph, index)} is a constant"
        elif index in graph.inputs:
            yield f"{_shown(graph, index)} is an input of the model"
        elif tensor.variable and operator.op != "VAR_HANDLE":
            yield f"{_shown(graph, index)} is a variable"
        elif not tensor.variable and (index in written or index in operator.outputs[:place]):
            yield f"{_shown(graph, index)} is written already"
