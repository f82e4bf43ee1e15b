"""The substitutes for boot ROMs: found by the tables and addresses of the vendors, and right in what they compute."""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from firmwarelib import build
from hypothesis import given
from hypothesis import strategies as st
from machinelib import run_elf, write_program

from vtarget.base.errors import InputError
from vtarget.data.chip import Rom
from vtarget.shell.boardlib import load_board, load_chip
from vtarget.shell.engine import Engine
from vtarget.shell.imagefile import load_image
from vtarget.shell.roms import load_into, load_roms

FUNCTIONS, DATA, LOOKUP = 0x14, 0x16, 0x18  # RP2040 datasheet 2.8.3: pointers of 16 bits
STOP, STACK, SCRATCH = 0x2003F000, 0x20040000, 0x20000000
BKPT = bytes.fromhex("00be00be")


class RomMachine:
    """A board with nothing but its chip's ROM, whose functions can be called."""

    def __init__(self, board_name: str, stop: int, stack: int, image: Path) -> None:
        board = load_board(board_name)
        self.engine = Engine(board)
        self.stop, self.stack = stop, stack
        load_into(self.engine, load_image(str(image)), load_roms(load_chip(str(board.chip)), board), board)
        self.engine.write(stop, BKPT)

    def call(self, address: int, *arguments: int) -> list[int]:
        """r0 to r3 after a call; more than four arguments go to the stack. r4 to r11 must come back."""
        self.engine.write(self.stack, b"".join(struct.pack("<I", a) for a in arguments[4:]))
        for number, value in enumerate(arguments[:4]):
            self.engine.set_register(number, value & 0xFFFFFFFF)
        kept = [0x1000 + number for number in range(4, 12)]
        for number, value in enumerate(kept, 4):
            self.engine.set_register(number, value)
        self.engine.set_register(13, self.stack)
        self.engine.set_register(14, self.stop | 1)
        assert address & 1, "a function's address has the Thumb bit"
        assert self.engine.run(address & ~1, self.stop) is None
        assert [self.engine.register(number) for number in range(4, 12)] == kept
        assert self.engine.register(13) == self.stack
        return [self.engine.register(number) for number in range(4)]

    def half(self, address: int) -> int:
        return int.from_bytes(self.engine.read(address, 2), "little")

    def word(self, address: int) -> int:
        return int.from_bytes(self.engine.read(address, 4), "little")


class Pico(RomMachine):
    def lookup(self, code: str, table: int = FUNCTIONS) -> int:
        return self.call(self.half(LOOKUP), self.half(table), ord(code[0]) | ord(code[1]) << 8)[0]

    def function(self, code: str, *arguments: int) -> int:
        return self.call(self.lookup(code), *arguments)[0]


@pytest.fixture(scope="module")
def pico(tmp_path_factory: pytest.TempPathFactory) -> Pico:
    program = write_program(tmp_path_factory.mktemp("pico") / "p.elf", "rpi-pico", {"Reset_Handler": "e7fe  b ."})
    return Pico("rpi-pico", STOP, STACK, program)


def test_roms_are_rebuilt_and_compared_with_all_other_firmware() -> None:
    names = [program.output for program in build.committed_programs() if program.output.startswith("roms/")]
    assert names == ["roms/apollo4p.elf", "roms/rp2040.elf"]


# ---- RP2040: header, integers, memory (datasheet 2.8.3.1) ----


def test_the_header_is_that_of_a_version_3_rom(pico: Pico) -> None:
    assert pico.engine.read(0x10, 4) == b"Mu\x01\x03"
    assert pico.word(0) == 0x20041F00
    assert all(pico.word(4 * vector) & 1 for vector in (1, 2, 3))


def test_unknown_codes_are_not_found(pico: Pico) -> None:
    assert [pico.lookup(code, table) for code in ("XX", "\0\0", "3P") for table in (FUNCTIONS, DATA)] == [0] * 6


def test_every_documented_code_is_found(pico: Pico) -> None:
    codes = ["P3", "R3", "L3", "T3", "MS", "S4", "MC", "C4", "UB", "DT", "DE", "WV", "IF", "EX", "RE", "RP", "FC", "CX"]
    assert all(pico.lookup(code) & 1 for code in codes)
    assert all(pico.lookup(code, DATA) for code in ("CR", "GR", "FS", "FE", "SF", "DS", "DE", "SD"))
    assert b"substitute" in pico.engine.read(pico.lookup("CR", DATA), 40)
    assert pico.lookup("FS", DATA) < pico.lookup("FE", DATA) <= pico.lookup("DS", DATA) < pico.lookup("DE", DATA)


