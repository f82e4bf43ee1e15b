"""What quantisation costs a model: its float twin, the quantised model and the firmware on the same data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vtarget.base.errors import InputError
from vtarget.data.graph import Graph, Operator, Quantisation
from vtarget.data.validation import Accuracy, Agreement, LayerLoss, QuantisationTable
from vtarget.logic.validation import sqnr_db

Array = npt.NDArray[Any]
Tensors = Mapping[int, Array]

# Operators that only a quantised model, or only its float twin, has.
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True)
class Outcome:
    """One of the three on the data: real values of its first output, [samples, ...], and of layers by tensor index."""

    outputs: Array
    layers: Tensors


def real_values(array: Array, quantisation: Quantisation | None) -> Array:
    """``scale * (array - zero_point)`` in float64; what isn't quantised (or is per channel) as it is."""
    if quantisation is None or quantisation.per_channel or array.dtype.kind == "f":
        return array.astype(np.float64)
    return quantisation.scales[0] * (array.astype(np.float64) - quantisation.zero_points[0])


def outcome_of(graph: Graph, samples: Sequence[Tensors], tensors: Sequence[int]) -> Outcome:
    """The outcome of running ``graph`` on ``samples`` (content by tensor index each), with layers ``tensors``."""

    def values(index: int) -> Array:
        found = np.stack([sample[index] for sample in samples])
        return real_values(found, graph.tensors[index].quantisation)

    return Outcome(values(graph.outputs[0]), {index: values(index) for index in tensors})


def match_layers(float_graph: Graph, quantised_graph: Graph) -> tuple[tuple[int, int, int], ...]:
    """(operator of the quantised model, its output tensor, the float model's tensor) of layers that both have.

    Matched by place where both have the same operators in the same order (conversions aside) and shapes, else by the
    output's name where it is unique and the shape is the same.
    """
    ours, theirs = _plain(quantised_graph), _plain(float_graph)
    if [operator.op for operator in ours] == [operator.op for operator in theirs]:
        pairs = [(o, o.outputs[0], t.outputs[0]) for o, t in zip(ours, theirs, strict=True) if o.outputs]
    else:
        names = Counter(tensor.name for tensor in float_graph.tensors)
        by_name = {float_graph.tensors[t.outputs[0]].name: t.outputs[0] for t in theirs if t.outputs}
        named = [(o, o.outputs[0], quantised_graph.tensors[o.outputs[0]].name) for o in ours if o.outputs]
        pairs = [(o, mine, by_name[name]) for o, mine, name in named if name in by_name and names[name] == 1]
    return tuple(
        (operator.index, mine, other)
        for operator, mine, other in pairs
        if quantised_graph.tensors[mine].shape == float_graph.tensors[other].shape
    )


def _plain(graph: Graph) -> list[Operator]:
    return [operator for operator in graph.operators if operator.op not in _CONVERSIONS]


def quantisation_table(
    graph: Graph,
    matched: Sequence[tuple[int, int, int]],
    float_model: Outcome,
    quantised_model: Outcome,
    firmware: Outcome,
    *,
    labels: Sequence[int] | None = None,
    classification: bool = True,
) -> QuantisationTable:
    """The three side by side. ``graph`` is the quantised model's, ``matched`` as of ``match_layers``.

    A sample's answer is the largest of its outputs, or for a single output whether it is above one half.
    ``classification`` says whether the model gives such answers; labels imply it.

    :raises InputError: the three have different numbers of samples or outputs, or there aren't as many labels.
    """
    three = (float_model, quantised_model, firmware)
    sizes = [(len(o.outputs), o.outputs[0].size if len(o.outputs) else 0) for o in three]
    if len(set(sizes)) != 1:
        shown = ", ".join(f"{samples} x {elements}" for samples, elements in sizes)
        raise InputError(f"float model, quantised model and firmware have different outputs ({shown})")
    samples = sizes[0][0]
    if labels is not None and len(labels) != samples:
        raise InputError(f"{len(labels)} labels for {samples} samples")
    answers = [answers_of(outcome.outputs) for outcome in three] if classification or labels is not None else None
    truth = None if labels is None else np.asarray(labels, np.int64)
    accuracy = None if answers is None or truth is None else _accuracy(answers, truth)
    return QuantisationTable(
        samples=samples,
        accuracy=accuracy,
        classes=() if answers is None or truth is None else _classes(answers, truth),
        agreement=None if answers is None else _agreement(answers),
        quantised_sqnr_db=sqnr_db(float_model.outputs, quantised_model.outputs),
        firmware_sqnr_db=sqnr_db(float_model.outputs, firmware.outputs),
        layers=_losses(graph, matched, three),
    )


def answers_of(outputs: Array) -> npt.NDArray[np.int64]:
    """The class of each sample: the place of its largest output (the first of equals); above one half, if only one."""
    flat = outputs.reshape(len(outputs), -1)
    answers = flat[:, 0] > 0.5 if flat.shape[1] == 1 else flat.argmax(axis=1)
    return np.asarray(answers, np.int64)


def _accuracy(answers: Sequence[Array], truth: Array) -> Accuracy:
    shares = [float((answer == truth).mean()) if len(truth) else 0.0 for answer in answers]
    return Accuracy(len(truth), *shares)


def _classes(answers: Sequence[Array], truth: Array) -> tuple[tuple[int, Accuracy], ...]:
    found = []
    for label in np.unique(truth):
        its = truth == label
        found.append((int(label), _accuracy([answer[its] for answer in answers], truth[its])))
    return tuple(found)


def _agreement(answers: Sequence[Array]) -> Agreement:
    float_model, quantised_model, firmware = answers

    def share(one: Array, other: Array) -> float:
        return float((one == other).mean()) if len(one) else 0.0

    return Agreement(
        share(quantised_model, float_model), share(firmware, float_model), share(firmware, quantised_model)
    )


def _losses(graph: Graph, matched: Sequence[tuple[int, int, int]], three: Sequence[Outcome]) -> tuple[LayerLoss, ...]:
    float_model, quantised_model, firmware = three
    losses = []
    for index, mine, other in matched:
        if other not in float_model.layers or mine not in quantised_model.layers or mine not in firmware.layers:
            continue
        want = float_model.layers[other]
        quantised, made = (sqnr_db(want, outcome.layers[mine]) for outcome in (quantised_model, firmware))
        losses.append(LayerLoss(index, graph.operators[index].op, graph.tensors[mine].name, quantised, made))

    def worst_first(loss: LayerLoss) -> tuple[bool, float, int]:
        known = [db for db in (loss.quantised_sqnr_db, loss.firmware_sqnr_db) if db is not None]
        return not known, min(known, default=0.0), loss.index

    return tuple(sorted(losses, key=worst_first))
