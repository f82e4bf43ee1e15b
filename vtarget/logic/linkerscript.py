"""A GNU linker script from a board description, so that firmware and emulator share one memory map."""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Region, RegionKind
from vtarget.logic.stretches import JOINT, stretch

STACK_BYTES = 4096
_DATA_KINDS = frozenset({RegionKind.SRAM, RegionKind.TCM})


def data_region(board: Board) -> Region:
    """Where .data, .bss and the stack go by default: the largest of ``data_regions``, the first listed of equals."""
    return max(data_regions(board), key=lambda r: r.size)


def data_regions(board: Board) -> list[Region]:
    """SRAM and TCM that is neither an alias nor the boot region, or that one if there is no other.

    Raises InputError when the board has no such memory at all.
    """
    candidates = [r for r in board.regions if r.kind in _DATA_KINDS and r.alias_of is None]
    if not candidates:
        raise InputError(
            f"board {board.name} has no sram or tcm region for data", hint="add one, or name another region for data"
        )
    return [r for r in candidates if r.name != board.boot.region] or candidates


def linker_script(
    board: Board,
    *,
    data: str | None = None,
    stack_bytes: int = STACK_BYTES,
    weights: str | None = None,
    arena: str | None = None,
) -> str:
    """The script for firmware that boots on ``board``.

    Vector table at the first address where the board looks for one, code and constants behind it in the boot region,
    ``data`` (region name; default `data_region`) for .data, .bss and the stack. The stack grows down from
    ``__stack_top``, the end of that region; linking fails unless ``stack_bytes`` above ``__stack_limit`` stay free.
    ``data`` and ``arena`` may be stretches of adjoining regions (`stretches`), then the linker knows those as one.

    ``weights`` and ``arena`` name the regions of sections ``.rodata.model_weights`` and ``.bss.model_arena`` where they
    are to be elsewhere. Weights in memory are loaded from ``__model_weights_load`` to ``__model_weights_start`` ..
    ``__model_weights_end`` by the firmware (see `copies_weights`).

    Raises InputError for unknown regions, or ``data`` or ``arena`` in one that can't be written.
    """
    ram = data_region(board) if data is None else _named_region(board, data)
    boot = board.region(board.boot.region)
    headers, sections = _model_sections(board, boot, ram, weights, arena)
    copied = weights is not None and copies_weights(board, weights)
    lines = [
        f"/* Generated from the description of board {board.name}. */",
        "ENTRY(Reset_Handler)",
        "",
        "MEMORY",
        "{",
        *(_memory_line(region) for region in _linked_regions(board, {ram.name, arena or ram.name})),
        "}",
        "",
        _PHDRS.format(vectors=_VECTORS if copied else "", model=headers),
        _SECTIONS.format(
            vectors=f"0x{board.vector_addresses()[0]:08x}",
            boot=boot.name,
            ram=_linker_name(ram.name),
            stack=f"0x{stack_bytes:x}",
            segment="vectors" if copied else "boot",
            model=sections,
            bss=_KEPT_ARENA if arena == ram.name else "",
        ),
    ]
    return "\n".join(lines)


def copies_weights(board: Board, weights: str) -> bool:
    """Whether the firmware must copy weights placed in that region from the boot region before it starts.

    Raises InputError for an unknown region.
    """
    return weights != board.boot.region and _region(board, weights).writable


def _model_sections(board: Board, boot: Region, ram: Region, weights: str | None, arena: str | None) -> tuple[str, str]:
    """Program headers and sections of what a model has outside the boot region and the data region."""
    headers, sections = "", ""
    if weights not in (None, boot.name):
        copied = copies_weights(board, str(weights))
        headers += "  weights PT_LOAD FLAGS(4);\n"
        sections += _WEIGHTS.format(region=weights, load=f" AT> {boot.name}" if copied else "")
    if arena not in (None, ram.name):
        headers += "  arena PT_LOAD FLAGS(6);\n"
        sections += _ARENA.format(region=_linker_name(_named_region(board, str(arena)).name))
    return headers, sections


