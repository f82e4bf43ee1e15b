"""Serial lines between the board and the host: console text, files, ports, terminals, scripts, and their limits."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from devices.fakeports import FakePorts
from hypothesis import given
from hypothesis import strategies as st
from wirelib import Bench

from vtarget.base.errors import InputError
from vtarget.data.consoles import ConsoleOptions, EndKind, LineEnd, UartScript
from vtarget.logic.consoleoptions import parse_end, split_script
from vtarget.logic.uartscript import parse_script
from vtarget.shell import hostwires
from vtarget.shell.console import Console
from vtarget.shell.consoleoptions import console_options
from vtarget.shell.devices.cmsdk_uart import BAUDDIV, CTRL, DATA, CmsdkUart
from vtarget.shell.hostwires import FILE_LIMIT_BYTES, KEPT_BYTES, FileEnd
from vtarget.shell.wires import Line, Wires


@pytest.fixture
def bench() -> Bench:
    return Bench()


def transmit(line: Line, data: bytes) -> None:
    for byte in data:
        line.send(byte)


def received(line: Line) -> bytearray:
    """What reaches the firmware from now on."""
    data = bytearray()
    line.receiver = data.append
    return data


def options(*ends: str, scripts: tuple[tuple[str | None, str], ...] = ()) -> ConsoleOptions:
    return ConsoleOptions(
        tuple(parse_end(end) for end in ends),
        tuple(UartScript(device, parse_script(text, "x")) for device, text in scripts),
    )


# Option texts.


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("USART2=stdio", LineEnd("USART2", EndKind.STDIO)),
        ("usart2=pty", LineEnd("USART2", EndKind.PTY)),
        ("UART0=file:a=b:c.txt", LineEnd("UART0", EndKind.FILE, path="a=b:c.txt")),
        ("UART0=tcp:4000", LineEnd("UART0", EndKind.TCP, host="127.0.0.1", port=4000)),
        ("UART0=tcp:0.0.0.0:0", LineEnd("UART0", EndKind.TCP, host="0.0.0.0", port=0)),
        ("UART0=tcp:[::1]:65535", LineEnd("UART0", EndKind.TCP, host="::1", port=65535)),
        ("RTT=tcp::7", LineEnd("RTT", EndKind.TCP, host="127.0.0.1", port=7)),
    ],
)
def test_ends(text: str, end: LineEnd) -> None:
    assert parse_end(text) == end


@pytest.mark.parametrize(
    "text",
    [
        *("", "USART2", "=stdio", "2X=stdio", "U-1=stdio", "U=", "U=stdio:", "U=pty:x", "U=file", "U=file:", "U=usb"),
        *("U=tcp", "U=tcp:", "U=tcp:x", "U=tcp:65536", "U=tcp:-1", "U=tcp:localhost", "U=tcp:h:٣"),
    ],
)
def test_what_is_no_end(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_end(text)
    assert caught.value.one_line().startswith(f"--uart '{text}': ")


@given(st.text(max_size=40))
def test_any_text_is_an_end_or_an_error(text: str) -> None:
    for parse in (parse_end, split_script):
        try:
            parse(text)
        except InputError as error:
            assert "\n" not in error.one_line()


def test_scripts_of_options() -> None:
    assert split_script("boot.txt") == (None, "boot.txt")
    assert split_script("usart2=boot.txt") == ("USART2", "boot.txt")
    assert split_script("./a=b.txt") == (None, "./a=b.txt")


def test_options_from_texts(tmp_path: Path) -> None:
    script = tmp_path / "boot.txt"
    script.write_text('expect "ok"\nsend "x"\n')
    read = console_options(["UART0=pty"], [f"UART0={script}"], str(tmp_path), "-n 5")
    assert read == ConsoleOptions(
        (LineEnd("UART0", EndKind.PTY),),
        (UartScript("UART0", parse_script('expect "ok"\nsend "x"\n', "")),),
        str(tmp_path),
        "-n 5",
    )
    assert console_options() == ConsoleOptions()


def test_options_that_can_t_be_used(tmp_path: Path) -> None:
    script, pipe = tmp_path / "s", tmp_path / "pipe"
    script.write_text('send "x"')
    (tmp_path / "latin").write_bytes(b'send "\xe9"')
    os.mkfifo(pipe)
    for arguments, message in [
        ({"uarts": ["A=pty", "A=stdio"]}, "--uart A: given twice"),
        ({"uarts": ["A=stdio", "B=stdio"]}, "--uart B=stdio: A has standard input and output already"),
        ({"uarts": [f"A=file:{tmp_path}/no/f"]}, "no such directory"),
        ({"uarts": [f"A=file:{tmp_path}"]}, "is a directory"),
        ({"uarts": [f"A=file:{pipe}"]}, "is no regular file"),
        ({"uart_scripts": [f"A={script}", f"a={script}"]}, "--uart-script A: given twice"),
        ({"uart_scripts": [str(script), str(script)]}, "of the console UART: given twice"),
        ({"uart_scripts": [f"ITM={script}"]}, "the ITM only prints"),
        ({"uart_scripts": [f"{tmp_path}/none"]}, "No such file"),
        ({"uart_scripts": [f"{tmp_path}/latin"]}, "is no UTF-8 text at byte 6"),
        ({"semihost_dir": f"{tmp_path}/none"}, "no such directory"),
        ({"semihost_args": "x" * 5000}, "at most 4096 bytes"),
        ({"semihost_args": "a\0b"}, "none of them zero"),
    ]:
        with pytest.raises(InputError, match=message):
            console_options(**arguments)  # type: ignore[arg-type]


# Console text.


def test_output_is_console_text_by_default(bench: Bench) -> None:
    wires = bench.wires(ConsoleOptions(), "USART1")
    wires.start()
    transmit(wires.line("USART1"), b"hello\r\nprompt> ")
    assert bench.console.text == "hello\r\nprompt> "
    assert (wires.idle_can_wait, wires.unmet, wires.semihosting_input()) == (False, None, None)
    wires.close()
    wires.close()
    assert wires.notes == []


def test_lines_of_two_devices_stay_whole(bench: Bench) -> None:
    wires = bench.wires(ConsoleOptions(), "A", "B")
    for a, b in zip(b"one\ntwo\nA> ", b"AB\nCDE\nFGH ", strict=True):
        wires.line("A").send(a)
        wires.line("B").send(b)
    assert bench.console.text == "AB\none\nCDE\ntwo\nA> FGH "


def test_the_console_s_limit_holds_for_all_lines() -> None:
    console = Console(limit_bytes=100)
    sources = [console.source() for _ in range(3)]
    for source in sources:
        source.write(b"x" * 70)
    assert len(console.text) == 100
    for source in sources:
        source.write(b"y" * 5000)
    assert console.text == "x" * 70 + "y" * 30
    assert console.dropped_bytes == 3 * 5070 - 100


# Arrival.


def test_bytes_arrive_at_the_bit_rate(bench: Bench) -> None:
    wires = bench.wires(ConsoleOptions(), "A")
    line, times = wires.line("A"), []
    line.receiver = lambda byte: times.append((bench.now, byte))
    line.feed(b"abc", lambda: times.append((bench.now, -1)))
    bench.advance(1)
    assert times == [(87, 97), (174, 98), (261, 99), (261, -1)]  # 10 bits at 115200 baud, in whole microseconds
    times.clear()
    line.baud = 10_000
    line.feed(b"d")
    line.feed(b"")
    line.feed(b"e")
    assert line.queued == 2
    bench.advance(1)
    assert times == [(1_001_000, 100), (1_002_000, 101)]


def test_nothing_arrives_at_a_uart_before_its_bit_rate_is_set(bench: Bench) -> None:
    """At RTT and semihosting it does: they have none."""
    wires = bench.wires(ConsoleOptions())
    line, times = wires.line("A"), []
    line.receiver = lambda byte: times.append((bench.now, byte))
    line.feed(b"ab", lambda: times.append((bench.now, -1)))
    bench.advance(1)
    assert (times, line.queued) == ([], 2)
    line.baud = 10_000
    line.baud = 1_000
    bench.advance(0.5)
    assert times == [(1_001_000, 97), (1_011_000, 98), (1_011_000, -1)]
    line.baud = 0
    bench.advance(0.5)
    line.feed(b"c")
    bench.advance(1)
    assert (len(times), line.queued) == (3, 1)
    rtt = received(wires.line("RTT"))
    wires.line("RTT").feed(b"d")
    bench.advance(0.001)
    assert rtt == b"d"


def test_a_uart_gets_what_a_script_sends() -> None:
    """A device model, a line and a script together: the firmware echoes in upper case."""
    ports, bench = FakePorts(core_hz=1_000_000), Bench()
    bench.schedule = ports.schedule

    def after(seconds: float, action: object) -> object:
        return ports.schedule.at(ports.cycle + round(seconds * 1_000_000), action)  # type: ignore[arg-type]

    script = UartScript("UART0", parse_script('expect "> "\nsend "hi"\nexpect "HI" within 10ms\nend', "x"))
    wires = Wires(ConsoleOptions(scripts=(script,)), bench.console, after, bench.finish)  # type: ignore[arg-type]
    ports.wire = wires.line("UART0")  # type: ignore[assignment]
    uart = CmsdkUart(ports)
    wires.start()
    uart.write(BAUDDIV, 4, 16)
    uart.write(CTRL, 4, 3)
    assert ports.wire.baud == 62_500
    for byte in b"> ":
        uart.write(DATA, 4, byte)
        ports.advance(200)
    for _ in range(2):
        ports.advance(160)
        uart.write(DATA, 4, uart.read(DATA, 4) & ~0x20)
    ports.advance(400)
    assert bench.ends == [("uart script line 4: end", True)]
    assert bench.console.text == "> HI"


# Names.


def test_unknown_devices_are_refused(bench: Bench) -> None:
    for ends, scripts, message in [
        (("USART3=pty",), (), r"--uart USART3: .* \(hint: did you mean 'USART[12]'\?\)"),
        (("GPIOA=pty",), (), r"--uart GPIOA: the board has no such serial device"),
        ((), (("X", 'send "x"'),), r"--uart-script X: the board has no such serial device"),
        (("RTT=pty",), (), r"--uart RTT: the board has no such serial device"),
    ]:
        wires = bench.wires(options(*ends, scripts=scripts), "USART1", "USART2")
        wires.line("GPIOA")
        with pytest.raises(InputError) as caught:
            wires.start()
        assert re.match(message, caught.value.one_line())


@pytest.mark.parametrize(
    ("devices", "console", "chosen"),
    [
        (("USART1", "LPUART1"), "LPUART1 on PG7/PG8 (ST-LINK virtual port)", "LPUART1"),
        (("UART0", "UART1"), "CMSDK UART0 at 0x40004000", "UART0"),
        (("UART0",), "", "UART0"),
    ],
)
def test_a_script_talks_to_the_console_uart(devices: tuple[str, ...], console: str, chosen: str, bench: Bench) -> None:
    wires = bench.wires(options(scripts=((None, 'send "x"'),)), *devices)
    data = received(wires.line(chosen))
    wires.start(console)
    bench.advance(1)
    assert data == b"x"


def test_the_console_uart_may_be_unknown(bench: Bench) -> None:
    with pytest.raises(InputError, match="which line"):
        bench.wires(options(scripts=((None, 'send "x"'),)), "UART0", "UART1").start("USB")
    twice = options(scripts=((None, 'send "x"'), ("UART1", 'send "x"')))
    with pytest.raises(InputError, match="UART1 is given two scripts"):
        bench.wires(twice, "UART0", "UART1").start("UART1")


# Scripts.


def test_two_runs_of_a_script_are_the_same() -> None:
    def run() -> list[object]:
        bench = Bench()
        wires = bench.wires(options(scripts=(("A", 'expect "?"\nsend "abc"\nwait 1ms\nsend "d"'),)), "A")
        log: list[object] = []
        wires.line("A").receiver = lambda byte: log.append((bench.now, byte))
        wires.start()
        bench.advance(0.5)
        transmit(wires.line("A"), b"ready?")
        bench.advance(0.5)
        return log

    first = run()
    assert [byte for _, byte in first] == list(b"abcd")  # type: ignore[misc]
    assert run() == first


def test_what_a_script_still_expects_is_told(bench: Bench) -> None:
    wires = bench.wires(options(scripts=(("A", 'expect "login: "'),)), "A")
    wires.start()
    transmit(wires.line("A"), b"log")
    assert wires.unmet == 'uart script line 1: "login: " did not come before the run ended'
    assert bench.console.text == "log"


def test_semihosting_reads_what_a_script_sends(bench: Bench) -> None:
    wires = bench.wires(options(scripts=(("SEMIHOSTING", 'expect "?"\nsend "42\\n"'),)))
    typed = wires.semihosting_input()
    assert typed is not None
    wires.start()
    wires.line("SEMIHOSTING").write(b"number?")
    assert (typed.read(10), typed.ended) == (b"", False)
    bench.advance(0.1)
    assert not typed.ended
    assert (typed.read(10), typed.ended) == (b"42\n", True)
    assert bench.console.text == "number?"


# Files.


def test_a_file_is_written_at_the_end(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("older")
    wires = bench.wires(options(f"A=file:{path}"), "A")
    wires.start()
    transmit(wires.line("A"), b"some \xff bytes")
    assert path.read_text() == "older"
    wires.close()
    assert path.read_bytes() == b"some \xff bytes"
    assert bench.console.text == ""
    assert not wires.idle_can_wait


def test_a_file_that_can_t_be_written_closes_the_rest_all_the_same(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    wires = bench.wires(options(f"A=file:{tmp_path}/gone/f", f"B=file:{tmp_path}/good"), "A", "B")
    wires.start()
    (tmp_path / "gone").rmdir()
    with pytest.raises(InputError, match=r"--uart A=file:.*: No such file or directory"):
        wires.close()
    assert (tmp_path / "good").read_bytes() == b""


def test_a_file_is_bounded(tmp_path: Path) -> None:
    end = FileEnd(str(tmp_path / "f"), "--uart", limit_bytes=1000)
    for _ in range(100):
        end.write(b"x" * 99)
    end.close()
    assert (tmp_path / "f").stat().st_size == 1000
    assert end.dropped_bytes == 8900
    assert FILE_LIMIT_BYTES == 64 << 20


# TCP.


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(bench: Bench, cleanup: ExitStack, name: str = "A") -> tuple[Wires, int]:
    wires = bench.wires(options(f"{name}=tcp:0"), name)
    wires.start()
    cleanup.callback(wires.close)
    words = bench.announced[-1].split()
    assert words[:3] == [f"{name}:", "tcp", "port"] and words[4:] == ["of", "127.0.0.1"]
    return wires, int(words[3])


def client_of(port: int, cleanup: ExitStack) -> socket.socket:
    return cleanup.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))


def until(wires: Wires, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        wires.wait(0.01)


def test_a_client_gets_what_came_before_and_talks_back(bench: Bench, cleanup: ExitStack) -> None:
    wires, port = listening(bench, cleanup)
    line = wires.line("A")
    data = received(line)
    assert wires.idle_can_wait
    transmit(line, b"early ")
    wires.poll()
    client = client_of(port, cleanup)
    client.sendall(b"typed")
    until(wires, lambda: line.queued == 5)
    transmit(line, b"late")
    wires.poll()
    assert read_exactly(client, 10) == b"early late"
    bench.advance(0.001)
    assert data == b"typed"


def read_exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := client.recv(count - len(data))):
        data += more
    return data


def test_output_without_a_client_is_kept_up_to_a_bound(bench: Bench, cleanup: ExitStack) -> None:
    wires, port = listening(bench, cleanup)
    wires.line("A").write(b"0123456789" * 10_000)
    client = client_of(port, cleanup)
    wires.poll()
    assert client.recv(1, socket.MSG_PEEK) == b"0"
    wires.close()
    got = read_exactly(client, 1 << 20)
    assert got == (b"0123456789" * 10_000)[:KEPT_BYTES]
    assert wires.notes == [f"A: output that its reader did not take dropped ({100_000 - KEPT_BYTES} bytes)"]


def test_a_client_that_never_reads_costs_bounded_memory(bench: Bench, cleanup: ExitStack) -> None:
    wires, port = listening(bench, cleanup)
    client_of(port, cleanup)
    wires.poll()
    sent = 0
    for _ in range(2000):
        wires.line("A").write(b"x" * 10_000)
        wires.poll()
        sent += 10_000
    begin = time.monotonic()
    wires.close()
    assert time.monotonic() - begin < 5
    assert len(wires.notes) == 1
    dropped = int(wires.notes[0].split("(")[1].split()[0])
    assert sent - (8 << 20) < dropped < sent


def test_a_client_that_sends_without_end_is_held_back(bench: Bench, cleanup: ExitStack) -> None:
    wires, port = listening(bench, cleanup)
    client = client_of(port, cleanup)
    client.setblocking(False)
    for _ in range(200):
        with suppress(BlockingIOError):
            client.send(b"y" * 65536)
        wires.poll()
    assert wires.line("A").queued == 4096


def test_another_client_may_follow(bench: Bench, cleanup: ExitStack) -> None:
    wires, port = listening(bench, cleanup)
    line = wires.line("A")
    first = client_of(port, cleanup)
    first.sendall(b"1")
    until(wires, lambda: line.queued == 1)
    first.close()
    wires.wait(0.5)
    line.write(b"between")
    second = client_of(port, cleanup)
    second.sendall(b"2")
    until(wires, lambda: line.queued == 2)
    wires.poll()
    assert read_exactly(second, 7) == b"between"


def test_a_port_in_use_is_an_error_and_opens_nothing(bench: Bench, cleanup: ExitStack, tmp_path: Path) -> None:
    _, port = listening(bench, cleanup)
    wires = bench.wires(options(f"B=file:{tmp_path}/f", "C=tcp:0", f"D=tcp:{port}"), "B", "C", "D")
    with pytest.raises(InputError) as caught:
        wires.start()
    assert caught.value.one_line() == f"--uart D=tcp:127.0.0.1:{port}: Address already in use"
    assert not (tmp_path / "f").exists()
    other = int(bench.announced[-1].split()[3])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", other), timeout=1)


def test_hosts_that_are_none(bench: Bench) -> None:
    for host in ("256.1.1.1", "8.8.8.8", "a" * 300, "bad host"):
        with pytest.raises(InputError, match="--uart A=tcp:"):
            bench.wires(options(f"A=tcp:{host}:0"), "A").start()


def test_unread_input_does_not_take_the_output_away(bench: Bench, cleanup: ExitStack) -> None:
    wires, port = listening(bench, cleanup)
    client = client_of(port, cleanup)
    client.sendall(b"z" * 100_000)
    until(wires, lambda: wires.line("A").queued == 4096)
    wires.line("A").write(b"last words")
    wires.close()
    assert read_exactly(client, 100) == b"last words"


# Pseudo terminal.


def test_a_pseudo_terminal(bench: Bench) -> None:
    wires = bench.wires(options("A=pty"), "A")
    line = wires.line("A")
    data = received(line)
    wires.start()
    name, _, path = bench.announced[0].partition(": ")
    assert name == "A" and path.startswith("/dev/")
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    transmit(line, b"a\r\n\x03b")
    wires.poll()
    assert os.read(terminal, 100) == b"a\r\n\x03b"  # raw: nothing is changed
    os.write(terminal, b"\x03\r\n")
    until(wires, lambda: line.queued == 3)
    bench.advance(0.01)
    assert data == b"\x03\r\n"
    assert wires.idle_can_wait
    wires.close()
    assert not wires.idle_can_wait
    os.close(terminal)


def test_a_terminal_that_nobody_reads_costs_bounded_memory(bench: Bench) -> None:
    wires = bench.wires(options("A=pty"), "A")
    wires.start()
    for _ in range(100):
        wires.line("A").write(b"x" * 10_000)
    begin = time.monotonic()
    wires.close()
    assert time.monotonic() - begin < 5
    dropped = int(wires.notes[0].split("(")[1].split()[0])
    assert 900_000 < dropped <= 1_000_000  # the kernel holds some, too


# Standard input and output.


class Pipes:
    """Two pipes in place of standard input and output."""

    def __init__(self, cleanup: ExitStack) -> None:
        self.source, self.typing = os.pipe()
        self.shown, self.target = os.pipe()
        for descriptor in (self.source, self.typing, self.shown, self.target):
            cleanup.callback(_close, descriptor)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return


def test_standard_input_and_output(bench: Bench, cleanup: ExitStack) -> None:
    pipes = Pipes(cleanup)
    wires = bench.wires(options("A=stdio"), "A", stdio=(pipes.source, pipes.target))
    data = received(wires.line("A"))
    wires.start()
    os.write(pipes.typing, b"hi\n")
    wires.poll()
    transmit(wires.line("A"), b"> ")
    wires.poll()
    assert os.read(pipes.shown, 100) == b"> "
    bench.advance(0.01)
    assert data == b"hi\n"
    assert wires.idle_can_wait
    os.close(pipes.typing)
    wires.wait(1)
    assert not wires.idle_can_wait
    wires.line("A").write(b"x" * 30_000)
    reader = threading.Thread(target=lambda: read_all(pipes.shown, 30_000))
    reader.start()
    wires.close()
    reader.join(5)
    assert not reader.is_alive()
    assert wires.notes == []


def read_all(descriptor: int, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := os.read(descriptor, 4096)):
        data += more
    return data


def test_a_slow_reader_of_standard_output_gets_everything(bench: Bench, cleanup: ExitStack) -> None:
    pipes = Pipes(cleanup)
    wires = bench.wires(options("A=stdio"), "A", stdio=(pipes.source, pipes.target))
    wires.start()
    got: list[bytes] = []

    def read_slowly() -> None:
        time.sleep(0.2)
        got.append(read_all(pipes.shown, 500_000))

    reader = threading.Thread(target=read_slowly)
    reader.start()
    content = bytes(range(250)) * 2000
    wires.line("A").write(content)
    wires.close()
    reader.join(5)
    assert got == [content]
    assert wires.notes == []


def test_a_reader_that_stopped_does_not_stop_the_run(
    bench: Bench, cleanup: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostwires, "STALL_SECONDS", 0.3)
    pipes = Pipes(cleanup)
    wires = bench.wires(options("A=stdio"), "A", stdio=(pipes.source, pipes.target))
    wires.start()
    begin = time.monotonic()
    for _ in range(50):
        wires.line("A").write(b"x" * 100_000)
    wires.close()
    assert time.monotonic() - begin < 5
    assert len(wires.notes) == 1


def test_standard_output_may_be_closed(bench: Bench, cleanup: ExitStack) -> None:
    pipes = Pipes(cleanup)
    wires = bench.wires(options("A=stdio"), "A", stdio=(pipes.source, pipes.target))
    wires.start()
    os.close(pipes.shown)
    wires.line("A").write(b"lost")
    wires.close()
    assert wires.notes == ["A: output that its reader did not take dropped (4 bytes)"]
