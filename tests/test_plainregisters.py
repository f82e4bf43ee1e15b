"""Registers that nothing models: memory with the SVD's reset values, and what the result says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svdwriter import device, peripheral, register, write_svd

from vtarget.shell import plainregisters
from vtarget.shell.plainregisters import PlainRegisters
from vtarget.shell.svd import SvdChip, load_svd

BASE = 0x40004800
SVD = device(
    peripheral(
        "USART3",
        BASE,
        register("CR1", 0)
        + register("ISR", 0x1C, "<resetValue>0x020000C0</resetValue>")
        + register("RDR", 0x24, "<size>16</size><resetValue>0x1234</resetValue>")
        + register("TDR", 0x26, "<size>16</size><resetValue>0xABCD</resetValue>"),
        "<addressBlock><offset>0</offset><size>0x400</size></addressBlock>",
    )
)


@pytest.fixture
def svd(tmp_path: Path) -> SvdChip:
    return load_svd(write_svd(tmp_path, SVD))


def test_reads_what_was_written_in_any_size(svd: SvdChip) -> None:
    plain = PlainRegisters(svd)
    plain.write(BASE, 4, 0x11223344)
    plain.write(BASE + 1, 1, 0xAA)
    plain.write(BASE + 2, 2, 0xBBCC)
    assert [plain.read(BASE, 4), plain.read(BASE, 2), plain.read(BASE + 3, 1)] == [0xBBCCAA44, 0xAA44, 0xBB]


def test_reset_values_are_the_svds(svd: SvdChip) -> None:
    plain = PlainRegisters(svd)
    assert plain.read(BASE + 0x1C, 4) == 0x020000C0
    assert plain.read(BASE + 0x24, 4) == 0xABCD1234
    plain.write(BASE + 0x24, 1, 0)
    assert plain.read(BASE + 0x24, 4) == 0xABCD1200
    assert plain.read(0x50000000, 4) == 0
    assert PlainRegisters(None).read(BASE + 0x1C, 4) == 0


def test_names(svd: SvdChip) -> None:
    plain = PlainRegisters(svd)
    places = (BASE, BASE + 0x1D, BASE + 0x26, BASE + 0x44, 0x40021004)
    assert [plain.name(a) for a in places] == ["USART3.CR1", "USART3.ISR", "USART3.TDR", "USART3+0x44", "0x40021004"]
    assert PlainRegisters(None).name(BASE) == "0x40004800"


def test_the_result_counts_accesses_by_register(svd: SvdChip) -> None:
    plain = PlainRegisters(svd)
    for _ in range(12):
        plain.read(BASE, 4)
    for value in range(3):
        plain.write(BASE + 2, 2, value)
    plain.read(0x40021004, 4)
    plain.write(0x40021007, 1, 1)
    plain.write(BASE + 0x26, 2, 1)
    plain.read(BASE + 0x24, 2)
    assert plain.notes() == (
        "USART3.CR1 behaves as plain memory (12 reads, 3 writes)",
        "0x40021004 behaves as plain memory (1 read, 1 write)",
        "USART3.RDR behaves as plain memory (1 read, 0 writes)",
        "USART3.TDR behaves as plain memory (0 reads, 1 write)",
    )
    assert PlainRegisters(svd).notes() == ()


def test_the_result_lists_twenty_registers() -> None:
    plain = PlainRegisters()
    for n in range(21):
        plain.read(0x40000000 + 4 * n, 4)
    plain.read(0x40000050, 4)
    lines = plain.notes()
    assert lines[0] == "0x40000050 behaves as plain memory (2 reads, 0 writes)"
    assert lines[1] == "0x40000000 behaves as plain memory (1 read, 0 writes)"
    assert (len(lines), lines[20]) == (21, "and 1 more register behaves as plain memory")
    plain.write(0x50000000, 4, 0)
    assert plain.notes()[20] == "and 2 more registers behave as plain memory"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plainregisters, "MOST_WORDS", 100)
    plain = PlainRegisters()
    for n in range(1000):
        plain.write(0x40000000 + 4 * n, 4, n + 1)
    assert [plain.read(0x40000000 + 4 * n, 4) for n in (0, 99, 100, 999)] == [1, 100, 0, 0]
    assert plain.notes()[-2:] == (
        "and 80 more registers behave as plain memory",
        "more than 100 registers were touched: the rest read as 0 and keep nothing",
    )


ACCESS = st.tuples(st.sampled_from([1, 2, 4]), st.integers(0, 7), st.integers(0, 0xFFFFFFFF), st.booleans())


@given(st.lists(ACCESS, max_size=40))
def test_it_is_memory(accesses: list[tuple[int, int, int, bool]]) -> None:
    plain, memory = PlainRegisters(), bytearray(32)
    for size, place, value, is_write in accesses:
        offset = place * 4 // size * size
        value &= (1 << 8 * size) - 1
        if is_write:
            plain.write(BASE + offset, size, value)
            memory[offset : offset + size] = value.to_bytes(size, "little")
        else:
            assert plain.read(BASE + offset, size) == int.from_bytes(memory[offset : offset + size], "little")
    touched = sum(int(word) for line in plain.notes() for word in line.replace("(", " ").split() if word.isdigit())
    assert touched == len(accesses)