WORDS = [0, 1, 2, 0x80000000, 0xFFFFFFFF, 0x55555555, 0xAAAAAAAA, 0x0000F000, 0x00010000, 0x12345678]


@given(value=st.integers(0, 0xFFFFFFFF) | st.sampled_from(WORDS + [1 << n for n in range(32)]))
def test_bit_functions(pico: Pico, value: int) -> None:
    assert pico.function("P3", value) == value.bit_count()
    assert pico.function("L3", value) == 32 - value.bit_length()
    assert pico.function("T3", value) == ((value & -value).bit_length() - 1 if value else 32)
    assert pico.function("R3", value) == int(f"{value:032b}"[::-1], 2)


def test_counting_leading_zeros_leaves_r12_alone(pico: Pico) -> None:
    """The SDK's conversions from integers keep their return address there."""
    code = pico.engine.read(pico.lookup("L3") & ~1, 36)
    halves = struct.unpack("<18H", code)
    assert not any(half >> 8 in (0x44, 0x46) and half & 0x87 == 0x84 for half in halves)  # add or mov to r12


@pytest.mark.parametrize("size", range(68))
def test_memcpy_of_every_size_and_alignment(pico: Pico, size: int) -> None:
    source = bytes(range(1, 101))
    for to, of in product(range(4), repeat=2):
        pico.engine.write(SCRATCH, bytes(100))
        pico.engine.write(SCRATCH + 0x200, source)
        assert pico.function("MC", SCRATCH + 8 + to, SCRATCH + 0x200 + of, size) == SCRATCH + 8 + to
        expected = bytes(8 + to) + source[of : of + size] + bytes(100 - 8 - to - size)
        assert pico.engine.read(SCRATCH, 100) == expected
    pico.engine.write(SCRATCH, bytes(100))
    assert pico.function("C4", SCRATCH + 8, SCRATCH + 0x200, size) == SCRATCH + 8
    assert pico.engine.read(SCRATCH, 100) == bytes(8) + source[:size] + bytes(92 - size)


@pytest.mark.parametrize("size", range(68))
def test_memset_of_every_size_and_alignment(pico: Pico, size: int) -> None:
    for code, offset in [("S4", 0), *(("MS", offset) for offset in range(4))]:
        pico.engine.write(SCRATCH, bytes(100))
        assert pico.function(code, SCRATCH + 8 + offset, 0xFFFFFFA5, size) == SCRATCH + 8 + offset
        assert pico.engine.read(SCRATCH, 100) == bytes(8 + offset) + b"\xa5" * size + bytes(92 - offset - size)


def test_flash_is_erased_to_ones_and_programmed_to_zeros(pico: Pico) -> None:
    for code in ("IF", "EX"):
        pico.function(code)
    pico.function("RE", 0x1000, 0x2000, 1 << 16, 0xD8)
    assert pico.engine.read(0x10000FFF, 0x2002) == b"\0" + b"\xff" * 0x2000 + b"\0"
    first, second = bytes(range(256)), bytes([0xF0] * 256)
    for data in (first, second):
        pico.engine.write(SCRATCH + 1, data)
        pico.function("RP", 0x1100, SCRATCH + 1, 256)
    assert pico.engine.read(0x10001100, 256) == bytes(a & b for a, b in zip(first, second, strict=True))
    assert pico.engine.read(0x10001200, 1) == b"\xff"
    pico.function("RE", 0x200000, 0x1000, 1 << 16, 0xD8)  # past the end: nothing there


# ---- RP2040: floating point (datasheet 2.8.3.2): no denormals, no NaNs, to nearest even ----

OPERATIONS = {
    "add": 0x00, "sub": 0x04, "mul": 0x08, "div": 0x0C, "sqrt": 0x18, "cmp": 0x54,
    "2int": 0x1C, "2fix": 0x20, "2uint": 0x24, "2ufix": 0x28,
    "int2": 0x2C, "fix2": 0x30, "uint2": 0x34, "ufix2": 0x38,
    "cos": 0x3C, "sin": 0x40, "tan": 0x44, "sincos": 0x48, "exp": 0x4C, "ln": 0x50, "atan2": 0x58,
    "int642": 0x5C, "fix642": 0x60, "uint642": 0x64, "ufix642": 0x68,
    "2int64": 0x6C, "2fix64": 0x70, "2uint64": 0x74, "2ufix64": 0x78, "2other": 0x7C,
}  # fmt: skip


