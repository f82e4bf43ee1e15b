"""ELF loading: literal facts of small files, readelf's facts of compiled ones, one-line errors for broken ones."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from elfwriter import (
    ABSOLUTE,
    CONST,
    DATA,
    FUNC,
    GLOBAL,
    LOCAL,
    NOTYPE,
    WEAK,
    Elf,
    Sec,
    Seg,
    Sym,
    arm_attributes,
    minimal,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from vtarget.base.errors import InputError, VtargetError
from vtarget.data.image import Function, Image
from vtarget.shell.elf import read_elf

GCC = "arm-none-eabi-gcc"
READELF = "arm-none-eabi-readelf"
CXXFILT = "arm-none-eabi-c++filt"
needs_toolchain = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in (GCC, READELF, CXXFILT)), reason="arm-none-eabi toolchain not found"
)


def read(elf: Elf) -> Image:
    return read_elf("fw.elf", bytes(elf))


def with_symbols(*symbols: Sym) -> Elf:
    return minimal(symbols=symbols)


def test_minimal_image() -> None:
    data = bytes(minimal())
    image = read_elf("fw.elf", data)
    assert (image.path, image.format, image.entry) == ("fw.elf", "elf", 0x08000010)
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    facts = [(s.name, s.load_address, s.address, len(s.data), s.memory_bytes, s.executable) for s in image.segments]
    assert facts == [
        (".isr_vector+.text", 0x08000000, 0x08000000, 28, 28, True),
        (".data+.bss", 0x0800001C, 0x20000000, 4, 16, False),
    ]
    assert image.segments[1].data == b"\1\2\3\4"
    assert image.functions == (
        Function("Reset_Handler", 0x08000010, 2, "Reset_Handler"),
        Function("main", 0x08000018, 2, "main"),
    )
    assert image.objects == {
        "Reset_Handler": (0x08000010, 2),
        "main": (0x08000018, 2),
        "counter": (0x20000000, 4),
        "_estack": (0x20001000, 0),
    }
    assert image.data_ranges == ((0x08000014, 0x08000018),)
    assert image.vector_table == 0x08000000
    assert image.read(0x0800001C, 4) == b"\1\2\3\4"


def test_stripped_image_loads() -> None:
    image = read(minimal(sections=(), symbols=()))
    assert [(s.name, s.load_address) for s in image.segments] == [("", 0x08000000), ("", 0x0800001C)]
    assert (image.functions, image.objects, image.data_ranges, image.vector_table) == ((), {}, (), None)
    assert image.entry == 0x08000010


def test_sections_without_symbols() -> None:
    image = read(minimal(symbols=()))
    assert (image.functions, image.vector_table) == ((), 0x08000000)


def test_alias_prefers_global_then_weak_then_local_then_shortest_then_alphabet() -> None:
    address = 0x08000011
    names = [
        Sym("a", address, 2, FUNC, LOCAL, 2),
        Sym("b", address, 8, FUNC, WEAK, 2),
        Sym("zz_long", address, 0, FUNC, GLOBAL, 2),
        Sym("zz", address, 0, FUNC, GLOBAL, 2),
        Sym("yy", address, 0, FUNC, GLOBAL, 2),
    ]
    expected = [
        (names, Function("yy", 0x08000010, 8, "yy")),
        (names[:2], Function("b", 0x08000010, 8, "b")),
        (names[:1], Function("a", 0x08000010, 2, "a")),
    ]
    for some, function in expected:
        assert read(with_symbols(*some)).functions == (function,)
        assert read(with_symbols(*reversed(some))).functions == (function,)


def test_untyped_global_labels_in_thumb_code_are_functions() -> None:
    marks = (
        Sym("$t", 0x08000010, binding=LOCAL, section=2),
        Sym("$d", 0x08000014, binding=LOCAL, section=2),
        Sym("$t", 0x08000018, binding=LOCAL, section=2),
    )
    labels = (
        Sym("sized", 0x08000011, 4, FUNC, GLOBAL, 2),
        Sym("inside_sized", 0x08000012, section=2),
        Sym("table", 0x08000014, section=2),
        Sym("routine", 0x08000018, section=2),
        Sym("local_label", 0x0800001A, binding=LOCAL, section=2),
        Sym("_end", 0x0800001C, section=2),
        Sym("elsewhere", 0x08000018, section=ABSOLUTE),
    )
    image = read(with_symbols(*marks, *labels))
    assert [(f.name, f.address, f.size_bytes) for f in image.functions] == [
        ("sized", 0x08000010, 4),
        ("routine", 0x08000018, 0),
    ]
    assert image.objects["table"] == (0x08000014, 0)
    assert "$t" not in image.objects


def test_untyped_labels_without_mapping_symbols_need_the_thumb_bit() -> None:
    image = read(with_symbols(Sym("odd", 0x08000011, section=2), Sym("even", 0x08000018, section=2)))
    assert [(f.name, f.address) for f in image.functions] == [("odd", 0x08000010)]


def test_one_name_twice_keeps_the_global_then_the_lowest() -> None:
    image = read(
        with_symbols(
            Sym("state", 0x20000008, 4, NOTYPE, LOCAL, 4),
            Sym("state", 0x20000004, 4, NOTYPE, LOCAL, 4),
            Sym("shared", 0x20000004, 4, NOTYPE, LOCAL, 4),
            Sym("shared", 0x20000008, 4, NOTYPE, GLOBAL, 4),
            Sym("missing", 0, 0, NOTYPE, WEAK, 0),
        )
    )
    assert image.objects == {"shared": (0x20000008, 4), "state": (0x20000004, 4)}


def test_cpp_names() -> None:
    image = read(
        with_symbols(
            Sym("_ZN3Foo3barEi", 0x08000011, 2, FUNC, GLOBAL, 2),
            Sym("_Z3runv.constprop.0", 0x08000013, 2, FUNC, LOCAL, 2),
            Sym("_Zbroken", 0x08000015, 2, FUNC, GLOBAL, 2),
            Sym("plain.isra.0", 0x08000017, 2, FUNC, LOCAL, 2),
        )
    )
    assert [(f.name, f.raw_name) for f in image.functions] == [
        ("Foo::bar(int)", "_ZN3Foo3barEi"),
        ("run() [clone .constprop.0]", "_Z3runv.constprop.0"),
        ("_Zbroken", "_Zbroken"),
        ("plain.isra.0", "plain.isra.0"),
    ]


def test_data_ranges_join_and_end_with_the_section() -> None:
    image = read(
        with_symbols(
            Sym("$d", 0x08000010, binding=LOCAL, section=2),
            Sym("$d.7", 0x08000012, binding=LOCAL, section=2),
            Sym("$t", 0x08000014, binding=LOCAL, section=2),
            Sym("$d", 0x08000018, binding=LOCAL, section=2),
            Sym("$d", 0x20000000, binding=LOCAL, section=3),
        )
    )
    assert image.data_ranges == ((0x08000010, 0x08000014), (0x08000018, 0x0800001C))


@pytest.mark.parametrize("name", ["__isr_vector", "g_pfnVectors", "__Vectors", "_vectors", "vector_table", "__vectors"])
def test_vector_table_by_symbol(name: str) -> None:
    sections = (Sec(".text", 0x08000000, 28), Sec(".data", 0x20000000, 4, DATA))
    image = read(minimal(sections=sections, symbols=(Sym(name, 0x08000004, 16, 1, GLOBAL, 1),)))
    assert image.vector_table == 0x08000004


def test_vector_table_that_runs_elsewhere_is_given_by_load_address() -> None:
    image = read(minimal(symbols=(Sym("__Vectors", 0x20000000, 4, 1, GLOBAL, 3),)))
    assert image.vector_table == 0x0800001C


def test_vector_table_in_zero_fill_is_passed_over() -> None:
    image = read(minimal(symbols=(Sym("__Vectors", 0x20000008, 4, 1, GLOBAL, 4),)))
    assert image.vector_table == 0x08000000


def test_file_headers_in_the_first_segment_are_not_firmware() -> None:
    """With large pages a linker maps the ELF header ahead of .text; what goes to flash starts at the section."""
    elf = minimal()
    good = bytes(elf)
    text_at = struct.unpack_from("<I", good, 52 + 4)[0]
    elf.segment_patches = {
        (0, "offset"): 0,
        (0, "vaddr"): 0x08000000 - text_at,
        (0, "paddr"): 0x08000000 - text_at,
        (0, "filesz"): text_at + 28,
        (0, "memsz"): text_at + 28,
    }
    assert read(elf).segments == read(minimal()).segments


def test_zero_fill_may_span_what_another_segment_fills() -> None:
    """As the Pico SDK links: .ram_vector_table and .bss are one segment, with .data between them."""
    zero = Seg(0x20000000, memory_bytes=0x61C, flags=6)
    data = Seg(0x200000C0, bytes(range(12)), load=0x08000010)
    image = read(Elf((SEGMENT, data, zero), entry=0))
    assert [(s.address, s.memory_bytes, len(s.data)) for s in image.segments] == [
        (0x08000000, 16, 16),
        (0x200000C0, 12, 12),
        (0x20000000, 0x61C, 0),
    ]


def test_zero_entry_is_no_entry() -> None:
    assert read(minimal(entry=0)).entry is None


def test_even_entry_is_judged_by_mapping_symbols_then_attributes() -> None:
    assert read(minimal(entry=0x08000010)).entry == 0x08000010
    assert read(minimal(entry=0x08000014)).entry is None
    assert read(minimal(entry=0x08000010, symbols=(), attributes=arm_attributes("M"))).entry is None


ENTRY_IN_ARM_CODE = (Sym("$a", 0x08000010, binding=LOCAL, section=2),)
SEGMENT = Seg(0x08000000, bytes(16))

MALFORMED: dict[str, tuple[bytes, str]] = {
    "not ELF": (b"hello, world, this is text", "not an ELF file: it starts with 68 65 6c 6c"),
    "only the magic": (b"\x7fELF", "truncated: the ELF header takes 52 bytes, the file has 4"),
    "half a header": (bytes(minimal())[:40], "truncated: the ELF header takes 52 bytes, the file has 40"),
    "x86-64": (
        bytes(minimal(file_patches={"machine": 62, "class": 2})),
        "machine is x86-64 (EM 62), expected Arm (EM 40)",
    ),
    "unknown machine": (bytes(minimal(file_patches={"machine": 4711})), "machine is EM 4711, expected Arm (EM 40)"),
    "64-bit": (bytes(minimal(file_patches={"class": 2})), "ELF class is 2, expected 1 (32-bit)"),
    "big-endian": (
        bytes(minimal(file_patches={"order": 2, "machine": 40 << 8})),
        "big-endian (byte order 2), expected little-endian (1)",
    ),
    "no byte order": (
        bytes(minimal(file_patches={"order": 7})),
        "ELF byte order 7 is unknown, expected 1 (little-endian)",
    ),
    "object": (bytes(minimal(file_patches={"type": 1})), "is a relocatable object (ET_REL), link it first"),
    "shared object": (
        bytes(minimal(file_patches={"type": 3})),
        "is a shared object or position-independent (ET_DYN), link it for fixed addresses first",
    ),
    "core dump": (bytes(minimal(file_patches={"type": 4})), "is a core dump (ET_CORE), expected an executable"),
    "unknown type": (bytes(minimal(file_patches={"type": 9})), "ELF type 9 is unknown, expected 2 (executable)"),
    "version": (bytes(minimal(file_patches={"version": 3})), "ELF version is 3, expected 1"),
    "header size": (bytes(minimal(file_patches={"ehsize": 64})), "ELF header size is 64, expected 52"),
    "no program headers": (
        bytes(minimal(file_patches={"phnum": 0})),
        "no program headers, so nothing to load (hint: link it into an executable)",
    ),
    "program header size": (bytes(minimal(file_patches={"phentsize": 56})), "program header size is 56, expected 32"),
    "program headers outside": (
        bytes(minimal(file_patches={"phoff": 0xFFFFFFF0})),
        "truncated: 2 program headers at 0xfffffff0..0x100000030 of the file, which has 0x2bb bytes",
    ),
    "section header size": (bytes(minimal(file_patches={"shentsize": 8})), "section header size is 8, expected 40"),
    "cut in the section table": (
        bytes(minimal())[:-1],
        "truncated: 8 section headers at 0x17b..0x2bb of the file, which has 0x2ba bytes",
    ),
    "no such name section": (
        bytes(minimal(file_patches={"shstrndx": 77})),
        "section names are in section 77, but there are 8 sections",
    ),
    "section outside": (
        bytes(minimal(section_patches={(".text", "size"): 0x1000})),
        "truncated: section 2 is at 0x84..0x1084 of the file, which has 0x2bb bytes",
    ),
    "segment outside": (
        bytes(minimal(segment_patches={(1, "offset"): 0x2BA})),
        "truncated: loadable segment 1 is at 0x2ba..0x2be of the file, which has 0x2bb bytes",
    ),
    "huge segment": (
        bytes(minimal(segment_patches={(0, "filesz"): 0xFFFFFFFF})),
        "segments claim 0x100000003 bytes of a file of 0x2bb",
    ),
    "file bytes over memory": (
        bytes(minimal(segment_patches={(1, "memsz"): 2})),
        "loadable segment 1 has 0x4 bytes in the file but takes 0x2",
    ),
    "load address wraps": (
        bytes(minimal(segment_patches={(0, "paddr"): 0xFFFFFFF8})),
        "loadable segment 0 at load address 0xfffffff8 with 0x1c bytes runs past the end of the 32-bit address space",
    ),
    "run address wraps": (
        bytes(minimal(segment_patches={(1, "memsz"): 0xFFFFFFFF})),
        "loadable segment 1 at run address 0x20000000 with 0xffffffff bytes "
        "runs past the end of the 32-bit address space",
    ),
    "load overlap": (
        bytes(minimal(segment_patches={(1, "paddr"): 0x08000010})),
        "segments .isr_vector+.text 0x08000000..0x0800001c and .data+.bss 0x08000010..0x08000014 "
        "overlap (load addresses)",
    ),
    "run overlap": (
        bytes(Elf((SEGMENT, Seg(0x0800000C, bytes(4), load=0x09000000)), entry=0)),
        "segments 0x08000000..0x08000010 and 0x0800000c..0x08000010 overlap (run addresses)",
    ),
    "no PT_LOAD": (
        bytes(minimal(segment_patches={(0, "type"): 4, (1, "type"): 4})),
        "no loadable segment has any bytes",
    ),
    "only zero-fill": (
        bytes(Elf((Seg(0x20000000, b"", memory_bytes=64),))),
        "no loadable segment has any bytes",
    ),
    "too many segments": (
        bytes(Elf(tuple(Seg(0x08000000 + 4 * i, bytes(4)) for i in range(257)))),
        "257 loadable segments, at most 256 are supported",
    ),
    "symbol size": (
        bytes(minimal(section_patches={(".symtab", "entsize"): 8})),
        "symbol table of 0x80 bytes has entries of 8, expected 16",
    ),
    "symbol names outside the table": (
        bytes(minimal(section_patches={(".symtab", "link"): 99})),
        "symbol names are in section 99, which is no string table",
    ),
    "section names nowhere": (
        bytes(minimal(file_patches={"shstrndx": 1})),
        "section names are in section 1, which is no string table",
    ),
    "section name outside": (
        bytes(minimal(section_patches={(".data", "name"): 0x777})),
        "section 3 has its name at 0x777 of a string table of 0x38 bytes",
    ),
    "symbol names nowhere": (
        bytes(minimal(section_patches={(".symtab", "link"): 2})),
        "symbol names are in section 2, which is no string table",
    ),
    "symbol name outside": (
        bytes(minimal(symbol_patches={(4, "name"): 0x5000})),
        "symbol 5 has its name at 0x5000 of a string table of 0x2f bytes",
    ),
    "symbol name without end": (
        bytes(minimal(section_patches={(".strtab", "size"): 0x2A})),
        "symbol 7 has a name without an end",
    ),
    "Arm entry by mapping symbol": (
        bytes(minimal(entry=0x08000010, symbols=ENTRY_IN_ARM_CODE)),
        "entry 0x08000010 is Arm code; Cortex-M runs Thumb only",
    ),
    "Arm entry in a stripped file": (
        bytes(minimal(entry=0x08000010, symbols=(), sections=())),
        "entry 0x08000010 is Arm code; Cortex-M runs Thumb only",
    ),
    "Arm entry by attributes": (
        bytes(minimal(entry=0x08000010, symbols=(), attributes=arm_attributes("A"))),
        "entry 0x08000010 is Arm code; Cortex-M runs Thumb only",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(case: str) -> None:
    data, message = MALFORMED[case]
    with pytest.raises(InputError) as caught:
        read_elf("fw.elf", data)
    assert caught.value.one_line() == f"fw.elf: {message}"
    assert caught.value.exit_code == 2


def test_control_characters_of_a_section_name_are_escaped() -> None:
    elf = minimal(
        sections=(Sec("\x1b[2Jtext", 0x08000000, 28),), symbols=(), segment_patches={(1, "paddr"): 0x08000010}
    )
    with pytest.raises(InputError) as caught:
        read(elf)
    assert caught.value.one_line() == (
        r"fw.elf: segments \x1b[2Jtext 0x08000000..0x0800001c and 0x08000010..0x08000014 overlap (load addresses)"
    )


def _within_time(data: bytes) -> None:
    start = time.perf_counter()
    try:
        image = read_elf("fuzz.elf", data)
    except VtargetError as error:
        assert "\n" not in error.one_line()
    else:
        assert sum(len(s.data) for s in image.segments) <= 2 * len(data)
    assert time.perf_counter() - start < 2


GOOD = bytes(minimal(attributes=arm_attributes("M")))
FLIPS = st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6)


@settings(max_examples=400, deadline=None)
@given(FLIPS)
def test_changed_bytes_never_escape_as_other_errors(flips: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for at, value in flips:
        data[at] = value
    _within_time(bytes(data))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=16))
def test_cut_files_never_escape_as_other_errors(length: int, tail: bytes) -> None:
    _within_time(GOOD[:length] + tail)


# Differential tests against binutils.

C_SOURCE = r"""
#include <stdint.h>
extern uint32_t _estack;
void Reset_Handler(void);
static int scale = 3;
const uint16_t table[5] = {1, 2, 3, 4, 5};
uint32_t counters[7];
__attribute__((section(".isr_vector"), used)) const void *const g_pfnVectors[4] =
    {&_estack, (void *)Reset_Handler, 0, 0};
