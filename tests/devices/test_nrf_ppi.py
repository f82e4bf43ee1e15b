"""The nRF52's PPI: events reach tasks."""

from __future__ import annotations

from devices.fakeports import FakePorts
from vtarget.shell.devices.nrf_ppi import CHEN, CHENCLR, CHENSET, NrfPpi, pulse_event

EVENT, OTHER, TASK, FORKED = 0x40002120, 0x40002124, 0x4000200C, 0x40008000


def make() -> tuple[NrfPpi, FakePorts, FakePorts]:
    ports = FakePorts(name="PPI")
    ports.memory = dict.fromkeys([*range(TASK, TASK + 4), *range(FORKED, FORKED + 4)], 0)
    source = FakePorts(name="UART0", options={"base": 0x40002000})
    source.signals, source.watchers = ports.signals, ports.watchers
    return NrfPpi(ports), ports, source


def test_an_enabled_channel_leads_its_event_to_task_and_fork() -> None:
    ppi, ports, source = make()
    ppi.write(0x510 + 8 * 3, 4, EVENT)
    ppi.write(0x514 + 8 * 3, 4, TASK)
    ppi.write(0x910 + 4 * 3, 4, FORKED)
    pulse_event(source, 0x120)
    assert (ports.memory[TASK], ports.memory[FORKED]) == (0, 0)
    ppi.write(CHENSET, 4, 1 << 3)
    pulse_event(source, 0x124)
    assert (ports.memory[TASK], ports.memory[FORKED]) == (0, 0)
    pulse_event(source, 0x120)
    assert (ports.memory[TASK], ports.memory[FORKED]) == (1, 1)


def test_channels_are_enabled_and_disabled_bit_by_bit() -> None:
    ppi, ports, source = make()
    ppi.write(0x510, 4, EVENT)
    ppi.write(0x514, 4, TASK)
    ppi.write(CHENSET, 4, 0b101)
    ppi.write(CHENSET + 1, 1, 1)
    assert [ppi.read(r, 4) for r in (CHEN, CHENSET, CHENCLR)] == [0x105] * 3
    ppi.write(CHENCLR, 4, 1)
    pulse_event(source, 0x120)
    assert (ppi.read(CHEN, 4), ports.memory[TASK], ports.notes) == (0x104, 0, [])
    ppi.write(CHENSET, 4, 1 << 20)
    assert ports.notes == ["PPI: channels with fixed ends are not modelled"]
