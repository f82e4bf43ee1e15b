"""Record files: one zip of plain arrays (.npz, no pickles) with a JSON header. The same record, the same bytes.

A file of several starts of a firmware has those of each, with its number in front of the names.
"""

from __future__ import annotations

import io
import json
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError, RunError
from vtarget.base.strictyaml import parse_json
from vtarget.data.image import RegionUse
from vtarget.data.record import (
    Epoch,
    ExecutionRecord,
    Exit,
    Frame,
    RecordedFunction,
    RecordedRegion,
    Section,
    Sleep,
    SpanFacts,
    Stack,
)
from vtarget.data.recordheader import FORMAT, RecordHeader, TimelineHeader
from vtarget.data.timeline import ClockChange, Lane, LeftOut, Timeline
from vtarget.logic.recordcheck import check_tables
from vtarget.logic.selfcheck import check_record
from vtarget.shell.files import replace_file

SIZE_LIMIT_BYTES = 1 << 28
MOST_CODE_BYTES = 16 << 20
_ARCHIVE_BYTES = 256  # at most, that an archive has for an array besides its content
MOST_REASON_CHARS = 200
# What reading a damaged archive or header may raise, besides OSError.
_DAMAGES = (ValueError, TypeError, LookupError, EOFError, RuntimeError, AttributeError, MemoryError, OverflowError,
            RunError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # fmt: skip
_ARRAYS = (
    "chain_parent", "chain_function", "context_chain", "context_function", "node_block", "node_context",
    "edge_source", "edge_target", "edge_exit", "edge_call", "edge_executed", "site_node", "site_insn", "site_kind",
    "unfinished",
)  # fmt: skip
_SPAN_FIELDS = ("name", "index", "epoch", "adjust_cycles", "adjust_instructions", "begin_cycle", "end_cycle")
_EPOCH_FIELDS = ("clock_hz", "wait_states", "switches")
_COUNTS = ("block_address", "edge_count", "site_low", "site_high")
_PLAIN = (
    "image_path", "image_sha256", "board", "core", "board_sha256", "clock_hz", "final_node",
    "final_instructions", "instructions", "live_cycles", "console", "clock_reads", "not_modelled",
    "zones", "caches",
)  # fmt: skip


def save_record(record: ExecutionRecord, path: str) -> None:
    """Write a record file, whole or not at all. InputError if the place can't be written."""
    _save(_arrays_of(record), path)


def save_records(records: Sequence[ExecutionRecord], path: str) -> None:
    """Write a file of all starts of a firmware; of a single one a record file like any other. InputError as above, or
    if they are too much for a file."""
    if len(records) == 1:
        save_record(records[0], path)
        return
    arrays: dict[str, Any] = {}
    for number, record in enumerate(records):
        arrays |= {f"start{number}_{name}": array for name, array in _arrays_of(record).items()}
    if sum(np.asarray(array).nbytes for array in arrays.values()) > SIZE_LIMIT_BYTES - _ARCHIVE_BYTES * len(arrays):
        raise InputError(
            f"{path}: the records of {len(records)} starts of the firmware are larger than any file of them",
            hint="--samples N makes fewer",
        )
    _save(arrays, path)


def _save(arrays: dict[str, Any], path: str) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    try:
        replace_file(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"{path}: can't write the record: {error.strerror or error}") from None


def _arrays_of(record: ExecutionRecord) -> dict[str, Any]:
    header = {name: getattr(record, name) for name in _PLAIN}
    header |= {
        "format": FORMAT,
        "exit": asdict(record.exit),
        "regions": [asdict(r) for r in record.regions],
        "functions": [asdict(f) for f in record.functions],
        "stacks": [asdict(s) for s in record.stacks],
        "memory": [asdict(m) for m in record.memory],
        "block_sizes": [len(code) for code in record.block_code],
        "spans": [{name: getattr(s, name) for name in _SPAN_FIELDS} for s in record.spans],
        "sleep": [asdict(s) for s in record.sleep],
        "epochs": [{name: getattr(e, name) for name in _EPOCH_FIELDS} for e in record.epochs],
        "sections": [asdict(s) for s in record.sections],
        "timeline": None if record.timeline is None else _timeline_header(record.timeline),
    }
    arrays: dict[str, Any] = {name: getattr(record, name) for name in (*_ARRAYS, *_COUNTS, "site_counts")}
    arrays["code"] = np.frombuffer(b"".join(record.block_code), dtype=np.uint8)
    for kind, rows in (("span", record.spans), ("epoch", record.epochs)):
        for number, row in enumerate(rows):
            for part in ("edges", "edge_counts", "sites", "site_counts"):
                arrays[f"{kind}{number}_{part}"] = getattr(row, part)
    for number, lane in enumerate(record.timeline.lanes if record.timeline else ()):
        for part, cycles in (("begins", lane.begins), ("ends", lane.ends)):
            arrays[f"lane{number}_{part}"] = np.array(cycles, dtype=np.int64)
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
    return arrays


def _timeline_header(timeline: Timeline) -> dict[str, Any]:
    header = asdict(timeline)
    for lane in header["lanes"]:
        del lane["begins"], lane["ends"]
    return header


def load_record(path: str) -> ExecutionRecord:
    """Read a record file. InputError if it is no record, damaged, contradicts itself, or is of several starts."""
    records = load_records(path)
    if len(records) > 1:
        raise InputError(
            f"{path}: is of {len(records)} starts of a firmware, one for each sample of its model",
            hint="'vtarget run --model MODEL.tflite --from-record' takes it; --samples 1 makes one of a single start",
        )
    return records[0]


def load_records(path: str) -> tuple[ExecutionRecord, ...]:
    """The starts of a firmware that a file is of: one, if it is a record file. InputError as above."""
    try:
        _check_file(path)
        with np.load(path, allow_pickle=False) as archive:
            _check_expansion(archive)
            arrays = {name: archive[name] for name in archive.files}
        records = tuple(_checked(_from_arrays(one)) for one in _starts(arrays))
        if len({(record.image_sha256, record.board) for record in records}) > 1:
            raise ValueError("its starts are of several images or boards")
    except OSError as error:
        raise InputError(f"{path}: can't read the record: {error.strerror or error}") from None
    except _DAMAGES as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:MOST_REASON_CHARS]
        raise InputError(f"{path}: not a usable record: {reason}", hint="make one with --record") from None
    return records


