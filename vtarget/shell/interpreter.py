"""TensorFlow Lite's own interpreter (home of tflite-runtime and ai-edge-litert) with its reference kernels.

The interpreter is native code that bad models can crash or hang, so models of unknown origin run in a process of
their own; ``interpret_in_process`` is for models that are known to be good.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from vtarget.base.errors import InputError, RunError, VtargetError, printable
from vtarget.shell.commands import cause

Array = npt.NDArray[Any]

TIMEOUT_S = 300.0
# Distribution -> module, in order of preference.
INTERPRETERS = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}
# What the other process runs, with the module path of this one: the working directory shadows nothing that it didn't.
_CHILD = "import sys; sys.path[:] = {path!r}; from vtarget.shell.interpreter import serve; serve({folder!r})"
_MODEL, _REQUEST, _REPLY, _ERROR = "model.tflite", "request.npz", "reply.npz", "error.txt"


@dataclass(frozen=True)
class SampleResult:
    """What one call of the model left: tensors by index, and its outputs in the model's order."""

    tensors: dict[int, Array]
    outputs: tuple[Array, ...]


@dataclass(frozen=True)
class InterpreterResult:
    """What the interpreter made of each sample; ``name`` and ``version`` are the distribution that ran it."""

    name: str
    version: str
    samples: tuple[SampleResult, ...]


