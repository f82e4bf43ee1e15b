"""Resource variables keep their content from one inference to the next, as in TensorFlow Lite's interpreter."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostkernels import build
from modelwriter import OpSpec, TensorSpec, variable_init, write_model
from opcases import constant

from vtarget.logic.codegen.registry import problems
from vtarget.shell.interpreter import interpret_in_process
from vtarget.shell.tflitefile import parse_model

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not found")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found")

PAIR = (0.1, 3)
INITIAL = np.array([[1, 2], [3, 4], [5, 6]], np.int8)


def streaming_model(frame: tuple[int, int] = (1, 2)) -> bytes:
    """A window of the last three frames: read, drop the oldest, append the new one, keep and return the window."""
    handle = {"container": "", "shared_name": "window"}
    call, init = variable_init("window", TensorSpec((3, 2), "int8", *PAIR, data=INITIAL), 1)
    tensors = [
        TensorSpec(frame, "int8", *PAIR, name="frame"),
        TensorSpec([], "resource", name="handle"),
        TensorSpec((3, 2), "int8", *PAIR, name="read"),
        constant([1, 0], "int32"),
        constant([2, 2], "int32"),
        TensorSpec((2, 2), "int8", *PAIR, name="kept"),
        TensorSpec((3, 2), "int8", *PAIR, name="window"),
    ]
    ops = [
        call,
        OpSpec("VAR_HANDLE", [], [1], handle),
        OpSpec("READ_VARIABLE", [1], [2]),
        OpSpec("SLICE", [2, 3, 4], [5]),
        OpSpec("CONCATENATION", [5, 0], [6], {"axis": 0}),
        OpSpec("ASSIGN_VARIABLE", [1, 6], []),
    ]
    return write_model(tensors, ops, [0], [6], extra_subgraphs=[init])


def test_a_window_of_frames_moves_on_from_call_to_call(tmp_path: Path) -> None:
    model = streaming_model()
    frames = [np.array([[10 * n, 10 * n + 1]], np.int8) for n in range(1, 6)]
    expected = interpret_in_process(model, [[frame] for frame in frames], tensors=[]).samples
    (host,) = build([model], tmp_path)
    state: dict[int, np.ndarray[Any, Any]] = {
        t.index: np.frombuffer(t.data, np.int8).reshape(t.shape) for t in host.graph.tensors if t.variable and t.data
    }
    assert [content.tolist() for content in state.values()] == [INITIAL.tolist()]
    for frame, result in zip(frames, expected, strict=True):
        window = host.run_all([frame], state)[host.graph.outputs[0]]
        assert window.tolist() == result.outputs[0].tolist()
    assert window.tolist() == [[30, 31], [40, 41], [50, 51]]


def test_handles_cost_nothing_and_variables_are_copied(tmp_path: Path) -> None:
    (host,) = build([streaming_model()], tmp_path)
    pairs = zip(host.graph.operators, host.layers, strict=True)
    kernels = [(op.op, layer.kernel, layer.in_place) for op, layer in pairs]
    assert kernels == [
        ("VAR_HANDLE", "", ()),
        ("READ_VARIABLE", "vt_copy", ()),
        ("SLICE", "vt_move_runs", ()),
        ("CONCATENATION", "vt_move_runs", ()),
        ("ASSIGN_VARIABLE", "vt_copy", ()),
    ]


def test_a_streaming_model_has_no_problems() -> None:
    assert problems(parse_model("stream.tflite", streaming_model())) == []
