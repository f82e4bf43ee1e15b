"""The command line: ``vtarget``. Commands load their packages only when they run, so that ``--help`` is quick."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vtarget import __version__
from vtarget.app.group import HelpfulGroup
from vtarget.base.errors import InputError, VtargetError, printable

COMMANDS = {
    "run": ("vtarget.app.run_cmd", "run", "Run a firmware image on a virtual board and profile it."),
    "profile": ("vtarget.app.profile_cmd", "profile", "Build, run, validate and profile a model, layer by layer."),
    "build": ("vtarget.app.build_cmd", "build", "Turn a model into a C project and its firmware."),
    "compare": ("vtarget.app.compare_cmd", "compare", "Set two results side by side and judge what changed."),
    "sweep": ("vtarget.app.sweep_cmd", "sweep", "Run models and firmware on many boards, and ask the rows questions."),
    "report": ("vtarget.app.report_cmd", "report", "Make a page, or files for other viewers, of results."),
    "measure": ("vtarget.app.measure_cmd", "measure", "Run a firmware on a real board and measure its kernels."),
    "power": ("vtarget.app.power_cmd", "power", "Cut a power recording into windows that calibrate can take."),
    "calibrate": ("vtarget.app.calibrate_cmd", "calibrate", "Fit a board's model to what was measured on it."),
    "twin": ("vtarget.app.twin_cmd", "twin", "Serve a board that is off by hidden amounts, to try this with."),
    "boards": ("vtarget.app.boards_cmd", "boards", "List, show and check boards."),
    "doctor": ("vtarget.app.doctor_cmd", "doctor", "Check what vtarget needs of this machine, and what gets it."),
}

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class LazyGroup(HelpfulGroup):
    """A group that imports a command's module when the command is used; its help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they are meant to be read."""
        return list(COMMANDS)

    def find_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vtarget")
def cli() -> None:
    """Cycles, milliseconds, microjoules and bytes per kernel of real firmware, without the board."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs a command and exits with 0, 1 (what was asked about failed) or 2 (wrong usage or input)."""
    _open_closed_streams()
    try:
        code = _run(arguments)
    except VtargetError as error:
        _complain(error.one_line())
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _complain(_usage(error))
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _run(arguments: Sequence[str] | None) -> object:
    try:
        code: object = cli.main(arguments, prog_name="vtarget", standalone_mode=False)
        sys.stdout.flush()
    except OSError as error:
        # Files that are asked for are told by name where they are written. What is left has none.
        if error.errno not in _FULL or error.filename is not None:
            raise
        sys.stdout = _nowhere("w")
        where = "standard output, or a file in the temporary folder or the cache"
        raise InputError(f"output can't be written: {os.strerror(error.errno)}", hint=where) from None
    return code


def _open_closed_streams() -> None:
    """A standard file that is closed would give its number to the next file that is opened, and print into that."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, _nowhere(mode))


def _nowhere(mode: str) -> Any:
    return Path(os.devnull).open(mode, encoding="utf-8")


def _usage(error: click.UsageError) -> str:
    text = error.format_message()
    unknown = isinstance(error, click.MissingParameter | click.NoSuchOption)
    if unknown and error.ctx is not None and "Did you mean" not in text:
        text = f"{text} (hint: '{error.ctx.command_path} --help' shows all)"
    return printable(text)


def _complain(text: str) -> None:
    sys.stderr.write(f"error: {text}\n")