def run_interpreter(
    model: bytes,
    samples: Sequence[Sequence[Array]],
    *,
    tensors: Collection[int] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> InterpreterResult:
    """Runs ``model`` on ``samples`` (one array per input each, in order, of its shape and type) in its own process.

    Variables keep their content from sample to sample. ``tensors`` are the indices to return, None for all that have
    content; those without (optional outputs, handles) are left out.

    :raises InputError: no interpreter is installed, it refuses the model, or a sample doesn't fit an input.
    :raises RunError: the interpreter crashed or took longer than ``timeout_s`` seconds.
    """
    with InterpreterJob(model, samples, tensors=tensors) as job:
        return job.result(timeout_s)


class InterpreterJob:
    """A run of the interpreter under way, so that other work can be done meanwhile; ``with`` ends it surely."""

    def __init__(
        self, model: bytes, samples: Sequence[Sequence[Array]], *, tensors: Collection[int] | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vtarget-interpreter-")
        folder = Path(self._folder.name)
        (folder / _MODEL).write_bytes(model)
        arrays = {f"sample_{s}_{i}": np.asarray(a) for s, sample in enumerate(samples) for i, a in enumerate(sample)}
        arrays["inputs"] = np.array([len(sample) for sample in samples], np.int64)
        if tensors is not None:
            arrays["tensors"] = np.array(sorted(tensors), np.int64)
        (folder / _REQUEST).write_bytes(_packed(arrays))
        code = _CHILD.format(path=sys.path, folder=self._folder.name)
        self._log: IO[bytes] = (folder / "log.txt").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )

    def __enter__(self) -> InterpreterJob:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process if it still runs, and removes its files."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def result(self, timeout_s: float = TIMEOUT_S) -> InterpreterResult:
        """Waits for the run; errors as of ``run_interpreter``."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RunError(f"the TensorFlow Lite interpreter did not end within {timeout_s:g} s") from None
        folder = Path(self._folder.name)
        if (folder / _ERROR).exists():
            kind, _, text = (folder / _ERROR).read_text(encoding="utf-8").partition("\n")
            message, _, hint = text.partition("\n")
            raise (InputError if kind == "InputError" else RunError)(message, hint=hint or None)
        if code != 0 or not (folder / _REPLY).exists():
            raise RunError(f"the TensorFlow Lite interpreter crashed ({cause(code)}){self._last_words()}")
        return _unpack_result(folder / _REPLY)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f": {printable(lines[-1])[:200]}" if lines else ""


def interpret_in_process(
    model: bytes, samples: Sequence[Sequence[Array]], *, tensors: Collection[int] | None = None
) -> InterpreterResult:
    """As ``run_interpreter``, but in this process: quicker, and a crash of the interpreter is a crash of the caller."""
    name, module = _interpreter()
    interpreter = _loaded(module, model)
    inputs = [(int(d["index"]), tuple(int(n) for n in d["shape"]), d["dtype"]) for d in interpreter.get_input_details()]
    outputs = [int(d["index"]) for d in interpreter.get_output_details()]
    readable = [index for index in _with_numbers(interpreter) if tensors is None or index in tensors]
    results = []
    for number, sample in enumerate(samples):
        _feed(interpreter, number, sample, inputs)
        try:
            interpreter.invoke()
        except RuntimeError as error:
            raise RunError(f"the TensorFlow Lite interpreter failed on sample {number}: {_first_line(error)}") from None
        results.append(
            SampleResult(_read(interpreter, readable), tuple(interpreter.get_tensor(index) for index in outputs))
        )
    return InterpreterResult(name, importlib.metadata.version(name), tuple(results))


def installed() -> tuple[str, str]:
    """The distribution of the interpreter that is used, loaded, and its version. InputError if none can be loaded."""
    name, _ = _interpreter()
    return name, importlib.metadata.version(name)


def serve(folder: str) -> None:
    """The other end of an InterpreterJob: does what ``folder`` asks for and leaves the reply or an error there."""
    path = Path(folder)
    with np.load(path / _REQUEST, allow_pickle=False) as request:
        counts = request["inputs"]
        samples = [[request[f"sample_{s}_{i}"] for i in range(count)] for s, count in enumerate(counts)]
        tensors = [int(t) for t in request["tensors"]] if "tensors" in request else None
    try:
        result = interpret_in_process((path / _MODEL).read_bytes(), samples, tensors=tensors)
    except VtargetError as error:
        text = f"{type(error).__name__}\n{printable(error.message)}\n{printable(error.hint or '')}"
        (path / _ERROR).write_text(text, encoding="utf-8")
        return
    (path / _REPLY).write_bytes(_pack_result(result))


def _interpreter() -> tuple[str, ModuleType]:
    for name, module in INTERPRETERS.items():
        # tflite-runtime is built for numpy 1 and can't be loaded beside numpy 2.
        if name == "tflite-runtime" and not np.__version__.startswith("1."):
            continue
        try:
            return name, importlib.import_module(module)
        except ImportError:
            continue
    raise InputError("no TensorFlow Lite interpreter is installed", hint="pip install ai-edge-litert")


def _loaded(module: ModuleType, model: bytes) -> Any:
    try:
        interpreter = module.Interpreter(
            model_content=model,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"the TensorFlow Lite interpreter refuses the model: {_first_line(error)}") from None
    return interpreter


def _feed(
    interpreter: Any, number: int, sample: Sequence[Array], inputs: Sequence[tuple[int, tuple[int, ...], Any]]
) -> None:
    if len(sample) != len(inputs):
        raise InputError(f"sample {number} has {len(sample)} arrays for {len(inputs)} inputs")
    for position, (array, (index, shape, dtype)) in enumerate(zip(sample, inputs, strict=True)):
        if array.shape != shape or array.dtype != np.dtype(dtype):
            have, want = f"{array.dtype} {list(array.shape)}", f"{np.dtype(dtype)} {list(shape)}"
            raise InputError(f"sample {number}, input {position} is {have} where the model takes {want}")
        interpreter.set_tensor(index, array)


def _with_numbers(interpreter: Any) -> list[int]:
    """Tensors that numbers can be read from; the content of handles and strings is nothing to look at."""
    details = interpreter.get_tensor_details()
    return [int(d["index"]) for d in details if np.dtype(d["dtype"]).kind in "biuf"]


def _read(interpreter: Any, tensors: Collection[int]) -> dict[int, Array]:
    found: dict[int, Array] = {}
    for index in tensors:
        try:
            found[index] = interpreter.get_tensor(index)
        except ValueError:  # nothing is stored for it
            continue
    return found


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0])[:300] if lines else type(error).__name__


def _packed(arrays: dict[str, Array]) -> bytes:
    file = io.BytesIO()
    # The stubs take the names of arrays for savez's own options.
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _pack_result(result: InterpreterResult) -> bytes:
    arrays = {"about": np.array([result.name, result.version, str(len(result.samples))])}
    for number, sample in enumerate(result.samples):
        arrays |= {f"{number}_tensor_{index}": content for index, content in sample.tensors.items()}
        arrays |= {f"{number}_output_{place}": content for place, content in enumerate(sample.outputs)}
    return _packed(arrays)


def _unpack_result(path: Path) -> InterpreterResult:
    tensors: dict[int, dict[int, Array]] = {}
    outputs: dict[int, list[Array]] = {}
    with np.load(path, allow_pickle=False) as reply:
        name, version, count = (str(text) for text in reply["about"])
        for key in reply.files[1:]:  # outputs stand in order
            number, kind, index = key.split("_")
            if kind == "tensor":
                tensors.setdefault(int(number), {})[int(index)] = reply[key]
            else:
                outputs.setdefault(int(number), []).append(reply[key])
    samples = (SampleResult(tensors.get(n, {}), tuple(outputs.get(n, ()))) for n in range(int(count)))
    return InterpreterResult(name, version, tuple(samples))
