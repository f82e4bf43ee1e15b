"""A PPK2 read as it measures, through the package ppk2-api (extra ``ppk2``, GPLv2), whose home this is.

The instrument sends 100,000 words a second; bits 18 to 23 of each count up, which tells lost ones (pc-nrfconnect-ppk,
device/serialDevice.ts). They are kept as they come and converted afterwards, for the package converts one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from vtarget.base.errors import InputError, RunError
from vtarget.shell.power.ppk2 import channel_number
from vtarget.shell.power.recording import Samples, Trace

if TYPE_CHECKING:
    from ppk2_api.ppk2_api import PPK2_API

KIND = "ppk2"
SAMPLES_PER_SECOND = 100_000
WORD_BYTES = 4
MOST_SECONDS = 300.0
LOWEST_VOLTS, HIGHEST_VOLTS = 0.8, 5.0
SETTLE_SECONDS = 0.5
GRACE_SECONDS = 5.0
POLL_SECONDS = 0.002
CHUNK_SAMPLES = 50_000


def record(port: str | None, *, volts: float, seconds: float, supply: bool, channel: str | None) -> Trace:
    """Measure for some seconds, and return that as a recording.

    The PPK2 is an ampere meter in the board's supply of ``volts``; with ``supply`` it is that supply, turned on for the
    measurement and off after it. InputError if the package or the instrument is missing, RunError if it stops sending.
    """
    number = None if channel is None else channel_number(channel)
    if channel is not None and number is None:
        raise InputError(f"a PPK2 has no digital channel {channel}", hint="D0 to D7")
    if not LOWEST_VOLTS <= volts <= HIGHEST_VOLTS:
        raise InputError(f"--voltage: a PPK2 measures at {LOWEST_VOLTS} V to {HIGHEST_VOLTS} V, not at {volts:g} V")
    if not 0 < seconds <= MOST_SECONDS:
        raise InputError(f"--seconds: a PPK2 is read for up to {MOST_SECONDS:g} s, not for {seconds:g} s")
    instrument, name = _open(port)
    try:
        raw = _measure(instrument, volts, seconds, supply=supply)
        notes = _lost(raw)
    except OSError as error:
        instrument.ser.close()
        raise RunError(f"the PPK2 at {name} is gone: {error}") from None
    except RunError:
        instrument.ser.close()
        raise
    return Trace(KIND, KIND, False, _samples(instrument, raw, number), notes)


def _open(port: str | None) -> tuple[PPK2_API, str]:
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError:
        raise InputError(
            "a PPK2 is read by the package ppk2-api, which is not installed", hint="pip install 'vtarget[ppk2]'"
        ) from None
    ports = [port] if port else [_name(found) for found in PPK2_API.list_devices()]
    if len(ports) != 1:
        what = "no PPK2 found" if not ports else f"{len(ports)} ports are of PPK2s: {', '.join(ports[:4])}"
        raise InputError(what, hint="name its port: ppk2:PORT")
    try:
        instrument = PPK2_API(ports[0], timeout=1, write_timeout=1)
        told = instrument.get_modifiers()
    except (OSError, ValueError) as error:
        raise InputError(f"can't open a PPK2 at {ports[0]}: {error}") from None
    if not told:
        instrument.ser.close()
        raise InputError(f"what is at {ports[0]} doesn't answer like a PPK2", hint="try its other port")
    return instrument, ports[0]


def _name(found: Any) -> str:
    return str(found[0] if isinstance(found, tuple) else found)


def _measure(instrument: PPK2_API, volts: float, seconds: float, *, supply: bool) -> bytes:
    """The words of that many seconds, rounded down to whole ones."""
    if supply:
        instrument.use_source_meter()
    else:
        instrument.use_ampere_meter()
    instrument.set_source_voltage(round(volts * 1000))
    wanted = round(seconds * SAMPLES_PER_SECOND) * WORD_BYTES
    raw = bytearray()
    try:
        if supply:
            instrument.toggle_DUT_power("ON")
            time.sleep(SETTLE_SECONDS)
        instrument.start_measuring()
        end = time.monotonic() + seconds + GRACE_SECONDS
        while len(raw) < wanted:
            raw += instrument.get_data()
            if time.monotonic() > end:
                raise RunError(
                    f"the PPK2 sent {len(raw) // WORD_BYTES:,} samples in {seconds + GRACE_SECONDS:g} s,"
                    f" {wanted // WORD_BYTES:,} were due"
                )
            time.sleep(POLL_SECONDS)
    finally:
        instrument.stop_measuring()
        if supply:
            instrument.toggle_DUT_power("OFF")
    return bytes(raw[:wanted])


def _lost(raw: bytes) -> list[str]:
    counts = (np.frombuffer(raw, dtype="<u4") >> 18 & 0x3F).astype(np.int64)
    lost = int(np.mod(counts[1:] - counts[:-1] - 1, 64).sum())
    return [f"at least {lost:,} samples were lost on their way from the PPK2"] if lost else []


def _samples(instrument: PPK2_API, raw: bytes, number: int | None) -> Iterator[Samples]:
    try:
        for start in range(0, len(raw), CHUNK_SAMPLES * WORD_BYTES):
            microamps, logic = instrument.get_samples(raw[start : start + CHUNK_SAMPLES * WORD_BYTES])
            first = start // WORD_BYTES
            share = None if number is None else (np.array(logic, dtype=np.int64) >> number & 1).astype(np.float64)
            times = np.arange(first, first + len(microamps)) / SAMPLES_PER_SECOND
            yield Samples(times, amps=np.array(microamps, dtype=np.float64) / 1e6, share=share)
    finally:
        instrument.ser.close()