def _starts(arrays: dict[str, Any]) -> list[dict[str, Any]]:
    """The arrays of each start, by their names in a record."""
    if "start0_header" not in arrays:
        return [arrays]
    starts: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        number, _, rest = name.removeprefix("start").partition("_")
        starts.setdefault(int(number), {})[rest] = array
    return [starts[number] for number in range(len(starts))]


def _checked(record: ExecutionRecord) -> ExecutionRecord:
    check_tables(record)
    check_record(record)
    return record


def _check_file(path: str) -> None:
    info = Path(path).stat()
    if not stat.S_ISREG(info.st_mode):
        raise InputError(f"{path}: is {'a directory' if stat.S_ISDIR(info.st_mode) else 'no regular file'}")
    if info.st_size > SIZE_LIMIT_BYTES:
        raise InputError(f"{path}: larger than any record")
    with Path(path).open("rb") as file:
        if file.read(2) != b"PK":  # numpy would speak of pickles
            raise ValueError("it is a file of another kind")


def _check_expansion(archive: Any) -> None:
    total = sum(info.file_size for info in archive.zip.infolist())
    if total > SIZE_LIMIT_BYTES:
        raise ValueError(f"it unpacks to {total} bytes, more than any record")


def _from_arrays(arrays: dict[str, Any]) -> ExecutionRecord:
    header = parse_json(_column(arrays, "header", np.uint8).tobytes(), RecordHeader)
    tables: dict[str, Any] = {name: _column(arrays, name, np.int32) for name in _ARRAYS}
    tables |= {name: _column(arrays, name, np.int64) for name in _COUNTS}
    return ExecutionRecord(
        **{name: getattr(header, name) for name in _PLAIN},
        **tables,
        site_counts=_column(arrays, "site_counts", np.int64, dimensions=2),
        block_code=_blocks(_column(arrays, "code", np.uint8).tobytes(), header.block_sizes),
        exit=Exit(
            header.exit.reason,
            header.exit.code,
            header.exit.pc,
            header.exit.detail,
            tuple(Frame(**frame.model_dump()) for frame in header.exit.call_stack),
        ),
        regions=tuple(RecordedRegion(**r.model_dump()) for r in header.regions),
        functions=tuple(RecordedFunction(**f.model_dump()) for f in header.functions),
        stacks=tuple(Stack(**s.model_dump()) for s in header.stacks),
        memory=tuple(RegionUse(**m.model_dump()) for m in header.memory),
        spans=tuple(
            SpanFacts(
                span.name,
                span.index,
                *_counts(arrays, f"span{number}"),
                span.epoch,
                span.adjust_cycles,
                span.adjust_instructions,
                span.begin_cycle,
                span.end_cycle,
            )
            for number, span in enumerate(header.spans)
        ),
        sleep=tuple(Sleep(**sleep.model_dump()) for sleep in header.sleep),
        epochs=tuple(
            Epoch(epoch.clock_hz, epoch.wait_states, *_counts(arrays, f"epoch{number}"), epoch.switches)
            for number, epoch in enumerate(header.epochs)
        ),
        sections=tuple(Section(**section.model_dump()) for section in header.sections),
        timeline=None if header.timeline is None else _timeline(arrays, header.timeline),
    )


