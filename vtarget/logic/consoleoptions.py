"""Reads the text of ``--uart`` and ``--uart-script`` options."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vtarget.base.errors import InputError
from vtarget.data.consoles import ITM, LOOPBACK, EndKind, LineEnd, Send, UartScript

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_FORMS = "NAME=stdio, NAME=file:PATH, NAME=tcp:PORT, NAME=tcp:HOST:PORT or NAME=pty"


def parse_end(text: str) -> LineEnd:
    """The end of a line that ``--uart TEXT`` asks for. InputError if it is none."""
    name, _, what = text.partition("=")
    kind, colon, rest = what.partition(":")
    if not _NAME.match(name):
        raise InputError(f"--uart '{text}': expected {_FORMS}")
    device = name.upper()
    if kind in (EndKind.STDIO, EndKind.PTY) and not colon:
        return LineEnd(device, EndKind(kind))
    if kind == EndKind.FILE and rest:
        return LineEnd(device, EndKind.FILE, path=rest)
    if kind == EndKind.TCP and rest:
        host, _, port = rest.rpartition(":")
        if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
            raise InputError(f"--uart '{text}': '{port}' is no port", hint="0 to 65535; 0 takes any that is free")
        return LineEnd(device, EndKind.TCP, host=host.removeprefix("[").removesuffix("]") or LOOPBACK, port=int(port))
    raise InputError(f"--uart '{text}': expected {_FORMS}")


def split_script(text: str) -> tuple[str | None, str]:
    """Device (None: the board's console UART) and file of ``--uart-script TEXT``."""
    name, equals, path = text.partition("=")
    if equals and _NAME.match(name):
        if not path:
            raise InputError(f"--uart-script '{text}': expected FILE or NAME=FILE")
        return name.upper(), path
    if not text:
        raise InputError("--uart-script '': expected FILE or NAME=FILE")
    return None, text


def check_together(ends: Iterable[LineEnd], scripts: Iterable[UartScript]) -> None:
    """InputError if two options want the same line, or standard input."""
    seen: set[str] = set()
    stdio: str | None = None
    for end in ends:
        if end.device in seen:
            raise InputError(f"--uart {end.device}: given twice")
        seen.add(end.device)
        if end.kind is EndKind.STDIO:
            if stdio is not None:
                raise InputError(f"--uart {end.device}=stdio: {stdio} has standard input and output already")
            stdio = end.device
    scripted: set[str | None] = set()
    for script in scripts:
        if script.device in scripted:
            raise InputError(f"--uart-script {script.device or 'of the console UART'}: given twice")
        if script.device == ITM and any(isinstance(step, Send) for step in script.steps):
            raise InputError("--uart-script ITM: the ITM only prints, nothing can be sent to it")
        scripted.add(script.device)
