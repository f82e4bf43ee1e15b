"""Record files: one zip of plain arrays (.npz, no pickles) with a JSON header. The same record, the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vtarget.base.errors import InputError
from vtarget.data.image import RegionUse
from vtarget.data.record import (
    OPERAND_CLASSES,
    ExecutionRecord,
    Exit,
    Frame,
    Reason,
    RecordedFunction,
    RecordedRegion,
    SpanFacts,
    Stack,
)

FORMAT = "vtarget.record/1"
SIZE_LIMIT_BYTES = 1 << 30
_ARRAYS = (
    "chain_parent", "chain_function", "context_chain", "context_function", "node_block", "node_context",
    "edge_source", "edge_target", "edge_exit", "edge_call", "site_node", "site_insn",
)  # fmt: skip
_COUNTS = ("block_address", "edge_count", "site_counts")
_PLAIN = (
    "image_path", "image_sha256", "board", "core", "clock_hz", "final_node", "final_instructions", "instructions",
    "live_cycles", "console", "clock_reads", "not_modelled",
)  # fmt: skip


def save_record(record: ExecutionRecord, path: str) -> None:
    """Write a record file, whole or not at all. InputError if the place can't be written."""
    header = {name: getattr(record, name) for name in _PLAIN}
    header |= {
        "format": FORMAT,
        "exit": asdict(record.exit),
        "regions": [asdict(r) for r in record.regions],
        "functions": [asdict(f) for f in record.functions],
        "stacks": [asdict(s) for s in record.stacks],
        "memory": [asdict(m) for m in record.memory],
        "block_sizes": [len(code) for code in record.block_code],
        "spans": [{"name": s.name, "index": s.index} for s in record.spans],
    }
    arrays: dict[str, Any] = {name: getattr(record, name) for name in (*_ARRAYS, *_COUNTS)}
    arrays["code"] = np.frombuffer(b"".join(record.block_code), dtype=np.uint8)
    for number, span in enumerate(record.spans):
        for part in ("edges", "edge_counts", "sites", "site_counts"):
            arrays[f"span{number}_{part}"] = getattr(span, part)
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    temporary = Path(f"{path}.part")
    try:
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path}: can't write the record: {error.strerror}") from None


def load_record(path: str) -> ExecutionRecord:
    """Read a record file. InputError if it is no record, damaged, or contradicts itself."""
    try:
        if Path(path).stat().st_size > SIZE_LIMIT_BYTES:
            raise InputError(f"{path}: larger than any record")
        with np.load(path, allow_pickle=False) as archive:
            _check_expansion(path, archive)
            record = _from_arrays({name: archive[name] for name in archive.files})
    except OSError as error:
        raise InputError(f"{path}: can't read the record: {error.strerror or error}") from None
    except (
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        NotImplementedError,
        AttributeError,
    ) as error:
        raise InputError(f"{path}: not a record of this version: {error}", hint="make one with --record") from None
    _check_indices(path, record)
    return record


def _check_expansion(path: str, archive: Any) -> None:
    total = sum(info.file_size for info in archive.zip.infolist())
    if total > SIZE_LIMIT_BYTES:
        raise InputError(f"{path}: unpacks to {total} bytes, more than any record")


def _from_arrays(arrays: dict[str, Any]) -> ExecutionRecord:
    header = json.loads(arrays["header"].tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}")
    code, position, blocks = arrays["code"].tobytes(), 0, []
    for size in header["block_sizes"]:
        if not 0 < size <= len(code) - position:
            raise ValueError("block sizes do not fit the code")
        blocks.append(code[position : position + size])
        position += size
    ending = header["exit"]
    plain = {name: header[name] for name in _PLAIN}
    plain["not_modelled"] = tuple(plain["not_modelled"])
    return ExecutionRecord(
        **plain,
        **{name: arrays[name].astype(np.int32) for name in _ARRAYS},
        **{name: arrays[name].astype(np.int64) for name in _COUNTS},
        block_code=tuple(blocks),
        exit=Exit(
            Reason(ending["reason"]),
            ending["code"],
            ending["pc"],
            ending["detail"],
            tuple(Frame(**frame) for frame in ending["call_stack"]),
        ),
        regions=tuple(RecordedRegion(**r) for r in header["regions"]),
        functions=tuple(RecordedFunction(**f) for f in header["functions"]),
        stacks=tuple(Stack(**s) for s in header["stacks"]),
        memory=tuple(RegionUse(**m) for m in header["memory"]),
        spans=tuple(
            SpanFacts(
                span["name"],
                span["index"],
                arrays[f"span{number}_edges"].astype(np.int32),
                arrays[f"span{number}_edge_counts"].astype(np.int64),
                arrays[f"span{number}_sites"].astype(np.int32),
                arrays[f"span{number}_site_counts"].astype(np.int64),
            )
            for number, span in enumerate(header["spans"])
        ),
    )


def _check_indices(path: str, record: ExecutionRecord) -> None:
    nodes, functions = len(record.node_block), len(record.functions)
    checks = (
        (record.node_block, 0, len(record.block_code)),
        (record.node_context, 0, len(record.context_chain)),
        (record.context_chain, 0, len(record.chain_parent)),
        (record.context_function, 0, functions),
        (record.chain_function, 0, functions),
        (record.chain_parent, -1, len(record.chain_parent)),
        (record.edge_source, -1, nodes),
        (record.edge_target, 0, nodes),
        (record.edge_call, -1, functions),
        (record.site_node, 0, nodes),
        (np.array([record.final_node]), -1, nodes),
        *((span.edges, 0, len(record.edge_source)) for span in record.spans),
        *((span.sites, 0, len(record.site_node)) for span in record.spans),
    )
    if any(len(a) and (int(a.min()) < low or int(a.max()) >= high) for a, low, high in checks):
        raise InputError(f"{path}: the record's tables do not fit together")
    rows = len(record.edge_source)
    same = {len(record.edge_target), len(record.edge_exit), len(record.edge_call), len(record.edge_count)} == {rows}
    if not same or record.site_counts.shape != (len(record.site_node), OPERAND_CLASSES):
        raise InputError(f"{path}: the record's tables do not fit together")
    if len(record.block_address) != len(record.block_code) or len(record.site_insn) != len(record.site_node):
        raise InputError(f"{path}: the record's tables do not fit together")
    if np.any(record.chain_parent >= np.arange(len(record.chain_parent))):
        raise InputError(f"{path}: the record's call chains have a loop")
    lengths = [len(record.block_code[b]) // 2 for b in record.node_block]
    if any(index < 0 or index >= lengths[node] for node, index in zip(record.site_node, record.site_insn, strict=True)):
        raise InputError(f"{path}: the record's tables do not fit together")
