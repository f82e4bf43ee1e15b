"""Tables on terminals of any width, and what else depends on where the output goes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.tablelayout import Layout, fitted, paragraph

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
# The columns of the kernel table of firmware/examples/fir-m4f.elf: a name and seven numbers.
KERNELS = (14, 5, 12, 9, 12, 7, 7, 6)
NAME_WRAPS = (True, *(False,) * 7)


@pytest.mark.parametrize(
    ("width", "layout"),
    [
        (93, Layout(3, KERNELS)),
        (92, Layout(2, KERNELS)),
        (80, Layout(1, KERNELS)),
        (77, Layout(1, (12, *KERNELS[1:]))),
        (76, None),
    ],
)
def test_gaps_narrow_before_names_do_and_numbers_never(width: int, layout: Layout | None) -> None:
    assert fitted(KERNELS, NAME_WRAPS, width) == layout


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), min_size=1, max_size=9), st.integers(1, 300))
def test_a_layout_fits_and_cuts_no_number(columns: list[tuple[int, bool]], width: int) -> None:
    natural, wraps = [n for n, _ in columns], [w for _, w in columns]
    layout = fitted(natural, wraps, width)
    least = [min(n, 12) if w else n for n, w in columns]
    assert (layout is not None) == (sum(least) + len(columns) - 1 <= width)
    if layout is not None:
        assert sum(layout.widths) + layout.gap * (len(columns) - 1) <= width
        assert all(minimum <= w <= n for minimum, w, n in zip(least, layout.widths, natural, strict=True))


def test_a_paragraph_breaks_between_values() -> None:
    titles = ("kernel", "calls", "cycles", "", "time")
    assert paragraph(titles, ("fir_q15", "12", "1,603,786", "", "13.4 ms"), 26) == [
        "fir_q15",
        "  calls 12,",
        "  cycles 1,603,786,",
        "  time 13.4 ms",
    ]
    assert paragraph(("#", "operator", "cycles"), (" 0", "CONV_2D", "5"), 40) == ["0 CONV_2D", "  cycles 5"]
    assert paragraph(("kernel",), ("main",), 2) == ["main"]


def on_terminal(columns: int, *arguments: str) -> str:
    """What the command prints on a terminal of that width, without escape sequences."""
    child, descriptor = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        os.execve(sys.executable, [sys.executable, "-m", "vtarget", *arguments], environment)
    printed = bytearray()
    while True:
        try:
            data = os.read(descriptor, 1 << 16)
        except OSError:  # how Linux tells that the other end is closed
            break
        if not data:
            break
        printed += data
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return ESCAPES.sub("", printed.decode()).replace("\r\n", "\n")


def test_boards_on_terminals_of_80_and_40_columns() -> None:
    wide, narrow = (on_terminal(columns, "boards", "list") for columns in (80, 40))
    assert max(map(len, wide.splitlines())) <= 80
    assert re.search(r"^nucleo-l4r5zi  +ST +cortex-m4 +120 MHz +2 MiB +640 KiB$", wide, re.MULTILINE)
    assert "nucleo-l4r5zi\n  title ST NUCLEO-L4R5ZI,\n  core cortex-m4 fpv4-sp, clock 120 MHz,\n" in narrow
