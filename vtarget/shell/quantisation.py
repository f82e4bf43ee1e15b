"""What quantisation costs: float model, quantised model and firmware on the same data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vtarget.base.errors import InputError
from vtarget.data.graph import ElementType, Graph
from vtarget.data.validation import QuantisationTable
from vtarget.logic.quantisationloss import match_layers, outcome_of, quantisation_table, real_values
from vtarget.shell.interpreter import Array, InterpreterResult, run_interpreter
from vtarget.shell.samples import Samples
from vtarget.shell.tflitefile import read_model


def compare_with_float(
    float_path: str,
    graph: Graph,
    samples: Samples,
    quantised: InterpreterResult,
    firmware: Sequence[dict[int, Array]],
    labels: Sequence[int] | None,
) -> QuantisationTable:
    """The three-way table. The float model gets the real values of the quantised samples.

    InputError if the float model doesn't fit the quantised one, or isn't float.
    """
    float_graph = read_model(float_path)
    _check_twin(float_graph, graph)
    matched = match_layers(float_graph, graph)
    wanted = sorted({float_graph.outputs[0], *(theirs for _, _, theirs in matched)})
    real = [_real_sample(graph, float_graph, sample) for sample in samples.arrays]
    result = run_interpreter(Path(float_path).read_bytes(), real, tensors=wanted)
    ours = [tensor for _, tensor, _ in matched]
    return quantisation_table(
        graph,
        matched,
        outcome_of(float_graph, [s.tensors for s in result.samples], [theirs for _, _, theirs in matched]),
        outcome_of(graph, [s.tensors for s in quantised.samples], ours),
        outcome_of(graph, firmware, ours),
        labels=labels,
        classification=labels is not None or graph.operators[-1].op in ("SOFTMAX", "LOGISTIC"),
    )


def _check_twin(float_graph: Graph, graph: Graph) -> None:
    if len(float_graph.inputs) != len(graph.inputs) or len(float_graph.outputs) != len(graph.outputs):
        raise InputError(f"--float {float_graph.path}: it has other numbers of inputs or outputs than {graph.path}")
    for theirs, ours in zip((*float_graph.inputs, *float_graph.outputs), (*graph.inputs, *graph.outputs), strict=True):
        have, want = float_graph.tensors[theirs], graph.tensors[ours]
        if have.type is not ElementType.FLOAT32:
            raise InputError(
                f"--float {float_graph.path}: its inputs and outputs are not float32 but {have.type.value}"
            )
        if have.shape != want.shape:
            raise InputError(
                f"--float {float_graph.path}: shape {list(have.shape)} where {graph.path} has {list(want.shape)}"
            )


def _real_sample(graph: Graph, float_graph: Graph, sample: Sequence[Array]) -> list[Array]:
    return [
        real_values(array, graph.tensors[ours].quantisation)
        .astype(np.float32)
        .reshape(float_graph.tensors[theirs].shape)
        for array, ours, theirs in zip(sample, graph.inputs, float_graph.inputs, strict=True)
    ]
