"""The three-way table, on cases small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vtarget.base.errors import InputError
from vtarget.data.graph import ElementType, Graph, Operator, Quantisation, Tensor
from vtarget.data.validation import Accuracy, Agreement
from vtarget.logic.quantisationloss import (
    Outcome,
    answers_of,
    match_layers,
    outcome_of,
    quantisation_table,
    real_values,
)


def model(ops: list[str], names: list[str], type_: ElementType = ElementType.FLOAT32) -> Graph:
    """A chain of operators; the tensor behind each is named."""
    scale = None if type_ is ElementType.FLOAT32 else Quantisation((0.5,), (3,))
    tensors = tuple(Tensor(i, name, (1, 2), type_, scale) for i, name in enumerate(["in", *names]))
    operators = tuple(Operator(i, op, (i,), (i + 1,)) for i, op in enumerate(ops))
    return Graph("m.tflite", "", "m", tensors, operators, (0,), (len(ops),))


FLOAT = model(["CONV_2D", "SOFTMAX"], ["a", "b"])
QUANTISED = model(["QUANTIZE", "CONV_2D", "SOFTMAX"], ["q", "a", "b"], ElementType.INT8)


def outcome(outputs: list[list[float]], **layers: list[float]) -> Outcome:
    return Outcome(np.array(outputs), {int(name[1:]): np.array(values) for name, values in layers.items()})


def test_real_values() -> None:
    assert real_values(np.array([3, 5, -128], np.int8), Quantisation((0.5,), (3,))).tolist() == [0, 1, -65.5]
    assert real_values(np.array([1.5], np.float32), Quantisation((0.5,), (3,))).tolist() == [1.5]
    assert real_values(np.array([4], np.int32), None).tolist() == [4]


def test_outcomes_are_stacked_real_values() -> None:
    runs = [{3: np.array([[3, 5]], np.int8), 2: np.array([[4, 3]], np.int8)}] * 2
    found = outcome_of(QUANTISED, runs, [2])
    assert found.outputs.tolist() == [[[0, 1]], [[0, 1]]]
    assert found.layers[2].tolist() == [[[0.5, 0]], [[0.5, 0]]]


def test_answers_are_the_largest_or_above_one_half() -> None:
    assert answers_of(np.array([[[1, 3, 2]], [[4, 4, 0]]])).tolist() == [1, 0]
    assert answers_of(np.array([[0.4], [0.6], [0.5]])).tolist() == [0, 1, 0]


def test_layers_are_matched_by_place_with_conversions_aside() -> None:
    assert match_layers(FLOAT, QUANTISED) == ((1, 2, 1), (2, 3, 2))


def test_layers_are_matched_by_unique_name_where_operators_differ() -> None:
    float_model = model(["CONV_2D", "RELU", "SOFTMAX", "TANH"], ["conv", "a", "b", "b"])
    assert match_layers(float_model, QUANTISED) == ((1, 2, 2),)


def test_layers_of_other_shapes_are_not_matched() -> None:
    tensors = (*QUANTISED.tensors[:3], Tensor(3, "b", (2,), ElementType.INT8))
    other = Graph("m", "", "m", tensors, QUANTISED.operators, (0,), (3,))
    assert match_layers(FLOAT, other) == ((1, 2, 1),)


def test_the_table() -> None:
    table = quantisation_table(
        QUANTISED,
        match_layers(FLOAT, QUANTISED),
        outcome([[9, 0], [0, 9], [9, 0], [0, 9]], t1=[10, 0], t2=[1, 1]),
        outcome([[9, 0], [0, 9], [0, 9], [0, 9]], t2=[9, 0], t3=[1, 1.1]),
        outcome([[9, 0], [9, 0], [0, 9], [0, 9]], t2=[9, 0], t3=[1, 2]),
        labels=[0, 1, 0, 0],
    )
    assert table.samples == 4
    assert table.accuracy == Accuracy(4, 0.75, 0.5, 0.25)
    assert table.classes == ((0, Accuracy(3, 2 / 3, 1 / 3, 1 / 3)), (1, Accuracy(1, 1.0, 1.0, 0.0)))
    assert table.agreement == Agreement(0.75, 0.5, 0.75)
    assert table.quantised_sqnr_db == pytest.approx(10 * np.log10(4 * 81 / 162))
    assert table.firmware_sqnr_db == pytest.approx(10 * np.log10(4 * 81 / 324))
    assert [(loss.index, loss.op, loss.name) for loss in table.layers] == [(2, "SOFTMAX", "b"), (1, "CONV_2D", "a")]
    worst, other = table.layers
    assert (worst.quantised_sqnr_db, worst.firmware_sqnr_db) == (pytest.approx(23.0103), pytest.approx(3.0103))
    assert (other.quantised_sqnr_db, other.firmware_sqnr_db) == (pytest.approx(20), pytest.approx(20))


def test_without_labels_there_is_agreement_and_without_classes_not_even_that() -> None:
    one = outcome([[1, 2]])
    table = quantisation_table(QUANTISED, (), one, one, one)
    assert (table.accuracy, table.classes, table.layers) == (None, (), ())
    assert table.agreement == Agreement(1.0, 1.0, 1.0)
    assert (table.quantised_sqnr_db, table.firmware_sqnr_db) == (None, None)
    assert quantisation_table(QUANTISED, (), one, one, one, classification=False).agreement is None


def test_layers_without_a_value_come_last() -> None:
    three = (outcome([[1]], t1=[0], t2=[1]), outcome([[1]], t2=[1], t3=[2]), outcome([[1]], t2=[1], t3=[2]))
    table = quantisation_table(QUANTISED, match_layers(FLOAT, QUANTISED), *three)
    assert [(loss.index, loss.quantised_sqnr_db) for loss in table.layers] == [(2, 0.0), (1, None)]


@pytest.mark.parametrize(
    ("third", "labels", "line"),
    [
        ([[1, 2]], [1], "float model, quantised model and firmware have different outputs (2 x 2, 2 x 2, 1 x 2)"),
        ([[1], [2]], [1], "float model, quantised model and firmware have different outputs (2 x 2, 2 x 2, 2 x 1)"),
        ([[1, 2], [1, 2]], [1], "1 labels for 2 samples"),
    ],
)
def test_what_does_not_match_is_refused(third: list[list[float]], labels: list[int], line: str) -> None:
    one = outcome([[1, 2], [3, 4]])
    with pytest.raises(InputError) as caught:
        quantisation_table(QUANTISED, (), one, one, outcome(third), labels=labels)
    assert caught.value.one_line() == line
