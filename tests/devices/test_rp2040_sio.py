"""Single-cycle I/O of the RP2040: pins, spinlocks, mailbox, divider and interpolators."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.chiplib import FakeChip
from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Device
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.rp2040_sio import divide

WORDS = st.integers(0, 0xFFFFFFFF)
UDIVIDEND, UDIVISOR, SDIVIDEND, SDIVISOR, QUOTIENT, REMAINDER, CSR = range(0x60, 0x7C, 4)
ACCUM0, ACCUM1, BASE0, BASE1, BASE2, POP0, POP1, POPF, PEEK0, PEEK1, PEEKF, CTRL0, CTRL1, ADD0, ADD1, BASES = range(16)


def make() -> tuple[Device, FakePorts]:
    ports = FakePorts(name="SIO")
    return make_device("rp2040_sio", ports), ports


def as_int(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


# --- pins ---------------------------------------------------------------------------------------------------------


def test_pins_are_driven_while_enabled() -> None:
    sio, ports = make()
    sio.write(0x14, 4, 1 << 25)  # OUT_SET before OE: nothing leaves the chip
    assert ports.pins == [] and sio.read(0x04, 4) == 0
    sio.write(0x24, 4, 1 << 25)
    sio.write(0x1C, 4, 1 << 25)
    sio.write(0x1C, 4, 1 << 25)
    sio.write(0x18, 4, 1 << 25 | 1 << 3)
    assert [(pin, level) for _, pin, level in ports.pins] == [
        ("GPIO25", True),
        ("GPIO25", False),
        ("GPIO25", True),
        ("GPIO25", False),
    ]


def test_pins_read_what_is_driven() -> None:
    sio, ports = make()
    sio.write(0x20, 4, 0x0F)
    sio.write(0x10, 4, 0xFFFFFFFF)
    assert sio.read(0x10, 4) == 0x3FFFFFFF and sio.read(0x04, 4) == 0x0F
    sio.write(0x28, 4, 0x03)
    assert sio.read(0x04, 4) == 0x0C and ports.signals["GPIO0"] is False and ports.signals["GPIO2"] is True
    assert sio.read(0x08, 4) == 0x02  # BOOTSEL isn't pressed


@given(st.lists(st.tuples(st.sampled_from(range(0x10, 0x30, 4)), WORDS), max_size=30))
def test_the_edge_log_ends_at_the_registers(writes: list[tuple[int, int]]) -> None:
    sio, ports = make()
    for offset, value in writes:
        sio.write(offset, 4, value)
    last = {pin: level for _, pin, level in ports.pins}
    for pin in range(30):
        if sio.read(0x20, 4) >> pin & 1:
            assert last[f"GPIO{pin}"] == bool(sio.read(0x10, 4) >> pin & 1)
        assert ports.signals.get(f"GPIO{pin}", False) == bool(sio.read(0x04, 4) >> pin & 1)


# --- spinlocks and the mailbox -------------------------------------------------------------------------------------


def test_a_spinlock_is_claimed_once() -> None:
    sio, _ = make()
    assert [sio.read(0x100 + 4 * 9, 4), sio.read(0x100 + 4 * 9, 4), sio.read(0x5C, 4)] == [1 << 9, 0, 1 << 9]
    sio.write(0x100 + 4 * 9, 4, 0)
    assert sio.read(0x5C, 4) == 0 and sio.read(0x100 + 4 * 9, 4) == 1 << 9


def test_core_1_answers_the_launch_and_never_runs() -> None:
    sio, ports = make()
    sequence = (0, 0, 1, 0x10000100, 0x20042000, 0x10000201)
    for word in sequence:
        sio.write(0x54, 4, word)
        assert sio.read(0x50, 4) == 3 and ports.irq
        assert sio.read(0x58, 4) == word
    assert sio.read(0x50, 4) == 2 and not ports.irq
    assert ports.notes == ["SIO: core 1 was started at 0x10000201; there is only core 0, it never ran"]
    for _ in range(9):
        sio.write(0x54, 4, 7)
    assert sio.read(0x50, 4) == 4  # eight words are full, the ninth was lost


def test_the_launch_starts_again_after_a_wrong_word() -> None:
    sio, ports = make()
    for word in (0, 5, 0, 0, 1, 1, 2):
        sio.write(0x54, 4, word)
    assert ports.notes == []
    sio.write(0x54, 4, 3)
    assert len(ports.notes) == 1


def test_reading_an_empty_mailbox_sets_a_flag() -> None:
    sio, ports = make()
    assert sio.read(0x58, 4) == 0 and sio.read(0x50, 4) == 10 and ports.irq
    sio.write(0x50, 4, 0xFF)
    assert sio.read(0x50, 4) == 2 and not ports.irq


def test_core_1_says_zero_when_it_comes_out_of_reset() -> None:
    chip = FakeChip(1_000_000)
    chip.add("SIO", "rp2040_sio")
    chip.add("PSM", "rp2040_system.psm")
    chip.set_bits("PSM", 4, 1 << 16)
    assert chip.read("PSM", 4) == 1 << 16 and chip.read("PSM", 0xC) == 0xFFFF and chip.read("SIO", 0x50) == 2
    chip.clear_bits("PSM", 4, 1 << 16)
    assert chip.read("SIO", 0x50) == 3 and chip.read("SIO", 0x58) == 0


# --- divider ------------------------------------------------------------------------------------------------------


@given(WORDS, WORDS.filter(bool))
def test_unsigned_division(dividend: int, divisor: int) -> None:
    sio, _ = make()
    sio.write(UDIVIDEND, 4, dividend)
    sio.write(UDIVISOR, 4, divisor)
    assert sio.read(CSR, 4) == 3
    assert (sio.read(REMAINDER, 4), sio.read(QUOTIENT, 4)) == (dividend % divisor, dividend // divisor)
    assert sio.read(CSR, 4) == 1


@given(WORDS, WORDS.filter(bool))
def test_signed_division_truncates_and_the_remainder_has_the_sign_of_the_dividend(p: int, q: int) -> None:
    sio, _ = make()
    sio.write(SDIVISOR, 4, q)
    sio.write(SDIVIDEND, 4, p)
    quotient, remainder = as_int(sio.read(QUOTIENT, 4)), as_int(sio.read(REMAINDER, 4))
    assert abs(remainder) < abs(as_int(q)) and remainder * as_int(p) >= 0
    assert (quotient * as_int(q) + remainder - as_int(p)) % (1 << 32) == 0
    if (p, q) != (0x80000000, 0xFFFFFFFF):
        assert quotient == int(abs(as_int(p)) // abs(as_int(q))) * (1 if as_int(p) * as_int(q) >= 0 else -1)


@pytest.mark.parametrize(
    ("p", "q", "as_signed", "quotient", "remainder"),
    [
        (7, 0, False, 0xFFFFFFFF, 7),
        (7, 0, True, 0xFFFFFFFF, 7),
        (0xFFFFFFF9, 0, True, 1, 0xFFFFFFF9),
        (0xFFFFFFF9, 2, True, 0xFFFFFFFD, 0xFFFFFFFF),
        (0x80000000, 0xFFFFFFFF, True, 0x80000000, 0),
    ],
)
def test_division_in_corners(p: int, q: int, as_signed: bool, quotient: int, remainder: int) -> None:
    assert divide(p, q, as_signed=as_signed) == (quotient, remainder)


def test_divider_state_can_be_saved_and_restored() -> None:
    sio, _ = make()
    sio.write(UDIVIDEND, 4, 100)
    sio.write(SDIVISOR, 4, 7)
    saved = [sio.read(offset, 4) for offset in (SDIVIDEND, UDIVISOR, REMAINDER, QUOTIENT)]
    assert saved == [100, 7, 2, 14]
    sio.write(REMAINDER, 4, 5)
    sio.write(QUOTIENT, 4, 6)
    assert sio.read(CSR, 4) == 3 and (sio.read(REMAINDER, 4), sio.read(QUOTIENT, 4)) == (5, 6)


# --- interpolators -------------------------------------------------------------------------------------------------


class Interp:
    """Registers of an interpolator by index."""

    def __init__(self, number: int) -> None:
        self.sio, _ = make()
        self.base = 0x80 + 0x40 * number

    def __getitem__(self, index: int) -> int:
        return self.sio.read(self.base + 4 * index, 4)

    def __setitem__(self, index: int, value: int) -> None:
        self.sio.write(self.base + 4 * index, 4, value)


def ctrl(shift: int = 0, lsb: int = 0, msb: int = 31, **bits: int) -> int:
    places = {"signed": 15, "cross_in": 16, "cross_out": 17, "add_raw": 18, "force": 19, "blend": 21, "clamp": 22}
    return shift | lsb << 5 | msb << 10 | sum(value << places[name] for name, value in bits.items())


def test_lanes_shift_mask_and_add() -> None:
    interp = Interp(0)
    interp[ACCUM0], interp[ACCUM1] = 0x12345678, 0x9ABCDEF0
    interp[BASE0], interp[BASE1], interp[BASE2] = 0x1000, 0x20000000, 5
    interp[CTRL0], interp[CTRL1] = ctrl(8, 4, 11), ctrl(16, 0, 15)
    assert interp[PEEK0] == 0x1000 + 0x450 and interp[PEEK1] == 0x20000000 + 0x9ABC
    assert interp[PEEKF] == 5 + 0x450 + 0x9ABC
    assert interp[ADD0] == 0x450


def test_signs_crossing_raw_and_forced_bits() -> None:
    interp = Interp(1)
    interp[ACCUM0], interp[ACCUM1] = 0x80, 3
    interp[CTRL0] = ctrl(0, 0, 7, signed=1)
    assert interp[PEEK0] == 0xFFFFFF80
    interp[CTRL0] = ctrl(0, 0, 0, add_raw=1, cross_in=1)
    assert interp[PEEK0] == 3 and interp[PEEKF] == 1 + 1  # both lanes mask bit 0
    interp[CTRL0] = ctrl(force=2)
    assert interp[PEEK0] == 0x20000080 and interp[POP0] == 0x20000080 and interp[ACCUM0] == 0x80


def test_pop_writes_both_accumulators_and_can_cross_them() -> None:
    """The Fibonacci example: lane results go to the other lane's accumulator."""
    interp = Interp(0)
    interp[CTRL0], interp[CTRL1] = ctrl(cross_in=1), ctrl(cross_in=1)
    interp[ACCUM0], interp[ACCUM1] = 1, 2
    interp[BASE0] = 10
    assert interp[POP1] == 1 and (interp[ACCUM0], interp[ACCUM1]) == (12, 1)
    interp[CTRL0], interp[CTRL1] = ctrl(cross_out=1), ctrl()
    assert interp[POPF] == 13 and (interp[ACCUM0], interp[ACCUM1]) == (1, 1)


