"""Options of ``vtarget run`` that connect the virtual board with the host: consoles, pins, names of registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from vtarget.data.board import Board
    from vtarget.shell.debugging import Debugger

# Options that need a run, by parameter name.
DEVICE_OPTIONS = {
    "uarts": "--uart",
    "uart_scripts": "--uart-script",
    "semihost_dir": "--semihost-dir",
    "semihost_args": "--semihost-args",
    "svd": "--svd",
    "span_pins": "--span-gpio",
    "gdb": "--gdb",
}
_OPTIONS = (
    click.option("--uart", "uarts", multiple=True, metavar="NAME=END",
                 help="Connect a serial device: stdio, file:PATH, tcp:[HOST:]PORT or pty."),
    click.option("--uart-script", "uart_scripts", multiple=True, metavar="[NAME=]FILE",
                 help="Talk to a serial device as a script of expect and send lines says."),
    click.option("--semihost-dir", metavar="DIR", help="The one directory whose files semihosting reaches."),
    click.option("--semihost-args", metavar="TEXT", help="The firmware's command line, as semihosting tells it."),
    click.option("--svd", metavar="FILE|DIR", help="An SVD file: names and reset values of registers."),
    click.option("--span-gpio", "span_pins", multiple=True, metavar="PIN",
                 help="Report what runs between two edges of this pin, such as PF13."),
    click.option("--gdb", metavar="[HOST:]PORT",
                 help="Wait for a debugger at this port (0: any free one) and let it control the run."),
)  # fmt: skip


def device_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def refuse_device_options(options: dict[str, Any], what: str) -> None:
    """InputError if one of them was given along with something that doesn't run the firmware so."""
    for name, option in DEVICE_OPTIONS.items():
        if options[name]:
            raise InputError(f"{option} {what}")


def connections(options: dict[str, Any], board: Board, json_path: str | None) -> dict[str, Any]:
    """Arguments of ``running.execute`` for the options given. InputError for what can't be had."""
    from vtarget.app.terminal import print_error_line
    from vtarget.data.consoles import EndKind
    from vtarget.shell.consoleoptions import console_options

    consoles = console_options(
        options["uarts"], options["uart_scripts"], options["semihost_dir"], options["semihost_args"] or ""
    )
    if json_path == "-" and any(end.kind is EndKind.STDIO for end in consoles.ends):
        raise InputError("--uart …=stdio and --json - both want standard output", hint="write the JSON to a file")
    if options["span_pins"] and board.chip is None:
        raise InputError(f"--span-gpio: board {board.name} names no chip, so its pins aren't known")
    return {
        "consoles": consoles,
        "svd": _svd(options["svd"], board),
        "span_pins": tuple(pin.upper() for pin in options["span_pins"]),
        "announce": print_error_line,
        "debugger": _debugger(options["gdb"]),
    }


def _debugger(place: str | None) -> Debugger | None:
    if place is None:
        return None
    from vtarget.app.terminal import print_error_line
    from vtarget.shell.gdb.link import parse_place
    from vtarget.shell.gdb.server import GdbServer

    return GdbServer(*parse_place(place), print_error_line)


def _svd(path: str | None, board: Board) -> Any:
    if path is None:
        return None
    from pathlib import Path

    from vtarget.shell.svd import load_svd, svd_path

    return load_svd(svd_path(Path(path), board.debug.svd))


def takes_terminal(options: dict[str, Any]) -> bool:
    """Whether a serial device or a debugger's user has the terminal, so that no progress may be shown there."""
    return options["gdb"] is not None or any(text.endswith("=stdio") for text in options["uarts"])
