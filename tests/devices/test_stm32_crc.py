"""The STM32 CRC unit against zlib, binascii, published check values and long division of polynomials."""

from __future__ import annotations

import binascii
import zlib
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.stm32_crc import MODELS, Stm32Crc, reversed_bits, reversed_units

DR, IDR, CR, INIT, POL = 0x00, 0x04, 0x08, 0x10, 0x14
RESET, REV_OUT = 1, 0x80
SIZES = {32: 0x00, 16: 0x08, 8: 0x10, 7: 0x18}
IN_BYTES, IN_HALF_WORDS, IN_WORDS = 0x20, 0x40, 0x60
CHECK = b"123456789"


def made(variant: str = "v2") -> tuple[Stm32Crc, FakePorts]:
    ports = FakePorts(name="CRC")
    return cast(Stm32Crc, MODELS[variant](ports)), ports


def remainder(message: int, message_bits: int, polynomial: int, width: int, initial: int) -> int:
    """Of the message times x^width, the initial value added to its first bits: division of polynomials over GF(2)."""
    dividend = message << width ^ initial << message_bits
    divisor = polynomial | 1 << width
    for shift in range(message_bits - 1, -1, -1):
        if dividend >> (shift + width) & 1:
            dividend ^= divisor << shift
    return dividend


def test_v1_of_one_word_after_reset() -> None:
    crc, _ = made("v1")
    assert crc.read(DR, 4) == 0xFFFFFFFF
    crc.write(DR, 4, 0x00000000)
    assert crc.read(DR, 4) == 0xC704DD7B  # the remainder of 32 ones followed by 32 zeros
    crc.write(CR, 4, RESET)
    assert crc.read(DR, 4) == 0xFFFFFFFF
    assert crc.read(CR, 4) == 0


@given(st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=8))
def test_v1_is_zlib_of_mirrored_words(words: list[int]) -> None:
    crc, _ = made("v1")
    for word in words:
        crc.write(DR, 4, word)
    data = b"".join(reversed_bits(word, 32).to_bytes(4, "little") for word in words)
    assert reversed_bits(crc.read(DR, 4), 32) ^ 0xFFFFFFFF == zlib.crc32(data)


def test_v1_takes_words_only_and_says_so() -> None:
    crc, ports = made("v1")
    crc.write(DR, 1, 0x31)
    assert ports.notes == ["CRC: 8 bits written to DR, which takes words only"]
    crc.write(POL, 4, 0x1021)
    crc.write(INIT, 4, 0)
    assert crc.read(POL, 4) == crc.read(INIT, 4) == 0


def test_scratch_register_and_reset_values() -> None:
    old, _ = made("v1")
    old.write(IDR, 4, 0x12345678)
    assert old.read(IDR, 4) == 0x78
    new, _ = made()
    assert (new.read(INIT, 4), new.read(POL, 4), new.read(CR, 4)) == (0xFFFFFFFF, 0x04C11DB7, 0)
    new.write(IDR, 4, 0x12345678)
    new.write(CR, 4, RESET)
    assert new.read(IDR, 4) == 0x12345678


@given(st.binary(max_size=40))
def test_v2_reversed_is_zlib(data: bytes) -> None:
    crc, _ = made()
    crc.write(CR, 4, IN_BYTES | REV_OUT | RESET)
    for byte in data:
        crc.write(DR, 1, byte)
    assert crc.read(DR, 4) ^ 0xFFFFFFFF == zlib.crc32(data)


@given(st.binary(max_size=40).filter(lambda b: len(b) % 4 == 0))
def test_v2_takes_zlibs_words_reversed_as_words(data: bytes) -> None:
    crc, _ = made()
    crc.write(CR, 4, IN_WORDS | REV_OUT | RESET)
    for at in range(0, len(data), 4):
        crc.write(DR, 4, int.from_bytes(data[at : at + 4], "little"))
    assert crc.read(DR, 4) ^ 0xFFFFFFFF == zlib.crc32(data)


@given(st.binary(max_size=40), st.integers(0, 0xFFFF))
def test_v2_of_16_bits_is_binascii(data: bytes, initial: int) -> None:
    crc, _ = made()
    crc.write(CR, 4, SIZES[16])
    crc.write(POL, 4, 0x1021)
    crc.write(INIT, 4, initial)
    for byte in data:
        crc.write(DR, 1, byte)
    assert crc.read(DR, 4) == binascii.crc_hqx(data, initial)


@pytest.mark.parametrize(
    ("width", "polynomial", "initial", "control", "final", "check"),
    [  # the check values of the catalogue of parametrised CRC algorithms (reveng.sourceforge.io)
        (32, 0x04C11DB7, 0xFFFFFFFF, 0, 0, 0x0376E6E7),  # CRC-32/MPEG-2
        (16, 0x8005, 0xFFFF, IN_BYTES | REV_OUT, 0, 0x4B37),  # CRC-16/MODBUS
        (8, 0x07, 0, 0, 0, 0xF4),  # CRC-8/SMBUS
        (8, 0x31, 0, IN_BYTES | REV_OUT, 0, 0xA1),  # CRC-8/MAXIM-DOW
        (7, 0x09, 0, 0, 0, 0x75),  # CRC-7/MMC
    ],
)
def test_published_check_values(
    width: int, polynomial: int, initial: int, control: int, final: int, check: int
) -> None:
    crc, _ = made()
    crc.write(POL, 4, polynomial)
    crc.write(INIT, 4, initial)
    crc.write(CR, 4, SIZES[width] | control | RESET)
    for byte in CHECK:
        crc.write(DR, 1, byte)
    assert crc.read(DR, 4) ^ final == check


@given(
    st.sampled_from(sorted(SIZES)),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.tuples(st.sampled_from([1, 2, 4]), st.integers(0, 0xFFFFFFFF)), max_size=6),
)
def test_v2_is_the_remainder_of_a_division(
    width: int, polynomial: int, initial: int, writes: list[tuple[int, int]]
) -> None:
    crc, _ = made()
    mask = (1 << width) - 1
    polynomial = polynomial & mask | 1
    crc.write(CR, 4, SIZES[width])
    crc.write(POL, 4, polynomial)
    crc.write(INIT, 4, initial)
    message = bits = 0
    for size, value in writes:
        value &= (1 << 8 * size) - 1
        crc.write(DR, size, value)
        message, bits = message << 8 * size | value, bits + 8 * size
    assert crc.read(DR, 4) == remainder(message, bits, polynomial, width, initial & mask)


def test_reversal_of_input_as_in_the_manual() -> None:
    # RM0432 17.3.3: 0x1A2B3C4D becomes 0x58D43CB2 by bytes, 0xD458B23C by half-words, 0xB23CD458 by words.
    assert [reversed_units(0x1A2B3C4D, 32, unit) for unit in (8, 16, 32)] == [0x58D43CB2, 0xD458B23C, 0xB23CD458]


def test_reversal_of_output_as_in_the_manual() -> None:
    assert reversed_bits(0x11223344, 32) == 0x22CC4488
