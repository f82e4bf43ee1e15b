"""The formats of recordings, and which one a file has."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.shell.power import autodeploy, heliaprofiler, jls, joulescope, otii, ppk2
from vtarget.shell.power.recording import Results, Trace
from vtarget.shell.power.table import read_header

FORMATS = (joulescope.KIND, jls.KIND, ppk2.KIND, otii.KIND, autodeploy.KIND, heliaprofiler.KIND)
AUTO = "auto"
# The most telling columns first: Joulescope's match almost any table of a current over time.
_TABLES: tuple[tuple[str, Callable[[Sequence[str]], bool]], ...] = tuple(
    (module.KIND, module.matches) for module in (ppk2, autodeploy, heliaprofiler, otii, joulescope)
)


def format_of(path: str) -> str:
    """The format of a file, or of a directory. InputError if it is none of these."""
    if Path(path).is_dir():
        return otii.KIND
    if jls.is_jls(path):
        return jls.KIND
    names = read_header(path).names
    for kind, matches in _TABLES:
        if matches(names):
            return kind
    shown = ", ".join(names[:6])
    raise InputError(f"{path}: line 1: no known format has the columns '{shown[:100]}'", hint="name it by --format")


def open_recording(path: str, kind: str, channel: str | None) -> Trace | Results:
    """Open a file of one of FORMATS, or of what it turns out to be. InputError if it can't be used."""
    _check_place(path)
    kind = format_of(path) if kind == AUTO else kind
    if kind == autodeploy.KIND:
        return autodeploy.open_results(path)
    if kind == heliaprofiler.KIND:
        return heliaprofiler.open_results(path)
    if kind == otii.KIND:
        return otii.open_trace(path, channel)
    if kind == jls.KIND:
        return jls.open_trace(path, channel)
    header = read_header(path)
    matches, opened = (
        (ppk2.matches, ppk2.open_trace) if kind == ppk2.KIND else (joulescope.matches, joulescope.open_trace)
    )
    if not matches(header.names):
        raise InputError(f"{path}: line 1: the columns are not those of {kind}")
    return opened(header, channel)


def _check_place(path: str) -> None:
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(f"{path}: is no regular file")