class Format:
    """One of the two formats and its function table."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.fraction = 23 if width == 32 else 52
        self.special = 0xFF if width == 32 else 0x7FF
        self.code = "<f" if width == 32 else "<d"
        self.table = "SF" if width == 32 else "SD"
        self.number = np.dtype(f"<f{width // 8}")
        self.unsigned = np.dtype(f"<u{width // 8}")

    def bits(self, value: float) -> int:
        return int.from_bytes(struct.pack(self.code, value), "little")

    def value(self, bits: int) -> float:
        return float(struct.unpack(self.code, bits.to_bytes(self.width // 8, "little"))[0])

    def rounded(self, value: float) -> float:
        return self.value(self.bits(value))

    def flushed(self, bits: int) -> int:
        """Denormals as zeros, NaNs as infinities."""
        exponent = bits >> self.fraction & self.special
        return bits if 0 < exponent < self.special else bits >> self.fraction << self.fraction

    def call(self, pico: Pico, name: str, *arguments: int, places: int | None = None) -> list[int]:
        """r0 to r3; ``arguments`` are numbers of this format, or integers of as many bits."""
        words = [word for a in arguments for word in ((a,) if self.width == 32 else (a & 0xFFFFFFFF, a >> 32))]
        return self.raw(pico, name, *words, *(() if places is None else (places,)))

    def raw(self, pico: Pico, name: str, *words: int) -> list[int]:
        return pico.call(pico.word(pico.lookup(self.table, DATA) + OPERATIONS[name]), *words)

    def result(self, registers: list[int]) -> int:
        return registers[0] if self.width == 32 else registers[0] | registers[1] << 32


SINGLE, DOUBLE = Format(32), Format(64)
FORMATS = pytest.mark.parametrize("form", [SINGLE, DOUBLE], ids=["single", "double"])


def operands(form: Format, count: int, seed: int) -> Iterator[tuple[int, int]]:
    """Pairs of bit patterns: any, of close and of distant exponents, with few bits, and the special ones."""
    rng = random.Random(seed)
    bias = form.special >> 1
    specials = [0, 1, bias, form.special - 1, form.special]

    def one() -> int:
        sign = rng.getrandbits(1) << form.width - 1
        near, far = bias + rng.randrange(-3, 4), bias + rng.randrange(-form.fraction - 3, form.fraction + 4)
        match rng.randrange(4):
            case 0:
                return rng.getrandbits(form.width)
            case 1:
                return sign | near << form.fraction | rng.getrandbits(form.fraction)
            case 2:
                return sign | far << form.fraction | rng.getrandbits(rng.randrange(form.fraction + 1))
            case _:
                return sign | rng.choice(specials) << form.fraction | rng.choice([0, 1, (1 << form.fraction) - 1])

    for _ in range(count):
        yield one(), one()


@FORMATS
@pytest.mark.parametrize(
    ("name", "operation"), [("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("div", np.divide)]
)
def test_arithmetic_is_rounded_to_nearest_even(
    pico: Pico, form: Format, name: str, operation: Callable[..., np.ndarray]
) -> None:
    pairs = list(operands(form, 1500, seed=OPERATIONS[name]))
    flushed = np.array([[form.flushed(bits) for bits in pair] for pair in pairs], form.unsigned).view(form.number)
    with np.errstate(all="ignore"):
        exact = operation(flushed[:, 0], flushed[:, 1])
    for pair, bits, undefined in zip(pairs, exact.view(form.unsigned).tolist(), np.isnan(exact), strict=True):
        got = form.result(form.call(pico, name, *pair))
        if undefined:  # infinity, of either sign
            assert got & ~(1 << form.width - 1) == form.special << form.fraction, [hex(bits) for bits in pair]
        else:
            assert got == form.flushed(bits), [hex(bits) for bits in pair]


@FORMATS
def test_square_roots_are_exact(pico: Pico, form: Format) -> None:
    for bits, _ in operands(form, 1000, seed=7):
        got, flushed = form.result(form.call(pico, "sqrt", bits)), form.flushed(bits)
        if flushed >> form.width - 1 and flushed << 1 & (1 << form.width) - 1:
            assert got == form.bits(-math.inf)
        else:
            root = np.sqrt(np.array([flushed], form.unsigned).view(form.number))
            assert got == int(root.view(form.unsigned)[0]), hex(bits)


@FORMATS
def test_comparison(pico: Pico, form: Format) -> None:
    for left, right in operands(form, 1000, seed=8):
        a, b = (form.value(form.flushed(bits)) for bits in (left, right))
        assert form.call(pico, "cmp", left, right)[0] == ((a > b) - (a < b)) & 0xFFFFFFFF
        assert form.call(pico, "cmp", left, left)[0] == 0


PLACES = (0, 0, 1, 16, 31, -4, 40)


@FORMATS
def test_conversion_to_integers_goes_down_and_is_clamped(pico: Pico, form: Format) -> None:
    rng = random.Random(9)
    for _ in range(400):
        spread = rng.choice(
            [rng.uniform(-3e9, 3e9), rng.uniform(-1, 1) * 10 ** rng.uniform(-12, 20), rng.randrange(-99, 99)]
        )
        value, places = form.rounded(spread), rng.choice(PLACES)
        for bits, signed in product((32, 64), (True, False)):
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            kind = ("" if signed else "u", "64" if bits == 64 else "")
            for name, moved in ((f"2{kind[0]}int{kind[1]}", 0), (f"2{kind[0]}fix{kind[1]}", places)):
                floor = math.floor(Fraction(value) * Fraction(2) ** moved)
                got = form.call(pico, name, form.bits(value), places=moved)
                expected = min(high, max(low, floor)) & (1 << bits) - 1
                assert (got[0] | got[1] << 32 if bits == 64 else got[0]) == expected, (name, value, moved)


@FORMATS
@pytest.mark.parametrize("exponent", ["zero", "infinite"])
def test_conversion_of_what_is_no_number(pico: Pico, form: Format, exponent: str) -> None:
    bits = 1 if exponent == "zero" else (form.special << form.fraction) + 1
    expected = 0 if exponent == "zero" else 0x7FFFFFFF
    assert form.call(pico, "2int", bits)[0] == expected
    assert form.call(pico, "2int", bits | 1 << form.width - 1)[0] == (0 if exponent == "zero" else 0x80000000)


def nearest(value: Fraction, form: Format) -> float:
    """Rounded to the format's precision, ties to even."""
    if not value:
        return 0.0
    exponent = math.floor(math.log2(abs(value)))
    exponent += (abs(value) >= Fraction(2) ** (exponent + 1)) - (abs(value) < Fraction(2) ** exponent)
    unit = Fraction(2) ** (exponent - form.fraction)
    return float(round(value / unit) * unit)


