"""SVD files: what is read, and the one line that each broken or hostile one gets."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svdwriter import device, peripheral, register, write_svd

from vtarget.base.errors import InputError
from vtarget.shell.svd import MAX_FILE_BYTES, SvdChip, SvdPeripheral, SvdRegister, load_svd, svd_path

FIELDS = (
    "<fields><field><name>EN</name><bitOffset>0</bitOffset><size>7</size><access>write-only</access></field></fields>"
)
UART = peripheral(
    "USART2",
    0x40004400,
    register("CR1", 0, f"<description>control</description>{FIELDS}")
    + register("ISR", 0x1C, "<resetValue>0x020000C0</resetValue><access>read-only</access>")
    + register("RDR", 0x24, "<size>0x10</size>")
    + register("TDR", 0x26, "<size>16</size><resetValue>#1x1</resetValue><access>write-only</access>"),
    "<interrupt><name>USART2</name><value>38</value></interrupt>"
    "<addressBlock><offset>0</offset><size>0x400</size><usage>registers</usage></addressBlock>",
)


def load(tmp_path: Path, body: str) -> SvdChip:
    return load_svd(write_svd(tmp_path, device(body)))


def names(chip: SvdChip) -> dict[str, int]:
    return dict(chip.addresses)


def test_registers_by_address_with_what_they_inherit(tmp_path: Path) -> None:
    chip = load(tmp_path, UART)
    assert chip.name == "CHIP"
    assert list(chip.registers.values()) == [
        SvdRegister("USART2.CR1", 0x40004400, 4, 0, "read-write"),
        SvdRegister("USART2.ISR", 0x4000441C, 4, 0x020000C0, "read-only"),
        SvdRegister("USART2.RDR", 0x40004424, 2, 0, "read-write"),
        SvdRegister("USART2.TDR", 0x40004426, 2, 5, "write-only"),
    ]
    assert chip.interrupts == {38: "USART2"}
    assert chip.peripherals == (SvdPeripheral("USART2", 0x40004400, 0x40004800),)


def test_what_is_at_an_address(tmp_path: Path) -> None:
    chip = load(tmp_path, UART)
    found = {offset: chip.register_at(0x40004400 + offset) for offset in (0, 3, 4, 0x1D, 0x25, 0x27)}
    assert {offset: register and register.name for offset, register in found.items()} == {
        0: "USART2.CR1",
        3: "USART2.CR1",
        4: None,
        0x1D: "USART2.ISR",
        0x25: "USART2.RDR",
        0x27: "USART2.TDR",
    }
    assert chip.reset_word(0x40004424) == 0x00050000
    assert chip.reset_word(0x50000000) == 0
    inside = chip.peripheral_at(0x400047FF)
    assert inside is not None and inside.name == "USART2"
    assert chip.peripheral_at(0x40004800) is None


def test_properties_come_from_the_nearest_level(tmp_path: Path) -> None:
    inner = f"<cluster><name>C</name><addressOffset>0x10</addressOffset><size>8</size>{register('B', 1)}</cluster>"
    body = peripheral("P", 0x40000000, register("A", 0) + inner, "<resetValue>0xFFFF</resetValue><size>16</size>")
    chip = load(tmp_path, body)
    assert [(r.name, r.size_bytes, r.reset) for r in chip.registers.values()] == [
        ("P.A", 2, 0xFFFF),
        ("P.C.B", 1, 0xFF),
    ]


@pytest.mark.parametrize(
    ("index", "found"),
    [
        ("", ["D0", "D1", "D2"]),
        ("<dimIndex>A,B, C</dimIndex>", ["DA", "DB", "DC"]),
        ("<dimIndex>2-4</dimIndex>", ["D2", "D3", "D4"]),
        ("<dimIndex>X-Z</dimIndex>", ["DX", "DY", "DZ"]),
        ("<dimIndex>0-1</dimIndex>", ["D0", "D1", "D2"]),  # does not fit three elements
    ],
)
def test_arrays(tmp_path: Path, index: str, found: list[str]) -> None:
    array = register("D%s", 8, f"<dim>3</dim><dimIncrement>0x4</dimIncrement>{index}")
    chip = load(tmp_path, peripheral("P", 0x40000000, array))
    assert names(chip) == {f"P.{name}": 0x40000008 + 4 * n for n, name in enumerate(found)}


def test_arrays_of_clusters_of_arrays(tmp_path: Path) -> None:
    inner = f"<cluster><name>IN</name><addressOffset>0x10</addressOffset>{register('Q', 4)}</cluster>"
    cluster = (
        "<cluster><dim>2</dim><dimIncrement>0x20</dimIncrement><name>CH[%s]</name><addressOffset>0x100</addressOffset>"
        f"{register('D%s', 0, '<dim>2</dim><dimIncrement>4</dimIncrement>')}{inner}</cluster>"
    )
    chip = load(tmp_path, peripheral("DMA", 0x50000000, cluster))
    assert names(chip) == {
        "DMA.CH[0].D0": 0x50000100,
        "DMA.CH[0].D1": 0x50000104,
        "DMA.CH[0].IN.Q": 0x50000114,
        "DMA.CH[1].D0": 0x50000120,
        "DMA.CH[1].D1": 0x50000124,
        "DMA.CH[1].IN.Q": 0x50000134,
    }


def test_derived_peripherals_have_the_registers_and_their_own_interrupts(tmp_path: Path) -> None:
    derived = (
        '<peripheral derivedFrom="USART2"><name>USART3</name><baseAddress>0x40004800</baseAddress>'
        f"<registers>{register('CR1', 0, '<resetValue>9</resetValue>')}{register('NEW', 0x30)}</registers>"
        "<interrupt><name>USART3</name><value>39</value></interrupt></peripheral>"
    )
    chip = load(tmp_path, derived + UART)  # the order does not matter
    third = {name: address for name, address in names(chip).items() if name.startswith("USART3.")}
    assert third == {
        "USART3.CR1": 0x40004800,
        "USART3.NEW": 0x40004830,
        "USART3.ISR": 0x4000481C,
        "USART3.RDR": 0x40004824,
        "USART3.TDR": 0x40004826,
    }
    assert chip.registers[0x40004800].reset == 9
    assert chip.interrupts == {38: "USART2", 39: "USART3"}
    assert [(p.name, p.end - p.base) for p in chip.peripherals] == [("USART2", 0x400), ("USART3", 0x400)]


def test_derived_registers_and_clusters(tmp_path: Path) -> None:
    first = register("A", 0, "<resetValue>0x11</resetValue>") + register(
        "Y[%s]", 0x20, "<dim>2</dim><dimIncrement>4</dimIncrement>"
    )
    derived = (
        '<register derivedFrom="A"><name>B</name><addressOffset>4</addressOffset></register>'
        '<register derivedFrom="Y[%s]"><name>Z[%s]</name><addressOffset>0x40</addressOffset></register>'
        '<register derivedFrom="Y[%s]"><name>ONE</name><addressOffset>0x60</addressOffset></register>'
        f"<cluster><name>C</name><addressOffset>0x80</addressOffset>{register('R', 0)}</cluster>"
        '<cluster derivedFrom="C"><name>D</name><addressOffset>0x90</addressOffset></cluster>'
    )
    elsewhere = '<register derivedFrom="P.C.R"><name>S</name></register>'
    chip = load(tmp_path, peripheral("P", 0x40000000, first + derived) + peripheral("Q", 0x40010000, elsewhere))
    assert chip.registers[0x40000004] == SvdRegister("P.B", 0x40000004, 4, 0x11, "read-write")
    assert {name: address & 0x1FFFF for name, address in names(chip).items()} == {
        "P.A": 0,
        "P.Y[0]": 0x20,
        "P.Y[1]": 0x24,
        "P.B": 4,
        "P.Z[0]": 0x40,
        "P.Z[1]": 0x44,
        "P.ONE": 0x60,
        "P.C.R": 0x80,
        "P.D.R": 0x90,
        "Q.S": 0x10000,
    }


def test_an_array_that_is_memory_has_one_name(tmp_path: Path) -> None:
    area = register("DATA[%s]", 0, "<dim>0x1000000</dim><dimIncrement>1</dimIncrement><size>8</size>")
    chip = load(tmp_path, peripheral("STM", 0xA2000000, area))
    assert names(chip) == {"STM.DATA[0]": 0xA2000000}


def test_registers_that_share_an_address_keep_all_names(tmp_path: Path) -> None:
    chip = load(
        tmp_path, peripheral("TIM1", 0x40012C00, register("CCMR1_Output", 0x18) + register("CCMR1_Input", 0x18))
    )
    assert chip.registers[0x40012C18].name == "TIM1.CCMR1_Output"
    assert chip.addresses["TIM1.CCMR1_Input"] == 0x40012C18


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<device><name>&b;</name></device>"
)
EXTERNAL = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><device><name>&x;</name></device>'
LOOP = (
    '<peripheral derivedFrom="B"><name>A</name><baseAddress>0</baseAddress></peripheral>\n'
    '<peripheral derivedFrom="A"><name>B</name><baseAddress>0</baseAddress></peripheral>'
)
SPIRAL = (
    "<cluster><name>A</name><addressOffset>0</addressOffset>"
    '<cluster derivedFrom="P.A"><name>B</name><addressOffset>4</addressOffset></cluster></cluster>'
)
NESTED = "<cluster><dim>1000</dim><name>C%s</name><addressOffset>0</addressOffset>" * 5 + "</cluster>" * 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "chip.svd:1: not valid XML: no element found"),
        ("hello", "chip.svd:1: not valid XML: syntax error"),
        ("<device>\n<name>x</device>", "chip.svd:2: not valid XML: mismatched tag"),
        (device(UART)[:-40], "chip.svd:1: not valid XML: unclosed token"),
        ("<board/>", "chip.svd: is no SVD file: its root is no <device>"),
        ('<?xml version="1.0" encoding="klingon"?><device/>', "chip.svd:1: not readable: unknown encoding: klingon"),
        (BOMB, "chip.svd:1: a document type declaration is not allowed in an SVD file"),
        (EXTERNAL, "chip.svd:1: a document type declaration is not allowed in an SVD file"),
        (EXTERNAL.encode("utf-16"), "chip.svd:1: a document type declaration is not allowed in an SVD file"),
        ("<a>" * 100_000, "chip.svd:1: elements nested deeper than 64 levels"),
        (device(peripheral("P", 0, register("A", 0, "<size>big</size>"))), "chip.svd:1: size 'big' is not a number"),
        (device(peripheral("P", 0, register("A", 0, "<size>0</size>"))), "chip.svd:1: P.A has 0 bits; 8 to 64 are"),
        (device(peripheral("P", 0xFFFFFFFF, register("A", 0))), "chip.svd:1: P.A is outside the 32-bit address space"),
        (device(peripheral("P", 0, "\n<register/>")), "chip.svd:2: a register has no name"),
        (device("<peripheral><name>P</name></peripheral>"), "chip.svd:1: P has no baseAddress"),
        (device(peripheral("P" * 201, 0, "")), "chip.svd:1: a name of more than 200 characters"),
        (device(LOOP), "chip.svd:1: A is derived from itself"),
        (device(peripheral("P", 0, SPIRAL)), "is derived from what holds it"),
        (
            device('<peripheral derivedFrom="X"><name>P</name></peripheral>'),
            "chip.svd:1: there is no peripheral 'X' to derive from",
        ),
        (device(peripheral("P", 0, NESTED)), "chip.svd:1: more than 262144 registers and other elements"),
    ],
)
def test_a_broken_or_hostile_file_gets_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_svd(tmp_path, text)
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        load_svd(Path("chip.svd"))
    assert expected in caught.value.one_line()
    assert len(caught.value.one_line()) < 300
    assert time.monotonic() - started < 5


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--svd .*none\.svd: No such file"):
        load_svd(tmp_path / "none.svd")
    with pytest.raises(InputError, match="is a directory"):
        load_svd(tmp_path)
    huge = tmp_path / "huge.svd"
    with huge.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(InputError, match="at most 67108864 are supported"):
        load_svd(huge)


@given(st.data())
def test_any_damage_to_a_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = bytearray(device(UART).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=5))
    path = write_svd(tmp_path_factory.mktemp("svd"), bytes(text))
    try:
        chip = load_svd(path)
    except InputError as error:
        assert "\n" not in error.one_line()
    else:
        assert all(address == register.address for address, register in chip.registers.items())


def test_the_file_of_a_board_in_a_directory(tmp_path: Path) -> None:
    for folder in (tmp_path / "flat" / "Nordic", tmp_path / "repository" / "data" / "Nordic"):
        folder.mkdir(parents=True)
        (folder / "nrf52840.svd").write_text(device(UART), encoding="utf-8")
    name = "Nordic/nrf52840.svd"
    assert svd_path(tmp_path / "flat", name) == tmp_path / "flat" / name
    assert svd_path(tmp_path / "repository", name) == tmp_path / "repository" / "data" / name
    assert svd_path(tmp_path / "my.svd", name) == tmp_path / "my.svd"
    with pytest.raises(InputError, match="is a directory, and the board names no SVD file"):
        svd_path(tmp_path, None)
    with pytest.raises(InputError, match=r"there is no Nordic/nrf52840\.svd in it"):
        svd_path(tmp_path, name)


def test_a_large_file_loads_quickly(tmp_path: Path) -> None:
    registers = "".join(register(f"R{n}", 4 * n, FIELDS * 6) for n in range(100))
    path = write_svd(tmp_path, device("".join(peripheral(f"P{n}", n << 12, registers) for n in range(60))))
    assert path.stat().st_size > 3_000_000
    started = time.monotonic()
    chip = load_svd(path)
    assert len(chip.registers) == 6000
    assert time.monotonic() - started < 3
