"""The nRF's GPIO port and GPIOTE, as nRF52840 PS 6.9 and 6.10 describe them; offsets of the port less 0x500."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.nrf_gpio import NrfGpio
from vtarget.shell.devices.nrf_gpiote import NrfGpiote

OUT, OUTSET, OUTCLR, IN, DIR, DIRSET, DIRCLR, LATCH, DETECTMODE, CNF = 4, 8, 12, 16, 20, 24, 28, 32, 36, 0x200
TASK_OUT, TASK_SET, TASK_CLR, EVENT_IN, EVENT_PORT, INTENSET, CONFIG = 0, 0x30, 0x60, 0x100, 0x17C, 0x304, 0x510
CONNECTED, PULL_UP, SENSE_HIGH, SENSE_LOW = 0, 3 << 2, 2 << 16, 3 << 16


def made() -> tuple[NrfGpio, FakePorts]:
    ports = FakePorts(name="P0")
    return NrfGpio(ports), ports


def test_led_through_set_and_clear_registers() -> None:
    port, ports = made()
    port.write(OUTSET, 4, 1 << 13)
    assert ports.pins == []
    port.write(DIRSET, 4, 1 << 13)
    port.write(OUTCLR, 4, 1 << 13)
    assert ports.pins == [(0, "P0.13", True), (0, "P0.13", False)]
    assert port.read(OUT, 4) == port.read(OUTSET, 4) == port.read(OUTCLR, 4) == 0
    assert port.read(DIRCLR, 4) == 1 << 13


@given(st.lists(st.tuples(st.sampled_from([DIR, DIRSET, DIRCLR, CNF + 4 * 7]), st.integers(0, 0xFFFFFFFF))))
def test_direction_is_the_same_bit_in_dir_and_pin_cnf(writes: list[tuple[int, int]]) -> None:
    port, _ = made()
    for offset, value in writes:
        port.write(offset, 4, value)
        direction = port.read(DIR, 4)
        assert [port.read(CNF + 4 * pin, 4) & 1 for pin in range(32)] == [direction >> pin & 1 for pin in range(32)]


def test_input_needs_its_buffer() -> None:
    port, _ = made()
    port.set_input(3, True)
    assert port.read(CNF + 12, 4) == 2
    assert port.read(IN, 4) == 0
    port.write(CNF + 12, 4, CONNECTED)
    assert port.read(IN, 4) == 8


def test_button_with_pull_up() -> None:
    port, _ = made()
    port.write(CNF + 4 * 11, 4, CONNECTED | PULL_UP)
    assert port.read(IN, 4) == 1 << 11
    port.set_input(11, False)
    assert port.read(IN, 4) == 0


def test_output_reads_back_with_its_buffer_connected() -> None:
    port, _ = made()
    port.write(OUT, 4, 0b11)
    port.write(CNF, 4, 1)
    port.write(CNF + 4, 4, 3)
    assert port.read(IN, 4) == 0b01


def test_latch_and_detect() -> None:
    port, ports = made()
    port.write(CNF, 4, CONNECTED | SENSE_HIGH)
    assert not ports.signals.get("P0_DETECT", False)
    port.set_input(0, True)
    assert ports.signals["P0_DETECT"]
    port.write(LATCH, 4, 1)
    assert port.read(LATCH, 4) == 1  # the level is still there
    port.set_input(0, False)
    assert not ports.signals["P0_DETECT"]
    assert port.read(LATCH, 4) == 1
    port.write(LATCH, 4, 1)
    assert port.read(LATCH, 4) == 0


def test_latched_detect_lasts_until_latch_is_cleared() -> None:
    port, ports = made()
    port.write(DETECTMODE, 4, 1)
    port.write(CNF, 4, CONNECTED | PULL_UP | SENSE_LOW)
    port.set_input(0, False)
    port.set_input(0, True)
    assert ports.signals["P0_DETECT"]
    port.write(LATCH, 4, 1)
    assert not ports.signals["P0_DETECT"]


def gpiote() -> tuple[NrfGpiote, NrfGpio, FakePorts]:
    port, ports = made()
    return NrfGpiote(ports), port, ports


def config(mode: int, pin: int, polarity: int, *, port: int = 0, initial: int = 0) -> int:
    return mode | pin << 8 | port << 13 | polarity << 16 | initial << 20


def test_tasks_drive_the_pin() -> None:
    te, _, ports = gpiote()
    te.write(CONFIG + 4, 4, config(3, 9, 3, port=1, initial=1))
    for task in (TASK_OUT, TASK_OUT, TASK_CLR, TASK_SET):
        te.write(task + 4, 4, 1)
    assert {pin for _, pin, _ in ports.pins} == {"P1.9"}
    assert [level for _, _, level in ports.pins] == [True, False, True, False, True]


def test_out_task_by_polarity() -> None:
    te, _, ports = gpiote()
    te.write(CONFIG, 4, config(3, 2, 1))
    te.write(CONFIG + 8, 4, config(3, 3, 2, initial=1))
    te.write(TASK_OUT, 4, 1)
    te.write(TASK_OUT + 8, 4, 1)
    assert [(pin, level) for _, pin, level in ports.pins] == [
        ("P0.2", False),
        ("P0.3", True),
        ("P0.2", True),
        ("P0.3", False),
    ]


def test_tasks_of_other_modes_do_nothing() -> None:
    te, _, ports = gpiote()
    te.write(CONFIG, 4, config(1, 2, 3))
    te.write(TASK_SET, 4, 1)
    te.write(TASK_SET + 4, 4, 1)
    assert ports.pins == []


def test_events_by_polarity() -> None:
    for polarity, expected in ((1, [1, 0]), (2, [0, 1]), (3, [1, 1]), (0, [0, 0])):
        te, port, _ = gpiote()
        port.write(CNF + 16, 4, CONNECTED)
        te.write(CONFIG, 4, config(1, 4, polarity))
        seen = []
        for level in (True, False):
            port.set_input(4, level)
            seen.append(te.read(EVENT_IN, 4))
            te.write(EVENT_IN, 4, 0)
        assert seen == expected


def test_level_at_configuration_is_no_event() -> None:
    te, port, ports = gpiote()
    port.write(CNF + 16, 4, CONNECTED | PULL_UP)
    te.write(INTENSET, 4, 1)
    te.write(CONFIG, 4, config(1, 4, 3))
    assert te.read(EVENT_IN, 4) == 0
    port.set_input(4, False)
    assert ports.irq
    te.write(EVENT_IN, 4, 0)
    assert not ports.irq


def test_an_output_of_the_port_makes_an_event() -> None:
    te, port, _ = gpiote()
    port.write(CNF + 16, 4, 1)
    te.write(CONFIG + 28, 4, config(1, 4, 1))
    port.write(OUTSET, 4, 16)
    assert te.read(EVENT_IN + 28, 4) == 1


def test_port_event_with_detect() -> None:
    te, port, ports = gpiote()
    te.write(INTENSET, 4, 1 << 31)
    port.write(CNF, 4, CONNECTED | SENSE_HIGH)
    port.set_input(0, True)
    assert te.read(EVENT_PORT, 4) == 1
    assert ports.irq
