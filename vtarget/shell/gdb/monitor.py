"""What ``monitor`` commands answer."""

from __future__ import annotations

import re

from vtarget.shell.gdb.control import RunControl
from vtarget.shell.machine import Machine

HELP = """\
monitor cycles          core cycles so far, sleep apart, and instructions
monitor time            virtual time so far, and the core's clock
monitor pace N          from here on, let the core wait for the debugger after N cycles (0: never)
monitor reset [halt]    reset the board and hold the core at its first instruction
monitor help            this text
"""
PACE = re.compile(r"pace (\d{1,12})", re.ASCII)
RESETS = frozenset({"reset", "reset halt", "reset init", "reset run"})
# What scripts written for debug probes say, and what is so here anyway.
GRANTED = frozenset({"halt", "init", "arm semihosting enable", "gdb_sync", "gdb sync"})


class Monitor:
    """Answers commands about one machine, but for RESETS, which begin another."""

    def __init__(self, machine: Machine, control: RunControl) -> None:
        self._machine = machine
        self._control = control

    def answer(self, command: str) -> str:
        """The text for a command, whose words are one blank apart."""
        if command == "cycles":
            return self._cycles()
        if command == "time":
            return self._time()
        if (pace := PACE.fullmatch(command)) is not None:
            self._control.most_cycles = int(pace[1])
            return ""
        if command == "help":
            return HELP
        if command not in GRANTED:
            return f"no such command: '{command[:80]}' (monitor help lists them)\n"
        return ""

    def _cycles(self) -> str:
        asleep = self._machine.chipset.timeline.asleep
        slept = f", {asleep} asleep" if asleep else ""
        return f"{self._control.cycles} cycles{slept}, {self._control.instructions} instructions\n"

    def _time(self) -> str:
        ticks = self._machine.chipset.clocks.fixed(1_000_000_000).ticks
        return f"{ticks / 1e9:.9f} s, core clock {self._machine.chipset.clocks.core_hz} Hz\n"
