"""Calibrating as functions: measurements of one board, and the virtual runs of what they measured, become a fit."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from vtarget.base.errors import InputError
from vtarget.data.calibration import Calibration, Residual, Source
from vtarget.data.limits import RunLimits
from vtarget.data.measurement import Measurement
from vtarget.data.profile import Bound
from vtarget.data.record import ExecutionRecord
from vtarget.logic.calibration import Calibrated, Observation, calibrate, prior_widths
from vtarget.logic.observations import Observed, observe
from vtarget.logic.powerfit import fit_power, windows
from vtarget.logic.pricing import Pricer
from vtarget.shell.measurementfile import MOST_BYTES, find_image, load_measurement, record_beside
from vtarget.shell.running import execute, pricer_for

LIMITS = RunLimits(wall_seconds=120.0)
MOST_NAMED = 4  # kernels in a remark
Say = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """A measurement, its file's name as given, and the file's digest."""

    file: str
    sha256: str
    measurement: Measurement


def load_measured(path: str) -> Measured:
    """A measurement file. InputError if it is none."""
    from vtarget.shell.files import read_file

    digest = sha256(read_file(path, "measurement", MOST_BYTES)).hexdigest()
    return Measured(path, digest, load_measurement(path))


def calibrate_board(
    board: str,
    measured: Sequence[Measured],
    records: Sequence[ExecutionRecord] = (),
    *,
    version: str,
    say: Say = lambda _text: None,
) -> Calibration:
    """Fit the board's terms and power. Measured images that no record is of are emulated (``say`` is told).

    InputError if measurements are of another board or two serial numbers, or an image isn't where they say; RunError if
    there is nothing to be told, or the fit is no gain.
    """
    if not measured:
        raise InputError("no measurement to fit to", hint="make some with 'vtarget measure'")
    serial = _one_serial(measured)
    by_image = {record.image_sha256: record for record in records}
    pricers = {clock: _pricer(board, clock) for clock in {one.measurement.clock_hz for one in measured}}
    pricer = pricers[measured[0].measurement.clock_hz]
    seen: dict[tuple[str, int], Observed] = {}
    observations: list[Observation] = []
    notes: list[str] = []
    for one in measured:
        at = pricers[one.measurement.clock_hz]
        _check_board(one, at)
        if one.measurement.kernels:
            found = _observed(one, at, by_image, say)
            seen[one.measurement.firmware_sha256, one.measurement.clock_hz] = found
            observations += found.observations
            notes += [f"{one.file}: {note}" for note in found.notes]
    fit = _fit(pricer, observations, list(seen.values()))
    power, remarks = fit_power([w for one in measured for w in windows(one.measurement, pricer.board)], pricer.board)
    if fit is None and not power:
        raise InputError("the measurements have no kernels and no power: nothing to fit to")
    return _calibration(pricer, measured, serial, fit, version, (*notes, *remarks)).model_copy(update={"power": power})


def _pricer(board: str, clock_hz: int) -> Pricer:
    """At the clock of a measurement, which the firmware may have chosen: not pinned to it."""
    typical = pricer_for(board)
    return typical if clock_hz == typical.clock_hz else replace(pricer_for(board, clock_hz=clock_hz), pinned=False)


def _one_serial(measured: Sequence[Measured]) -> str | None:
    serials = sorted({one.measurement.board_serial for one in measured if one.measurement.board_serial is not None})
    if len(serials) > 1:
        raise InputError(f"the measurements are of more than one board: {', '.join(serials[:4])}")
    return serials[0] if serials else None


def _check_board(one: Measured, pricer: Pricer) -> None:
    if one.measurement.board != pricer.board.name:
        raise InputError(f"{one.file}: is of board {one.measurement.board}, not of {pricer.board.name}")


def _observed(one: Measured, pricer: Pricer, records: dict[str, ExecutionRecord], say: Say) -> Observed:
    record = records.get(one.measurement.firmware_sha256)
    if record is None:
        record = record_beside(one.measurement, one.file)
    if record is None:
        say(f"emulating {one.measurement.firmware_path}")
        record = records[one.measurement.firmware_sha256] = _emulate(one, pricer)
    try:
        return observe(record, pricer, one.measurement)
    except InputError as error:
        raise InputError(f"{one.file}: {error.message}", hint=error.hint) from None


def _emulate(one: Measured, pricer: Pricer) -> ExecutionRecord:
    try:
        place = find_image(one.measurement, one.file)
    except InputError as error:
        raise InputError(error.message, hint="give its --record FILE") from None
    return execute(place, pricer, limits=LIMITS).record


def _fit(pricer: Pricer, observations: Sequence[Observation], seen: Sequence[Observed]) -> Calibrated | None:
    if not seen:
        return None
    nominal = np.sum([found.nominal for found in seen], axis=0)
    bounds: list[Bound] = [found.bounds for found in seen]
    return calibrate(observations, prior_widths(pricer.core, nominal, bounds))


def _calibration(
    pricer: Pricer,
    measured: Sequence[Measured],
    serial: str | None,
    fit: Calibrated | None,
    version: str,
    notes: Sequence[str],
) -> Calibration:
    firmware = {one.measurement.firmware_sha256: Path(one.measurement.firmware_path).name for one in measured}
    own = [] if fit is None else _remarks(fit)
    return Calibration(
        board=pricer.board.name,
        board_sha256=pricer.board_sha256,
        board_serial=serial,
        core=pricer.core.name,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        vtarget_version=version,
        sources=tuple(_source(one) for one in measured),
        factors={} if fit is None else fit.factors(),
        unidentified={} if fit is None else fit.unidentified(),
        residuals=() if fit is None else _residuals(fit, firmware),
        uncalibrated_pct=0.0 if fit is None else round(fit.uncalibrated_pct, 4),
        residual_pct=0.0 if fit is None else round(fit.residual_pct, 4),
        leave_one_out_pct=None if fit is None or fit.leave_one_out_pct is None else round(fit.leave_one_out_pct, 4),
        condition=None if fit is None else max(1.0, float(f"{fit.fit.condition:.4g}")),
        notes=(*own, *notes),
    )


def _remarks(fit: Calibrated) -> list[str]:
    notes = [] if fit.leave_one_out_pct is not None else ["leave-one-out isn't possible: too few kernels"]
    found = [f"{j.observation.kernel} ({j.after_pct:+.1f} %)" for j in fit.outliers()]
    if found:
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        notes.append(f"no term explains {', '.join(found[:MOST_NAMED])}{more}: do they wait, or were they interrupted?")
    return notes


def _source(one: Measured) -> Source:
    measurement = one.measurement
    return Source(
        file=Path(one.file).name,
        sha256=one.sha256,
        firmware=Path(measurement.firmware_path).name,
        firmware_sha256=measurement.firmware_sha256,
        clock_hz=measurement.clock_hz,
        probe=measurement.probe,
        date=measurement.date,
    )


def _residuals(fit: Calibrated, firmware: Mapping[str, str]) -> tuple[Residual, ...]:
    return tuple(
        Residual(
            firmware=firmware[judged.observation.firmware],
            kernel=judged.observation.kernel,
            calls=judged.observation.calls,
            measured_cycles=int(judged.observation.measured),
            before_pct=round(judged.before_pct, 3),
            after_pct=round(judged.after_pct, 3),
            left_out_pct=None if judged.left_out_pct is None else round(judged.left_out_pct, 3),
        )
        for judged in fit.kernels
    )