def _linked_regions(board: Board, used: set[str]) -> list[Region]:
    """The board's regions, with stretches that are used in place of what they are made of."""
    joined = [region for name in sorted(used) if (region := stretch(board, name)) is not None]
    taken = {part for region in joined for part in region.name.split(JOINT)}
    return [*(region for region in board.regions if region.name not in taken), *joined]


def _linker_name(name: str) -> str:
    return name.replace(JOINT, "_")


def _named_region(board: Board, name: str) -> Region:
    region = stretch(board, name) or _region(board, name)
    if not region.writable:
        raise InputError(f"region {name} of board {board.name} is {region.kind}, which can't hold data")
    return region


def _region(board: Board, name: str) -> Region:
    regions = {r.name: r for r in board.regions}
    if name not in regions:
        raise InputError(f"board {board.name} has no region {name}", hint=f"it has {', '.join(regions)}")
    return regions[name]


def _memory_line(region: Region) -> str:
    rights = "r" + ("w" if region.writable else "") + ("x" if region.execute else "")
    return f"  {_linker_name(region.name)} ({rights}) : ORIGIN = 0x{region.base:08x}, LENGTH = 0x{region.size:x}"


# Stated in full, so that the linker neither loads the file's own headers in front of the vector table nor puts
# .bss behind .data in flash.
_PHDRS = """\
PHDRS
{{
{vectors}  boot PT_LOAD FLAGS(5);
  data PT_LOAD FLAGS(6);
  zero PT_LOAD FLAGS(6);
{model}}}
"""

# Between vectors and code is then what is copied, which a segment of both would cover too.
_VECTORS = "  vectors PT_LOAD FLAGS(5);\n"
_KEPT_ARENA = "    KEEP(*(.bss.model_arena))\n"

_WEIGHTS = """
  .model_weights : ALIGN(16)
  {{
    __model_weights_start = .;
    *(.rodata.model_weights)
    . = ALIGN(4);
    __model_weights_end = .;
  }} > {region}{load} :weights
  __model_weights_load = LOADADDR(.model_weights);
"""

_ARENA = """
  .model_arena (NOLOAD) : ALIGN(16)
  {{
    KEEP(*(.bss.model_arena))
  }} > {region} AT> {region} :arena
"""

_SECTIONS = """\
SECTIONS
{{
  .isr_vector {vectors} :
  {{
    KEEP(*(.isr_vector))
  }} > {boot} :{segment}
{model}
  .text : ALIGN(8)
  {{
    *(.text .text.*)
  }} > {boot} :boot

  .rodata : ALIGN(8)
  {{
    *(.rodata .rodata.*)
  }} > {boot} :boot

  .ARM.extab :
  {{
    *(.ARM.extab* .gnu.linkonce.armextab.*)
  }} > {boot} :boot

  .ARM.exidx :
  {{
    __exidx_start = .;
    *(.ARM.exidx* .gnu.linkonce.armexidx.*)
    __exidx_end = .;
  }} > {boot} :boot

  .init_array : ALIGN(4)
  {{
    __init_array_start = .;
    KEEP(*(SORT_BY_INIT_PRIORITY(.init_array.*)))
    KEEP(*(.init_array))
    __init_array_end = .;
  }} > {boot} :boot

  .data : ALIGN(8)
  {{
    __data_start = .;
    *(.data .data.*)
    . = ALIGN(8);
    __data_end = .;
  }} > {ram} AT> {boot} :data
  __data_load = LOADADDR(.data);

  .bss (NOLOAD) : ALIGN(8)
  {{
    __bss_start = .;
{bss}    *(.bss .bss.* COMMON)
    . = ALIGN(8);
    __bss_end = .;
  }} > {ram} AT> {ram} :zero

  __stack_top = ORIGIN({ram}) + LENGTH({ram});
  __stack_limit = __stack_top - {stack};
  ASSERT(__bss_end <= __stack_limit, "region {ram} has no room for the stack")

  /DISCARD/ :
  {{
    *(.note.gnu.build-id)
  }}
}}
"""
