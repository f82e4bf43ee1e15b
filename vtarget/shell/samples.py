"""Samples to feed a model: from .npy and .npz files or a directory of them, or seeded random ones."""

from __future__ import annotations

import stat
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vtarget.base.errors import InputError, printable
from vtarget.base.names import quoted
from vtarget.data.graph import ElementType, Graph, Tensor

Array = npt.NDArray[Any]
Sample = tuple[Array, ...]

FILE_LIMIT_BYTES = 1 << 30
SAMPLE_LIMIT = 100_000
LABELS = "labels"
# What numpy, zipfile and zlib raise for damaged files.
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    KeyError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Samples:
    """``arrays[i]`` has one array per model input, of its shape and type; ``labels`` pair up with them if given."""

    arrays: tuple[Sample, ...]
    labels: tuple[int, ...] | None
    source: str


def seeded_samples(graph: Graph, count: int, seed: int = 0) -> Samples:
    """``count`` random samples: the whole range of integer types, a standard normal for floats."""
    generator = np.random.default_rng(seed)
    arrays = tuple(tuple(_random(graph.tensors[i], generator) for i in graph.inputs) for _ in range(count))
    return Samples(arrays, None, f"seeded random, seed {seed}")


def load_samples(graph: Graph, path: str, *, most: int | None = None) -> Samples:
    """Samples from a .npy file (models with one input), a .npz file, or a directory of either, in name order.

    An array holds one sample if it has the input's shape, else its first axis counts samples. A .npz names arrays by
    input tensor, ``x`` for the only input, or ``input_0``, ``input_1``, …; ``labels`` are kept. Floats for a quantised
    input are quantised. InputError for anything that doesn't fit, naming file and array.
    """
    place = Path(path)
    try:
        files = sorted(p for p in place.iterdir() if p.suffix in (".npy", ".npz")) if place.is_dir() else [place]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if not files:
        raise InputError(f"{path}: no .npy or .npz file in this directory")
    arrays: list[Sample] = []
    labels: list[int] = []
    for file in files:
        found, of_file = _from_file(graph, file)
        arrays.extend(found)
        labels.extend(of_file)
        if most is not None and len(arrays) >= most:
            break
    if not arrays:
        raise InputError(f"{path}: no samples in it")
    if len(arrays) > SAMPLE_LIMIT:
        raise InputError(f"{path}: {len(arrays)} samples, more than {SAMPLE_LIMIT}")
    if labels and len(labels) < len(arrays):
        raise InputError(f"{path}: {len(labels)} labels for {len(arrays)} samples")
    return Samples(tuple(arrays[:most]), tuple(labels[: len(arrays[:most])]) if labels else None, path)


def load_labels(path: str, count: int) -> tuple[int, ...]:
    """Class numbers from a .npy file or a text file with one per line; InputError unless there are ``count``."""
    if path.endswith(".npy"):
        values = _read(Path(path))
        if not isinstance(values, np.ndarray):
            raise InputError(f"{path}: an archive, not one array of labels")
        return _labels(path, values, count)
    try:
        return _labels(path, np.array([int(word) for word in Path(path).read_text("ascii").split()]), count)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't read labels: {error}") from None


def _labels(path: str, values: Array, count: int) -> tuple[int, ...]:
    if values.ndim != 1 or values.dtype.kind not in "iu" or len(values) < count or (len(values) and values.min() < 0):
        raise InputError(f"{path}: labels must be {count} class numbers in one row")
    return tuple(int(v) for v in values[:count])


def _random(tensor: Tensor, generator: np.random.Generator) -> Array:
    dtype = np.dtype(tensor.type.value)
    if tensor.type is ElementType.FLOAT32:
        return generator.standard_normal(tensor.shape).astype(np.float32)
    if tensor.type is ElementType.BOOL:
        return generator.integers(0, 2, tensor.shape).astype(np.bool_)
    info = np.iinfo(dtype)
    return generator.integers(info.min, info.max, tensor.shape, dtype=dtype, endpoint=True)