__attribute__((noinline)) int sum(const uint16_t *values, int count) {
    int total = 0;
    for (int i = 0; i < count; i++) total += values[i] * scale;
    return total;
}
__attribute__((noinline)) static int choose(int which) {
    switch (which) {
        case 0: return 11; case 1: return 7; case 2: return 130; case 3: return counters[0];
        case 4: return 99; case 5: return counters[1] * 2; case 6: return 1; default: return 0;
    }
}
__attribute__((weak, alias("Default_Handler"))) void NMI_Handler(void);
void Default_Handler(void) { for (;;) {} }
void Reset_Handler(void) { scale++; counters[2] = sum(table, 5) + choose(counters[3]) + 0x12345678; for (;;) {} }
"""

CPP_SOURCE = r"""
struct Base { virtual ~Base() {} virtual int run(int x) = 0; };
namespace dsp {
template <typename T, int N> struct Filter : Base {
    T taps[N];
    int run(int x) override { T total{}; for (auto tap : taps) total += tap * x; return static_cast<int>(total); }
};
int apply(Base &base, const char *name, unsigned long long seed) { return base.run(name[0] + (int)seed); }
}
dsp::Filter<int, 4> a;
dsp::Filter<short, 3> b;
void operator delete(void *, unsigned) noexcept {}
void operator delete(void *) noexcept {}
static __attribute__((noinline)) int twice(int x) { return dsp::apply(a, "x", x) * 2; }
extern "C" int __aeabi_atexit(void *, void (*)(void *), void *) { return 0; }
extern "C" void __cxa_pure_virtual() { for (;;) {} }
void *__dso_handle;
extern "C" void Reset_Handler() { volatile int out = twice(4) + dsp::apply(b, "y", 5); (void)out; for (;;) {} }
"""

LINKER_SCRIPT = """
ENTRY(Reset_Handler)
MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 256K  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 64K }
_estack = ORIGIN(RAM) + LENGTH(RAM);
SECTIONS {
  .isr_vector : { KEEP(*(.isr_vector)) } > FLASH
  .text : { *(.text*) *(.rodata*) } > FLASH
  .data : { *(.data*) } > RAM AT > FLASH
  .bss (NOLOAD) : { *(.bss*) *(COMMON) } > RAM
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
}
"""


def compiled(directory: Path, name: str, source: str, *options: str) -> Path:
    (directory / name).write_text(source)
    (directory / "test.ld").write_text(LINKER_SCRIPT)
    out = directory / f"{name}.elf"
    command = [GCC, "-mcpu=cortex-m4", "-mthumb", "-Os", "-nostdlib", "-T", "test.ld", *options, name, "-o", out.name]
    subprocess.run([*command, "-lgcc"], cwd=directory, check=True, capture_output=True)
    return out


def readelf(path: Path, *options: str) -> list[list[str]]:
    done = subprocess.run([READELF, *options, str(path)], check=True, capture_output=True, text=True)
    return [line.split() for line in done.stdout.splitlines()]


def assert_equals_readelf(path: Path) -> Image:
    image = read_elf(path.name, path.read_bytes())
    loads = [row for row in readelf(path, "-lW") if row[:1] == ["LOAD"]]
    expected = {tuple(int(row[i], 16) for i in (2, 3, 4, 5)) for row in loads}
    assert {(s.address, s.load_address, len(s.data), s.memory_bytes) for s in image.segments} == expected
    rows = [row for row in readelf(path, "-sW") if len(row) == 8 and re.fullmatch(r"\d+:", row[0])]
    rows = [row for row in rows if row[6] != "UND" and not re.match(r"\$[atd]", row[7])]
    named = {row[7]: (int(row[1], 16) & -1 - (row[3] == "FUNC"), int(row[2], 0)) for row in rows if row[3] in TYPES}
    assert image.objects == named
    functions = {(int(row[1], 16) & ~1, int(row[2], 0)) for row in rows if row[3] == "FUNC"}
    assert {(f.address, f.size_bytes) for f in image.functions} == functions
    names = {row[7] for row in rows}
    assert {f.raw_name for f in image.functions} <= names
    return image


TYPES = ("FUNC", "OBJECT", "NOTYPE")


@needs_toolchain
def test_c_program_equals_readelf(tmp_path: Path) -> None:
    path = compiled(tmp_path, "plain.c", C_SOURCE)
    image = assert_equals_readelf(path)
    (entry,) = [int(row[3], 16) for row in readelf(path, "-hW") if row[:2] == ["Entry", "point"]]
    assert image.entry == entry - 1 == image.objects["Reset_Handler"][0]
    assert image.vector_table == 0x08000000
    assert {"sum", "choose", "Default_Handler", "Reset_Handler"} == {f.name for f in image.functions}
    mapped = [row for row in readelf(path, "-sW") if len(row) == 8 and re.match(r"\$[atd]", row[7])]
    text = next(row for row in readelf(path, "-SW") if ".text" in row)
    index = text[1].rstrip("]")
    in_text = sorted((int(row[1], 16), row[7][1]) for row in mapped if row[6] == index)
    assert in_text and image.data_ranges
    for address, kind in in_text:
        inside = any(start <= address < end for start, end in image.data_ranges)
        assert inside == (kind == "d")


@needs_toolchain
def test_cpp_program_equals_readelf_and_cxxfilt(tmp_path: Path) -> None:
    path = compiled(tmp_path, "classes.cpp", CPP_SOURCE, "-fno-exceptions", "-fno-rtti", "-std=c++17")
    image = assert_equals_readelf(path)
    raw = [f.raw_name for f in image.functions]
    done = subprocess.run([CXXFILT], input="\n".join(raw), check=True, capture_output=True, text=True)
    assert [f.name for f in image.functions] == done.stdout.splitlines()
    assert "dsp::Filter<int, 4>::run(int)" in {f.name for f in image.functions}
    assert "dsp::apply(Base&, char const*, unsigned long long)" in {f.name for f in image.functions}


@needs_toolchain
def test_stripped_program_keeps_its_segments(tmp_path: Path) -> None:
    path = compiled(tmp_path, "plain.c", C_SOURCE)
    whole = read_elf(path.name, path.read_bytes())
    stripped = compiled(tmp_path, "plain.c", C_SOURCE, "-s")
    image = read_elf(stripped.name, stripped.read_bytes())
    assert image.segments == whole.segments
    assert image.entry == whole.entry
    assert (image.functions, image.objects) == ((), {})


@needs_toolchain
def test_program_built_for_arm_state_is_refused(tmp_path: Path) -> None:
    source = "int x; void Reset_Handler(void) { for (;;) x++; }"
    path = compiled(tmp_path, "arm.c", source, "-mcpu=cortex-a7", "-marm")
    with pytest.raises(InputError, match=r"^arm\.c\.elf: entry 0x08000000 is Arm code; Cortex-M runs Thumb only$"):
        read_elf(path.name, path.read_bytes())


@needs_toolchain
def test_object_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "part.c").write_text("int x;")
    subprocess.run([GCC, "-mcpu=cortex-m4", "-c", "part.c"], cwd=tmp_path, check=True)
    with pytest.raises(InputError, match=r"^part\.o: is a relocatable object \(ET_REL\), link it first$"):
        read_elf("part.o", (tmp_path / "part.o").read_bytes())


def test_image_is_the_same_every_time() -> None:
    assert dataclasses.asdict(read(minimal())) == dataclasses.asdict(read(minimal()))
    assert list(read(minimal()).objects) == ["Reset_Handler", "_estack", "counter", "main"]


def test_unused_constant_sections_do_not_hide_code() -> None:
    sections = (Sec(".vectors", 0x08000000, 16, CONST), Sec(".text", 0x08000010, 12))
    image = read(minimal(sections=sections, symbols=()))
    assert image.vector_table == 0x08000000
