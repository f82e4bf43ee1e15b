"""The commands of the remote serial protocol (GDB manual, appendix E) that are answered while the core is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from vtarget.base.errors import InputError
from vtarget.shell.gdb.control import RunControl, Watch, WatchKind
from vtarget.shell.gdb.description import memory_map_xml, target_xml
from vtarget.shell.gdb.monitor import RESETS, Monitor
from vtarget.shell.gdb.packets import MOST_BYTES, from_hex, number, numbers
from vtarget.shell.gdb.target import Target

MOST_STOPS = 1000  # breakpoints and watchpoints
MOST_WATCHED_BYTES = 1 << 20
PACE = b"vtarget-pace"  # a feature of our own: monitor pace N
OK, ERROR, UNKNOWN = b"OK", b"E01", b""
SUPPORTED = b"PacketSize=%x;qXfer:features:read+;qXfer:memory-map:read+;QStartNoAckMode+;vContSupported+;%s+" % (
    MOST_BYTES,
    PACE,
)


class Orders(Enum):
    """What ends the holding of the core."""

    CONTINUE = auto()
    STEP = auto()
    DETACH = auto()
    KILL = auto()
    RESTART = auto()


@dataclass(frozen=True)
class Order:
    """An order. ``reply`` is sent once it is carried out; a step goes on while the pc is ``within`` addresses."""

    kind: Orders
    reply: bytes | None = None
    within: tuple[int, int] = (0, 0)


class Commands:
    """Answers packets about one machine. ``stop_reply`` says why the core is held; ``exited`` that there is nothing to
    be held any more, but perhaps to be run again."""

    def __init__(self, target: Target, control: RunControl, monitor: Monitor) -> None:
        self._target = target
        self._control = control
        self._monitor = monitor
        self.stop_reply = b""
        self.extended = False
        self.exited = False
        self._single: dict[bytes, Callable[[bytes], bytes | Order]] = {
            b"!": self._extend,
            b"?": lambda _rest: self.stop_reply,
            b"g": self._read_registers,
            b"G": self._write_registers,
            b"p": self._read_register,
            b"P": self._write_register,
            b"m": self._read_memory,
            b"M": self._write_memory,
            b"X": self._write_binary,
            b"c": lambda rest: self._go(Orders.CONTINUE, rest),
            b"s": lambda rest: self._go(Orders.STEP, rest),
            b"C": lambda rest: self._go(Orders.CONTINUE, rest.partition(b";")[2]),
            b"S": lambda rest: self._go(Orders.STEP, rest.partition(b";")[2]),
            b"Z": lambda rest: self._stop_point(rest, insert=True),
            b"z": lambda rest: self._stop_point(rest, insert=False),
            b"H": lambda _rest: OK,
            b"T": lambda rest: OK if rest == b"1" else ERROR,
            b"D": lambda _rest: Order(Orders.DETACH, OK),
            b"k": lambda _rest: Order(Orders.KILL),
            b"R": lambda _rest: Order(Orders.RESTART),
        }
        self._long: dict[bytes, Callable[[bytes], bytes | Order]] = {
            b"qSupported": lambda _rest: SUPPORTED,
            b"qXfer:features:read:target.xml:": lambda rest: _part(target_xml(target.registers), rest),
            b"qXfer:memory-map:read::": lambda rest: _part(memory_map_xml(target.machine.board), rest),
            b"qRcmd,": self._command,
            b"qAttached": lambda _rest: b"1",
            b"qC": lambda rest: b"QC1" if not rest and not self.exited else UNKNOWN,
            b"qfThreadInfo": lambda _rest: b"l" if self.exited else b"m1",
            b"qsThreadInfo": lambda _rest: b"l",
            b"qThreadExtraInfo,": lambda _rest: b"core".hex().encode(),
            b"qSymbol:": lambda _rest: OK,
            b"vCont?": lambda _rest: b"vCont;c;C;s;S;r",
            b"vCont;": self._continue,
            b"vFlashErase:": self._erase,
            b"vFlashWrite:": self._write_flash,
            b"vFlashDone": lambda _rest: OK,
            b"vKill": lambda _rest: Order(Orders.KILL, OK),
            b"vAttach": lambda _rest: self.stop_reply,
            b"vRun": lambda _rest: Order(Orders.RESTART, b"T05thread:1;"),
        }

    def answer(self, data: bytes) -> bytes | Order:
        """The reply to a packet, or the order that it is; an empty reply for what is unknown."""
        command, rest = self._single.get(data[:1]), data[1:]
        if command is None:
            found = next((name for name in self._long if data.startswith(name)), None)
            if found is None:
                return UNKNOWN
            command, rest = self._long[found], data[len(found) :]
        try:
            return command(rest)
        except (ValueError, InputError):
            return ERROR

    def _extend(self, _rest: bytes) -> bytes:
        self.extended = True
        return OK

    # Registers.

    def _read_registers(self, _rest: bytes) -> bytes:
        return b"".join(self._target.read_register(r) for r in self._target.registers).hex().encode()

    def _write_registers(self, rest: bytes) -> bytes:
        data = from_hex(rest)
        if len(data) < sum(r.bits // 8 for r in self._target.registers):
            return ERROR
        for register in self._target.registers:
            size = register.bits // 8
            self._target.write_register(register, data[:size])
            data = data[size:]
        return OK

    def _read_register(self, rest: bytes) -> bytes:
        index = number(rest)
        registers = self._target.registers
        return self._target.read_register(registers[index]).hex().encode() if index < len(registers) else ERROR

    def _write_register(self, rest: bytes) -> bytes:
        name, _, value = rest.partition(b"=")
        index = number(name)
        if index >= len(self._target.registers):
            return ERROR
        self._target.write_register(self._target.registers[index], from_hex(value))
        return OK

    # Memory.

    def _read_memory(self, rest: bytes) -> bytes:
        address, size = numbers(rest, b",", 2)
        data = self._target.read(address, min(size, MOST_BYTES // 2))
        return data.hex().encode() if data or not size else ERROR

    def _write_memory(self, rest: bytes) -> bytes:
        place, _, digits = rest.partition(b":")
        return self._write(place, from_hex(digits))

    def _write_binary(self, rest: bytes) -> bytes:
        place, _, data = rest.partition(b":")
        return self._write(place, data)

    def _write(self, place: bytes, data: bytes) -> bytes:
        address, size = numbers(place, b",", 2)
        return OK if size == len(data) and self._target.write(address, data) else ERROR

    def _erase(self, rest: bytes) -> bytes:
        return OK if self._target.erase(*numbers(rest, b",", 2)) else ERROR

    def _write_flash(self, rest: bytes) -> bytes:
        address, _, data = rest.partition(b":")
        return OK if self._target.write(number(address), data) else ERROR

    # Running.

    def _go(self, kind: Orders, address: bytes) -> Order:
        if address:
            self._target.set_pc(number(address))
        return Order(kind)

    def _continue(self, rest: bytes) -> bytes | Order:
        """The first action of a vCont, which is about the only thread."""
        action = rest.partition(b";")[0].partition(b":")[0]
        match action[:1]:
            case b"c" | b"C":
                return Order(Orders.CONTINUE)
            case b"s" | b"S":
                return Order(Orders.STEP)
            case b"r":
                start, end = numbers(action[1:], b",", 2)
                return Order(Orders.STEP, within=(start, end))
        return ERROR

    def _stop_point(self, rest: bytes, *, insert: bool) -> bytes:
        kind, address, size = numbers(rest.partition(b";")[0], b",", 3)
        control = self._control
        if insert and control.count >= MOST_STOPS:
            return ERROR
        if kind in (0, 1):
            (control.add_break if insert else control.remove_break)(kind, address & ~1)
        elif kind in set(WatchKind):
            if not 0 < size <= MOST_WATCHED_BYTES or address + size > 1 << 32:
                return ERROR
            watch = Watch(WatchKind(kind), address, size)
            (control.add_watch if insert else control.remove_watch)(watch)
        else:
            return UNKNOWN
        return OK

    def _command(self, rest: bytes) -> bytes | Order:
        command = " ".join(from_hex(rest).decode("utf-8", errors="replace").split())
        if command in RESETS:
            return Order(Orders.RESTART, OK)
        return self._monitor.answer(command).encode().hex().encode() or OK


def _part(text: str, rest: bytes) -> bytes:
    """A piece of a document: ``m`` and more follows, or ``l`` and it is the last."""
    offset, size = numbers(rest, b",", 2)
    data = text.encode()
    piece = data[offset : offset + min(size, MOST_BYTES // 2)]
    return (b"m" if offset + len(piece) < len(data) else b"l") + piece