def _read(file: Path) -> Array | dict[str, Array]:
    try:
        info = file.stat()
        if not stat.S_ISREG(info.st_mode):
            raise InputError(f"{file}: no regular file")
        if info.st_size > FILE_LIMIT_BYTES:
            raise InputError(f"{file}: larger than any sample file")
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            if sum(member.file_size for member in loaded.zip.infolist()) > FILE_LIMIT_BYTES:
                raise InputError(f"{file}: unpacks to more than any sample file")
            # What isn't an array comes as bytes.
            members = {name: loaded[name] for name in loaded.files}
            return {name: array for name, array in members.items() if isinstance(array, np.ndarray)}
    except _UNREADABLE as error:
        raise InputError(f"{file}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # numpy takes everything that it doesn't know for a pickle, and advises to trust it.
    if "pickle" in str(error) or isinstance(error, MemoryError):
        return "no .npy or .npz file of plain numbers"
    return f"not a .npy or .npz file: {str(error).partition(chr(10))[0]}"


def _from_file(graph: Graph, file: Path) -> tuple[list[Sample], list[int]]:
    content = _read(file)
    tensors = [graph.tensors[i] for i in graph.inputs]
    if isinstance(content, np.ndarray):
        if len(tensors) != 1:
            raise InputError(f"{file}: the model has {len(tensors)} inputs", hint="use a .npz with one array per input")
        content = {"x": content}
    columns = [_split(file, tensor, _find(file, content, tensor, i, len(tensors))) for i, tensor in enumerate(tensors)]
    if len({len(column) for column in columns}) > 1:
        raise InputError(f"{file}: its arrays hold different numbers of samples")
    samples = list(zip(*columns, strict=True))
    labels = content.get(LABELS)
    return samples, list(_labels(str(file), labels, len(samples))) if labels is not None else []


def _find(file: Path, content: dict[str, Array], tensor: Tensor, position: int, inputs: int) -> Array:
    names = [tensor.name, f"input_{position}", *(["x"] if inputs == 1 else [])]
    for name in names:
        if name in content:
            return content[name]
    known = ", ".join(printable(name) for name in content)
    raise InputError(
        f"{file}: no array for input {position}", hint=f"it has {known}; expected one of {', '.join(names)}"
    )


def _split(file: Path, tensor: Tensor, array: Array) -> Sequence[Array]:
    """One array per sample, of the tensor's shape and type."""
    if array.shape == tensor.shape:
        parts = [array]
    elif (
        array.ndim
        and array.shape[1:] in (tensor.shape, tensor.shape[1:])
        and (array.shape[1:] == tensor.shape or tensor.shape[0] == 1)
    ):
        parts = [part.reshape(tensor.shape) for part in array]
    else:
        raise InputError(
            f"{file}: shape {list(array.shape)} doesn't fit input {quoted(tensor.name)} {list(tensor.shape)}",
            hint="a first axis may count samples",
        )
    return [_typed(file, tensor, part) for part in parts]


def _typed(file: Path, tensor: Tensor, array: Array) -> Array:
    dtype = np.dtype(tensor.type.value)
    if array.dtype == dtype:
        return np.asarray(array, order="C")
    if tensor.type is ElementType.FLOAT32 and array.dtype.kind in "fiu":
        return array.astype(np.float32)
    if array.dtype.kind == "f" and tensor.quantisation is not None and tensor.quantisation.scales:
        if np.isnan(array).any():
            raise InputError(f"{file}: NaN for input {quoted(tensor.name)}, which is quantised")
        info = np.iinfo(dtype)
        scaled = np.round(array.astype(np.float64) / tensor.quantisation.scales[0]) + tensor.quantisation.zero_points[0]
        return np.clip(scaled, info.min, info.max).astype(dtype)
    if array.dtype.kind in "iu" and dtype.kind in "iu":
        info = np.iinfo(dtype)
        if array.size == 0 or (array.min() >= info.min and array.max() <= info.max):
            return array.astype(dtype)
        raise InputError(f"{file}: values {array.min()}..{array.max()} don't fit input {quoted(tensor.name)} ({dtype})")
    raise InputError(f"{file}: type {array.dtype} doesn't fit input {quoted(tensor.name)} ({dtype})")
