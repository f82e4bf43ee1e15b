"""How the firmware's consoles are connected to the host: what ``--uart``, ``--uart-script`` and the like ask for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Consoles that are no serial device, by the name that options use for them.
RTT, SEMIHOSTING, ITM = "RTT", "SEMIHOSTING", "ITM"
PSEUDO_DEVICES = (RTT, SEMIHOSTING, ITM)
LOOPBACK = "127.0.0.1"


class EndKind(StrEnum):
    """What the host's end of a serial line is."""

    STDIO = "stdio"
    FILE = "file"
    TCP = "tcp"
    PTY = "pty"


@dataclass(frozen=True)
class LineEnd:
    """The host's end of the line of ``device``. ``path`` is a file's; ``host`` and ``port`` (0: any) are of TCP."""

    device: str
    kind: EndKind
    path: str = ""
    host: str = LOOPBACK
    port: int = 0


@dataclass(frozen=True)
class BytePattern:
    """A compiled pattern (``logic.bytepattern``): positions as bits. ``by_byte[b]`` are those that byte ``b`` may be,
    ``follow[i]`` those that may come after position i, ``first`` and ``last`` where a match begins and ends."""

    by_byte: tuple[int, ...]
    follow: tuple[int, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Expect:
    """Wait until output ends with what ``pattern`` describes, at most so many seconds of virtual time."""

    line: int
    text: str
    pattern: BytePattern
    seconds: float


@dataclass(frozen=True)
class Send:
    """Send bytes to the firmware, one after the other at the line's bit rate."""

    line: int
    data: bytes


@dataclass(frozen=True)
class Wait:
    """Let virtual time pass."""

    line: int
    seconds: float


@dataclass(frozen=True)
class End:
    """End the run."""

    line: int


Step = Expect | Send | Wait | End


@dataclass(frozen=True)
class UartScript:
    """Steps for the line of ``device``; None: the board's console UART."""

    device: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class ConsoleOptions:
    """Ends of serial lines, scripts that talk to them, and what semihosting may do.

    ``semihost_dir`` is the only directory whose files the firmware reaches (None: none); ``semihost_args`` follow the
    program's name on its command line.
    """

    ends: tuple[LineEnd, ...] = ()
    scripts: tuple[UartScript, ...] = ()
    semihost_dir: str | None = None
    semihost_args: str = ""

    @property
    def connected(self) -> bool:
        """Whether anything outside talks with the firmware."""
        return bool(self.ends or self.scripts)
