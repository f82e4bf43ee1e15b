"""A debug port that isn't there, behind pyOCD's own remote-probe protocol: one JSON object a line, over a socket.

It has one AHB access port with a Cortex-M4 behind it, whose core is a FakeBoard: the debug registers of DDI 0403 C1.6
(DHCSR, DCRSR, DCRDR, DEMCR, AIRCR) and the FPB's comparators do to that board what they do to a core.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fakeboard import FakeBoard

DHCSR, DCRSR, DCRDR, DEMCR, AIRCR, DFSR = 0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC, 0xE000ED0C, 0xE000ED30
C_DEBUGEN, C_HALT, C_STEP, S_REGRDY, S_HALT, S_RESET_ST = 1, 2, 4, 1 << 16, 1 << 17, 1 << 25
DBGKEY, VC_CORERESET, SYSRESETREQ = 0xA05F, 1, 4
FP_CTRL, FP_COMP0 = 0xE0002000, 0xE0002008
ROM_TABLE = 0xE00FF000
DPIDR, CTRL_STAT, AP_IDR, AP_BASE, AP_CSW = 0x2BA01477, 0x4, 0xFC, 0xF8, 0x00
# Component and part numbers (CoreSight IHI 0029; DDI 0439, ROM table).
COMPONENTS = {ROM_TABLE: (0x1, 0x4C4), 0xE000E000: (0xE, 0x00C), 0xE0001000: (0xE, 0x002), 0xE0002000: (0xE, 0x003)}
ENTRIES = [0xFFF0F003, 0xFFF02003, 0xFFF03003, 0]
PROBE_DISCONNECTED, TRANSFER_FAULT = 2, 12


class Dap:
    """The debug port's registers, and the memory behind its access port. ``locked``: the port refuses the memory."""

    def __init__(self, board: FakeBoard, *, locked: bool = False) -> None:
        self.board = board
        self._locked = locked
        self._demcr = self._dcrdr = 0
        self._was_reset = False
        self._comparators: dict[int, int] = {}
        self._control = 0
        self._select = 0
        self._csw = 0x23000040
        self._tar = 0

    # Debug port and access port.

    def read_dp(self, address: int) -> int:
        return {0: DPIDR, CTRL_STAT: 0xF0000000 | self._control}.get(address, 0)

    def write_dp(self, address: int, value: int) -> None:
        if address == CTRL_STAT:
            self._control = value & 0x50000000

    def read_ap(self, address: int) -> int:
        if address >> 24:
            return 0
        return {AP_IDR: 0x24770011, AP_BASE: ROM_TABLE | 3, AP_CSW: self._csw}.get(address & 0xFF, 0)

    def write_ap(self, address: int, value: int) -> None:
        if address & 0xFF == AP_CSW:
            self._csw = value

    # Memory.

    def read(self, address: int, size: int) -> bytes:
        if self._locked and address < 0xE0000000:
            raise PermissionError
        if address < 0xE0000000:
            data = self.board.read(address, size)
            if len(data) != size:
                raise LookupError
            return data
        words = range(address & ~3, address + size, 4)
        data = b"".join(self._word(a).to_bytes(4, "little") for a in words)
        return data[address & 3 :][:size]

    def _word(self, address: int) -> int:
        base = address & ~0xFFF
        if base in COMPONENTS and address & 0xFFF >= 0xFD0:
            kind, part = COMPONENTS[base]
            identity = {0xFE0: part & 0xFF, 0xFE4: 0xB0 | part >> 8, 0xFE8: 0x0B, 0xFD0: 4}
            return {0xFF0: 0x0D, 0xFF4: kind << 4, 0xFF8: 0x05, 0xFFC: 0xB1}.get(address & 0xFFF) or identity.get(
                address & 0xFFF, 0
            )
        if base == ROM_TABLE:
            return ENTRIES[(address & 0xFFF) // 4] if address & 0xFFF < 16 else 0
        if address == DHCSR:
            held = 0 if self.board.running else S_HALT | C_HALT
            status = S_REGRDY | C_DEBUGEN | held | (S_RESET_ST * self._was_reset)
            self._was_reset = False
            return status
        if address == DCRDR:
            return self._dcrdr
        if address == DEMCR:
            return self._demcr
        if address == FP_CTRL:
            return self.board.comparators << 4 | 1
        return self.board.words.get(address, 0)

    def write(self, address: int, data: bytes) -> None:
        if address < 0xE0000000:
            if not self.board.write(address, data):
                raise LookupError
            return
        for i in range(0, len(data), 4):
            self._write_word(address + i, int.from_bytes(data[i : i + 4], "little"))

    def _write_word(self, address: int, value: int) -> None:
        board = self.board
        if address == DHCSR and value >> 16 == DBGKEY:
            self._debug(value)
        elif address == DCRSR:
            self._transfer(value)
        elif address == DCRDR:
            self._dcrdr = value
        elif address == DEMCR:
            self._demcr = board.words[DEMCR] = value
        elif address == AIRCR and value & SYSRESETREQ:
            board.reset()
            self._was_reset = True
            if not self._demcr & VC_CORERESET:
                board.running = not board.run()
        elif FP_COMP0 <= address < FP_COMP0 + 4 * board.comparators:
            self._comparators[address] = value
            board.breakpoints = {_place(word) for word in self._comparators.values() if word & 1}
            board.most_breakpoints = max(board.most_breakpoints, len(board.breakpoints))
        else:
            board.write(address, value.to_bytes(4, "little"))

    def _debug(self, value: int) -> None:
        board = self.board
        if value & C_HALT:
            board.running = False
        elif value & C_DEBUGEN and not board.running:
            if value & C_STEP:
                board.step()
                board.count(board.overhead)
            else:
                board.running = not board.run()

    def _transfer(self, value: int) -> None:
        """A core register to or from DCRDR (DDI 0403 C1.6.3)."""
        number = value & 0x7F
        if value >> 16 & 1:
            self.board.changed[str(number)] = self._dcrdr
        else:
            self._dcrdr = 0x01000000 if number == 16 else self.board.register(number)


def _place(word: int) -> int:
    """The address of a comparator of an FPB of version 1 (DDI 0403 C1.11.5)."""
    return (word & 0x1FFFFFFC) + (2 if word >> 30 == 2 else 0)


class _Server:
    def __init__(self, dap: Dap) -> None:
        self._dap = dap
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self.unplugged = False  # the server of the probe is still there, the probe isn't
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            with peer:
                self._talk(peer)

    def _talk(self, peer: socket.socket) -> None:
        peer.settimeout(0.02)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pending = b""
        while not self._over.is_set():
            try:
                data = peer.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            pending += data
            while b"\n" in pending:
                line, _, pending = pending.partition(b"\n")
                request = json.loads(line)
                peer.sendall(json.dumps({"id": request["id"], **self._answer(request)}).encode() + b"\n")

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.unplugged:
            return {"status": PROBE_DISCONNECTED, "error": "the probe was disconnected"}
        try:
            result = self._do(request["request"], *request.get("arguments", []))
        except (LookupError, PermissionError):
            return {"status": TRANSFER_FAULT, "error": "memory transfer fault"}
        return {"status": 0, "result": result}

    def _do(self, name: str, *arguments: Any) -> Any:
        dap = self._dap
        match name:
            case "readprop":
                return {
                    "vendor_name": "Nobody",
                    "product_name": "Probe that isn't there",
                    "supported_wire_protocols": ["SWD", "DEFAULT"],
                    "wire_protocol": "SWD",
                    "capabilities": ["SWJ_SEQUENCE", "MANAGED_AP_SELECTION", "MANAGED_DPBANKSEL"],
                }[arguments[0]]
            case "read_dp" | "read_ap" | "write_dp" | "write_ap":
                return getattr(dap, name)(*arguments)
            case "get_memory_interface_for_ap":
                return 0
            case "read_mem":
                return int.from_bytes(dap.read(arguments[1], arguments[2] // 8), "little")
            case "write_mem":
                return dap.write(arguments[1], int(arguments[2]).to_bytes(arguments[3] // 8, "little"))
            case "read_block32":
                data = dap.read(arguments[1], 4 * arguments[2])
                return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
            case "read_block8":
                return list(dap.read(*arguments[1:3]))
            case "write_block32":
                return dap.write(arguments[1], b"".join(word.to_bytes(4, "little") for word in arguments[2]))
            case "write_block8":
                return dap.write(arguments[1], bytes(arguments[2]))
            case "is_reset_asserted":
                return False
            case "has_swo":
                return False
        return None


@contextmanager
def remote_probe(board: FakeBoard, *, locked: bool = False) -> Iterator[_Server]:
    """A server of pyOCD's remote-probe protocol in front of the board."""
    server = _Server(Dap(board, locked=locked))
    try:
        yield server
    finally:
        server.close()
