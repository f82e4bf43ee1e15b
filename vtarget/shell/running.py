"""The main job as functions: run an image on a board, or price a stored record for one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.calibration import AppliedCalibration
from vtarget.data.limits import RunLimits
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardlib import load_board, load_core
from vtarget.shell.collector import held_off

if TYPE_CHECKING:
    from vtarget.data.consoles import ConsoleOptions
    from vtarget.data.image import Image
    from vtarget.shell.debugging import Debugger
    from vtarget.shell.runoptions import RunOptions, RunResult
    from vtarget.shell.svd import SvdChip

MOST_READ_BYTES = 64 << 20


def record(
    firmware: str | os.PathLike[str],
    board: str | Board,
    *,
    clock_hz: int | None = None,
    base: int | None = None,
    until: str | int | None = None,
    spans: Iterable[str] = (),
    limits: RunLimits = RunLimits(),
    writes: Mapping[str, bytes] | None = None,
) -> ExecutionRecord:
    """Run a firmware file as ``vtarget.run`` does, and return the facts of the run, to be priced with ``price``."""
    pricer = pricer_for(board, clock_hz=clock_hz)
    return execute(firmware, pricer, base=base, until=until, spans=spans, limits=limits, writes=_pairs(writes)).record


def execute(
    firmware: str | os.PathLike[str],
    pricer: Pricer,
    *,
    base: int | None = None,
    until: str | int | None = None,
    spans: Iterable[str] = (),
    span_pins: Iterable[str] = (),
    limits: RunLimits = RunLimits(),
    writes: Iterable[tuple[str, bytes]] = (),
    reads: Iterable[tuple[str, int | None]] = (),
    progress: Callable[[int, int], None] | None = None,
    consoles: ConsoleOptions | None = None,
    svd: SvdChip | None = None,
    announce: Callable[[str], None] | None = None,
    debugger: Debugger | None = None,
) -> RunResult:
    """Run a firmware file on the pricer's board. ``reads`` names memory to return as it was at the end of the run:
    symbols or addresses with a size in bytes (None: the symbol's). ``progress`` is told (instructions, cycles).
    ``consoles`` connects serial devices; ``announce`` is told where their live ends are. ``svd`` names registers.
    ``debugger`` may hold the core and look around.
    """
    from vtarget.shell.starting import run_image

    image = load_firmware(firmware, pricer, base=base)
    options = run_options(
        image,
        until=until,
        spans=spans,
        span_pins=span_pins,
        limits=limits,
        writes=writes,
        reads=reads,
        progress=progress,
    )
    outside = {"consoles": consoles, "svd": svd, "announce": announce, "debugger": debugger}
    given: dict[str, Any] = {name: value for name, value in outside.items() if value is not None}
    return run_image(image, pricer, replace(options, **given))


def load_firmware(firmware: str | os.PathLike[str], pricer: Pricer, *, base: int | None = None) -> Image:
    """A firmware file for the pricer's board; ``base``, of a raw binary alone, defaults to the boot region."""
    from vtarget.shell.imagefile import load_image

    path = os.fspath(firmware)
    image = load_image(path, base=pricer.board.vector_addresses()[0] if base is None else base)
    if base is not None and image.format != "bin":
        raise InputError(f"--base is for raw binaries, but {path} is {image.format.upper()} and has its own addresses")
    return image


def run_options(
    image: Image,
    *,
    until: str | int | None = None,
    spans: Iterable[str] = (),
    span_pins: Iterable[str] = (),
    limits: RunLimits = RunLimits(),
    writes: Iterable[tuple[str, bytes]] = (),
    reads: Iterable[tuple[str, int | None]] = (),
    progress: Callable[[int, int], None] | None = None,
) -> RunOptions:
    """What ``execute`` is told, with symbols as addresses of ``image``. InputError for unknown ones."""
    from vtarget.shell.runoptions import RunOptions
    from vtarget.shell.symbols import resolve_address, resolve_function

    return RunOptions(
        until=None if until is None else resolve_address(image, str(until), "--until")[0] & ~1,
        limits=limits,
        spans=tuple(resolve_function(image, name, "--span") for name in spans),
        span_pins=tuple(pin.upper() for pin in span_pins),
        writes=tuple(_write(image, symbol, data) for symbol, data in writes),
        reads=tuple(_read(image, symbol, size_bytes) for symbol, size_bytes in reads),
        progress=progress,
    )


def pricer_for(board: str | Board, *, clock_hz: int | None = None) -> Pricer:
    """A pricer for a board by name, path or value. InputError for unknown boards, or a clock beyond the board's."""
    loaded = load_board(board) if isinstance(board, str) else board
    if clock_hz is not None and not 0 < clock_hz <= loaded.clock.max:
        raise InputError(
            f"--clock: {clock_hz / 1e6:g} MHz is not a clock of board {loaded.name}",
            hint=f"it runs at up to {loaded.clock.max / 1e6:g} MHz",
        )
    return Pricer.of(load_core(loaded.core), loaded, clock_hz=clock_hz)


def check_power_state(pricer: Pricer, power_state: str | None) -> None:
    """InputError if the pricer's board has no power state of that name; better before a long run than after it."""
    from vtarget.logic.energy import power_at

    power_at(pricer.board, pricer.clock_hz, power_state)


def price(
    record: ExecutionRecord,
    pricer: Pricer,
    *,
    power_state: str | None = None,
    battery_mah: float | None = None,
    calibration: AppliedCalibration | None = None,
    waterfall: bool = True,
) -> Profile:
    """Price a record for the pricer's board without running anything; ``battery_mah`` asks for a battery's life. A
    ``calibration`` takes the place of the pricer's. Without ``waterfall`` it takes a little less."""
    from vtarget.logic.profile import build_profile

    if calibration is not None:
        pricer = replace(pricer, calibration=calibration)
    with held_off():
        return build_profile(record, pricer, power_state=power_state, battery_mah=battery_mah, waterfall=waterfall)


def with_notes(profile: Profile, *notes: str) -> Profile:
    """The profile with more to say under "not modelled"."""
    return replace(profile, not_modelled=(*profile.not_modelled, *notes))


def _pairs(writes: Mapping[str, bytes] | None) -> Iterable[tuple[str, bytes]]:
    return () if writes is None else writes.items()


def _write(image: Image, symbol: str, data: bytes) -> tuple[int, bytes]:
    from vtarget.shell.symbols import resolve_address

    address, size_bytes = resolve_address(image, symbol, "--write")
    if size_bytes and len(data) > size_bytes:
        raise InputError(f"--write {symbol}: {len(data)} bytes do not fit it ({size_bytes} bytes)")
    return address, data


def _read(image: Image, symbol: str, size_bytes: int | None) -> tuple[int, int]:
    from vtarget.shell.symbols import resolve_address

    address, symbol_bytes = resolve_address(image, symbol, "--read")
    wanted = symbol_bytes if size_bytes is None else size_bytes
    if not 0 < wanted <= MOST_READ_BYTES:
        raise InputError(f"--read {symbol}: its size is unknown or unusable", hint="give it as SYMBOL:SIZE=FILE")
    return address, wanted
