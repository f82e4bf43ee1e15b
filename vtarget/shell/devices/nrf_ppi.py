"""nRF PPI (nRF52840 PS 6.16): channels that lead an event of one peripheral to a task of another without the core.

Events come as signals named by the address of their register (``event_signal``). Channel groups and the channels with
fixed ends (20 to 31) are not modelled.
"""

from __future__ import annotations

from vtarget.shell.devices.device import Ports, WordDevice

CHEN, CHENSET, CHENCLR = 0x500, 0x504, 0x508
CH, CH_END, FORK, FORK_END = 0x510, 0x5B0, 0x910, 0x990
CHANNELS = 20
TRIGGER = (1).to_bytes(4, "little")


def event_signal(ports: Ports, offset: int) -> str:
    """The signal that an event register of a device pulses."""
    return f"EVENT_{int(ports.options.get('base', 0)) + offset:08X}"


def pulse_event(ports: Ports, offset: int) -> None:
    """An event of the device happens."""
    signal = event_signal(ports, offset)
    ports.set_signal(signal, True)
    ports.set_signal(signal, False)


class NrfPpi(WordDevice):
    """Enabled channels trigger their tasks at each pulse of their event."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._watched: set[int] = set()

    def read_word(self, offset: int) -> int:
        """CHENSET and CHENCLR read what is enabled."""
        return self.words.get(CHEN if offset in (CHENSET, CHENCLR) else offset, 0)

    def peek_word(self, offset: int) -> int:
        """Bits that a narrow write leaves out neither set nor clear."""
        return 0 if offset in (CHENSET, CHENCLR) else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register; an event end is followed from then on."""
        if offset == CHENSET:
            value |= self.words.get(CHEN, 0)
        elif offset == CHENCLR:
            value = self.words.get(CHEN, 0) & ~value
        self.words[CHEN if offset in (CHENSET, CHENCLR) else offset] = value
        if self.words.get(CHEN, 0) >> CHANNELS:
            self.ports.note(f"{self.ports.name}: channels with fixed ends are not modelled")
        if CH <= offset < CH_END and offset & 7 == CH & 7 and value not in self._watched:
            self._watched.add(value)
            self.ports.watch_signal(f"EVENT_{value:08X}", lambda level: self._pulse(value, level))

    def _pulse(self, event: int, level: bool) -> None:
        if not level:
            return
        for channel in range(CHANNELS):
            place = CH + 8 * channel
            if self.words.get(CHEN, 0) >> channel & 1 and self.words.get(place) == event:
                for task in (self.words.get(place + 4, 0), self.words.get(FORK + 4 * channel, 0)):
                    if task:
                        self.ports.write_memory(task, TRIGGER)


MODELS = {"": NrfPpi}