@FORMATS
def test_conversion_from_integers_is_rounded_to_nearest_even(pico: Pico, form: Format) -> None:
    rng = random.Random(10)
    for _ in range(400):
        whole, places = rng.getrandbits(rng.randrange(1, 65)), rng.choice(PLACES)
        for bits, signed in product((32, 64), (True, False)):
            raw = whole & (1 << bits) - 1
            value = raw - (1 << bits) if signed and raw >> bits - 1 else raw
            kind = ("" if signed else "u", "64" if bits == 64 else "")
            words = (raw,) if bits == 32 else (raw & 0xFFFFFFFF, raw >> 32)
            for name, moved in ((f"{kind[0]}int{kind[1]}2", 0), (f"{kind[0]}fix{kind[1]}2", places)):
                got = form.value(form.result(form.raw(pico, name, *words, moved)))
                assert got == nearest(Fraction(value) / Fraction(2) ** moved, form), (name, value, moved)


def test_conversion_between_the_formats(pico: Pico) -> None:
    for bits, _ in operands(SINGLE, 500, seed=11):
        expected = DOUBLE.bits(SINGLE.value(SINGLE.flushed(bits)))
        assert DOUBLE.result(SINGLE.call(pico, "2other", bits)) == expected
    rng = random.Random(12)
    numbers = [rng.uniform(-1, 1) * 10 ** rng.uniform(-45, 40) for _ in range(500)]
    for value in [*numbers, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1 + 2**-24, 1 + 3 * 2**-24, 3.4028235677973366e38]:
        with np.errstate(all="ignore"):
            expected = SINGLE.flushed(int(np.array([value]).astype(np.float32).view(np.uint32)[0]))
        assert DOUBLE.call(pico, "2other", DOUBLE.bits(value))[0] == expected, value


