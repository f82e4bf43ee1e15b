"""Runs that were made earlier, as targets: a record, or a measurement with the virtual run of the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.image import Image
from vtarget.data.measurement import UNKNOWN_SHA256, Measurement
from vtarget.data.record import ExecutionRecord
from vtarget.logic.pricing import Pricer
from vtarget.shell.measurementfile import find_image, load_measurement, record_beside, record_file
from vtarget.shell.onlooking import NOBODY, RunOrder
from vtarget.shell.recordfile import load_record
from vtarget.shell.running import load_firmware, pricer_for
from vtarget.shell.targets import TargetResult, VirtualTarget


@dataclass(frozen=True)
class ReplayTarget:
    """A run that was made earlier: the file of a record, which is priced for the pricer's board, or of a measurement.

    Its memory is gone: nothing can be read, nobody is told anything, and what is to be written is taken to have been. A
    measurement needs the virtual run of the same: the order's guide, the one that was stored with it, or a new one.
    """

    path: str
    pricer: Pricer

    @property
    def measures(self) -> bool:
        """Whether it is a measurement."""
        return is_measurement(self.path)

    def run(self, image: Image | None, order: RunOrder) -> TargetResult:
        """What the file says of this image; None: of the one that it names. InputError if it is of another, or can't
        know what was asked for."""
        if order.reads or order.until is not None:
            raise InputError(f"{self.path}: a stored run has no memory and can't be ended elsewhere")
        if self.measures:
            return self._measured(image, order)
        record = load_record(self.path)
        self._check(image, record.image_sha256)
        found = TargetResult(record, self.pricer)
        for name in order.spans:
            if not found.spans.get(name):
                raise InputError(f"{self.path}: doesn't say what each call of {name} took")
        return found

    def _measured(self, image: Image | None, order: RunOrder) -> TargetResult:
        measurement = load_measurement(self.path)
        if measurement.board != self.pricer.board.name:
            raise InputError(f"{self.path}: is of board {measurement.board}, not of {self.pricer.board.name}")
        if measurement.firmware_sha256 == UNKNOWN_SHA256:
            raise InputError(f"{self.path}: doesn't say which firmware ran: it is of power alone")
        self._check(image, measurement.firmware_sha256)
        pricer = self._at_clock_of(measurement, guided=order.guide is not None)
        record = order.guide or record_beside(measurement, self.path)
        if record is None:
            spans = tuple(dict.fromkeys((*order.spans, *(timed.name for timed in measurement.spans if timed.each))))
            record = _emulated(image or self._image(measurement), pricer, replace(order, spans=spans))
        if record.image_sha256 != measurement.firmware_sha256:
            raise InputError(f"{self.path}: is of another firmware than {record.image_path}")
        return TargetResult(record, pricer, measurement)

    def _at_clock_of(self, measurement: Measurement, *, guided: bool) -> Pricer:
        """The pricer at a measurement's clock. InputError if another was asked for, or the guide ran at another."""
        pricer, clock_hz = self.pricer, measurement.clock_hz
        if clock_hz == pricer.clock_hz:
            return pricer
        if not pricer.pinned and not guided:
            return replace(pricer_for(pricer.board, clock_hz=clock_hz), calibration=pricer.calibration)
        raise InputError(
            f"{self.path}: was measured at {clock_hz / 1e6:g} MHz, which doesn't tell what the board takes at "
            f"{pricer.clock_hz / 1e6:g} MHz",
            hint=f"--clock '{clock_hz / 1e6:g} MHz'" if guided else estimate_hint(self.path),
        )

    def _image(self, measurement: Measurement) -> Image:
        try:
            place = find_image(measurement, self.path)
        except InputError as error:
            raise InputError(error.message, hint="name it: FIRMWARE --from-record FILE") from None
        image = load_firmware(place, self.pricer)
        self._check(image, measurement.firmware_sha256)
        return image

    def _check(self, image: Image | None, sha256: str) -> None:
        if image is not None and image.sha256 != sha256:
            raise InputError(f"{self.path}: is of another firmware than {image.path}")


def replay(path: str, board: str | Board | None = None) -> TargetResult:
    """A stored record or measurement, for the board that it names if none is given. InputError if it is neither."""
    stored = ReplayTarget(path, pricer_for(board)) if board is not None else None
    if stored is None:
        kept = load_measurement(path) if is_measurement(path) else load_record(path)
        stored = ReplayTarget(path, pricer_for(kept.board))
    return stored.run(None, RunOrder())


def estimate_hint(path: str) -> str:
    """What to do for estimates in place of a stored measurement's figures."""
    place = record_file(load_measurement(path), path)
    return "without a board it is estimated" if place is None else f"estimates can be had: --from-record {place}"


def _emulated(image: Image, pricer: Pricer, order: RunOrder) -> ExecutionRecord:
    return VirtualTarget(pricer).run(image, replace(order, onlooker=NOBODY, stops=())).record


def is_measurement(path: str) -> bool:
    """Whether a stored run is a measurement: text, which a record isn't."""
    try:
        with Path(path).open("rb") as file:
            return file.read(64).lstrip().startswith(b"{")
    except OSError:
        return False  # whoever reads the record says why
