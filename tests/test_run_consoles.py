"""Consoles through the command line: every kind of end, scripts, files of the host, floods, and how runs end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from asmlib import needs_assembler
from consolelib import (
    ECHO,
    ITM_FLOOD,
    ITM_TEXT,
    RESETS,
    RTT,
    SEMIHOSTING_ECHO,
    SEMIHOSTING_FLOOD,
    UART_FLOOD,
    Firmware,
    Meanwhile,
    connected,
    free_port,
    opens,
    read_up_to,
)
from machinelib import EXAMPLES, FIRMWARE, vtarget

from vtarget.shell import budget
from vtarget.shell.consoles import Consoles

PRINTED = """nucleo-l4r5zi at 120000000 Hz
computed 0xdd845c15
delay of 10 ms: 11 ticks
timer: 10 interrupts
crc 0x7d24a31b
rng: two different words
? {}
done
"""
SILENT = PRINTED.format("nothing typed")
HELLO = 'expect "? "\nsend "hello\\n"\nexpect "done\\n"\n'
MEBIBYTE = 1 << 20


@pytest.fixture
def startup(tmp_path: Path) -> Firmware:
    """A start-up program: prints on LPUART1, asks for a line for 20 ms, and exits."""
    return Firmware(FIRMWARE / "startups" / "nucleo-l4r5zi.elf", tmp_path)


def script(folder: Path, text: str) -> Path:
    path = folder / "script.txt"
    path.write_text(text, encoding="utf-8")
    return path


# A file.


def test_a_file_gets_what_the_uart_prints_and_the_console_does_not(startup: Firmware) -> None:
    target = startup.folder / "uart.txt"
    done, result = startup.result("--uart", f"LPUART1=file:{target}")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert target.read_text(encoding="utf-8") == SILENT
    assert (result["console"], result["exit"]["reason"]) == ("", "semihosting")


def test_a_file_that_nothing_is_printed_to_is_empty(startup: Firmware) -> None:
    target = startup.folder / "uart.txt"
    target.write_text("of another run")
    done, result = startup.result("--uart", f"USART3=file:{target}")
    assert (done.code, target.read_bytes(), result["console"]) == (0, b"", SILENT)


# A TCP port.


@needs_assembler
def test_a_tcp_client_talks_with_the_firmware(tmp_path: Path) -> None:
    port = free_port()

    def talk() -> bytes:
        with connected(port) as client:
            found = read_up_to(client, b">")
            for byte in b"hi q":
                client.sendall(bytes([byte]))
                found += client.recv(1)
            return found + read_up_to(client, b"-")

    client = Meanwhile(talk)
    done, result = Firmware.of(tmp_path, ECHO).result("--uart", f"USART2=tcp:{port}")
    assert client.outcome() == b">hi q"
    assert (done.code, done.err) == (0, f"USART2: tcp port {port} of 127.0.0.1\n")
    assert (result["exit"]["reason"], result["console"]) == ("semihosting", "")


@needs_assembler
def test_another_tcp_client_may_follow(tmp_path: Path) -> None:
    port = free_port()

    def talk() -> bytes:
        with connected(port) as first:
            found = read_up_to(first, b">")
            first.sendall(b"a")
            found += read_up_to(first, b"a")
        with connected(port) as second:
            second.sendall(b"bq")
            return found + b"|" + read_up_to(second, b"q")

    client = Meanwhile(talk)
    done = Firmware.of(tmp_path, ECHO).run("--quiet", "--uart", f"USART2=tcp:{port}")
    assert client.outcome() == b">a|bq"
    assert done.code == 0


def test_a_run_does_not_wait_for_a_client(startup: Firmware) -> None:
    done, result = startup.result("--uart", "LPUART1=tcp:0")
    assert done.code == 0
    assert done.err.startswith("LPUART1: tcp port ") and done.err.endswith(" of 127.0.0.1\n")
    assert f"LPUART1: output that its reader did not take dropped ({len(SILENT)} bytes)" in result["not_modelled"]


@needs_assembler
@pytest.mark.parametrize("limit", ["--timeout", "--max-seconds"])
def test_a_firmware_that_waits_for_a_client_is_waited_for_up_to_a_limit(limit: str, tmp_path: Path) -> None:
    began = time.monotonic()
    done, result = Firmware.of(tmp_path, ECHO).result("--uart", "USART2=tcp:0", limit, "0.5")
    assert (done.code, result["exit"]["reason"]) == (1, "limit")
    assert 0.4 < time.monotonic() - began < 15


@pytest.mark.parametrize("program", ["tests/idle-m4f.elf", "startups/nucleo-l4r5zi-idle.elf"])
def test_so_is_one_that_idles(program: str, tmp_path: Path) -> None:
    """By spinning, and by sleeping with its tick on: input might come as long as the port is open."""
    done, result = Firmware(FIRMWARE / program, tmp_path).result("--uart", "LPUART1=tcp:0", "--timeout", "1")
    assert (done.code, result["exit"]["reason"]) == (1, "limit")
    assert "1 s of wall time (--timeout)" in done.err


# A pseudo terminal.


@needs_assembler
def test_a_terminal_talks_with_the_firmware(tmp_path: Path) -> None:
    firmware = Firmware.of(tmp_path, ECHO)
    with firmware.process("--quiet", "--uart", "USART2=pty", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        name, _, path = process.stderr.readline().strip().partition(": ")
        assert name == "USART2"
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        try:
            assert os.read(terminal, 1) == b">"
            os.write(terminal, b"\x03q")  # raw: no signal
            found = b""
            while not found.endswith(b"q"):
                found += os.read(terminal, 10)
            assert found == b"\x03q"
        finally:
            os.close(terminal)
        assert (process.wait(20), process.stderr.read()) == (0, "")


# Standard input and output.


def typed(firmware: Firmware, *options: str, text: str = "", late: str = "") -> tuple[int, str, str]:
    """Run with something typed at once and, after what the firmware printed has begun to come, something more."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with firmware.process("--quiet", *options, **pipes) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(text)
        begun = process.stdout.read(1) if late else ""
        process.stdin.write(late)
        process.stdin.close()
        out, err = process.stdout.read(), process.stderr.read()
        return process.wait(20), begun + out, err


