"""Record files: written and read back the same; damaged and hostile ones are refused in one line."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinelib import PROGRAMS, run_elf, vtarget

from vtarget.base.errors import InputError, VtargetError
from vtarget.data.record import ExecutionRecord
from vtarget.shell.recordfile import load_record, load_records, save_record, save_records
from vtarget.shell.running import price, pricer_for

BOARD = "nucleo-l4r5zi"


@pytest.fixture(scope="module")
def record() -> ExecutionRecord:
    return run_elf(PROGRAMS / "inclusive_virtual-m4f.elf", BOARD, spans=("raw_sample",)).record


@pytest.fixture(scope="module")
def content(record: ExecutionRecord, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("record") / "good"
    save_record(record, str(path))
    return path.read_bytes()


@pytest.fixture(scope="module")
def arrays(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content)) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("target") / "record"


def packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def with_header(arrays: dict[str, Any], **changes: Any) -> bytes:
    header = json.loads(arrays["header"].tobytes()) | changes
    return packed(arrays | {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)})


def refused(target: Path, data: bytes) -> str:
    """The one line that loading is refused with."""
    target.write_bytes(data)
    with pytest.raises(InputError) as raised:
        load_record(str(target))
    line = raised.value.one_line()
    assert "\n" not in line and len(line) < 400 and line.startswith(f"{target}: ")
    return line


def only_known_errors(target: Path, data: bytes) -> None:
    """Loads and prices, or says in one line why not."""
    target.write_bytes(data)
    with suppress(VtargetError):
        price(load_record(str(target)), pricer_for(BOARD))


def test_reads_back_what_was_written(record: ExecutionRecord, content: bytes, target: Path) -> None:
    target.write_bytes(content)
    loaded = load_record(str(target))
    for name in vars(record):
        ours, theirs = getattr(record, name), getattr(loaded, name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs), name
        elif name == "spans":
            assert [(s.name, s.index, s.edges.tolist(), s.edge_counts.tolist(), s.sites.tolist()) for s in ours] == [
                (s.name, s.index, s.edges.tolist(), s.edge_counts.tolist(), s.sites.tolist()) for s in theirs
            ]
        else:
            assert ours == theirs, name
    assert price(loaded, pricer_for(BOARD)) == price(record, pricer_for(BOARD))


def test_the_same_record_gives_the_same_bytes(record: ExecutionRecord, content: bytes, target: Path) -> None:
    save_record(record, str(target))
    assert target.read_bytes() == content


def test_writing_to_a_device_leaves_it_one(record: ExecutionRecord) -> None:
    save_record(record, "/dev/null")
    assert Path("/dev/null").is_char_device()


def test_an_unwritable_place(record: ExecutionRecord, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't write the record: No such file or directory"):
        save_record(record, str(tmp_path / "no" / "such"))


# Several starts.


def same(ours: ExecutionRecord, theirs: ExecutionRecord) -> bool:
    return price(ours, pricer_for(BOARD)) == price(theirs, pricer_for(BOARD))


def test_several_starts_are_read_back_in_order(record: ExecutionRecord, content: bytes, target: Path) -> None:
    starts = [replace(record, console=str(number)) for number in range(12)]
    save_records(starts, str(target))
    loaded = load_records(str(target))
    assert [one.console for one in loaded] == [one.console for one in starts]
    assert all(same(ours, theirs) for ours, theirs in zip(starts, loaded, strict=True))
    save_records([record], str(target))
    assert target.read_bytes() == content
    assert same(load_records(str(target))[0], load_record(str(target)))


@pytest.mark.parametrize("content", [b"", b"P", b"hello", b"\x93NUMPY\x01\x00", b"\x7fELF"])
def test_a_file_of_another_kind_is_no_record(content: bytes, target: Path) -> None:
    assert "not a usable record: it is a file of another kind (hint: make one with --record)" in refused(
        target, content
    )


def test_several_starts_are_no_single_record(record: ExecutionRecord, target: Path) -> None:
    save_records([record, record], str(target))
    assert " is of 2 starts of a firmware, one for each sample of its model" in refused(target, target.read_bytes())


def test_starts_that_are_not_of_one_firmware_or_not_all_there_are_refused(
    record: ExecutionRecord, target: Path
) -> None:
    save_records([record, replace(record, image_sha256="0" * 64)], str(target))
    assert "its starts are of several images or boards" in refused(target, target.read_bytes())
    save_records([record, record, record], str(target))
    with np.load(target) as archive:
        found = {name: archive[name] for name in archive.files}
    for lost in ("start1_", "start2_edge_count"):
        kept = {name: array for name, array in found.items() if not name.startswith(lost)}
        assert "not a usable record: " in refused(target, packed(kept))
    for name in ("start_header", "startx_header", "other", "start-1_code"):
        only_known_errors(target, packed(found | {name: found["start0_code"]}))


def test_more_starts_than_a_file_holds_are_refused(
    record: ExecutionRecord, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtarget.shell.recordfile.SIZE_LIMIT_BYTES", 1 << 16)
    with pytest.raises(InputError, match="records of 40 starts of the firmware are larger than any file") as raised:
        save_records([record] * 40, str(target))
    assert raised.value.hint == "--samples N makes fewer"


# Damage.


@pytest.mark.parametrize("part", range(20))
def test_a_truncated_file_is_refused(part: int, content: bytes, target: Path) -> None:
    refused(target, content[: len(content) * part // 20])


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\x7fELF" + bytes(100), b"PK\x03\x04", b"\x80\x04N.", b"\x93NUMPY\x01\x00" + bytes(80)],
    ids=["empty", "text", "elf", "zip", "pickle", "npy"],
)
def test_other_files_are_refused(data: bytes, target: Path) -> None:
    refused(target, data)


def test_missing_files_and_directories(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "missing", "No such file or directory"), (tmp_path, "is a directory")):
        with pytest.raises(InputError, match=words):
            load_record(str(path))
    with pytest.raises(InputError, match="is no regular file"):
        load_record("/dev/zero")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=12))
def test_flipped_bits_never_break_out(flips: list[tuple[float, int]], content: bytes, target: Path) -> None:
    data = bytearray(content)
    for place, bit in flips:
        data[int(place * len(data))] ^= 1 << bit
    only_known_errors(target, bytes(data))


# Hostility: well-formed archives with wrong content.


def test_pickles_are_not_opened(arrays: dict[str, Any], target: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("a pickle was opened",))

    for name in ("header", "edge_count"):
        assert "not a usable record" in refused(target, packed(arrays | {name: np.array([Evil()], dtype=object)}))


def test_an_array_that_claims_to_be_huge(arrays: dict[str, Any], target: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in arrays.items():
            plain = io.BytesIO()
            np.save(plain, value)
            data = plain.getvalue()
            if name == "edge_count":
                data = data.replace(b"(%d,)" % len(value), b"(%d,)" % (1 << 50), 1)
            archive.writestr(f"{name}.npy", data)
    refused(target, buffer.getvalue())


def test_an_archive_that_unpacks_to_too_much(arrays: dict[str, Any], target: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("header.npy", bytes((1 << 28) + 1))
    assert "it unpacks to 268435457 bytes, more than any record" in refused(target, buffer.getvalue())


WRONG = (None, -2, 1 << 70, 1.5, "x\n\x1b[2J", [], {}, [1], [None], True, float("nan"))


def test_every_header_field_of_a_wrong_type_is_refused_or_harmless(arrays: dict[str, Any], target: Path) -> None:
    header = json.loads(arrays["header"].tobytes())
    for name, good in header.items():
        for value in WRONG:
            only_known_errors(target, with_header(arrays, **{name: value}))
        for value in (None, 1.5, "x") if name != "timeline" else (1.5, "x"):  # older records have none
            if not isinstance(value, type(good)):
                assert f"not a usable record: {name}: " in refused(target, with_header(arrays, **{name: value}))


def test_every_field_of_a_wrong_type_inside_the_header_is_refused_or_harmless(
    arrays: dict[str, Any], target: Path
) -> None:
    header = json.loads(arrays["header"].tobytes())
    nested = {name: good if isinstance(good, dict) else good[0] for name, good in header.items()
              if isinstance(good, dict) or (isinstance(good, list) and good and isinstance(good[0], dict))}  # fmt: skip
    assert sorted(nested) == ["exit", "functions", "memory", "regions", "sections", "spans", "stacks", "timeline"]
    for name, good in nested.items():
        for inner, value in product(good, WRONG):
            changed: Any = good | {inner: value}
            whole = changed if isinstance(header[name], dict) else [changed, *header[name][1:]]
            only_known_errors(target, with_header(arrays, **{name: whole}))


@pytest.mark.parametrize("name", ["format", "board", "functions", "exit", "block_sizes"])
def test_a_missing_header_field_is_named(name: str, arrays: dict[str, Any], target: Path) -> None:
    header = json.loads(arrays["header"].tobytes())
    del header[name]
    data = packed(arrays | {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)})
    assert f"not a usable record: {name}: is missing" in refused(target, data)


@pytest.mark.parametrize("version", ["vtarget.record/1", "vtarget.record/2", "vtarget.record/5"])
def test_another_version_is_refused(version: str, arrays: dict[str, Any], target: Path) -> None:
    line = refused(target, with_header(arrays, format=version))
    assert f"not a usable record: format: '{version}' is not one of vtarget.record/3" in line


def test_a_record_of_version_3_has_no_moments(arrays: dict[str, Any], record: ExecutionRecord, target: Path) -> None:
    header = json.loads(arrays["header"].tobytes())
    del header["timeline"]
    for span in header["spans"]:
        del span["begin_cycle"], span["end_cycle"]
    header["format"] = "vtarget.record/3"
    target.write_bytes(packed(arrays | {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}))
    loaded = load_record(str(target))
    old, new = price(loaded, pricer_for(BOARD)), price(record, pricer_for(BOARD))
    assert (loaded.timeline, old.timeline) == (None, None)
    assert old == replace(new, timeline=None) and new.timeline is not None


def stretches(*moments: int) -> dict[str, Any]:
    """A lane of a header, and its arrays."""
    begins, ends = np.array(moments[::2], dtype=np.int64), np.array(moments[1::2], dtype=np.int64)
    return {"lane0_begins": begins, "lane0_ends": ends}


LANE = {"kind": "exception", "name": "SysTick", "number": 15, "handler": "f", "unfinished": False,
        "left_out": {"count": 0, "cycles": 0, "first_cycle": 0, "last_cycle": 0}}  # fmt: skip
TIMELINE = {"board": BOARD, "end_cycle": 100_000_000, "known_cycles": 100, "clocks": [{"cycle": 0, "clock_hz": 4}]}
LATE = {"count": 2, "cycles": 5, "first_cycle": 30, "last_cycle": 40}


@pytest.mark.parametrize(
    ("changes", "lane", "moments", "words"),
    [
        ({}, {}, (1, 5, 5, 9), ""),
        ({}, {"left_out": LATE}, (1, 5, 5, 30), ""),
        ({}, {}, (1, 5, 4, 9), "a lane's stretches aren't in order of time"),
        ({}, {}, (1, 100_000_001), "a lane's stretches aren't in order of time"),
        ({}, {}, (-1, 5), "a lane's stretches aren't in order of time"),
        ({}, {"left_out": LATE}, (1, 31), "a lane's stretches aren't in order of time"),
        ({}, {"left_out": LATE | {"cycles": 11}}, (), "what a lane leaves out is longer than the time it took"),
        ({}, {"kind": "span"}, (), "its timeline has a lane that can't be one"),
        ({"known_cycles": 1 << 30}, {}, (), "its timeline is known for longer than it lasts"),
        ({"end_cycle": 100}, {}, (), "a span ends before it begins, or after the run"),
        ({"clocks": []}, {}, (), "clock changes aren't in order of time from 0 on"),
        ({"clocks": [{"cycle": 0, "clock_hz": 4}] * 2}, {}, (), "clock changes aren't in order of time from 0 on"),
    ],
)
def test_a_timeline_that_contradicts_itself_is_refused(
    changes: dict[str, Any], lane: dict[str, Any], moments: tuple[int, ...], words: str, arrays: dict[str, Any],
    target: Path,
) -> None:  # fmt: skip
    data = with_header(arrays | stretches(*moments), timeline=TIMELINE | changes | {"lanes": [LANE | lane]})
    if words:
        assert words in refused(target, data)
        return
    target.write_bytes(data)
    timeline = load_record(str(target)).timeline
    assert timeline is not None and timeline.lanes[0].begins == moments[::2]


def test_every_array_of_a_wrong_shape_kind_or_range_is_refused_or_harmless(
    arrays: dict[str, Any], target: Path
) -> None:
    for name, good in arrays.items():
        rows = len(good)
        for wrong in (np.array(5), np.array([1.5, 2]), np.array(["a"]), np.zeros((2, 2, 2), dtype=np.int64)):
            assert f"'{name}' is missing or no table of whole numbers" in refused(
                target, packed(arrays | {name: wrong})
            )
        for harmful in (
            np.array([], dtype=np.int64),
            np.full(rows, -2, dtype=np.int64),
            np.full(rows, 1 << 62, dtype=np.int64),
            np.full_like(good, np.iinfo(good.dtype).max),
            np.full_like(good, 1),
            good[:-1],
        ):
            only_known_errors(target, packed(arrays | {name: harmful}))
        refused(target, packed({key: value for key, value in arrays.items() if key != name}))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("edge_count", -1, "a count is out of range"),
        ("edge_count", 1 << 60, "a count is out of range"),
        ("edge_target", 1 << 20, "edge_target points outside its table"),
        ("node_block", -1, "node_block points outside its table"),
        ("chain_parent", 0, "its call chains have a loop"),
        ("edge_exit", 2, "an edge has an exit that leads elsewhere"),
        ("edge_exit", 9, "edge_exit points outside its table"),
        ("block_address", 1 << 32, "block_address points outside its table"),
        ("context_function", 1 << 40, "'context_function' holds a number out of range"),
        ("edge_count", 1, "self-check: "),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: int, words: str, arrays: dict[str, Any], target: Path) -> None:
    changed = arrays[name].astype(np.int64)
    changed[:] = value
    assert words in refused(target, packed(arrays | {name: changed}))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_wrong_number_is_refused_or_harmless(
    data: st.DataObject, arrays: dict[str, Any], target: Path
) -> None:
    name = data.draw(st.sampled_from([n for n in sorted(arrays) if arrays[n].size and n != "header"]))
    changed = arrays[name].copy()
    limits = np.iinfo(changed.dtype)
    value = data.draw(st.one_of(st.integers(max(limits.min, -3), 40), st.integers(int(limits.min), int(limits.max))))
    changed.flat[data.draw(st.integers(0, changed.size - 1))] = value
    only_known_errors(target, packed(arrays | {name: changed}))


def test_the_command_refuses_in_one_line(content: bytes, target: Path) -> None:
    target.write_bytes(content[:1000])
    result = vtarget("run", "--from-record", target, "-b", BOARD)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {target}: not a usable record: ") and result.err.count("\n") == 1
