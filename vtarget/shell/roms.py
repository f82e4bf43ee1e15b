"""A chip's ROMs: read with the chip, loaded before the firmware image, their functions known by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vtarget.base.errors import InputError
from vtarget.shell.imagefile import load_image

if TYPE_CHECKING:
    from vtarget.data.board import Board
    from vtarget.data.chip import Chip, Rom
    from vtarget.data.image import Function, Image
    from vtarget.shell.engine import Engine

STORE = "rom_store"


def load_roms(chip: Chip | None, board: Board) -> tuple[Image, ...]:
    """The ROMs of a chip that was loaded by `boardlib`.

    InputError for an image that can't be read or isn't inside its ROM, or a board that has no memory there.
    """
    return tuple(_load(rom, board) for rom in chip.roms) if chip is not None else ()


def _load(rom: Rom, board: Board) -> Image:
    image = load_image(rom.image, base=rom.base)
    end = rom.base + rom.size
    for segment in image.segments:
        if segment.load_address < rom.base or segment.load_end > end:
            at = f"0x{segment.load_address:08x}..0x{segment.load_end:08x}"
            raise InputError(f"{rom.image}: {at} is outside ROM {rom.name}, 0x{rom.base:08x}..0x{end:08x}")
    if not board.covers(rom.base, rom.size):
        where = f"0x{rom.base:08x}..0x{end:08x}"
        raise InputError(
            f"board {board.name} has no memory at {where} for ROM {rom.name} of its chip",
            hint="add a region of kind 'rom' to it",
        )
    return image


def with_functions(image: Image, roms: tuple[Image, ...]) -> Image:
    """``image`` that knows the functions of ROMs, too."""
    added = rom_functions(image, roms)
    return replace(image, functions=tuple(sorted((*image.functions, *added), key=lambda f: f.address)))


def rom_functions(image: Image, roms: tuple[Image, ...]) -> list[Function]:
    """The functions of ROMs, but for those where ``image`` has bytes of its own."""
    own = [(segment.load_address, segment.load_end) for segment in image.segments]
    return [f for rom in roms for f in rom.functions if not any(start <= f.address < end for start, end in own)]


def load_into(engine: Engine, image: Image, roms: tuple[Image, ...], board: Board) -> None:
    """Put ROMs and then ``image`` into memory.

    A ROM's function ``rom_store`` copies r2 bytes from r1 to r0, to memory of the board that stores don't reach, too:
    this is how our ROMs program flash and MRAM.
    """
    for segment in (segment for part in (*roms, image) for segment in part.segments):
        engine.write(segment.load_address, segment.data)

    def store(_address: int) -> None:
        target, source, size = (engine.register(number) for number in range(3))
        if board.covers(target, size) and board.covers(source, size):
            engine.write(target, engine.read(source, size))
            engine.forget_code(target, size)

    for function in rom_functions(image, roms):
        if function.name == STORE:
            engine.hook_instruction(function.address, store)