@needs_assembler
def test_what_is_typed_at_standard_input_reaches_the_firmware(tmp_path: Path) -> None:
    assert typed(Firmware.of(tmp_path, ECHO), "--uart", "USART2=stdio", text="ab", late="cq") == (0, ">abcq", "")


@needs_assembler
def test_a_firmware_that_polls_for_input_is_stuck_once_that_has_ended(tmp_path: Path) -> None:
    code, out, err = typed(Firmware.of(tmp_path, ECHO), "--uart", "USART2=stdio", text="ab")
    assert (code, out) == (1, ">ab")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert "polls register USART2+0x1c (0x4000441c), which nothing will change" in err


def test_what_was_typed_before_the_uart_is_on_waits_for_it(startup: Firmware) -> None:
    with startup.process("--uart", "LPUART1=stdio", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate("hello\n", timeout=60)
    assert out.startswith(PRINTED.format("you typed 'hello'"))
    assert "\nended by       semihosting exit, code 0\n" in out


@needs_assembler
def test_semihosting_reads_standard_input_to_its_end(tmp_path: Path) -> None:
    firmware = Firmware.of(tmp_path, SEMIHOSTING_ECHO)
    assert typed(firmware, "--uart", "SEMIHOSTING=stdio", text="one\n", late="two") == (0, "one\ntwo", "")


@needs_assembler
def test_without_a_connection_semihosting_s_input_is_at_its_end(tmp_path: Path) -> None:
    done, result = Firmware.of(tmp_path, SEMIHOSTING_ECHO).result()
    assert (done.code, result["console"], result["exit"]["reason"]) == (0, "", "semihosting")


# Scripts.


def test_a_script_types_and_the_firmware_ends_by_itself(startup: Firmware) -> None:
    done, result = startup.result("--uart-script", script(startup.folder, HELLO))
    assert (done.code, done.err) == (0, "")
    assert result["console"] == PRINTED.format("you typed 'hello'")
    assert result["exit"]["reason"] == "semihosting"


def test_a_script_ends_the_run(startup: Firmware) -> None:
    path = script(startup.folder, 'expect "computed"\nend\n')
    done, result = startup.result("--uart-script", path)
    assert (done.code, done.err) == (0, "")
    assert result["exit"] | {"pc": 0, "call_stack": []} == {
        "reason": "script",
        "code": 0,
        "pc": 0,
        "detail": "uart script line 2: end",
        "call_stack": [],
    }
    assert "\nended by       script: uart script line 2: end at 0x0" in startup.run("--uart-script", path).out


def test_a_script_that_times_out_fails_the_run(startup: Firmware) -> None:
    path = script(startup.folder, 'wait 1ms\nexpect "login: " within 5ms\n')
    done, result = startup.result("--uart-script", f"lpuart1={path}")
    assert (result["exit"]["reason"], result["exit"]["code"]) == ("script", 1)
    assert result["duty"]["elapsed_s"] == pytest.approx(0.006, rel=0.01)
    detail = 'uart script line 2: "login: " did not come within 5 ms of virtual time'
    assert result["exit"]["detail"] == detail
    assert done.code == 1
    assert done.err.startswith(f"error: {startup.path}: {detail}, at pc 0x0")
    assert done.err.count("\n") == 1


def test_a_script_that_is_unmet_at_the_end_fails_the_run(startup: Firmware) -> None:
    done, result = startup.result("--uart-script", script(startup.folder, 'expect "done"\nexpect "more"\n'))
    assert (done.code, done.err.count("\n"), result["exit"]["reason"]) == (1, 1, "script")
    assert result["exit"]["detail"] == (
        'uart script line 2: "more" did not come before the run ended; it ended by semihosting exit, code 0'
    )


@needs_assembler
def test_what_a_script_waited_for_in_vain_is_told_along_with_how_the_run_ended(tmp_path: Path) -> None:
    firmware = Firmware.of(tmp_path, RESETS)
    done, result = firmware.result("--uart-script", f"USART2={script(tmp_path, 'expect /x+/')}")
    assert done.code == 1
    assert "/x+/ did not come before the run ended; it ended by reset: the firmware asked" in result["exit"]["detail"]


def test_a_script_with_a_mistake_is_refused_with_its_line(startup: Firmware) -> None:
    path = script(startup.folder, 'expect "a"\nsned "b"\n')
    done = startup.run("--uart-script", path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"error: --uart-script {path}, line 2: 'sned ")


@needs_assembler
def test_semihosting_and_rtt_can_be_scripted(tmp_path: Path) -> None:
    path = script(tmp_path, 'send "hi"\nexpect "hi"\nwait 2ms\nsend-hex 21 0a\nexpect /!\\n/\n')
    done, result = Firmware.of(tmp_path, SEMIHOSTING_ECHO).result("--uart-script", f"SEMIHOSTING={path}")
    assert (done.code, done.err, result["console"]) == (0, "", "hi!\n")
    path = script(tmp_path, 'expect "rtt> "\nsend "y"\n')
    done, result = Firmware.of(tmp_path, RTT).result("--uart-script", f"RTT={path}")
    assert (done.code, done.err, result["console"]) == (0, "", "rtt> y")


def test_two_runs_of_a_script_are_the_same_byte_for_byte(startup: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(startup.folder, HELLO)

    def outcome() -> tuple[str, bytes]:
        done = startup.run("--uart-script", path, "--json", startup.folder / "result.json", "--span-gpio", "PB7")
        assert done.code == 0
        return done.out, (startup.folder / "result.json").read_bytes()

    first = outcome()
    assert outcome() == first
    # The host looks up a hundred times as often, and takes its time.
    patient = Consoles.poll
    polls = []

    def slow(consoles: Consoles) -> None:
        polls.append(None)
        time.sleep(0.003)
        patient(consoles)

    monkeypatch.setattr(Consoles, "poll", slow)
    monkeypatch.setattr(budget, "FIRST_CHUNK", 10_000)
    monkeypatch.setattr(budget, "MOST_CHUNK", 10_000)
    assert outcome() == first
    assert len(polls) > 3


def test_a_scripted_line_may_be_watched(startup: Firmware) -> None:
    target = startup.folder / "uart.txt"
    path = script(startup.folder, HELLO)
    done = startup.run("--quiet", "--uart-script", path, "--uart", f"LPUART1=file:{target}")
    assert (done.code, target.read_text(encoding="utf-8")) == (0, PRINTED.format("you typed 'hello'"))


# What is refused.


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--uart", "NOPE=pty"], "--uart NOPE: the board has no such serial device (hint: known: LPUART1,"),
        (["--uart", "USART4=pty"], "(hint: did you mean 'UART4'?)"),
        (["--uart", "LPUART1=serial"], "--uart 'LPUART1=serial': expected NAME=stdio,"),
        (["--uart", "LPUART1=tcp:70000"], "'70000' is no port"),
        (["--uart", "LPUART1=tcp:203.0.113.1:1"], "--uart LPUART1=tcp:203.0.113.1:1: "),
        (["--uart", "LPUART1=file:no/such/file"], "--uart LPUART1=file: no/such/file: no such directory: no/such"),
        (["--uart", "LPUART1=pty", "--uart", "lpuart1=stdio"], "--uart LPUART1: given twice"),
        (["--uart", "LPUART1=stdio", "--uart", "USART2=stdio"], "LPUART1 has standard input and output already"),
        (["--uart", "LPUART1=stdio", "--json", "-"], "--uart …=stdio and --json - both want standard output"),
        (["--uart-script", "no-such-script"], "--uart-script no-such-script: No such file or directory"),
        (["--semihost-dir", "no-such-directory"], "--semihost-dir no-such-directory: no such directory"),
        (["--semihost-args", "x" * 5000], "--semihost-args: at most 4096 bytes"),
        (["--svd", "no-such.svd"], "--svd no-such.svd: No such file or directory"),
    ],
)
def test_options_that_can_not_be_used(options: list[str], error: str, startup: Firmware) -> None:
    done = startup.run(*options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("error: ") and error in done.err


def test_a_port_in_use_is_refused(startup: Firmware) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = startup.run("--uart", f"LPUART1=tcp:{port}")
    assert (done.code, done.err) == (2, f"error: --uart LPUART1=tcp:127.0.0.1:{port}: Address already in use\n")


def test_two_scripts_for_one_line_are_refused(startup: Firmware) -> None:
    path = script(startup.folder, HELLO)
    done = startup.run("--uart-script", path, "--uart-script", f"LPUART1={path}")
    assert (done.code, done.err) == (2, "error: --uart-script: LPUART1 is given two scripts\n")


def test_pins_need_a_chip(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    shipped = (FIRMWARE.parent / "boards" / "nucleo-l4r5zi.yaml").read_text(encoding="utf-8")
    board.write_text("".join(line for line in shipped.splitlines(True) if not line.startswith("chip:")))
    done = vtarget("run", EXAMPLES / "fir-m4f.elf", "-b", board, "--span-gpio", "PB7")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --span-gpio: board nucleo-l4r5zi names no chip, so its pins aren't known\n"


CONNECTIONS = [
    ["--uart", "LPUART1=stdio"],
    ["--uart-script", "a-script"],
    ["--semihost-dir", "."],
    ["--semihost-args", "x"],
    ["--svd", "a.svd"],
    ["--span-gpio", "PB7"],
    ["--gdb", "0"],
]


@pytest.mark.parametrize("options", CONNECTIONS)
def test_a_record_and_a_model_have_no_connections(options: list[str], tmp_path: Path) -> None:
    example = Firmware(EXAMPLES / "fir-m4f.elf", tmp_path)
    model = FIRMWARE.parent / "models" / "speech_synth_int16.tflite"
    done = example.run("--model", model, *options)
    assert (done.code, done.err) == (2, f"error: {options[0]} does not go with --model\n")
    record = tmp_path / "fir.record"
    assert example.run("--quiet", "--record", record).code == 0
    done = vtarget("run", "--from-record", record, "-b", "nucleo-l4r5zi", *options)
    assert (done.code, done.err) == (2, f"error: {options[0]} needs a run, not --from-record\n")


# Files of the host.


@needs_assembler
def test_a_file_inside_the_directory_is_written(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "sub").mkdir(parents=True)
    for name in ("log.txt", "sub/log.txt"):
        done, result = Firmware.of(tmp_path, opens(name)).result("--semihost-dir", shared)
        assert (done.code, done.err) == (0, "")
        assert (shared / name).read_bytes() == name[:4].encode()
        assert not any("refused" in note for note in result["not_modelled"])


@needs_assembler
@pytest.mark.parametrize("name", ["ABSOLUTE", "../victim", "sub/../../victim", "link", "links/victim", "fifo", "sub"])
def test_files_elsewhere_are_out_of_reach(name: str, tmp_path: Path) -> None:
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    (shared / "sub").mkdir(parents=True)
    victim.write_text("mine")
    (shared / "link").symlink_to(victim)
    (shared / "links").symlink_to(tmp_path)
    os.mkfifo(shared / "fifo")
    before = sorted(shared.rglob("*"))
    firmware = Firmware.of(tmp_path, opens(str(victim) if name == "ABSOLUTE" else name))
    done, result = firmware.result("--semihost-dir", shared)
    assert (done.code, result["exit"]["code"]) == (1, 7)
    assert (victim.read_text(), sorted(shared.rglob("*"))) == ("mine", before)
    assert any("refused" in note for note in result["not_modelled"]), result["not_modelled"]


@needs_assembler
def test_without_a_directory_there_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done, result = Firmware.of(tmp_path, opens("log.txt")).result()
    assert (done.code, result["exit"]["code"], (tmp_path / "log.txt").exists()) == (1, 7, False)
    assert "semihosting operation 0x01 refused (1 calls)" in result["not_modelled"]


# Floods: bounded memory, and an end with a name.


@pytest.fixture(scope="module")
def usual_bytes(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Memory of a run that prints next to nothing."""
    return Firmware.of(tmp_path_factory.mktemp("usual"), ITM_TEXT).peak_bytes()


@needs_assembler
def test_a_gibibyte_of_console_text_costs_bounded_memory(tmp_path: Path, usual_bytes: int) -> None:
    firmware = Firmware.of(tmp_path, SEMIHOSTING_FLOOD)
    done, result = firmware.result()
    assert (done.code, result["exit"]["reason"]) == (0, "semihosting")
    assert len(result["console"].encode()) == MEBIBYTE
    assert f"console output beyond its limit dropped ({1023 * MEBIBYTE} bytes)" in result["not_modelled"]
    assert firmware.peak_bytes() < usual_bytes + 32 * MEBIBYTE


@needs_assembler
def test_a_gibibyte_for_a_file_ends_at_the_file_s_limit(tmp_path: Path, usual_bytes: int) -> None:
    firmware = Firmware.of(tmp_path, SEMIHOSTING_FLOOD)
    target = tmp_path / "out.bin"
    done, result = firmware.result("--uart", f"SEMIHOSTING=file:{target}")
    assert (done.code, target.stat().st_size) == (0, 64 * MEBIBYTE)
    note = f"SEMIHOSTING: output that its reader did not take dropped ({960 * MEBIBYTE} bytes)"
    assert note in result["not_modelled"]
    assert firmware.peak_bytes("--uart", f"SEMIHOSTING=file:{target}") < usual_bytes + 200 * MEBIBYTE


@needs_assembler
def test_a_gibibyte_for_a_client_that_never_reads_costs_bounded_memory(tmp_path: Path, usual_bytes: int) -> None:
    firmware = Firmware.of(tmp_path, SEMIHOSTING_FLOOD)
    port = free_port()
    deaf: list[socket.socket] = []
    client = Meanwhile(lambda: (deaf.append(connected(port)), b"")[1])
    done, result = firmware.result("--uart", f"SEMIHOSTING=tcp:{port}")
    client.outcome()
    deaf[0].close()
    assert (done.code, result["exit"]["reason"]) == (0, "semihosting")
    (note,) = (note for note in result["not_modelled"] if note.startswith("SEMIHOSTING: output"))
    assert int(note.split("(")[1].split()[0]) > 1000 * MEBIBYTE
    assert firmware.peak_bytes("--uart", "SEMIHOSTING=tcp:0") < usual_bytes + 16 * MEBIBYTE


@needs_assembler
@pytest.mark.parametrize(("source", "device"), [(UART_FLOOD, "USART2"), (ITM_FLOOD, "ITM")])
@pytest.mark.parametrize("end", ["", "tcp:0"])
def test_a_firmware_that_prints_for_good_ends_by_a_limit(
    source: str, device: str, end: str, tmp_path: Path, usual_bytes: int
) -> None:
    firmware = Firmware.of(tmp_path, source)
    options = (*(["--uart", f"{device}={end}"] if end else []), "--timeout", "2")
    done, result = firmware.result(*options)
    assert (done.code, result["exit"]["reason"]) == (1, "limit")
    assert "2 s of wall time (--timeout)" in done.err
    assert len(result["console"]) <= MEBIBYTE
    assert firmware.peak_bytes(*options) < usual_bytes + 32 * MEBIBYTE


# RTT and ITM.


@needs_assembler
def test_itm_s_port_is_console_text(tmp_path: Path) -> None:
    firmware = Firmware.of(tmp_path, ITM_TEXT)
    done, result = firmware.result("--strict", "--uart", "ITM=stdio")
    assert (done.err, result["not_modelled"]) == ("", [])
    assert firmware.result()[1]["console"] == "ok!\nc\nb"


@needs_assembler
@pytest.mark.parametrize("stripped", [False, True])
def test_rtt_is_found_by_its_symbol_and_without(stripped: bool, tmp_path: Path) -> None:
    firmware = Firmware.of(tmp_path, RTT)
    if stripped:
        subprocess.run(["arm-none-eabi-strip", firmware.path], check=True)
    done, result = firmware.result("--max-seconds", "0.01")
    assert (done.code, result["exit"]["reason"], result["console"]) == (1, "limit", "rtt> ")
    path = script(tmp_path, 'expect "> "\nsend "z"\nexpect "z"\n')
    done, result = firmware.result("--uart-script", f"RTT={path}")
    assert (done.code, result["console"]) == (0, "rtt> z")


# How runs end.


@needs_assembler
def test_a_firmware_that_polls_for_what_can_not_come_is_stuck(tmp_path: Path) -> None:
    firmware = Firmware.of(tmp_path, ECHO)
    shown = firmware.run()
    detail = "polls register USART2+0x1c (0x4000441c), which nothing will change"
    assert (shown.code, f"\nended by       stuck: {detail} at 0x080000" in shown.out) == (1, True)
    assert "\ncall stack\n  0x080000" in shown.out
    done, result = firmware.result()
    ended = result["exit"]
    assert (ended["reason"], ended["code"], ended["detail"]) == ("stuck", 0, detail)
    assert [frame["function"] for frame in ended["call_stack"]] == ["test", "Reset"]
    assert done.err == f"error: {firmware.path}: {detail}, at pc {ended['pc']:#010x} in test < Reset\n"


@needs_assembler
def test_a_reset_ends_the_run(tmp_path: Path) -> None:
    firmware = Firmware.of(tmp_path, RESETS)
    shown = firmware.run()
    assert (shown.code, shown.err) == (0, "")
    assert "\nended by       reset: the firmware asked for a system reset at 0x0800" in shown.out
    assert "call stack" not in shown.out
    done, result = firmware.result()
    assert (done.code, result["exit"]["reason"], result["exit"]["code"]) == (0, "reset", 0)


def test_results_are_the_same_with_and_without_a_file_at_the_other_end(startup: Firmware) -> None:
    """Connecting output alone moves nothing but the console's text."""
    plain = startup.result()[1]
    filed = startup.result("--uart", f"LPUART1=file:{startup.folder / 'uart.txt'}")[1]
    assert json.dumps(filed | {"console": SILENT}) == json.dumps(plain)
