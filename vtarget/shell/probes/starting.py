"""What a firmware needs of a board as it starts: memory to look at, and its vectors in force where it lies in RAM."""

from __future__ import annotations

from collections.abc import Callable

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.image import Image
from vtarget.logic.placement import find_vector_table
from vtarget.shell.console import Console
from vtarget.shell.probes.errors import RefusedError
from vtarget.shell.probes.probe import Probe, read_word, write_word
from vtarget.shell.scb import VTOR


class TargetMemory:
    """The board's memory, as semihosting and onlookers want it."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def read(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory; InputError where there is none."""
        try:
            return self._probe.read_memory(address, size_bytes)
        except RefusedError as error:
            raise InputError(error.message) from None

    def store(self, address: int, data: bytes) -> None:
        """Put bytes into RAM; InputError elsewhere."""
        try:
            self._probe.write_memory(address, data)
        except RefusedError as error:
            raise InputError(error.message) from None

    write = store


class ConsoleLine:
    """Where text of RTT goes; nothing is typed."""

    receiver: Callable[[int], None] | None = None

    def __init__(self, console: Console) -> None:
        self.write = console.write


def table_in_ram(image: Image, board: Board) -> int | None:
    """Where the image's vector table is, if the core doesn't find it by itself after a reset: in RAM, on a board that
    boots from elsewhere. None for an image in flash, whatever is in front of it there; and for one without a table."""
    try:
        table = find_vector_table(image, board)
    except InputError:
        return None
    region = board.region_at(table)
    boots = table in board.vector_addresses() or (region is not None and region.name == board.boot.region)
    return table if region is not None and region.writable and not boots else None


def start_from(probe: Probe, image: Image, table: int) -> str | None:
    """What a reset would do if the core booted from ``table``: SP and PC from its first words, VTOR there (DDI 0403
    B1.5.5). The rest is as the reset has left it. A note if the core has no VTOR for it (Armv6-M's is optional)."""
    words = image.read(table, 8)
    assert words is not None  # a table is in loaded bytes
    probe.write_register("sp", int.from_bytes(words[:4], "little") & ~3)
    probe.write_register("pc", int.from_bytes(words[4:], "little") & ~1)
    try:
        write_word(probe, VTOR, table)
        if read_word(probe, VTOR) == table:
            return None
    except RefusedError:
        pass
    return (
        f"the image's vector table at 0x{table:08x} is not in force, for the core's VTOR doesn't take that address: "
        "exceptions go where the board boots from"
    )
