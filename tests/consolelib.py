"""Small firmware that talks, for tests of consoles through the command line, and clients for it to talk to."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from asmlib import assemble_program
from machinelib import CommandResult, vtarget

BOARD = "nucleo-l4r5zi"
PATIENCE_SECONDS = 20.0
MEASURED = """import sys
from vtarget.app.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    print(*(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""

# USART2 of the STM32L4R5 (RM0432 53.8): BRR, CR1 (UE, RE, TE), ISR, RDR, TDR.
UART = """
.macro uart_on divider
ldr r4, =0x40004400
movw r0, #\\divider
str r0, [r4, #0x0c]
movs r0, #0x0d
str r0, [r4, #0]
.endm
.macro until_bit bit
1: ldr r1, [r4, #0x1c]
lsls r1, r1, #(31 - \\bit)
bpl 1b
.endm
.macro exit_ok
movs r0, #0x18
ldr r1, =0x20026
bkpt 0xab
.endm
.equ RXNE, 5
.equ TC, 6
.equ TXE, 7
"""
# Prints '>', then sends back what it gets, until that is a 'q'. It only polls.
ECHO = f"""{UART}
fn test
uart_on 35
movs r0, #'>'
str r0, [r4, #0x28]
next:
until_bit RXNE
ldr r2, [r4, #0x24]
until_bit TXE
str r2, [r4, #0x28]
cmp r2, #'q'
bne next
until_bit TC
exit_ok
end test
"""
# Prints 'x' for good, as fast as the device can: 16 clocks a bit.
UART_FLOOD = f"""{UART}
fn test
uart_on 16
movs r2, #'x'
flood:
str r2, [r4, #0x28]
until_bit TXE
b flood
end test
"""
# Writes 1 GiB, 256 KiB at a time (SYS_OPEN of :tt, SYS_WRITE), which a line end of its own ends.
SEMIHOSTING_FLOOD = f"""{UART}
fn test
ldr r0, =0x2003ffff
movs r1, #10
strb r1, [r0]
movs r0, #1
ldr r1, =opening
bkpt 0xab
ldr r1, =0x20060000
ldr r2, =0x20000000
ldr r3, =0x40000
stmia r1!, {{r0, r2, r3}}
movw r5, #4096
flood:
movs r0, #5
ldr r1, =0x20060000
bkpt 0xab
subs r5, #1
bne flood
exit_ok
.align 2
opening: .word name, 4, 3
name: .asciz ":tt"
end test
"""
# What a SYS_READC says goes to SYS_WRITEC, until there is no more.
SEMIHOSTING_ECHO = f"""{UART}
fn test
ldr r4, =LOG
again:
movs r0, #7
movs r1, #0
bkpt 0xab
adds r1, r0, #1
beq over
strb r0, [r4]
movs r0, #3
mov r1, r4
bkpt 0xab
b again
over:
exit_ok
end test
"""
ITM_ON = """
set 0xE000EDFC, 1 << 24
set 0xE0000FB0, 0xC5ACCE55
set 0xE0000E80, 1
set 0xE0000E00, 1
"""
# 'ok!' and a line end as one word, through stimulus port 0; then "\r\n" as a halfword and 'b' as a byte.
ITM_TEXT = f"""{UART}
fn test
{ITM_ON}
set 0xE0000000, 0x0a216b6f
ldr r0, =0xE0000000
movw r1, #0x0a63
strh r1, [r0]
movs r1, #'b'
strb r1, [r0]
exit_ok
end test
"""
ITM_FLOOD = f"""
fn test
{ITM_ON}
ldr r0, =0xE0000000
ldr r1, =0x0a787878
flood: str r1, [r0]
b flood
end test
"""
# Makes a control block with a buffer each way, prints "rtt> ", sends back one byte that it waits for, and exits.
RTT = f"""{UART}
.global _SEGGER_RTT
.type _SEGGER_RTT, %object
.set _SEGGER_RTT, 0x20001000
.size _SEGGER_RTT, 72
fn test
ldr r4, =0x20001010
movs r0, #1
movs r1, #1
stmia r4!, {{r0, r1}}
ldr r0, =0x20001200
movs r1, #0
ldr r2, =0x20001100
movs r3, #64
stmia r4!, {{r1, r2, r3}}
stmia r4!, {{r1}}
stmia r4!, {{r1}}
stmia r4!, {{r1}}
movs r3, #8
stmia r4!, {{r1}}
stmia r4!, {{r0, r3}}
stmia r4!, {{r1}}
stmia r4!, {{r1}}
stmia r4!, {{r1}}
ldr r4, =0x20001000
ldr r5, =id
ldmia r5!, {{r0, r1, r2, r3}}
stmia r4!, {{r0, r1, r2, r3}}
ldr r4, =0x20001100
ldr r0, =0x3e747472
str r0, [r4]
movs r0, #' '
str r0, [r4, #4]
ldr r4, =0x20001018
movs r0, #5
str r0, [r4, #12]
waiting:
ldr r0, [r4, #36]
ldr r1, [r4, #40]
cmp r0, r1
beq waiting
ldr r2, =0x20001200
ldrb r0, [r2]
ldr r2, =0x20001105
strb r0, [r2]
movs r0, #6
str r0, [r4, #12]
exit_ok
.align 2
id: .ascii "SEGGER RTT"
.zero 6
end test
"""
RESETS = """
fn test
set AIRCR, 0x05FA0004
b .
end test
"""


def opens(name: str) -> str:
    """Opens a file of the host for writing, writes "data" to it, and exits with 0; with 7 if it can't be opened."""
    return f"""{UART}
fn test
movs r0, #1
ldr r1, =opening
bkpt 0xab
ldr r1, =LOG
adds r2, r0, #1
beq refused
str r0, [r1]
ldr r2, =name
movs r3, #4
str r2, [r1, #4]
str r3, [r1, #8]
movs r0, #5
bkpt 0xab
exit_ok
refused:
ldr r2, =0x20026
movs r3, #7
str r2, [r1]
str r3, [r1, #4]
movs r0, #0x20
bkpt 0xab
.align 2
opening: .word name, 4, {len(name)}
name: .asciz "{name}"
end test
"""


@dataclass(frozen=True)
class Firmware:
    """A firmware file, and a folder for what its runs leave."""

    path: Path
    folder: Path

    @classmethod
    def of(cls, folder: Path, source: str) -> Firmware:
        """Assemble it for BOARD."""
        return cls(assemble_program(folder / "program.elf", BOARD, source, {}), folder)

    def run(self, *options: str | Path) -> CommandResult:
        """``vtarget run`` in this process."""
        return vtarget("run", self.path, "-b", BOARD, *options)

    def result(self, *options: str | Path) -> tuple[CommandResult, dict[str, Any]]:
        """``vtarget run --quiet`` in this process, and its JSON."""
        path = self.folder / "result.json"
        path.unlink(missing_ok=True)
        done = self.run("--quiet", "--json", path, *options)
        return done, json.loads(path.read_text(encoding="utf-8"))

    def process(self, *options: str | Path, **streams: Any) -> subprocess.Popen[str]:
        """``vtarget run`` in a process of its own."""
        command = [sys.executable, "-m", "vtarget", "run", self.path, "-b", BOARD, *options]
        return subprocess.Popen(command, text=True, bufsize=0, **streams)

    def peak_bytes(self, *options: str | Path) -> int:
        """The most memory that a run's process has had (VmHWM of proc(5)); how the run ends doesn't matter."""
        command = [sys.executable, "-c", MEASURED, "run", self.path, "-b", BOARD, "--quiet", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return int(done.stdout.split()[-2]) * 1024


def free_port() -> int:
    """A port that nobody listens at just now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def connected(port: int) -> socket.socket:
    """A client, as soon as there is somebody to connect to."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return client


def read_up_to(client: socket.socket, end: bytes) -> bytes:
    """What comes, up to and with ``end``; less if the other side closes."""
    data = bytearray()
    while not data.endswith(end) and (piece := client.recv(1)):
        data += piece
    return bytes(data)


class Meanwhile(Thread):
    """Does something while a run goes on; ``outcome`` waits for what it returned."""

    def __init__(self, action: Callable[[], bytes]) -> None:
        super().__init__(daemon=True)
        self._action = action
        self._found = b""
        self.start()

    def run(self) -> None:
        """In the thread."""
        self._found = self._action()

    def outcome(self) -> bytes:
        """Once it is through."""
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive()
        return self._found
