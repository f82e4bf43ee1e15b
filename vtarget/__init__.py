"""vtarget: a virtual Cortex-M target that prices firmware in cycles, time, energy and bytes.

    >>> import vtarget
    >>> profile = vtarget.run("firmware/examples/conv_int8-m4f.elf", "nucleo-l4r5zi")
    >>> profile.console
    'conv_int8 crc=0xb7a1f4fe ok\\n'

The names below are the library. They load what they need when they are first used, so importing vtarget is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vtarget.base.errors import InputError, RunError, VtargetError
    from vtarget.data.board import Board
    from vtarget.data.calibration import AppliedCalibration, Calibration
    from vtarget.data.core import Core
    from vtarget.data.image import Image
    from vtarget.data.limits import RunLimits
    from vtarget.data.measurement import Measurement
    from vtarget.data.modelprofile import ModelProfile
    from vtarget.data.profile import Profile
    from vtarget.data.record import ExecutionRecord
    from vtarget.logic.explain import explain
    from vtarget.logic.frames import to_dicts
    from vtarget.logic.pricing import Pricer
    from vtarget.logic.result import profile_json
    from vtarget.shell.boardlib import board_names, core_names, load_board, load_core
    from vtarget.shell.calibrating import calibrate_board, load_measured
    from vtarget.shell.calibrationfile import apply_calibration, load_calibration, save_calibration
    from vtarget.shell.frames import to_pandas
    from vtarget.shell.imagefile import load_image
    from vtarget.shell.modelrun import profile
    from vtarget.shell.recordfile import load_record, save_record
    from vtarget.shell.running import execute, price, pricer_for, record
    from vtarget.shell.sweeping import SweepResult, sweep
    from vtarget.shell.targets import measure, run

__version__ = "0.1.0"

__all__ = [
    "AppliedCalibration",
    "Board",
    "Calibration",
    "Core",
    "ExecutionRecord",
    "Image",
    "InputError",
    "Measurement",
    "ModelProfile",
    "Pricer",
    "Profile",
    "RunError",
    "RunLimits",
    "SweepResult",
    "VtargetError",
    "__version__",
    "apply_calibration",
    "board_names",
    "calibrate_board",
    "core_names",
    "execute",
    "explain",
    "load_board",
    "load_calibration",
    "load_core",
    "load_image",
    "load_measured",
    "load_record",
    "measure",
    "price",
    "pricer_for",
    "profile",
    "profile_json",
    "record",
    "run",
    "save_calibration",
    "save_record",
    "sweep",
    "to_dicts",
    "to_pandas",
]

_HOMES = {
    "vtarget.base.errors": ("InputError", "RunError", "VtargetError"),
    "vtarget.data.board": ("Board",),
    "vtarget.data.calibration": ("AppliedCalibration", "Calibration"),
    "vtarget.data.core": ("Core",),
    "vtarget.data.image": ("Image",),
    "vtarget.data.limits": ("RunLimits",),
    "vtarget.data.measurement": ("Measurement",),
    "vtarget.data.modelprofile": ("ModelProfile",),
    "vtarget.data.profile": ("Profile",),
    "vtarget.data.record": ("ExecutionRecord",),
    "vtarget.logic.explain": ("explain",),
    "vtarget.logic.frames": ("to_dicts",),
    "vtarget.logic.pricing": ("Pricer",),
    "vtarget.logic.result": ("profile_json",),
    "vtarget.shell.boardlib": ("board_names", "core_names", "load_board", "load_core"),
    "vtarget.shell.calibrating": ("calibrate_board", "load_measured"),
    "vtarget.shell.calibrationfile": ("apply_calibration", "load_calibration", "save_calibration"),
    "vtarget.shell.frames": ("to_pandas",),
    "vtarget.shell.imagefile": ("load_image",),
    "vtarget.shell.modelrun": ("profile",),
    "vtarget.shell.recordfile": ("load_record", "save_record"),
    "vtarget.shell.running": ("execute", "price", "pricer_for", "record"),
    "vtarget.shell.sweeping": ("SweepResult", "sweep"),
    "vtarget.shell.targets": ("measure", "run"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'vtarget' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
