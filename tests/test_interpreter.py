"""The TensorFlow Lite interpreter, in a process of its own and in this one."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path

import numpy as np
import pytest
from modelwriter import OpSpec, TensorSpec, one_op_model, variable_init, write_model

from vtarget.base.errors import InputError, RunError
from vtarget.shell import interpreter
from vtarget.shell.interpreter import InterpreterJob, interpret_in_process, run_interpreter, serve

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None and importlib.util.find_spec("tflite_runtime") is None,
    reason="no TensorFlow Lite interpreter found",
)


def add_model() -> bytes:
    both = TensorSpec([1, 3], "float32", data=np.array([[1, 2, 3]], np.float32))
    one = TensorSpec([1, 3], "float32")
    return write_model([one, both, one, one], [OpSpec("ADD", [0, 1], [2]), OpSpec("MUL", [2, 1], [3])], [0], [3])


def counter_model() -> bytes:
    call, init = variable_init("count", TensorSpec([1, 2], "float32", data=np.array([[10, 20]], np.float32)), 1)
    value = TensorSpec([1, 2], "float32")
    ops = [
        call,
        OpSpec("VAR_HANDLE", [], [1], {"shared_name": "count"}),
        OpSpec("READ_VARIABLE", [1], [2]),
        OpSpec("ADD", [0, 2], [3]),
        OpSpec("ASSIGN_VARIABLE", [1, 3], []),
    ]
    return write_model([value, TensorSpec([], "resource"), value, value], ops, [0], [3], extra_subgraphs=[init])


X = np.array([[4, 5, 6]], np.float32)


def test_another_process_gives_every_tensor_and_the_outputs() -> None:
    result = run_interpreter(add_model(), [[X], [-X]])
    first, second = result.samples
    assert {index: array.tolist() for index, array in first.tensors.items()} == {
        0: [[4, 5, 6]],
        1: [[1, 2, 3]],
        2: [[5, 7, 9]],
        3: [[5, 14, 27]],
    }
    assert [array.tolist() for array in second.outputs] == [[[-3, -6, -9]]]
    assert result.name in ("tflite-runtime", "ai-edge-litert")
    assert result.version.split(".")[0].isdigit()


def test_in_this_process_it_is_the_same() -> None:
    there, here = (
        run_interpreter(add_model(), [[X]], tensors=[2]),
        interpret_in_process(add_model(), [[X]], tensors=[2]),
    )
    assert list(there.samples[0].tensors) == list(here.samples[0].tensors) == [2]
    assert np.array_equal(there.samples[0].tensors[2], here.samples[0].tensors[2])
    assert (there.name, there.version) == (here.name, here.version)


def test_variables_last_from_sample_to_sample() -> None:
    one = np.ones((1, 2), np.float32)
    result = run_interpreter(counter_model(), [[one], [one], [one]])
    assert [sample.outputs[0].tolist() for sample in result.samples] == [[[11, 21]], [[12, 22]], [[13, 23]]]


def test_no_sample_gives_no_result() -> None:
    assert run_interpreter(add_model(), []).samples == ()


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ([], "sample 1 has 0 arrays for 1 inputs"),
        ([X.reshape(3, 1)], "sample 1, input 0 is float32 [3, 1] where the model takes float32 [1, 3]"),
        ([X.astype(np.int8)], "sample 1, input 0 is int8 [1, 3] where the model takes float32 [1, 3]"),
    ],
)
def test_samples_that_do_not_fit_are_refused(sample: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run_interpreter(add_model(), [[X], sample])
    assert caught.value.one_line() == message


def test_a_refused_model_is_one_line() -> None:
    model = one_op_model("ADD", [TensorSpec([2]), TensorSpec([3])], [TensorSpec([2])])
    for run in (run_interpreter, interpret_in_process):
        with pytest.raises(InputError, match=r"^the TensorFlow Lite interpreter refuses the model: .*") as caught:
            run(model, [])
        assert "\n" not in caught.value.one_line()


def test_no_model_at_all_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^the TensorFlow Lite interpreter refuses the model: "):
        run_interpreter(b"no model", [])


def test_a_crash_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_CHILD", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(RunError) as caught:
        run_interpreter(add_model(), [[X]])
    assert caught.value.one_line() == "the TensorFlow Lite interpreter crashed (SIGSEGV)"


def test_last_words_of_a_crash_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_CHILD", "import os; os.write(2, b'one\\ntwo\\x1b[2J\\n'); os._exit(3)")
    with pytest.raises(RunError) as caught:
        run_interpreter(add_model(), [[X]])
    assert caught.value.one_line() == "the TensorFlow Lite interpreter crashed (exit code 3): two\\x1b[2J"


def test_a_hang_is_one_line_and_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_CHILD", "import time; time.sleep(60)")
    with InterpreterJob(add_model(), [[X]]) as job:
        with pytest.raises(RunError) as caught:
            job.result(0.1)
        process = job._process
        assert process.poll() is None
    assert caught.value.one_line() == "the TensorFlow Lite interpreter did not end within 0.1 s"
    assert process.returncode == -signal.SIGKILL


def test_without_an_interpreter_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "INTERPRETERS", {"none": "vtarget_has_no_such_interpreter"})
    with pytest.raises(InputError) as caught:
        interpret_in_process(add_model(), [])
    assert caught.value.one_line() == ("no TensorFlow Lite interpreter is installed (hint: pip install ai-edge-litert)")


def test_the_other_end_leaves_errors_with_their_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    with InterpreterJob(add_model(), [[X]]) as job:
        job._process.wait()
        folder = job._folder.name
        (Path(folder) / "reply.npz").unlink()
        monkeypatch.setattr(interpreter, "INTERPRETERS", {})
        serve(folder)
        with pytest.raises(InputError) as caught:
            job.result()
    assert caught.value.hint == "pip install ai-edge-litert"
