"""The linker script: literal text for one board, regions chosen, and that the linker takes it for every board."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from firmwarelib import FIRMWARE, build, needs_compiler

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Boot, Clock, Region, RegionKind
from vtarget.logic.linkerscript import data_region, linker_script
from vtarget.shell.boardlib import board_names, load_board


def region(name: str, kind: str, base: int, size: int, *, execute: bool = True, alias_of: str | None = None) -> Region:
    return Region(
        name=name, kind=RegionKind(kind), base=base, size=size, execute=execute, alias_of=alias_of, source="test"
    )


def board(*regions: Region, boot: str = "FLASH", offsets: tuple[int, ...] = (0,)) -> Board:
    return Board(
        name="toy",
        title="Toy",
        core="cortex-m4",
        clock=Clock(typical=1_000_000, max=1_000_000, source="test"),
        boot=Boot(region=boot, vector_offsets=offsets, source="test"),
        regions=regions,
    )


FLASH = region("FLASH", "flash", 0x08000000, 0x20000)
SRAM = region("SRAM", "sram", 0x20000000, 0x8000)

EXPECTED = """\
/* Generated from the description of board toy. */
ENTRY(Reset_Handler)

MEMORY
{
  FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 0x20000
  CCM (rw) : ORIGIN = 0x10000000, LENGTH = 0x10000
  SRAM (rwx) : ORIGIN = 0x20000000, LENGTH = 0x8000
}

PHDRS
{
  boot PT_LOAD FLAGS(5);
  data PT_LOAD FLAGS(6);
  zero PT_LOAD FLAGS(6);
}

