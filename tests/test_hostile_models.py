"""Corrupted and hostile models: each is refused with one line, and nothing but VtargetError ever comes out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hostilemodels import ASSIGN, CALL, CASES, HANDLE, INIT, READ, good, lstm_like
from hypothesis import given, settings
from hypothesis import strategies as st
from modelwriter import OpSpec, TensorSpec, write_model

from vtarget.base.errors import InputError
from vtarget.logic.checkedtable import Budget, CheckedTable, CorruptError
from vtarget.shell import tflitefile
from vtarget.shell.tflitefile import parse_model, read_model

# Name of the case -> the error after the file's name.
EXPECTED = {
    "empty": "is no TensorFlow Lite model (no 'TFL3' at offset 4)",
    "short": "is no TensorFlow Lite model (no 'TFL3' at offset 4)",
    "text": "is no TensorFlow Lite model (no 'TFL3' at offset 4)",
    "magic_only": "model: it points outside the file of 8 bytes (to 0x8)",
    "cut_in_half": "subgraph 0: tensor 0: it points outside the file of 368 bytes (to 0x288)",
    "version": "is of schema version 2, expected 3",
    "root_outside": "model: it points outside the file of 736 bytes (to 0xffffffff)",
    "root_at_end": "model: it points outside the file of 736 bytes (to 0x2de)",
    "root_on_itself": "model: its table at 0x0 has a vtable of 0 bytes",
    "vtable_before_file": "subgraph 0: it points outside the file of 736 bytes (to -0x7fffff3f)",
    "vtable_after_file": "subgraph 0: it points outside the file of 736 bytes (to 0x800000c0)",
    "vtable_too_small": "subgraph 0: operator 0: its table at 0x114 has a vtable of 2 bytes",
    "vtable_too_large": "subgraph 0: tensor 1: its table at 0x220 has a vtable of 65534 bytes",
    "field_outside_file": (
        "subgraph 0: operator 0: FULLY_CONNECTED: it points outside the file of 736 bytes (to 0x10113)"
    ),
    "subgraphs_outside": "subgraphs: it points outside the file of 736 bytes (to 0x80000013)",
    "tensors_outside": "subgraph 0: tensors: it points outside the file of 736 bytes (to 0x1000000c4)",
    "tensor_outside": "subgraph 0: tensor 1: it points outside the file of 736 bytes (to 0x100160)",
    "options_outside": "subgraph 0: operator 0: FULLY_CONNECTED: it points outside the file of 736 bytes (to 0x10011c)",
    "name_outside": "subgraph 0: tensor 0: it points outside the file of 736 bytes (to 0x100290)",
    "quantisation_outside": "subgraph 0: tensor 2: it points outside the file of 736 bytes (to 0x1001bc)",
    "buffer_outside": "subgraph 0: tensor 1: buffer 1: it points outside the file of 736 bytes (to 0x100068)",
    "shape_length": "subgraph 0: tensor 0: it has a vector at 0x2d4 of 1073741824 items, more than the file holds",
    "name_length": "subgraph 0: tensor 3: it has a vector at 0x1a4 of 4294967295 items, more than the file holds",
    "tensor_count": "subgraph 0: tensors: it has a vector at 0x158 of 2147483647 items, more than the file holds",
    "operator_count": "subgraph 0: operator 1: it points outside the file of 736 bytes (to 0x1600fc)",
    "buffer_length": "subgraph 0: tensor 2: buffer 2: it has a vector at 0x4c of 65535 items, more than the file holds",
    "scale_length": "subgraph 0: tensor 1: quantisation: 2 zero points for 3 scales",
    "too_many_tensors": "subgraph 0: tensors: 20001 of them, at most 20000 are supported",
    "overlapping_names": "subgraph 0: tensor 14: its vectors overlap",
    "overlapping_subgraphs": "subgraph 13: tensor 470: quantisation: its vectors overlap",
    "external_buffers": "subgraph 0: tensor 1: buffer 1: content outside the flatbuffer isn't supported",
    "no_subgraph": "has no subgraph",
    "opcode_index": "subgraph 0: operator 0: operator code 0 is meant, but there are 0",
    "buffer_index": "subgraph 0: tensor 1: buffer 99 is meant, but there are 3",
    "operator_input": "subgraph 0: operator 0: FULLY_CONNECTED: input 1 is tensor 9, but there are 4",
    "operator_input_negative": "subgraph 0: operator 0: FULLY_CONNECTED: input 1 is tensor -2, but there are 4",
    "operator_output": "subgraph 0: operator 0: FULLY_CONNECTED: output 0 is tensor -1, but there are 4",
    "intermediate": "subgraph 0: operator 0: FULLY_CONNECTED: intermediate 0 is tensor 2147483647, but there are 4",
    "graph_input": "subgraph 0: input 0 is tensor 4, but there are 4",
    "graph_output": "subgraph 0: output 0 is tensor -1, but there are 4",
    "tensor_type": "subgraph 0: tensor 0: type 77 is none of the schema's",
    "float16": "tensor 1 'w': type FLOAT16 isn't supported",
    "two_at_once": "tensor 0 'x': type STRING isn't supported; tensor 3 'y': type COMPLEX64 isn't supported",
    "negative_dimension": "tensor 0 'x': dynamic shape [1, -4] (hint: convert the model with fixed input shapes)",
    "dynamic": "tensor 0 'x': dynamic shape [1, -1] (hint: convert the model with fixed input shapes)",
    "dynamic_batch_of_more": "tensor 0 'x': dynamic shape [-1, 4] (hint: convert the model with fixed input shapes)",
    "signature_rank": "tensor 0 'x': dynamic shape [1, 2, 2] (hint: convert the model with fixed input shapes)",
    "huge": (
        "tensor 0 'x': shape [2147483647, 2147483647, 2147483647] takes "
        "9903520300447984150353281023 bytes, at most 268435456 are supported"
    ),
    "many_dimensions": "tensor 0 'x': 9 dimensions, at most 8 are supported",
    "content_too_short": "tensor 1 'w': 3 bytes of content where shape [2, 4] of INT8 takes 8",
    "content_too_long": "tensor 2 'b': 12 bytes of content where shape [2] of INT32 takes 8",
    "variable_content": "tensor 1 'w': a variable with constant content",
    "huge_variables": "variables of 209715200 bytes in total, at most 67108864 are supported",
    "scale_nan": "tensor 0 'x': quantisation scale nan",
    "scale_negative": "tensor 3 'y': quantisation scale -0.5",
    "zero_point": "tensor 3 'y': zero point 300 is outside -128..127 of INT8",
    "zero_points": "subgraph 0: tensor 1: quantisation: 2 zero points for 3 scales",
    "scales_and_shape": "tensor 1 'w': 3 scales along axis 0 of shape [2, 4]",
    "scale_axis": "tensor 1 'w': quantised along axis 2 of shape [2, 4]",
    "custom_quantisation": "subgraph 0: tensor 1: quantisation: custom quantisation isn't supported",
    "options_of_another": (
        "subgraph 0: operator 0: FULLY_CONNECTED: has options of type Pool2DOptions, expected FullyConnectedOptions"
    ),
    "options_unknown": (
        "subgraph 0: operator 0: FULLY_CONNECTED: has options of type number 250, expected FullyConnectedOptions"
    ),
    "activation": "subgraph 0: operator 0: FULLY_CONNECTED: option fused_activation_function has the unknown value 9",
    "option_nan": "subgraph 0: operator 0: SOFTMAX: option beta is nan",
    "no_operators": "the model has no operators",
    "no_outputs": "the model has no outputs",
    "cycle": "operator 0 ADD: input tensor 2 'c' isn't written by anything before it",
    "reads_itself": "operator 0 RELU: input tensor 2 'c' isn't written by anything before it",
    "written_twice": "operator 1 RELU6: output tensor 2 'c' is written already",
    "writes_constant": "operator 0 RELU: output tensor 3 'c' is a constant",
    "writes_input": "operator 0 RELU: output tensor 0 'a' is an input of the model",
    "output_unwritten": "output 0, tensor 2 'c', isn't written by anything",
    "output_constant": "output 0, tensor 3 'c', is a constant",
    "input_constant": "input 1, tensor 3 'c', is a constant",
    "input_twice": "input 1, tensor 0 'a', is an input already",
    "no_elements": "operator 0 RELU: output tensor 1 'y' has no elements",
    "call_to_nowhere": "operator 0 CALL_ONCE: there is no subgraph 1 to call",
    "call_to_itself": "operator 0 CALL_ONCE: there is no subgraph 0 to call",
    "call_does_more": "operator 0 CALL_ONCE: subgraph 1 does more than assign constants to variables",
    "variable_shapes": "variable 'state' is used as INT8 [1, 3] and INT8 [1, 4]",
    "variable_bytes": "tensor 2 'state': 2 bytes of content where shape [1, 4] of INT8 takes 4",
    "handle_is_no_handle": "operator 0 READ_VARIABLE: its first input, tensor 0, is no handle of a variable",
    "read_two": "operator 1 READ_VARIABLE: takes 1 inputs and 1 outputs",
    "handle_as_data": "tensor 2 'handle': type RESOURCE isn't supported",
    "variable_types": "variable 'state' is used as INT16 [1, 4] and INT8 [1, 4]",
}


def test_there_are_at_least_forty_and_each_has_its_line() -> None:
    assert len(CASES) >= 40
    assert list(CASES) == list(EXPECTED)


@pytest.mark.parametrize("name", CASES)
def test_refused_with_one_line(name: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_model("m.tflite", CASES[name]())
    assert caught.value.one_line() == f"m.tflite: {EXPECTED[name]}"
    assert caught.value.exit_code == 2


def test_every_problem_is_listed_up_to_a_dozen() -> None:
    tensors = [TensorSpec([1], "string", name=f"t{i}") for i in range(15)]
    with pytest.raises(InputError) as caught:
        parse_model("m.tflite", write_model(tensors, [OpSpec("PACK", range(14), [14])], range(14), [14]))
    listed = "; ".join(f"tensor {i} 't{i}': type STRING isn't supported" for i in range(12))
    assert caught.value.one_line() == f"m.tflite: {listed} (+3 more)"


@cache
def models() -> tuple[bytes, ...]:
    return good(), lstm_like([CALL, HANDLE, READ, ASSIGN], [INIT])


def refuses_or_reads(data: bytes) -> None:
    """Whatever the bytes say, the answer is a graph whose indices are sound, or an InputError of one line."""
    try:
        graph = parse_model("m.tflite", data)
    except InputError as error:
        assert "\n" not in error.one_line() and len(error.one_line()) < 4000
        return
    for operator in graph.operators:
        assert all(-1 <= index < len(graph.tensors) for index in operator.inputs)
        assert all(0 <= index < len(graph.tensors) for index in operator.outputs)
    for tensor in graph.tensors:
        assert tensor.data is None or len(tensor.data) == tensor.size_bytes


def write_over(data: bytes, changes: list[tuple[int, int, int]]) -> bytes:
    """``data`` with words (place, value, bytes) written over."""
    changed = bytearray(data)
    for place, value, size in changes:
        at = place % (len(data) - size + 1)
        changed[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return bytes(changed)


PLACES = st.integers(0, 1 << 16)
ODD_VALUES = st.sampled_from([0, 1, 4, 127, 128, 255, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
CHANGES = st.tuples(PLACES, ODD_VALUES | st.integers(0, (1 << 32) - 1), st.sampled_from([1, 1, 2, 4]))


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from([0, 1]), st.lists(CHANGES, min_size=1, max_size=4))
def test_bytes_written_over_never_escape(which: int, changes: list[tuple[int, int, int]]) -> None:
    refuses_or_reads(write_over(models()[which], changes))


def test_every_cut_is_refused_or_read() -> None:
    for length in range(len(good())):
        refuses_or_reads(good()[:length])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_noise_never_escapes(noise: bytes) -> None:
    refuses_or_reads(b"\x10\x00\x00\x00TFL3" + noise)


def test_the_root_is_no_short_cut_around_the_checks() -> None:
    with pytest.raises(CorruptError, match=r"^it points outside the file of 8 bytes \(to -0x4\)$"):
        CheckedTable(b"\x00" * 8, -4, Budget(100))
    with pytest.raises(CorruptError, match=r"^its vectors overlap$"):
        Budget(3).spend(4)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", "{tmp}: is a directory, expected a .tflite model"),
        ("none.tflite", "{tmp}/none.tflite: no such file"),
        ("big.tflite", "{tmp}/big.tflite: 17 bytes, at most 0 MiB are supported"),
        ("a\0b", "{tmp}/a\\x00b: can't be read: embedded null byte"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, line: str) -> None:
    (tmp_path / "big.tflite").write_bytes(bytes(17))
    monkeypatch.setattr(tflitefile, "MOST_FILE_BYTES", 16)
    with pytest.raises(InputError) as caught:
        read_model(f"{tmp_path}/{path}".rstrip("/"))
    assert caught.value.one_line() == line.format(tmp=tmp_path)
