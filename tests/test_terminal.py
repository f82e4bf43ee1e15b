"""Tables on terminals of any width, and what else depends on where the output goes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinelib import vtarget

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
        environment["TERM"] = "xterm"  # a dumb one has no width
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


def test_a_checked_environment_on_a_terminal_of_80_columns() -> None:
    lines = on_terminal(80, "doctor").splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.match(r"emulator +ok +unicorn \S+: the sum of 1 to 100: 5050$", line.rstrip()) for line in lines)
    assert any(re.match(r"terminal +ok +80 columns, ", line) for line in lines)


def shell(command: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a command line with ``vtarget`` in it."""
    line = f"vtarget() {{ '{sys.executable}' -m vtarget \"$@\"; }}\n{command}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=os.environ | environment, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("arguments", "head"), [("", "Usage: vtarget "), ("boards", "Usage: vtarget boards ")])
def test_no_command_shows_the_help(arguments: str, head: str) -> None:
    status, output, errors = shell(f"vtarget {arguments}")
    assert (status, errors) == (2, "")
    assert output.startswith(head) and "\nCommands:\n" in output
    assert shell(f"vtarget {arguments} -h") == (0, output, "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("runn", "vtarget: no command 'runn' (hint: did you mean 'run'?)"),
        ("boards '\033[2J'", r"vtarget boards: no command '\x1b[2J' (hint: known: check, list, show)"),
        ("run x", "Missing option '-b' / '--board'. (hint: 'vtarget run --help' shows all)"),
        ("run '' -b rpi-pico", "Invalid value for 'FIRMWARE': a file's name can't be empty."),
        ("run x -b rpi-pico --json=", "Invalid value for '--json': a file's name can't be empty."),
        ("--xyz", "No such option '--xyz'. (hint: 'vtarget --help' shows all)"),
    ],
)
def test_wrong_usage_is_one_line_with_a_hint(arguments: str, line: str) -> None:
    assert shell(f"vtarget {arguments}") == (2, "", f"error: {line}\n")


def test_output_that_has_no_room_is_an_error_in_one_line() -> None:
    for arguments in ("--help", "boards list"):
        status, _, errors = shell(f"vtarget {arguments} >/dev/full")
        assert (status, errors.count("\n")) == (2, 1)
        assert errors.startswith("error: output can't be written: No space left on device (hint: standard output,")


def test_closed_standard_files_are_no_error() -> None:
    assert shell("vtarget boards list >&-") == (0, "", "")
    status, output, _ = shell("vtarget boards list <&- 2>&-")
    assert status == 0 and output.startswith("name ")
    assert shell("vtarget boards show none 2>&-") == (2, "", "")


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    assert shell("vtarget boards list | true")[1:] == ("", "")


def test_what_an_encoding_lacks_is_written_plainly() -> None:
    programme = (
        "from vtarget.app.terminal import print_line, print_table\n"
        "print_line('5 µJ … ▓▓ \u4e2d')\n"
        "print_table(['energy'], [['1 µJ']])\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", programme], capture_output=True, check=True, env=environment)
    assert done.stdout == b"5 uJ ... == \\u4e2d\nenergy\n------\n1 uJ\n"


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        ("vtarget boa", "plain,boards\n"),
        ("vtarget run x.elf -b xg", "plain,xg24-dk2601b\n"),
        ("vtarget run x.elf -b ./my", "file,./my\n"),
        ("vtarget run build/a", "file,build/a\n"),
        ("vtarget profile mod", "file,mod\n"),
        ("vtarget run x.elf --json re", "file,re\n"),
        ("vtarget run x.elf --clo", "plain,--clock\n"),
        ("vtarget boards sh", "plain,show\n"),
    ],
)
def test_a_shell_completes_commands_options_boards_and_files(words: str, answers: str) -> None:
    before = len(words.split()) - (not words.endswith(" "))
    _, output, errors = shell("vtarget", COMP_WORDS=words, COMP_CWORD=str(before), _VTARGET_COMPLETE="bash_complete")
    assert (output.rstrip("\n"), errors) == (answers.rstrip("\n"), "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("run a.elf -b rpi-pico --json a.elf", "--json a.elf: is FIRMWARE, too"),
        ("run a.elf -b rpi-pico --record ./b.json --json b.json", "--record ./b.json: is --json, too"),
        ("run --from-record a.elf -b rpi-pico --record a.elf", "--record a.elf: is --from-record, too"),
        ("profile a.elf -b rpi-pico --json a.elf", "--json a.elf: is MODEL.tflite, too"),
        ("compare a.elf link --json a.elf", "--json a.elf: is BASE.json, too"),
        ("compare a.elf a.elf --json link", "--json link: is BASE.json, too"),
        ("report a.elf -o a.elf", "--output a.elf: is RESULT.json, too"),
        ("report --record a.elf -o a.elf", "--output a.elf: is --record, too"),
        ("sweep --from a.elf -o b.csv -o a.elf", "--output a.elf: is --from, too"),
        ("power a.elf -b rpi-pico -o a.elf", "--output a.elf: is RECORDING, too"),
    ],
)
def test_no_result_is_written_over_an_input(
    arguments: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.elf").write_text("precious")
    Path("link").symlink_to("a.elf")
    done = vtarget(*arguments.split())
    assert (done.code, done.err) == (2, f"error: {line} (hint: name another file)\n")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.elf": "precious", "link": "precious"}
