"""Calls of known kernels, inference by inference, from the spans of a record: those of functions that were left."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinelib import EXAMPLES, run_elf

from vtarget.base.errors import InputError
from vtarget.data.kernelcall import Inference, KernelCall
from vtarget.data.record import ExecutionRecord, RecordedFunction, SpanFacts
from vtarget.logic.kernelcalls import MOST_INNER, inference_marks, inferences

NOTHING = np.array([], np.int32), np.array([], np.int64), np.array([], np.int32), np.zeros((0, 16), np.int64)
CONV, SOFTMAX, ADD = "arm_convolve_s8", "arm_softmax_s8", "arm_elementwise_add_s8"
WRAPPER = "arm_convolve_wrapper_s8"
INVOKE, SUBGRAPH = "tflite::MicroInterpreter::Invoke()", "tflite::MicroGraph::InvokeSubgraph(int)"


@cache
def plain() -> ExecutionRecord:
    return run_elf(EXAMPLES / "fir-m4f.elf", "nucleo-l4r5zi").record


def played(events: str, names: dict[str, str], *, ticks: int = 1) -> ExecutionRecord:
    """A record with the spans of a run: ``x(`` enters the function called x in ``names``, ``)`` leaves the last one.
    ``ticks`` cycles pass from one to the next."""
    open_: list[tuple[str, int]] = []
    spans: list[SpanFacts] = []
    for now, event in enumerate(events.split()):
        if event == ")":
            name, begin = open_.pop()
            index = sum(span.name == name for span in spans)
            spans.append(SpanFacts(name, index, *NOTHING, begin_cycle=begin, end_cycle=now * ticks))
        else:
            open_.append((names[event.removesuffix("(")], now * ticks))
    functions = tuple(RecordedFunction(name, 0x100 * at, 4) for at, name in enumerate(names.values()))
    return replace(plain(), spans=tuple(spans), functions=functions)


NAMES = {"w": WRAPPER, "c": CONV, "s": SOFTMAX, "I": INVOKE, "J": SUBGRAPH, "infer": "infer", "setup": "setup"}


def test_the_outermost_kernel_counts_and_knows_its_inner_ones() -> None:
    record = played("w( c( ) ) s( )", NAMES)
    assert inferences(record, frozenset()) == (
        None,
        (Inference(None, (KernelCall(WRAPPER, 0, (CONV,)), KernelCall(SOFTMAX, 0))),),
    )


def test_calls_are_numbered_as_their_spans_are() -> None:
    record = played("w( c( ) ) c( ) c( )", NAMES)
    assert inferences(record, frozenset())[1] == (
        Inference(None, (KernelCall(WRAPPER, 0, (CONV,)), KernelCall(CONV, 1), KernelCall(CONV, 2))),
    )


def test_the_first_inference_function_called_bounds_inferences() -> None:
    record = played("c( ) I( J( c( ) ) ) c( ) I( c( ) )", NAMES)
    marks = inference_marks(record)
    assert marks == {INVOKE, SUBGRAPH}
    calls = (Inference(0, (KernelCall(CONV, 1),)), Inference(1, (KernelCall(CONV, 3),)))
    assert inferences(record, marks) == (INVOKE, calls)


def test_a_kernel_that_calls_another_often_remembers_a_few() -> None:
    record = played("w( " + "c( ) " * 50 + ")", NAMES)
    assert inferences(record, frozenset())[1] == (Inference(None, (KernelCall(WRAPPER, 0, (CONV,) * MOST_INNER),)),)


def test_the_only_function_with_spans_that_is_no_kernel_is_the_inference() -> None:
    record = played("infer( c( ) s( ) ) infer( c( ) s( ) )", NAMES)
    assert inference_marks(record) == {"infer"} == inference_marks(record, "infer")
    assert inferences(record, frozenset({"infer"}))[1][1].calls == (KernelCall(CONV, 1), KernelCall(SOFTMAX, 1))
    assert inference_marks(played("setup( ) infer( c( ) )", NAMES)) == frozenset()  # which of them?
    assert inference_marks(played("c( ) s( )", NAMES)) == frozenset()
    assert inference_marks(played("c( ) s( )", NAMES), CONV) == {CONV}  # if one says so


def test_a_record_that_does_not_tell_is_refused() -> None:
    with pytest.raises(InputError, match="doesn't say what each call of a kernel took") as raised:
        inference_marks(plain())
    assert raised.value.hint is not None and "--model MODEL.tflite --record FILE" in raised.value.hint
    with pytest.raises(InputError, match="--input-at: the record doesn't say what each call of infre took"):
        inference_marks(played("infer( c( ) )", NAMES), "infre")
    record = played("c( )", NAMES)
    old = replace(record, spans=(replace(record.spans[0], begin_cycle=-1, end_cycle=-1),))
    with pytest.raises(InputError, match="of an older version"):
        inferences(old, frozenset())


def test_functions_that_run_on_into_each_other_follow_each_other() -> None:
    spans = (
        SpanFacts(CONV, 0, *NOTHING, begin_cycle=0, end_cycle=10),
        SpanFacts(SOFTMAX, 0, *NOTHING, begin_cycle=10, end_cycle=20),
    )
    found = inferences(replace(plain(), spans=spans), frozenset())[1]
    assert found == (Inference(None, (KernelCall(CONV, 0), KernelCall(SOFTMAX, 0))),)


TREES = st.recursive(st.just(()), lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=20)


@given(st.lists(TREES, max_size=5), st.integers(1, 1000))
def test_any_tree_of_calls_comes_back_from_its_spans(trees: list[tuple[object, ...]], ticks: int) -> None:
    kernels = [f"arm_convolve_{number}_s8" for number in range(200)]
    names, events = {}, []
    expected: list[KernelCall] = []

    def call(tree: tuple[object, ...], outer: list[str] | None) -> None:
        name = kernels[len(names)]
        names[name] = name
        events.append(f"{name}(")
        inner: list[str] = [] if outer is None else outer
        if outer is not None:
            outer.append(name)
        for below in tree:
            assert isinstance(below, tuple)
            call(below, inner)
        events.append(")")
        if outer is None:
            expected.append(KernelCall(name, 0, tuple(inner[:MOST_INNER])))

    for tree in trees:
        call(tree, None)
    record = played(" ".join(events), names, ticks=ticks)
    assert inferences(record, frozenset()) == (None, (Inference(None, tuple(expected)),))
