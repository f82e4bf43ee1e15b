"""What was measured on a real board, or on what stands in for one, as it is in a file: figures and their origin.

A measurement carries its date, unlike a profile: boards age, and calibrations name what they were fitted to.
"""

from __future__ import annotations

from typing import Annotated

from vtarget.base.strictyaml import Field, Model, Text

Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Name = Annotated[str, Field(min_length=1, max_length=4096)]


class Timed(Model):
    """A function, or a stretch that the firmware timed itself, over all its calls in one run.

    ``total_cycles`` counts callees and is the median of the runs, ``spread`` the largest of them less the smallest.
    ``address`` is None where the firmware reported it. Of a recursive function, ``calls`` are the outermost ones.
    ``each`` are the cycles of single calls, where those were asked for.
    """

    name: Name
    address: Annotated[int, Field(ge=0, lt=1 << 32)] | None
    calls: Count
    total_cycles: Count
    spread: Count
    each: tuple[Count, ...] = ()


UNKNOWN_FIRMWARE, UNKNOWN_SHA256 = "unknown", "0" * 64  # of power that was recorded with nobody saying what ran


class PowerWindow(Model):
    """A stretch of a power measurement: the median ``energy_j`` and ``seconds`` of ``count`` such stretches, and the
    largest energy less the smallest, widened by what the sampling leaves open at the edges."""

    name: Name
    count: Annotated[int, Field(ge=1, lt=1 << 53)]
    seconds: Annotated[float, Field(gt=0)]
    energy_j: Annotated[float, Field(ge=0)]
    spread_j: Annotated[float, Field(ge=0)]
    source: Text


class Measurement(Model):
    """One firmware on one board.

    ``probe`` says through what it was reached (``gdb:3333``, ``pyocd``), without the names of the user's machines.
    ``cpuid`` is the core's CPUID register. ``clock_hz`` is the nominal clock, from the board's file;
    ``measured_clock_hz`` is None if nothing told it. ``counter`` counted the cycles; ``overhead_cycles`` were taken off
    each call for stopping and going on. ``total`` is the run, from the first instruction to its end. ``date`` is the
    day of the measurement (UTC). ``notes`` say what was not measured, and why.

    ``console`` is what the firmware printed over the debug connection, None if unknown; ``outputs_crc32`` of a model's
    outputs, sample by sample. ``record_path`` is the file, beside this one, with the virtual run of the same: of an
    image or inputs that ``firmware_path`` alone doesn't tell.
    """

    board: Name
    core: Name
    probe: Text
    board_serial: str | None = None
    cpuid: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    clock_hz: Annotated[int, Field(gt=0, le=10_000_000_000)]
    measured_clock_hz: Annotated[int, Field(gt=0, le=10_000_000_000)] | None = None
    counter: Text
    firmware_path: Text
    firmware_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    vtarget_version: Text
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    runs: Annotated[int, Field(ge=1, le=10_000)]
    overhead_cycles: Annotated[int, Field(gt=-(1 << 20), lt=1 << 20)]
    total: Timed | None = None
    exit_code: Annotated[int, Field(ge=-(1 << 31), lt=1 << 32)] | None = None
    kernels: tuple[Timed, ...] = ()
    spans: tuple[Timed, ...] = ()
    power: tuple[PowerWindow, ...] = ()
    notes: tuple[str, ...] = ()
    console: str | None = None
    outputs_crc32: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")] | None = None
    record_path: Name | None = None