def _timeline(arrays: dict[str, Any], header: TimelineHeader) -> Timeline:
    return Timeline(
        header.board,
        header.end_cycle,
        header.known_cycles,
        tuple(ClockChange(change.cycle, change.clock_hz) for change in header.clocks),
        tuple(
            Lane(
                lane.kind,
                lane.name,
                tuple(_column(arrays, f"lane{n}_begins", np.int64).tolist()),
                tuple(_column(arrays, f"lane{n}_ends", np.int64).tolist()),
                lane.number,
                lane.handler,
                LeftOut(**lane.left_out.model_dump()),
                lane.unfinished,
            )
            for n, lane in enumerate(header.lanes)
        ),
    )


def _counts(arrays: dict[str, Any], part: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The sparse counts of a span or an epoch."""
    return (
        _column(arrays, f"{part}_edges", np.int32),
        _column(arrays, f"{part}_edge_counts", np.int64),
        _column(arrays, f"{part}_sites", np.int32),
        _column(arrays, f"{part}_site_counts", np.int64, dimensions=2),
    )


def _column(arrays: dict[str, Any], name: str, kind: type[np.integer[Any]], *, dimensions: int = 1) -> NDArray[Any]:
    """An array of the file as integers of that kind; ValueError if it isn't one without loss."""
    found = arrays.get(name)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu" or found.ndim != dimensions:
        raise ValueError(f"'{name}' is missing or no table of whole numbers")
    limits = np.iinfo(kind)
    if found.size and (int(found.min()) < limits.min or int(found.max()) > limits.max):
        raise ValueError(f"'{name}' holds a number out of range")
    return found.astype(kind)


def _blocks(code: bytes, sizes: tuple[int, ...]) -> tuple[bytes, ...]:
    if len(code) > MOST_CODE_BYTES or sum(sizes) != len(code):
        raise ValueError("block sizes do not fit the code")
    starts = np.cumsum([0, *sizes]).tolist()
    return tuple(code[start : start + size] for start, size in zip(starts, sizes, strict=False))
