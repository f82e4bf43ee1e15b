"""Console options from what a user wrote: reads scripts, checks paths."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.data.consoles import ConsoleOptions, EndKind, LineEnd, UartScript
from vtarget.logic.consoleoptions import check_together, parse_end, split_script
from vtarget.logic.uartscript import parse_script
from vtarget.shell.files import check_target, read_file

MOST_SCRIPT_BYTES = 1 << 20
MOST_ARGUMENT_BYTES = 1 << 12


def console_options(
    uarts: Iterable[str] = (),
    uart_scripts: Iterable[str] = (),
    semihost_dir: str | None = None,
    semihost_args: str = "",
) -> ConsoleOptions:
    """The options ``--uart``, ``--uart-script``, ``--semihost-dir`` and ``--semihost-args`` as they were written.

    InputError for what can't be understood, read or reached; better before a long run than after it.
    """
    ends = tuple(parse_end(text) for text in uarts)
    scripts = tuple(load_script(text) for text in uart_scripts)
    check_together(ends, scripts)
    for end in ends:
        _check_file(end)
    if semihost_dir is not None and not Path(semihost_dir).is_dir():
        raise InputError(f"--semihost-dir {semihost_dir}: no such directory")
    if len(os.fsencode(semihost_args)) > MOST_ARGUMENT_BYTES or "\0" in semihost_args:
        raise InputError(f"--semihost-args: at most {MOST_ARGUMENT_BYTES} bytes, none of them zero")
    return ConsoleOptions(ends, scripts, semihost_dir, semihost_args)


def load_script(text: str) -> UartScript:
    """The script of ``--uart-script FILE`` or ``NAME=FILE``."""
    device, path = split_script(text)
    data = read_file(path, "--uart-script", MOST_SCRIPT_BYTES)
    try:
        source = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"--uart-script {path}: is no UTF-8 text at byte {error.start}") from None
    return UartScript(device, parse_script(source, path))


def _check_file(end: LineEnd) -> None:
    if end.kind is not EndKind.FILE:
        return
    option = f"--uart {end.device}=file:"
    check_target(end.path, option)
    try:
        mode = Path(end.path).stat().st_mode
    except OSError:
        return
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
        raise InputError(f"{option} {end.path}: is no regular file")