def test_accumulators_and_bases_have_shortcuts() -> None:
    interp = Interp(0)
    interp[CTRL1] = ctrl(signed=1)
    interp[ADD0] = 0xFF000007
    interp[BASES] = 0x8001_8002
    assert interp[ACCUM0] == 7 and interp[BASE0] == 0x8002 and interp[BASE1] == 0xFFFF8001


@pytest.mark.parametrize(("signed", "expected"), [(0, 0x80000000 - 0x80000000 // 2), (1, 0xC0000000)])
def test_blending(signed: int, expected: int) -> None:
    interp = Interp(0)
    interp[CTRL0], interp[CTRL1] = ctrl(blend=1), ctrl(signed=signed)
    interp[BASE0], interp[BASE1], interp[BASE2] = 0x80000000, 0, 3
    interp[ACCUM1] = 0x180
    interp[ACCUM0] = 4
    assert interp[PEEK1] == expected and interp[PEEK0] == 0x80 and interp[PEEKF] == 7


@pytest.mark.parametrize(
    ("signed", "value", "expected"),
    [(1, 0xFFFFFF00, 0xFFFFFFF0), (1, 5, 5), (1, 300, 255), (0, 0xFFFFFF00, 0xFFFFFFF0), (0, 5, 0xFFFFFFF0)],
)
def test_clamping(signed: int, value: int, expected: int) -> None:
    interp = Interp(1)
    interp[CTRL0] = ctrl(clamp=1, signed=signed)
    interp[BASE0], interp[BASE1] = 0xFFFFFFF0, 255
    if not signed and value == 0xFFFFFF00:
        interp[BASE1] = 0xFFFFFFFF
    interp[ACCUM0] = value
    assert interp[PEEK0] == expected


def test_modes_exist_on_one_interpolator_each_and_overflow_is_told() -> None:
    first, second = Interp(0), Interp(1)
    first[CTRL0] = second[CTRL0] = ctrl(blend=1, clamp=1)
    assert first[CTRL0] == ctrl(blend=1) and second[CTRL0] == ctrl(clamp=1)
    first[ACCUM1] = 0x100
    first[CTRL1] = ctrl(msb=7)
    assert first[CTRL0] >> 23 == 0b110


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 0x60), WORDS, st.sampled_from([1, 2, 4])), max_size=40))
def test_no_access_upsets_it(accesses: list[tuple[bool, int, int, int]]) -> None:
    sio, _ = make()
    for is_write, word, value, size in accesses:
        if is_write:
            sio.write(4 * word, size, value & (1 << 8 * size) - 1)
        assert 0 <= sio.read(4 * word, size) < 1 << 8 * size
