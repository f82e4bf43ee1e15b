"""The debug server: holds and releases the core as a debugger asks through the remote protocol."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto

from vtarget.data.limits import RunLimits
from vtarget.data.record import Exit, Reason
from vtarget.shell.debugging import RestartRequestedError
from vtarget.shell.gdb.commands import Commands, Order, Orders
from vtarget.shell.gdb.control import WATCH_NAMES, RunControl, Signal, Stop
from vtarget.shell.gdb.link import Link, Listener
from vtarget.shell.gdb.monitor import Monitor
from vtarget.shell.gdb.target import Target
from vtarget.shell.machine import Machine
from vtarget.shell.schedule import NEVER

POLL_SECONDS = 0.05  # between looks at the link while the core runs
WAIT_SECONDS = 0.002  # the same while the core waits for the debugger
OUTPUT_CHARACTERS = 1024  # of console output in a packet
FAULTS = {Reason.FAULT: Signal.SEGV}


class State(Enum):
    """What the debugger has to do with the run."""

    EXPECTED = auto()  # nobody is connected yet
    ATTACHED = auto()
    GONE = auto()  # the run goes on, or ends, by itself


class GdbServer:
    """A ``Debugger`` behind a socket. ``say`` is told, in lines, what a user at the terminal wants to know.

    InputError if the port can't be had.
    """

    def __init__(self, host: str, port: int, say: Callable[[str], None]) -> None:
        self._say = say
        self._listener = Listener(host, port)
        self.where = self._listener.where
        self._state = State.EXPECTED
        self._link: Link | None = None
        self._held: _Held | None = None
        self._running = False  # the peer waits for a stop reply
        self._restart: Order | None = None
        self._looked = self._left = 0.0
        self._released = 0  # when the core was let go: cycles with sleep

    # Debugger.

    @property
    def stepping(self) -> bool:
        """Whether one instruction is to be executed."""
        return self._held is not None and self._held.control.stepping

    def wall_seconds(self, _limits: RunLimits) -> float | None:
        """None: the user's limit counts from when the debugger has left."""
        return None

    def next_look(self, machine: Machine) -> int:
        """When the core has run as long as the debugger wants it to by itself."""
        most = 0 if self._held is None or self._held.machine is not machine else self._held.control.most_cycles
        return self._released + most if most else NEVER

    def before_run(self, machine: Machine, pc: int) -> int:
        """Hold the core if there is a reason to, and serve the debugger until it releases it."""
        held = self._held
        if held is None or held.machine is not machine:
            held, pc = self._adopt(machine, pc)
        if self._state is State.GONE:
            held.control.settle()
            self._watch_time(machine, pc)
            return pc
        stop = held.control.stopped(pc)
        if stop is None and not self._running:
            stop = Stop(Signal.TRAP)
        if stop is None and (self._is_interrupted(held) or self._waits_for_peer(held)):
            stop = Stop(Signal.INT)
        return pc if stop is None else self._hold(held, pc, stop)

    def ended(self, machine: Machine) -> None:
        """Show the end of the run, let the debugger look around, and say goodbye."""
        held, ending = self._held, machine.ending.exit
        if self._state is State.ATTACHED and self._running and held is not None and ending is not None:
            held.control.hold_ended(machine.engine.register(15), machine.ending.executed_in_last)
            if ending.reason is not Reason.SEMIHOSTING:
                self._output(f"vtarget: the run has ended: {_in_words(ending)}\n")
                order = self._serve(held, machine.engine.register(15), Stop(FAULTS.get(ending.reason, Signal.TRAP)))
            if ending.reason is Reason.SEMIHOSTING or order.kind in (Orders.CONTINUE, Orders.STEP):
                self._show_console(held)
                self._send(b"W%02x" % (ending.code & 0xFF))
                self._running = False
                held.commands.exited = True
                if held.commands.extended:
                    self._serve_orders(held)
        self._leave()

    # Machines come and go.

    def _adopt(self, machine: Machine, pc: int) -> tuple[_Held, int]:
        """Another machine is about to run its first instruction at ``pc``."""
        before, held = self._held, _Held(machine)
        held.target.pc = pc
        self._held = held
        if before is not None:
            held.target.put_back(before.target.flash(), before.target.loads())
            held.commands.extended = before.commands.extended
            if self._state is State.ATTACHED:
                held.control.take_over(before.control)
            if self._restart is None and self._running:
                held.target.repeat_set_up(before.target.set_up)
                self._output("vtarget: the firmware sets up its clock; the run begins anew from the reset clock\n")
            self._running = self._running and self._restart is None and not before.control.stepping
            self._released = 0
        if self._state is State.EXPECTED:
            self._say(f"gdb: waiting for a debugger on {self.where}")
            self._link = self._listener.accept(self._say)
            self._listener.close()
            self._state = State.ATTACHED
        return held, held.target.pc

    def _leave(self) -> None:
        if self._state is State.ATTACHED:
            self._state, self._left = State.GONE, time.monotonic()
            if self._link is not None:
                self._link.close()
            if self._held is not None:
                self._held.control.clear()

    def _watch_time(self, machine: Machine, pc: int) -> None:
        seconds = machine.options.limits.wall_seconds
        if seconds is not None and time.monotonic() - self._left > seconds:
            machine.ending.end(Reason.LIMIT, pc, detail=f"{seconds:g} s of wall time (--timeout)")

    # Holding the core.

    def _is_interrupted(self, held: _Held) -> bool:
        """Whether the peer asks to hold the core, or is gone; looked at now and then."""
        now = time.monotonic()
        if now - self._looked < POLL_SECONDS:
            return False
        self._looked = now
        self._show_console(held)
        return self._link is None or self._link.interrupted()

    def _waits_for_peer(self, held: _Held) -> bool:
        """Whether the core has run as long as it may by itself; the peer has then asked to hold it, or is gone."""
        if held.machine.chipset.timeline.now() < self.next_look(held.machine):
            return False
        while self._link is not None and not self._link.interrupted():
            time.sleep(WAIT_SECONDS)
        return True

    def _hold(self, held: _Held, pc: int, stop: Stop) -> int:
        held.control.hold(pc)
        order = self._serve(held, pc, stop)
        pc = held.target.pc
        if order.kind is Orders.KILL:
            held.machine.ending.end(Reason.UNTIL, pc, detail="ended by the debugger")
            self._leave()
            return pc
        if order.kind is Orders.DETACH:
            self._leave()
        pc = held.control.release(pc, step=order.kind is Orders.STEP, within=order.within)
        self._released = held.machine.chipset.timeline.now()
        return pc

    def _serve(self, held: _Held, pc: int, stop: Stop) -> Order:
        """Tell the peer that the core is held, and do what it says until that ends."""
        held.target.pc = pc
        held.commands.stop_reply = _stop_reply(stop)
        if self._restart is not None:
            restart, self._restart = self._restart, None
            if restart.reply is not None:
                self._send(restart.reply)
        elif self._running:
            self._show_console(held)
            self._send(held.commands.stop_reply)
        order = self._serve_orders(held)
        self._running = order.kind in (Orders.CONTINUE, Orders.STEP)
        return order

    def _serve_orders(self, held: _Held) -> Order:
        """Answer packets until one is an order. RestartRequestedError if that is to begin anew."""
        assert self._link is not None
        while True:
            data = self._link.next_packet()
            if data is None:
                if held.commands.exited:
                    return Order(Orders.KILL)
                self._say(f"gdb: the debugger is gone ({self._link.lost}); the run goes on without it")
                return Order(Orders.DETACH)
            if data == b"QStartNoAckMode":
                self._send(b"OK")
                self._link.acknowledges = False
                continue
            reply = held.commands.answer(data)
            if isinstance(reply, bytes):
                self._send(reply)
                continue
            if reply.kind is Orders.RESTART:
                self._restart = reply
                raise RestartRequestedError
            if reply.reply is not None:
                self._send(reply.reply)
            if reply.kind is not Orders.KILL or not held.commands.extended:
                return reply
            held.commands.exited = True  # a peer that has killed the program may still run it again

    # What the peer is told.

    def _send(self, data: bytes) -> None:
        if self._link is not None:
            self._link.send(data)

    def _output(self, text: str) -> None:
        """Text for the debugger's console; it takes that only while it waits for the core to stop."""
        for start in range(0, len(text), OUTPUT_CHARACTERS):
            self._send(b"O" + text[start : start + OUTPUT_CHARACTERS].encode().hex().encode())

    def _show_console(self, held: _Held) -> None:
        if self._running:
            self._output(held.new_console_text())


class _Held:
    """One machine and what the debugger has of it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.target = Target(machine)
        self.control = RunControl(machine, self.target.is_device)
        self.commands = Commands(self.target, self.control, Monitor(machine, self.control))
        self._shown = ""

    def new_console_text(self) -> str:
        """What the firmware has printed since this was asked last."""
        text, shown = self.machine.consoles.console.text, self._shown
        self._shown = text
        return text.removeprefix(shown) if text.startswith(shown) else ""


def _stop_reply(stop: Stop) -> bytes:
    watch = f"{WATCH_NAMES[stop.watch]}:{stop.address:x};" if stop.watch is not None else ""
    return f"T{stop.signal:02x}{watch}thread:1;".encode()


def _in_words(ending: Exit) -> str:
    detail = f": {ending.detail}" if ending.detail else ""
    return f"{ending.reason} at 0x{ending.pc:08x}{detail}"