def pair(rng: random.Random, decades: float) -> tuple[float, ...]:
    """Two numbers within so many powers of ten of 1."""
    return tuple(rng.choice([-1, 1]) * 10 ** rng.uniform(-decades, decades) for _ in range(2))


# Name, reference, arguments, most units in the last place; besides, an error of 2^-29 (single) or 2^-60 is no error:
# sines and cosines lose relative precision near their zeros, as angles are reduced in fixed point.
FUNCTION_CASES: dict[str, tuple[str, Callable[..., float], Callable[[random.Random], tuple[float, ...]]]] = {
    "cos": ("cos", math.cos, lambda rng: (rng.uniform(-128, 128),)),
    "sin": ("sin", math.sin, lambda rng: (rng.uniform(-128, 128),)),
    "small sin": ("sin", math.sin, lambda rng: (rng.choice([-1, 1]) * 10 ** rng.uniform(-30, 0),)),
    "small cos": ("cos", math.cos, lambda rng: (rng.choice([-1, 1]) * 10 ** rng.uniform(-30, 0),)),
    "tan": ("tan", math.tan, lambda rng: (rng.uniform(-1.5, 1.5),)),
    "exp": ("exp", math.exp, lambda rng: (rng.uniform(-87, 88),)),
    "small exp": ("exp", math.exp, lambda rng: (rng.choice([-1, 1]) * 10 ** rng.uniform(-30, 0),)),
    "ln": ("ln", math.log, lambda rng: (rng.uniform(0.1, 1) * 10 ** rng.uniform(-30, 30),)),
    "ln near 1": ("ln", math.log, lambda rng: (1 + rng.uniform(-0.5, 1) * 10 ** rng.uniform(-6, 0),)),
    "atan2": ("atan2", math.atan2, lambda rng: pair(rng, 4)),
    "far atan2": ("atan2", math.atan2, lambda rng: pair(rng, 18)),
}  # fmt: skip


@FORMATS
@pytest.mark.parametrize("case", FUNCTION_CASES)
def test_elementary_functions_are_right_to_the_last_place(pico: Pico, form: Format, case: str) -> None:
    name, reference, draw = FUNCTION_CASES[case]
    rng = random.Random(case)
    most = 0.55 if form is SINGLE else 2.0  # Python's own functions are off by up to one place of a double
    for _ in range(500):
        arguments = [form.rounded(x) for x in draw(rng)]
        got = form.value(form.result(form.call(pico, name, *(form.bits(x) for x in arguments))))
        exact = reference(*arguments)
        unit = math.ldexp(1, math.frexp(exact)[1] - 1 - form.fraction)
        tolerance = max(most * unit, 2.0**-29 if form is SINGLE else 2.0**-60)
        assert abs(got - exact) <= tolerance, (arguments, got, exact)


@FORMATS
def test_elementary_functions_at_their_ends(pico: Pico, form: Format) -> None:
    def at(name: str, *arguments: float) -> float:
        return form.value(form.result(form.call(pico, name, *(form.bits(x) for x in arguments))))

    inf, pi = math.inf, form.rounded(math.pi)
    assert [at("exp", x) for x in (0.0, -0.0, inf, -inf, 1e4, -1e4)] == [1, 1, inf, 0, inf, 0]
    assert [at("ln", x) for x in (1.0, 0.0, -1.0, inf)] == [0, -inf, -inf, inf]
    assert [at("cos", x) for x in (0.0, -0.0)] == [1, 1]
    assert [math.copysign(1, at(name, x)) for name in ("sin", "tan") for x in (0.0, -0.0)] == [1, -1, 1, -1]
    assert [at("atan2", 0.0, x) for x in (1.0, -1.0)] == [0, pi]
    assert [at("atan2", -0.0, x) for x in (1.0, -1.0)] == [0, -pi]
    assert [at("atan2", y, 0.0) for y in (2.0, -2.0)] == [pi / 2, -pi / 2]
    assert [at("atan2", y, x) for y, x in ((3.0, 3.0), (-3.0, 3.0), (inf, inf))] == [pi / 4, -pi / 4, pi / 4]
    assert at("atan2", 3.0, -3.0) == form.rounded(3 * math.pi / 4)


