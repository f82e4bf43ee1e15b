"""Starting runs: once, again from the reset clock, and as often as a debugger resets the board."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from vtarget.data.limits import RunLimits
from vtarget.shell.debugging import NoDebugger, RestartRequestedError
from vtarget.shell.epochs import ClockProgrammedError
from vtarget.shell.machine import Machine
from vtarget.shell.runoptions import RunOptions, RunResult

if TYPE_CHECKING:
    from vtarget.data.image import Image
    from vtarget.logic.pricing import Pricer

# Firmware programs its clock soon after reset: how far to look whether it does, before a debugger is attached.
LOOK_AHEAD = RunLimits(instructions=5_000_000, wall_seconds=2.0)


def run_image(
    image: Image, pricer: Pricer, options: RunOptions, begins: Callable[[], None] = lambda: None
) -> RunResult:
    """Run an image to its end; from its reset clock if it turns out to program its clock. Errors as Machine.run.
    ``begins`` is told of each start."""
    managed = not isinstance(options.debugger, NoDebugger) and programs_clock(image, pricer)
    while True:
        begins()
        try:
            return Machine(image, pricer, options, managed=managed).run()
        except ClockProgrammedError:
            managed = True
        except RestartRequestedError:
            gc.collect()  # a machine holds its board's memory, and refers to itself


def programs_clock(image: Image, pricer: Pricer) -> bool:
    """Whether the firmware sets up its clock tree shortly after reset: a run of its own, without consoles."""
    try:
        Machine(image, pricer, RunOptions(limits=LOOK_AHEAD)).run()
    except ClockProgrammedError:
        return True
    return False
