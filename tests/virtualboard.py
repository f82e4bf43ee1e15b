"""vtarget's own virtual board as the core behind a debug port (``fakedap``): pyOCD drives it as it would silicon.

The board is reached through its GDB server. Its RAM for code stands in for a flash: pyOCD programs it by an algorithm
that runs on the virtual core, and it outlasts resets.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from vtarget.shell.probes.gdbclient import GdbClient
from vtarget.shell.probes.gdbprobe import REGISTERS

STEP_SECONDS, STOP_SECONDS, POLL_SECONDS = 10.0, 10.0, 0.002
FLASH_BYTES, SECTOR_BYTES, PAGE_BYTES = 0x8000, 0x1000, 0x400
RAM, RAM_BYTES = 0x20000000, 0x400000
WORKING = RAM + 0x100000  # out of the firmware's way
# Arguments and results are those of CMSIS flash algorithms; each routine returns to the BKPT.
ALGORITHM = """
    be00 bkpt 0
    bf00 nop
    2000 movs r0, #0        Init, UnInit
    4770 bx lr
    2200 movs r2, #0        EraseSector(r0)
    43d2 mvns r2, r2
    f44f 5180 mov.w r1, #4096
    6002 str r2, [r0]
    3004 adds r0, #4
    3904 subs r1, #4
    d1fb bne.n -6
    2000 movs r0, #0
    4770 bx lr
    6813 ldr r3, [r2]       ProgramPage(r0, r1, r2)
    6003 str r3, [r0]
    3204 adds r2, #4
    3004 adds r0, #4
    3904 subs r1, #4
    dcf9 bgt.n -10
    2000 movs r0, #0
    4770 bx lr
    """


class _Words(dict[int, int]):
    """Registers of the core's private bus."""

    def __init__(self, board: VirtualBoard) -> None:
        super().__init__()
        self._board = board

    def get(self, address: int, default: Any = None) -> Any:
        data = self._board.read(address, 4)
        return int.from_bytes(data, "little") if len(data) == 4 else default

    def __setitem__(self, address: int, value: int) -> None:
        self._board.write(address, value.to_bytes(4, "little"))


class _Changes(dict[str, int]):
    """Core registers that are written."""

    def __init__(self, client: GdbClient) -> None:
        super().__init__()
        self._client = client

    def __setitem__(self, number: str, value: int) -> None:
        if int(number) in REGISTERS.values():
            data = value.to_bytes(4, "little").hex().encode()
            self._client.command(b"P%x=%s" % (int(number), data), "set a register")


class VirtualBoard:
    """What a ``fakedap.Dap`` needs of a board."""

    overhead, comparators, most_breakpoints = 0, 6, 0

    def __init__(self, port: int) -> None:
        self._client = GdbClient("127.0.0.1", port)
        self._client.ask(b"?")
        self._going = False
        self._breakpoints: AbstractSet[int] = frozenset()
        self.words = _Words(self)
        self.changed = _Changes(self._client)

    def close(self) -> None:
        """Let go of the board, which ends with the connection."""
        self._client.close()

    # Running.

    @property
    def running(self) -> bool:
        if self._going and self._client.stop(POLL_SECONDS) is not None:
            self._going = False
        return self._going

    @running.setter
    def running(self, on: bool) -> None:
        if self._going and not on:
            self._client.interrupt()
            assert self._client.stop(STOP_SECONDS) is not None
            self._going = False

    def run(self) -> bool:
        """Go on; whether the core has stopped already."""
        self._client.resume(b"c")
        self._going = True
        return not self.running

    def step(self) -> None:
        self._client.resume(b"s")
        assert self._client.stop(STEP_SECONDS) is not None

    def count(self, cycles: int) -> None:
        """Stops take no cycles here."""

    def reset(self) -> None:
        """Reset; what stands in for a flash keeps its content, and the core starts from the vectors in it."""
        self.running = False
        kept = self.read(0, FLASH_BYTES)
        assert self._client.monitor("reset halt") == (True, "")
        self.write(0, kept)
        self.changed["13"], self.changed["15"] = (int.from_bytes(kept[at : at + 4], "little") for at in (0, 4))

    @property
    def breakpoints(self) -> AbstractSet[int]:
        return self._breakpoints

    @breakpoints.setter
    def breakpoints(self, wanted: AbstractSet[int]) -> None:
        for letter, places in ((b"z", self._breakpoints - wanted), (b"Z", wanted - self._breakpoints)):
            for place in places:
                self._client.command(b"%s1,%x,2" % (letter, place), "change a breakpoint")
        self._breakpoints = wanted

    # Memory and registers.

    def read(self, address: int, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._client.ask(b"m%x,%x" % (address + len(data), min(size - len(data), 0x1000)))
            if part == b"E01":
                break
            data += bytes.fromhex(part.decode())
        return bytes(data)

    def write(self, address: int, data: bytes) -> bool:
        return all(
            self._client.ask(b"M%x,%x:%s" % (address + at, len(part), part.hex().encode())) == b"OK"
            for at in range(0, len(data), 0x1000)
            if (part := data[at : at + 0x1000])
        )

    def register(self, number: int) -> int:
        if number not in REGISTERS.values():
            return 0
        return int.from_bytes(bytes.fromhex(self._client.ask(b"p%x" % number).decode()), "little")


def target_type() -> type:
    """A target for pyOCD: this board, with the algorithm for what stands in for its flash."""
    from pyocd.core.memory_map import FlashRegion, MemoryMap, RamRegion
    from pyocd.coresight.coresight_target import CoreSightTarget

    halfwords = [word for line in ALGORITHM.split("\n") for word in line.split()[:2] if _is_halfword(word)]
    code = b"".join(int(word, 16).to_bytes(2, "little") for word in halfwords)
    algorithm = {
        "load_address": WORKING,
        "instructions": [int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code), 4)],
        "pc_init": WORKING + 0x5,
        "pc_unInit": WORKING + 0x5,
        "pc_erase_sector": WORKING + 0x9,
        "pc_program_page": WORKING + 0x1D,
        "static_base": WORKING + 0x400,
        "begin_stack": WORKING + 0x1000,
        "begin_data": WORKING + 0x1000,
        "page_size": PAGE_BYTES,
        "page_buffers": [WORKING + 0x1000, WORKING + 0x1000 + PAGE_BYTES],
        "min_program_length": 4,
        "analyzer_supported": False,
    }

    class Target(CoreSightTarget):  # type: ignore[misc]
        VENDOR = "vtarget"
        MEMORY_MAP = MemoryMap(
            FlashRegion(
                start=0,
                length=FLASH_BYTES,
                blocksize=SECTOR_BYTES,
                page_size=PAGE_BYTES,
                is_boot_memory=True,
                algo=algorithm,
            ),
            RamRegion(start=RAM, length=RAM_BYTES),
        )

        def __init__(self, session: Any) -> None:
            super().__init__(session, self.MEMORY_MAP)

    return Target


def _is_halfword(word: str) -> bool:
    return len(word) == 4 and all(digit in "0123456789abcdef" for digit in word)