@pytest.mark.parametrize("angle", [-7.25, -0.5, 0.0, 1e-9, 1.0, 100.0])
def test_sine_and_cosine_at_once(pico: Pico, angle: float) -> None:
    for name in ("sin", "sincos"):
        registers = SINGLE.call(pico, name, SINGLE.bits(angle))
        assert registers[:2] == [SINGLE.call(pico, n, SINGLE.bits(angle))[0] for n in ("sin", "cos")]
    registers = DOUBLE.call(pico, "sincos", DOUBLE.bits(angle))
    assert registers == [r for n in ("sin", "cos") for r in DOUBLE.call(pico, n, DOUBLE.bits(angle))[:2]]


def test_tables_tell_their_size(pico: Pico) -> None:
    for name in ("SF", "SD"):
        table = pico.lookup(name, DATA)
        assert pico.engine.read(table - 2, 1)[0] == 32
        assert all(pico.word(table + 4 * i) & 1 for i in range(32))


# ---- Apollo4 Plus: AmbiqSuite's am_hal_bootrom_helper.c for apollo4p ----

KEY = 0x12344321  # AM_HAL_MRAM_PROGRAM_KEY
PROGRAM_MAIN, PROGRAM_MAIN2, READ, WRITE, DELAY = 0x08000055, 0x0800006D, 0x08000075, 0x08000079, 0x0800009D
APOLLO = "apollo4p-evb"


@pytest.fixture(scope="module")
def apollo(tmp_path_factory: pytest.TempPathFactory) -> RomMachine:
    program = write_program(tmp_path_factory.mktemp("apollo") / "p.elf", APOLLO, {"Reset_Handler": "e7fe  b ."})
    return RomMachine(APOLLO, 0x10000800, 0x10010000, program)


def test_words_are_read_and_written(apollo: RomMachine) -> None:
    apollo.call(WRITE, 0x10000010, 0xDEADBEEF)
    assert apollo.call(READ, 0x10000010)[0] == 0xDEADBEEF


