"""A PPK2 behind a serial port that is a fake: commands, conversion as the package does it, and what can go wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from vtarget.base.errors import InputError, RunError
from vtarget.shell.power import ppk2live
from vtarget.shell.powerimport import PowerOptions, import_power

serial = pytest.importorskip("serial", reason="the package pyserial is not installed")
pytest.importorskip("ppk2_api", reason="the package ppk2-api is not installed")

# Range 3, whose resistor is 1 ohm, with no offset and linear: amps are volts of the converter.
METADATA = "Calibrated: 1\nR0: 1000\nR1: 100\nR2: 10\nR3: 1\nR4: 0.1\nGS3: 0\nHW: 1\nIA: 56\nEND"
AMPS_PER_COUNT = 4 * 1.8 / 163840
IDLE, ACTIVE = 200, 400
GET_METADATA, START, STOP, SUPPLY, VOLTAGE, MODE = 0x19, 0x06, 0x07, 0x0C, 0x0D, 0x11


class FakePort:
    """The serial port of a PPK2 on whose board a window of 2 ms comes every 5 ms, on D1."""

    made: FakePort | None = None
    metadata = METADATA
    lose = 0
    breaks_after: int | None = None

    def __init__(self, port: str, **_options: object) -> None:
        if port != "/dev/fake":
            raise serial.SerialException(f"could not open port {port}")
        FakePort.made = self
        self.baudrate = 0
        self.commands: list[bytes] = []
        self.closed = False
        self._answer = b""
        self._samples: Iterator[bytes] | None = None
        self._sent = 0

    def write(self, data: bytes) -> int:
        self.commands.append(bytes(data))
        if data[0] == GET_METADATA:
            self._answer = self.metadata.encode()
        elif data[0] == START:
            self._samples = self._stream()
        elif data[0] == STOP:
            self._samples = None
        return len(data)

    def _stream(self) -> Iterator[bytes]:
        number = counter = 0
        while True:
            high = number % 500 < 200 and number >= 500
            word = (ACTIVE if high else IDLE) | 3 << 14 | (counter & 0x3F) << 18 | (2 if high else 0) << 24
            yield struct.pack("<I", word)
            number += 1
            counter += 1 + (self.lose if number == 1000 else 0)

    @property
    def in_waiting(self) -> int:
        return len(self._answer) if self._answer else 997 if self._samples is not None else 0

    def read(self, size: int) -> bytes:
        if self._answer:
            answer, self._answer = self._answer, b""
            return answer
        if self._samples is None:
            return b""
        if self.breaks_after is not None and self._sent > self.breaks_after:
            raise serial.SerialException("device disconnected")
        self._sent += size
        return b"".join(next(self._samples) for _ in range(250))[:1000]

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch) -> type[FakePort]:
    monkeypatch.setattr("serial.Serial", FakePort)
    monkeypatch.setattr(ppk2live, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(ppk2live, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    FakePort.made = None
    return FakePort


OPTIONS = PowerOptions(channel="D1", volts=3.0, live_seconds=0.02)


def test_windows_of_a_live_instrument(port: type[FakePort]) -> None:
    found = import_power("ppk2:/dev/fake", OPTIONS)
    (row,) = found.windows
    assert (row.count, row.seconds, row.source) == (3, 0.002, "ppk2 (ppk2), D1 high")
    # The package smooths three samples after a change of range only: here there is none.
    assert row.energy_j == pytest.approx(ACTIVE * AMPS_PER_COUNT * 3.0 * 0.002, rel=1e-6)
    assert found.idle is not None
    assert found.idle.energy_j == pytest.approx(IDLE * AMPS_PER_COUNT * 3.0 * 0.003, rel=1e-6)
    assert found.notes == ()
    assert port.made is not None and port.made.closed


@pytest.mark.parametrize("supply", [False, True])
def test_the_board_is_supplied_only_if_told(port: type[FakePort], supply: bool) -> None:
    import_power("ppk2:/dev/fake", PowerOptions(channel="D1", volts=3.0, live_seconds=0.02, supply=supply))
    assert port.made is not None
    sent = port.made.commands
    volts = (3000 - 800 + 32) // 256 + 3, (3000 - 800 + 32) % 256
    meter = bytes([MODE, 2 if supply else 1])
    power = [bytes([SUPPLY, 1])] if supply else []
    off = [bytes([SUPPLY, 0])] if supply else []
    assert sent == [bytes([GET_METADATA]), meter, bytes([VOLTAGE, *volts]), *power, bytes([START]), bytes([STOP]), *off]


def test_lost_samples_are_counted(port: type[FakePort], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "lose", 7)
    found = import_power("ppk2:/dev/fake", OPTIONS)
    assert found.notes == ("at least 7 samples were lost on their way from the PPK2",)


def test_the_supply_goes_off_when_the_instrument_fails(port: type[FakePort], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "breaks_after", 3000)
    with pytest.raises(RunError, match="the PPK2 at /dev/fake is gone: device disconnected"):
        import_power("ppk2:/dev/fake", PowerOptions(volts=3.0, live_seconds=0.02, supply=True))
    assert port.made is not None
    assert port.made.commands[-2:] == [bytes([STOP]), bytes([SUPPLY, 0])] and port.made.closed


def test_an_instrument_that_sends_nothing(port: type[FakePort], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppk2live, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(port, "read", lambda self, _size: self.metadata.encode() if len(self.commands) == 1 else b"")
    with pytest.raises(RunError, match=r"the PPK2 sent 0 samples in 0\.07 s, 2,000 were due"):
        import_power("ppk2:/dev/fake", OPTIONS)
    assert port.made is not None and port.made.closed


def test_instruments_that_arent_there(port: type[FakePort], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="can't open a PPK2 at /dev/none"):
        import_power("ppk2:/dev/none", OPTIONS)
    monkeypatch.setattr("ppk2_api.ppk2_api.PPK2_API.list_devices", staticmethod(list))
    with pytest.raises(InputError, match="no PPK2 found"):
        import_power("ppk2", OPTIONS)
    monkeypatch.setattr("ppk2_api.ppk2_api.PPK2_API.list_devices", staticmethod(lambda: ["a", "b"]))
    with pytest.raises(InputError, match="2 ports are of PPK2s: a, b"):
        import_power("ppk2", OPTIONS)
    monkeypatch.setattr("ppk2_api.ppk2_api.PPK2_API.list_devices", staticmethod(lambda: ["/dev/fake"]))
    assert import_power("ppk2", OPTIONS).windows[0].count == 3
    monkeypatch.setattr(port, "metadata", "hello")
    with pytest.raises(InputError, match="what is at /dev/fake doesn't answer like a PPK2"):
        import_power("ppk2:/dev/fake", OPTIONS)
    monkeypatch.setitem(__import__("sys").modules, "ppk2_api.ppk2_api", None)
    with pytest.raises(InputError, match=r"the package ppk2-api, which is not installed"):
        import_power("ppk2:/dev/fake", OPTIONS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (PowerOptions(), "a PPK2 doesn't tell the voltage: --voltage is missing"),
        (PowerOptions(volts=5.5), "a PPK2 measures at 0.8 V to 5.0 V, not at 5.5 V"),
        (PowerOptions(volts=3.0, live_seconds=1e4), "a PPK2 is read for up to 300 s, not for 10000 s"),
        (PowerOptions(volts=3.0, channel="gpi0"), "a PPK2 has no digital channel gpi0"),
    ],
)
def test_what_an_instrument_cant_do(options: PowerOptions, says: str) -> None:
    with pytest.raises(InputError, match=says):
        import_power("ppk2:/dev/fake", options)
    assert FakePort.made is None
