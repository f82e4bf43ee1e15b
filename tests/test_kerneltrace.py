"""Calls of known kernels, inference by inference, from what the machine tells of functions entered and spans ended."""

from __future__ import annotations

from typing import Any

from vtarget.data.kernelcall import KernelCall
from vtarget.shell.kerneltrace import MOST_INNER, Inference, KernelTrace

ENGINE: Any = object()


def play(trace: KernelTrace, events: str) -> KernelTrace:
    """``name(`` enters a function, ``)name`` leaves it."""
    for event in events.split():
        if event.endswith("("):
            trace.on_enter[event[:-1]](ENGINE)
        else:
            trace.ended(event[1:], ENGINE)
    return trace


def test_the_outermost_kernel_counts_and_knows_its_inner_ones() -> None:
    trace = play(KernelTrace(["wrapper", "conv", "softmax"], []), "wrapper( conv( )conv )wrapper softmax( )softmax")
    assert trace.inferences == [Inference(None, [KernelCall("wrapper", 0, ("conv",)), KernelCall("softmax", 0)])]
    assert trace.spans == ("conv", "softmax", "wrapper")


def test_calls_are_numbered_as_their_spans_are() -> None:
    trace = play(KernelTrace(["wrapper", "conv"], []), "wrapper( conv( )conv )wrapper conv( )conv conv( )conv")
    assert [(call.function, call.index) for call in trace.inferences[0].calls] == [
        ("wrapper", 0),
        ("conv", 1),
        ("conv", 2),
    ]


def test_recursion_belongs_to_the_outer_call() -> None:
    trace = KernelTrace(["conv"], [])
    trace.on_enter["conv"](ENGINE)
    trace.on_enter["conv"](ENGINE)
    trace.ended("conv", ENGINE)
    assert trace.inferences[0].calls == [KernelCall("conv", 0)]


def test_the_first_inference_function_called_bounds_inferences() -> None:
    trace = play(
        KernelTrace(["conv"], ["Invoke", "InvokeSubgraph"]),
        "conv( )conv Invoke( InvokeSubgraph( conv( )conv )InvokeSubgraph )Invoke "
        "conv( )conv Invoke( conv( )conv )Invoke",
    )
    assert trace.inference_function == "Invoke"
    assert trace.inferences == [Inference(0, [KernelCall("conv", 1)]), Inference(1, [KernelCall("conv", 3)])]


def test_a_function_is_fed_when_entered_and_taken_from_when_it_has_returned() -> None:
    did: list[str] = []
    trace = KernelTrace(["conv"], ["run"], "run", lambda _: did.append("fed"), lambda _: did.append("taken"))
    play(trace, "run( conv(")
    assert did == ["fed"]
    play(trace, ")conv )run run( )run")
    assert did == ["fed", "taken", "fed", "taken"]


def test_a_kernel_that_calls_another_often_remembers_a_few() -> None:
    trace = play(KernelTrace(["outer", "row"], []), "outer( " + "row( )row " * 50 + ")outer")
    assert trace.inferences[0].calls == [KernelCall("outer", 0, ("row",) * MOST_INNER)]