def test_mram_is_programmed_and_filled(apollo: RomMachine) -> None:
    data = bytes(range(64))
    apollo.engine.write(0x10000100, data)
    assert apollo.call(PROGRAM_MAIN2, KEY, 1, 0x10000100, 0x40000 // 4, 16)[0] == 0
    assert apollo.engine.read(0x3FFFC, 72) == bytes(4) + data + bytes(4)
    assert apollo.call(PROGRAM_MAIN, KEY, 0x10000100, 0x40040, 4)[0] == 0
    assert apollo.engine.read(0x40040, 20) == data[:16] + bytes(4)
    assert apollo.call(PROGRAM_MAIN2, KEY, 0, 0xFFFFFFFF, 0x40000 // 4, 100)[0] == 0
    assert apollo.engine.read(0x40000, 404) == b"\xff" * 400 + bytes(4)


def test_mram_refuses_wrong_keys_and_places(apollo: RomMachine) -> None:
    for arguments, status in (
        ((KEY + 1, 1, 0x10000100, 0x80000 // 4, 4), 1),
        ((KEY, 1, 0x10000100, 0x200000 // 4, 4), 2),
        ((KEY, 1, 0x10000100, 0x1FFFF0 // 4, 5), 3),
    ):
        assert apollo.call(PROGRAM_MAIN2, *arguments)[0] == status
    assert apollo.engine.read(0x80000, 16) == bytes(16)


CALL = """4802 ldr r0, [pc, #8]
4903 ldr r1, [pc, #12]
4788 blx r1
be00 bkpt 0
bf00 nop
bf00 nop
.word {}
.word {}"""


@pytest.mark.parametrize("iterations", [0, 1, 100, 1000])
def test_a_delay_takes_three_cycles_for_each_iteration(tmp_path: Path, iterations: int) -> None:
    program = {"Reset_Handler": CALL.format(iterations, DELAY)}
    ran = run_elf(write_program(tmp_path / "p.elf", APOLLO, program), APOLLO)
    rows = {row.name: row for row in ran.profile().kernels}
    assert rows["delay_cycles"].instructions == 2 + 2 * iterations
    assert rows["delay_cycles"].cycles == pytest.approx(3 * iterations, abs=8)


def test_what_lies_between_the_known_functions_stops_the_run(tmp_path: Path) -> None:
    program = {"Reset_Handler": CALL.format(0, 0x0800007D)}
    ran = run_elf(write_program(tmp_path / "p.elf", APOLLO, program), APOLLO)
    assert (ran.record.exit.detail, ran.record.exit.pc) == ("breakpoint (BKPT) without a debugger", 0x0800007C)


# ---- ROMs of a chip file ----


def test_profiles_name_the_functions_of_a_rom(tmp_path: Path) -> None:
    lookup = load_board("rpi-pico")
    (rom,) = load_roms(load_chip("rp2040"), lookup)
    address = next(f.address for f in rom.functions if f.name == "rom_popcount32")
    ran = run_elf(
        write_program(tmp_path / "p.elf", "rpi-pico", {"Reset_Handler": CALL.format(7, address | 1)}), "rpi-pico"
    )
    assert {row.name: row.calls for row in ran.profile().kernels} == {"Reset_Handler": 1, "rom_popcount32": 1}
    assert ran.machine.engine.register(0) == 3


def test_an_image_takes_the_place_of_a_rom(tmp_path: Path) -> None:
    program = write_program(
        tmp_path / "p.elf",
        "rpi-pico",
        {"Reset_Handler": CALL.format(7, 0x201)},
        extra={0x200: bytes.fromhex("2a20 7047")},  # movs r0, #42; bx lr
    )
    assert run_elf(program, "rpi-pico").machine.engine.register(0) == 42


CHIP = """\
name: mine
title: My chip
interrupts: 32
priority_bits: 2
source: me
roms:
  - {{name: BOOTROM, base: 0x0, size: {size}, image: {image}, source: me}}
"""


def own_board(folder: Path, image: str, *, size: str = "16 KiB", extra: str = "") -> Path:
    (folder / "chip.yaml").write_text(CHIP.format(image=image, size=size), encoding="utf-8")
    board = folder / "board.yaml"
    board.write_text(f"extends: rpi-pico\nname: mine\ntitle: Mine\nchip: ./chip.yaml\n{extra}", encoding="utf-8")
    return board


def test_a_rom_of_ones_own_is_found_beside_the_chip_file(tmp_path: Path) -> None:
    (tmp_path / "boot.bin").write_bytes(bytes(0x20) + bytes.fromhex("2a20 7047"))
    board = own_board(tmp_path, "./boot.bin")
    program = write_program(tmp_path / "p.elf", "rpi-pico", {"Reset_Handler": CALL.format(7, 0x21)})
    assert run_elf(program, str(board)).machine.engine.register(0) == 42


NO_ROM = """\
regions:
  - {name: FLASH, kind: xip, base: 0x10000000, size: 2 MiB, source: me}
  - {name: SRAM, kind: sram, base: 0x20000000, size: 264 KiB, source: me}
"""


@pytest.mark.parametrize(
    ("image", "size", "extra", "expected"),
    [
        ("none.elf", "1 KiB", "", r"chip.yaml:7: roms.0.image: there is no file 'none.elf' \(hint: .*roms\)"),
        ("./none.bin", "1 KiB", "", r"chip.yaml:7: roms.0.image: there is no file './none.bin' \(hint: .*\)"),
        ("./boot.bin", "16 B", "", r"boot.bin: 0x00000000..0x00000011 is outside ROM BOOTROM, 0x00000000..0x00000010"),
        (
            "./boot.bin",
            "1 KiB",
            NO_ROM,
            r"board mine has no memory at 0x00000000..0x00000400 for ROM BOOTROM of its chip "
            r"\(hint: add a region of kind 'rom' to it\)",
        ),
    ],
)
def test_a_mistake_gets_one_line(tmp_path: Path, image: str, size: str, extra: str, expected: str) -> None:
    (tmp_path / "boot.bin").write_bytes(bytes(17))
    board = load_board(str(own_board(tmp_path, image, size=size, extra=extra)))
    with pytest.raises(InputError) as caught:
        load_roms(load_chip(str(board.chip)), board)
    assert re.search(f"{expected}$", caught.value.one_line())


def test_a_rom_is_a_value() -> None:
    rom = Rom(name="BOOTROM", base=0, size=0x4000, image="rp2040.elf", source="me")
    assert rom == load_chip("rp2040").roms[0].model_copy(update={"image": "rp2040.elf", "source": "me"})
