"""Samples from files and seeds: what is taken, how it is converted, and one line for what doesn't fit."""

from __future__ import annotations

import io
import os
import random
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtarget.base.errors import InputError
from vtarget.data.graph import ElementType, Graph, Quantisation, Tensor
from vtarget.shell import samples as module
from vtarget.shell.samples import load_labels, load_samples, seeded_samples

ONE = ((1, 2, 3), "int8", (0.5, 3))


def graph(*inputs: tuple[tuple[int, ...], str, tuple[float, int] | None], name: str = "in") -> Graph:
    tensors = tuple(
        Tensor(
            i, f"{name}{i}", shape, ElementType(type_), None if pair is None else Quantisation((pair[0],), (pair[1],))
        )
        for i, (shape, type_, pair) in enumerate(inputs)
    )
    return Graph("m.tflite", "", "", tensors, (), tuple(range(len(tensors))), ())


def npy(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


def npz(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def refusal(of: Graph, path: str | Path, **options: Any) -> str:
    with pytest.raises(InputError) as error:
        load_samples(of, str(path), **options)
    assert "\n" not in error.value.one_line()
    return error.value.one_line().replace(str(path), "PATH")


# Seeded.


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    model = graph(ONE, ((4,), "float32", None))
    first, again, other = (seeded_samples(model, 2, seed) for seed in (1, 1, 2))
    assert first.source == "seeded random, seed 1" and first.labels is None
    assert [[a.tobytes() for a in s] for s in first.arrays] == [[a.tobytes() for a in s] for s in again.arrays]
    assert first.arrays[0][0].tobytes() != other.arrays[0][0].tobytes()
    assert first.arrays[0][0].tobytes() != first.arrays[1][0].tobytes()
    assert [(a.shape, str(a.dtype)) for a in first.arrays[0]] == [((1, 2, 3), "int8"), ((4,), "float32")]


@pytest.mark.parametrize("type_", ["int8", "uint8", "int16"])
def test_seeded_integers_have_their_whole_range(type_: str) -> None:
    values = seeded_samples(graph(((400_000,), type_, None)), 1).arrays[0][0]
    assert (values.min(), values.max()) == (np.iinfo(type_).min, np.iinfo(type_).max)


@pytest.mark.parametrize(("type_", "kinds"), [("bool", {False, True}), ("int64", None), ("int32", None)])
def test_seeded_values_of_other_types(type_: str, kinds: set[bool] | None) -> None:
    values = seeded_samples(graph(((50,), type_, None)), 1).arrays[0][0]
    assert str(values.dtype) == type_ and (kinds is None or set(values.tolist()) == kinds)


# Shapes.


@pytest.mark.parametrize(
    ("shape", "given", "count"),
    [
        ((1, 2, 3), (1, 2, 3), 1),
        ((1, 2, 3), (5, 1, 2, 3), 5),
        ((1, 2, 3), (5, 2, 3), 5),
        ((2, 3), (2, 3), 1),
        ((2, 3), (4, 2, 3), 4),
        ((1,), (4,), 4),
        ((), (), 1),
        ((), (4,), 4),
    ],
)
def test_a_first_axis_counts_samples(
    shape: tuple[int, ...], given: tuple[int, ...], count: int, tmp_path: Path
) -> None:
    array = np.arange(np.prod(given, dtype=int), dtype=np.int8).reshape(given)
    loaded = load_samples(graph((shape, "int8", None)), npy(tmp_path / "x.npy", array))
    assert [sample[0].shape for sample in loaded.arrays] == [shape] * count
    assert np.concatenate([sample[0].reshape(-1) for sample in loaded.arrays]).tolist() == array.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("shape", "given"), [((1, 2, 3), (3, 2)), ((2, 3), (4, 3)), ((1,), ()), ((2, 3), (6,)), ((1, 2), (1, 1, 1, 2))]
)
def test_other_shapes_are_refused(shape: tuple[int, ...], given: tuple[int, ...], tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", np.zeros(given, np.int8))
    assert refusal(graph((shape, "int8", None)), path) == (
        f"PATH: shape {list(given)} doesn't fit input 'in0' {list(shape)} (hint: a first axis may count samples)"
    )


def test_no_samples_are_refused(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", np.zeros((0, 1, 2, 3), np.int8))
    assert refusal(graph(ONE), path) == "PATH: no samples in it"


# Types.


def convert(type_: str, pair: tuple[float, int] | None, values: Any, tmp_path: Path) -> list[Any]:
    array = np.asarray(values)
    loaded = load_samples(graph((array.shape, type_, pair)), npy(tmp_path / "x.npy", array))
    assert str(loaded.arrays[0][0].dtype) == type_
    return loaded.arrays[0][0].tolist()


def test_floats_are_quantised_and_saturate(tmp_path: Path) -> None:
    values = [0.0, 0.5, -0.5, 0.24, 1e9, -1e9, float("inf"), float("-inf")]
    assert convert("int8", (0.5, 3), values, tmp_path) == [3, 4, 2, 3, 127, -128, 127, -128]
    assert convert("int16", (0.25, 0), np.array([1.0, -2.0], np.float16), tmp_path) == [4, -8]


def test_integers_are_taken_as_they_are_where_they_fit(tmp_path: Path) -> None:
    assert convert("int8", (0.5, 3), np.array([-128, 127], np.int64), tmp_path) == [-128, 127]
    assert convert("int16", None, np.array([7], ">i2"), tmp_path) == [7]
    assert convert("float32", None, np.array([7, -1], np.int8), tmp_path) == [7.0, -1.0]
    assert convert("float32", None, np.array([0.5], np.float64), tmp_path) == [0.5]
    assert convert("bool", None, np.array([True, False]), tmp_path) == [True, False]


@pytest.mark.parametrize(
    ("type_", "pair", "values", "reason"),
    [
        ("int8", (0.5, 3), np.array([128]), "values 128..128 don't fit input 'in0' (int8)"),
        ("uint8", (0.5, 3), np.array([-1, 5]), "values -1..5 don't fit input 'in0' (uint8)"),
        ("int8", (0.5, 3), np.array([float("nan")]), "NaN for input 'in0', which is quantised"),
        ("int32", None, np.array([0.5]), "type float64 doesn't fit input 'in0' (int32)"),
        ("bool", None, np.array([1]), "type int64 doesn't fit input 'in0' (bool)"),
        ("int8", (0.5, 3), np.array([True]), "type bool doesn't fit input 'in0' (int8)"),
        ("float32", None, np.array(["a"]), "type <U1 doesn't fit input 'in0' (float32)"),
        ("float32", None, np.array([1j]), "type complex128 doesn't fit input 'in0' (float32)"),
    ],
)
def test_other_types_and_values_are_refused(type_: str, pair: Any, values: Any, reason: str, tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", values)
    assert refusal(graph((values.shape, type_, pair)), path) == f"PATH: {reason}"


# Archives.


def test_arrays_are_found_by_the_inputs_name_its_number_or_x(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int8).reshape(1, 2, 3)
    for name in ("in0", "input_0", "x"):
        loaded = load_samples(graph(ONE), npz(tmp_path / "x.npz", **{name: array, "other": 1}))
        assert loaded.arrays[0][0].tolist() == array.tolist() and loaded.labels is None


def test_several_inputs_need_an_array_each_with_equally_many_samples(tmp_path: Path) -> None:
    model, a, b = graph(ONE, ((2,), "float32", None)), np.zeros((2, 1, 2, 3), np.int8), np.ones((2, 2), np.float32)
    loaded = load_samples(model, npz(tmp_path / "x.npz", in0=a, input_1=b))
    assert [[part.shape for part in sample] for sample in loaded.arrays] == [[(1, 2, 3), (2,)]] * 2
    path = npz(tmp_path / "x.npz", in0=a, x=b)
    assert refusal(model, path) == ("PATH: no array for input 1 (hint: it has in0, x; expected one of in1, input_1)")
    path = npz(tmp_path / "x.npz", in0=a, in1=b[:1])
    assert refusal(model, path) == "PATH: its arrays hold different numbers of samples"
    path = npy(tmp_path / "x.npy", a)
    assert refusal(model, path) == "PATH: the model has 2 inputs (hint: use a .npz with one array per input)"


def test_labels_come_with_an_archive(tmp_path: Path) -> None:
    x = np.zeros((3, 1, 2, 3), np.int8)
    path = npz(tmp_path / "x.npz", x=x, labels=np.array([2, 0, 1]))
    assert load_samples(graph(ONE), path).labels == (2, 0, 1)
    assert load_samples(graph(ONE), path, most=2).labels == (2, 0)
    assert len(load_samples(graph(ONE), path, most=2).arrays) == 2


@pytest.mark.parametrize("labels", [[1, 2], [0.5, 1.0, 2.0], [[0], [1], [2]], [0, 1, -1], ["a", "b", "c"]])
def test_labels_that_are_not_one_class_per_sample_are_refused(labels: Any, tmp_path: Path) -> None:
    path = npz(tmp_path / "x.npz", x=np.zeros((3, 1, 2, 3), np.int8), labels=np.array(labels))
    assert refusal(graph(ONE), path) == "PATH: labels must be 3 class numbers in one row"


# Directories.


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name, value in (("b.npy", 2), ("a.npy", 1), ("c.npz", 3)):
        array = np.full((2, 1, 2, 3), value, np.int8)
        (npz(tmp_path / name, x=array) if name.endswith("z") else npy(tmp_path / name, array))
    (tmp_path / "readme.txt").write_text("no samples")
    loaded = load_samples(graph(ONE), str(tmp_path))
    assert [int(sample[0].flat[0]) for sample in loaded.arrays] == [1, 1, 2, 2, 3, 3]
    assert loaded.source == str(tmp_path)
    assert [int(s[0].flat[0]) for s in load_samples(graph(ONE), str(tmp_path), most=3).arrays] == [1, 1, 2]


def test_a_directory_without_samples_and_one_with_some_labels(tmp_path: Path) -> None:
    assert refusal(graph(ONE), tmp_path) == "PATH: no .npy or .npz file in this directory"
    npz(tmp_path / "a.npz", x=np.zeros((1, 2, 3), np.int8), labels=np.array([1]))
    npy(tmp_path / "b.npy", np.zeros((1, 2, 3), np.int8))
    assert refusal(graph(ONE), tmp_path) == "PATH: 1 labels for 2 samples"


def test_too_many_samples_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_LIMIT", 3)
    path = npy(tmp_path / "x.npy", np.zeros((4, 1, 2, 3), np.int8))
    assert refusal(graph(ONE), path) == "PATH: 4 samples, more than 3"


# Files that are none.


def test_large_files_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path / "x.npz", x=np.zeros((100, 1, 2, 3), np.int8))
    np.savez_compressed(tmp_path / "y.npz", x=np.zeros((10_000, 1, 2, 3), np.int8))
    monkeypatch.setattr(module, "FILE_LIMIT_BYTES", 600)
    assert refusal(graph(ONE), path) == "PATH: larger than any sample file"
    assert refusal(graph(ONE), tmp_path / "y.npz") == "PATH: unpacks to more than any sample file"


def test_what_is_no_array_is_refused(tmp_path: Path) -> None:
    objects = tmp_path / "o.npy"
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("1 2 3")
    (tmp_path / "empty.npy").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.npy")
    plain = "PATH: no .npy or .npz file of plain numbers"
    assert refusal(graph(ONE), objects) == plain
    assert refusal(graph(ONE), tmp_path / "text.npy") == plain
    assert refusal(graph(ONE), tmp_path / "empty.npy") == "PATH: not a .npy or .npz file: No data left in file"
    assert refusal(graph(ONE), tmp_path / "missing.npy") == "PATH: No such file or directory"
    assert refusal(graph(ONE), tmp_path / "pipe.npy") == "PATH: no regular file"


def test_members_of_an_archive_that_are_no_arrays_count_for_nothing(tmp_path: Path) -> None:
    path = npz(tmp_path / "x.npz", in0=np.zeros((1, 2, 3), np.int8))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x", b"not an array")
    assert len(load_samples(graph(ONE), path).arrays) == 1
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as archive:
        archive.writestr("x", b"not an array")
    assert refusal(graph(ONE), tmp_path / "y.npz").startswith("PATH: no array for input 0")


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    plain, packed = io.BytesIO(), io.BytesIO()
    np.save(plain, np.zeros((3, 1, 2, 3), np.int8))
    np.savez_compressed(packed, x=np.arange(600, dtype=np.int8).reshape(100, 1, 2, 3))
    rng, path, refused = random.Random(5), tmp_path / "x.npy", 0
    for number in range(400):
        data = bytearray((plain if number % 2 else packed).getvalue())
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randrange(len(data))] if number % 5 == 0 else data)
        try:
            load_samples(graph(ONE), str(path))
        except InputError as error:
            assert re.fullmatch(r"\S+x\.npy: [^\n]+", error.one_line())
            refused += 1
    assert refused > 200


def test_a_huge_shape_in_a_small_file_is_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "x.npy", io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "|i1", "fortran_order": False, "shape": (1 << 46,)})
    path.write_bytes(data.getvalue() + b"abc")
    assert refusal(graph(ONE), path).startswith("PATH: ")


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    path = npz(tmp_path / "x.npz", **{"a\x1b[31m\nb": np.zeros(3)})
    line = refusal(graph(ONE, name="in\n\x1b]0;"), path)
    assert "\x1b" not in line and "\\x1b[31m\\nb" in line


# Labels by themselves.


def test_labels_from_text_and_npy(tmp_path: Path) -> None:
    text = tmp_path / "labels.txt"
    text.write_text("3\n1 2\n")
    assert load_labels(str(text), 3) == (3, 1, 2)
    assert load_labels(str(text), 2) == (3, 1)
    assert load_labels(npy(tmp_path / "l.npy", np.array([4, 5], np.uint8)), 2) == (4, 5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1\nx\n", "can't read labels: invalid literal for int() with base 10: 'x'"),
        ("1", "labels must be 2 class numbers in one row"),
        ("1 -1", "labels must be 2 class numbers in one row"),
        ("1 99999999999999999999", "labels must be 2 class numbers in one row"),
        ("", "labels must be 2 class numbers in one row"),
    ],
)
def test_labels_that_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_labels(str(path), 2)
    assert error.value.one_line() == f"{path}: {reason}"


def test_an_archive_is_no_file_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.savez(tmp_path / "x.npz", labels=np.array([1]))
    (tmp_path / "x.npz").rename(path)
    with pytest.raises(InputError, match="an archive, not one array of labels"):
        load_labels(str(path), 1)
