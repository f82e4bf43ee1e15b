"""pprof's profile (github.com/google/pprof, ``proto/profile.proto``), written as protocol buffers by hand: the
message is small, and the wire format simple (protobuf.dev, "Encoding")."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from vtarget.base.errors import printable
from vtarget.data.savedresult import SavedResult

_VARINT, _BYTES = 0, 2
_GZIP = 31  # zlib's window bits for a gzip header, which then holds no time


def pprof(result: SavedResult) -> bytes:
    """Calls with their cycles and instructions, gzipped as the format asks for. The same result, the same bytes."""
    texts: dict[str, int] = {"": 0}

    def text(value: str) -> int:
        return texts.setdefault(printable(value), len(texts))

    functions: dict[tuple[str, int], int] = {}
    samples, stacks = [], list[tuple[int, ...]]()
    for row in result.contexts:
        number = functions.setdefault((row.function, row.address), len(functions) + 1)
        stacks.append((number, *(stacks[row.parent] if row.parent is not None else ())))
        if row.cycles or row.instructions:
            samples.append(_packed(1, stacks[-1]) + _packed(2, (row.cycles, row.instructions)))
    kinds = [(text("cycles"), text("count")), (text("instructions"), text("count"))]
    clock = result.board.clock_hz
    body = [
        *(_message(1, _number(1, kind) + _number(2, unit)) for kind, unit in kinds),
        *(_message(2, sample) for sample in samples),
        *(
            _message(4, _number(1, number) + _number(3, address) + _message(4, _number(1, number)))
            for (_, address), number in functions.items()
        ),
        *(
            _message(5, _number(1, number) + _number(2, text(name)) + _number(3, text(name)))
            for (name, _), number in functions.items()
        ),
        _number(10, min(round(result.cycles * 1e9 / clock), (1 << 63) - 1)),
        _number(14, kinds[0][0]),
        _number(13, text(f"{result.title} ({result.provenance})")),
    ]
    body += [_message(6, value.encode("utf-8", "replace")) for value in texts]
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    return packer.compress(b"".join(body)) + packer.flush()


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))