SECTIONS
{
  .isr_vector 0x08000100 :
  {
    KEEP(*(.isr_vector))
  } > FLASH :boot

  .text : ALIGN(8)
  {
    *(.text .text.*)
  } > FLASH :boot

  .rodata : ALIGN(8)
  {
    *(.rodata .rodata.*)
  } > FLASH :boot

  .ARM.extab :
  {
    *(.ARM.extab* .gnu.linkonce.armextab.*)
  } > FLASH :boot

  .ARM.exidx :
  {
    __exidx_start = .;
    *(.ARM.exidx* .gnu.linkonce.armexidx.*)
    __exidx_end = .;
  } > FLASH :boot

  .init_array : ALIGN(4)
  {
    __init_array_start = .;
    KEEP(*(SORT_BY_INIT_PRIORITY(.init_array.*)))
    KEEP(*(.init_array))
    __init_array_end = .;
  } > FLASH :boot

  .data : ALIGN(8)
  {
    __data_start = .;
    *(.data .data.*)
    . = ALIGN(8);
    __data_end = .;
  } > SRAM AT> FLASH :data
  __data_load = LOADADDR(.data);

  .bss (NOLOAD) : ALIGN(8)
  {
    __bss_start = .;
    *(.bss .bss.* COMMON)
    . = ALIGN(8);
    __bss_end = .;
  } > SRAM AT> SRAM :zero

  __stack_top = ORIGIN(SRAM) + LENGTH(SRAM);
  __stack_limit = __stack_top - 0x800;
  ASSERT(__bss_end <= __stack_limit, "region SRAM has no room for the stack")

  /DISCARD/ :
  {
    *(.note.gnu.build-id)
  }
}
"""


def test_script_of_a_board_literally() -> None:
    toy = board(FLASH, region("CCM", "ccm", 0x10000000, 0x10000, execute=False), SRAM, offsets=(0x100, 0))
    assert linker_script(toy, stack_bytes=2048) == EXPECTED


def test_data_goes_to_the_largest_memory_that_is_no_alias() -> None:
    toy = board(
        FLASH,
        region("DTCM", "tcm", 0x20000000, 0x4000),
        region("SRAM1", "sram", 0x20010000, 0x8000),
        region("SRAM2", "sram", 0x20020000, 0x8000),
        region("SRAM1_ALIAS", "sram", 0x30000000, 0x8000, alias_of="SRAM1"),
    )
    assert data_region(toy).name == "SRAM1"


def test_data_stays_out_of_a_boot_region_that_is_ram_unless_there_is_no_other() -> None:
    ssram = region("SSRAM", "sram", 0, 0x400000)
    assert data_region(board(ssram, SRAM, boot="SSRAM")).name == "SRAM"
    assert data_region(board(ssram, boot="SSRAM")).name == "SSRAM"


def test_another_data_region_can_be_named() -> None:
    toy = board(FLASH, region("CCM", "ccm", 0x10000000, 0x10000), SRAM)
    assert "__stack_top = ORIGIN(CCM) + LENGTH(CCM);" in linker_script(toy, data="CCM")


@pytest.mark.parametrize(
    ("regions", "data", "message"),
    [
        (
            (FLASH,),
            None,
            "board toy has no sram or tcm region for data (hint: add one, or name another region for data)",
        ),
        ((FLASH, SRAM), "SRAM9", "board toy has no region SRAM9 (hint: it has FLASH, SRAM)"),
        ((FLASH, SRAM), "FLASH", "region FLASH of board toy is flash, which can't hold data"),
    ],
)
def test_unusable_data_regions_are_refused(regions: tuple[Region, ...], data: str | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        linker_script(board(*regions), data=data)
    assert caught.value.one_line() == message


def link(toy: str, source: Path, folder: Path, core: str = "m4f") -> Path:
    (elf,) = build.build([build.Program(source, core, toy, "out.elf")], folder)
    return elf


@needs_compiler
@pytest.mark.parametrize("name", board_names())
def test_the_linker_places_everything_inside_the_regions(name: str, tmp_path: Path) -> None:
    loaded = load_board(name)
    core = "m0plus" if loaded.core.startswith("cortex-m0") else "m3"
    elf = link(name, FIRMWARE / "examples" / "fir.c", tmp_path, core)
    with elf.open("rb") as stream:
        image = ELFFile(stream)
        boot, data, zero = (s for s in image.iter_segments() if s["p_type"] == "PT_LOAD")
        vectors = struct.unpack("<2I", boot.data()[:8])
        entry = image["e_entry"]
    ram = next(r for r in loaded.regions if r.holds(zero["p_vaddr"]))
    flash = loaded.region(loaded.boot.region)
    assert boot["p_paddr"] == loaded.vector_addresses()[0]
    assert flash.holds(boot["p_paddr"], boot["p_filesz"])
    assert data["p_filesz"] == 0 or flash.holds(data["p_paddr"], data["p_filesz"])
    assert (zero["p_filesz"], zero["p_paddr"]) == (0, zero["p_vaddr"])
    assert ram.holds(zero["p_vaddr"], zero["p_memsz"])
    assert vectors == (ram.end, entry)


@needs_compiler
def test_initialised_data_is_loaded_from_the_boot_region_word_aligned(tmp_path: Path) -> None:
    source = tmp_path / "three.c"
    source.write_text(
        'const char odd[3] = "ab"; int filled = 7; int main(void) { return filled + *(const volatile char *)odd; }\n'
    )
    with link("nucleo-l4r5zi", source, tmp_path).open("rb") as stream:
        data = list(ELFFile(stream).iter_segments())[1]
        assert (data["p_vaddr"], data["p_paddr"] % 8, data["p_filesz"]) == (0x20040000, 0, 8)
        assert data.data() == struct.pack("<2I", 7, 0)


@needs_compiler
def test_data_that_leaves_no_room_for_the_stack_does_not_link(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "big.c"
    source.write_text("char big[264 * 1024 - 4095]; int main(void) { return *(volatile char *)big; }\n")
    with pytest.raises(build.subprocess.CalledProcessError):
        link("rpi-pico", source, tmp_path, "m0plus")
    assert "region SRAM has no room for the stack" in capfd.readouterr().err
