"""One run of a firmware on a board behind a probe: the core is stopped where kernels begin and end.

A call is timed from before its first instruction to before the one it returns to, as the virtual run counts it. While
it is open its entry has no breakpoint, so that recursion belongs to it; a return at another depth of the stack is not
its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median_low

from vtarget.data.board import Board
from vtarget.data.image import Image
from vtarget.logic.measureplan import Pick
from vtarget.shell.console import Console
from vtarget.shell.laps import NO_VISITS, End, Lap, Visits
from vtarget.shell.probes.counters import Stopwatch
from vtarget.shell.probes.errors import NeverReachedError, ProbeError
from vtarget.shell.probes.probe import Halt, Probe
from vtarget.shell.probes.starting import ConsoleLine, TargetMemory, start_from, table_in_ram
from vtarget.shell.rtt import Rtt
from vtarget.shell.semihosting import BREAKPOINT, Blocked, FirmwareExit, Semihosting, Sys, signed

EMPTY_SPANS = 5
ENDLESS_SECONDS = 2.0  # in which firmware without an end must come by them
FIRST_SPECIAL_RETURN = 0xF0000000  # EXC_RETURN and FNC_RETURN values; the reset value of LR is one of them too
EXITS = (Sys.EXIT, Sys.EXIT_EXTENDED)
BKPT = 0xBE
RTT_SYMBOL = "_SEGGER_RTT"


@dataclass
class _Open:
    """A call that has not returned yet; ``stops`` that happened in it, besides its own. ``rounds`` of the counter had
    been lost, or were doubted, before."""

    address: int
    returns_to: int
    sp: int
    start: int
    rounds: tuple[int, int]
    stops: int = 0


class BoardRun:
    """Runs one image on one board again and again. ``overhead_cycles`` are taken off each stop.

    A run without an end that takes longer than ``timeout_s`` is an error, or, if it may be ``partial``, ends there.
    """

    def __init__(
        self,
        probe: Probe,
        watch: Stopwatch,
        image: Image,
        board: Board,
        end: End | None,
        timeout_s: float,
        *,
        partial: bool = False,
    ) -> None:
        self._probe = probe
        self._watch = watch
        self._image = image
        self._board = board
        self._end = end
        self._timeout_s = timeout_s
        self._partial = partial and end is None
        self._table = table_in_ram(image, board)
        self.console = Console()
        self.overhead_cycles = 0

    # A run.

    def lap(self, picks: Iterable[Pick] = (), visits: Visits = NO_VISITS) -> Lap:
        """Run from reset to the end, and time the calls of the kernels.

        NeverReachedError if the end, or a kernel, isn't reached in time; without an end, a lap is over when each kernel
        was called as often as in the virtual run.
        """
        self._begin(picks, visits)
        deadline = time.monotonic() + self._timeout_s
        try:
            while not self._is_over(self._go(deadline)):
                pass
        except NeverReachedError:
            if not (self._partial and self._lap.calls):
                raise
            self._time_out()
        finally:
            self._semihosting.close()
        for address in self._unsure:
            self._lap.calls.pop(address, None)
        self.console.write(self._probe.console().encode())
        return self._lap

    def _begin(self, picks: Iterable[Pick], visits: Visits = NO_VISITS) -> None:
        self.console = Console()
        self._probe.console()  # what is left of a run that was broken off
        self._visits, self._memory = visits, TargetMemory(self._probe)
        self._semihosting = Semihosting(self._memory, self.console, lambda: 0, self._board.clock.typical)
        block = self._image.objects.get(RTT_SYMBOL)
        line = ConsoleLine(self.console)
        self._rtt = None if block is None else Rtt(self._memory, self._board, block[0], line)
        self._lap, self._looks = Lap(), 0
        self._unsure: set[int] = set()  # kernels with a call that a round of the counter may be missing of
        self._open: _Open | None = None
        self._picks = {pick.address: pick for pick in picks}
        self._probe.reset_halt()
        if self._table is not None and (note := start_from(self._probe, self._image, self._table)) is not None:
            self._note(note)
        self._watch.start()
        self._armed: set[int] = set()
        visits.onlooker.begins()
        self._start = visits.start
        if self._start is None:
            self._started()
        else:
            self._arm(self._start)

    def _started(self) -> None:
        """Memory is the firmware's own from here on."""
        for address, data in self._visits.writes:
            self._memory.write(address, data)
        end = (self._end.address,) if self._end is not None else ()
        for address in (*self._picks, *self._visits.entries, *end):
            self._arm(address)

    def _arm(self, address: int) -> None:
        if address not in self._armed:
            self._probe.set_breakpoint(address)
            self._armed.add(address)

    def _disarm(self, address: int) -> None:
        if address in self._armed:
            self._probe.clear_breakpoint(address)
            self._armed.discard(address)

    def _go(self, deadline: float) -> Halt:
        """Let the core run to its next stop; now and then it is stopped just to look at the counter before it wraps."""
        if time.monotonic() >= deadline:  # it may stop so often that no wait for a stop is long
            raise self._never(self._probe.read_register("pc"))
        self._watch.runs()
        self._probe.resume()
        while True:
            left = deadline - time.monotonic()
            halt = self._probe.wait_halt(min(max(left, 0.0), self._watch.look_seconds))
            if halt is not None:
                return halt
            halt = self._probe.halt()
            if halt.ended or halt.pc in self._armed:
                return halt
            if left <= 0:
                raise self._never(halt.pc)
            self._watch.now()
            self._take_text()
            self._looks += 1
            if self._open is not None:
                self._open.stops += 1
            self._watch.runs()
            self._probe.resume()

    def _is_over(self, halt: Halt) -> bool:
        """Take note of a stop; whether it was the last."""
        if halt.ended:
            self._lap.exit_code = halt.exit_code
            self._check_reached(halt.pc)
            return True
        now, pc, call = self._watch.now(), halt.pc, self._open
        known = pc in self._armed
        if pc == self._start:
            self._disarm(pc)
            self._start = None
            self._looks += 1
            self._started()
        if call is not None and pc == call.returns_to and not self._close(call, now):
            return False
        if self._end is not None and pc == self._end.address:
            return self._ends(now)
        if pc in self._visits.entries:
            self._visit(pc)
        if pc in self._picks and pc in self._armed:
            self._enter(self._picks[pc], now)
        elif pc in self._visits.entries:
            self._pass(pc)
        elif not known:
            return self._serve(halt, now)
        return self._end is None and self._has_all_calls()

    def _visit(self, pc: int) -> None:
        """The onlooker's turn; the stop, and that of the step that goes on from it, count for nobody."""
        self._visits.onlooker.entered(self._visits.entries[pc], self._memory)
        self._looks += 2
        if self._open is not None:
            self._open.stops += 2

    # Calls.

    def _enter(self, pick: Pick, now: int) -> None:
        self._disarm(pick.address)
        if self._open is not None:
            self._open.stops += 1
            self._note(f"{pick.name} was entered while another measured kernel ran; that call was not measured")
            return
        link = self._probe.read_register("lr")
        if link >= FIRST_SPECIAL_RETURN:
            self._note(f"{pick.name} is not measured: it was entered as an exception handler or by reset")
            return
        sp = self._probe.read_register("sp")
        self._open = _Open(pick.address, link & ~1, sp, now, (self._watch.rounds_lost, self._watch.rounds_doubted))
        self._arm(link & ~1)

    def _close(self, call: _Open, now: int) -> bool:
        """Whether the call has returned; else the core is past the stop, which was for another call."""
        if self._probe.read_register("sp") != call.sp:
            call.stops += 2
            self._pass(call.returns_to)
            return False
        if call.returns_to not in self._picks and (self._end is None or call.returns_to != self._end.address):
            self._disarm(call.returns_to)
        self._keep(call, now)
        self._open = None
        self._visits.onlooker.returned(self._picks[call.address].name, self._memory)
        for address in self._picks:
            self._arm(address)
        return True

    def _keep(self, call: _Open, now: int) -> None:
        """Note what a call took. A doubt is none where the virtual run says that it is over long before a round."""
        cycles = now - call.start - (1 + call.stops) * self.overhead_cycles
        self._lap.calls.setdefault(call.address, []).append(max(0, cycles))
        watch, pick, (lost, doubted) = self._watch, self._picks[call.address], call.rounds
        is_short = 2 * pick.total_cycles < pick.calls * watch.round_cycles
        if watch.rounds_lost > lost or (watch.rounds_doubted > doubted and not is_short):
            self._unsure.add(call.address)
            self._note(f"{pick.name} is not measured in every run: {self._unseen()}")

    def _unseen(self) -> str:
        watch = self._watch
        went = "went" if watch.rounds_lost else "may have gone"
        return (
            f"{watch.name} {went} round unseen, as it does in {watch.round_seconds:.2g} s, and the probe took longer "
            "to look (a timer with more bits can be named in the board's file: debug: cycle_timer)"
        )

    def _pass(self, address: int) -> None:
        """Step over an instruction that has a breakpoint."""
        self._disarm(address)
        self._probe.step()
        self._watch.now()
        self._arm(address)

    # Ends, and stops that nobody asked for.

    def _ends(self, now: int) -> bool:
        if self._instruction() == BREAKPOINT and self._probe.read_register("r0") not in EXITS:
            return self._serve_call(now)
        return self._finish(now)

    def _finish(self, now: int) -> bool:
        self._lap.total_cycles, self._lap.stops = now, 1 + self._looks
        if self._watch.rounds_lost or self._watch.rounds_doubted:
            self._lap.total_cycles = None
            self._note(f"the whole run is not timed every time: {self._unseen()}")
        self._take_text()
        if self._instruction() == BREAKPOINT:
            exited = self._semihosting.call(self._probe.read_register("r0"), self._probe.read_register("r1"))
            self._lap.exit_code = exited.code if isinstance(exited, FirmwareExit) else None
        if self._open is not None:
            call, self._open = self._open, None
            self._keep(call, now)
            self._note(f"{self._picks[call.address].name} had not returned when the run ended; it counts up to there")
        self._check_reached(self._end.address if self._end is not None else 0)
        return True

    def _time_out(self) -> None:
        """Endless firmware has had its time: what it has done so far counts, but for a call that is open."""
        self._lap.timed_out, self._open = True, None
        self._take_text()
        self._note(f"a run was ended after {self._timeout_s:g} s (--timeout), before it had made all calls")
        self._check_reached(self._probe.read_register("pc"))

    def _take_text(self) -> None:
        """What the firmware has put into its RTT buffer, if it has one."""
        if self._rtt is not None:
            self._rtt.poll()

    def _serve(self, halt: Halt, now: int) -> bool:
        """A stop of the firmware's own: a semihosting call that the server leaves to us, or the end of all."""
        instruction = self._instruction()
        if instruction == BREAKPOINT:
            return self._serve_call(now)
        where = self._where(halt.pc)
        if instruction[1:] == bytes((BKPT,)):
            raise ProbeError(f"the firmware stopped itself with BKPT {instruction[0]} at {where}")
        raise ProbeError(
            f"the core stopped at {where}, where no breakpoint is (signal {halt.signal})",
            hint="a fault, a watchpoint, or another debugger",
        )

    def _serve_call(self, now: int) -> bool:
        operation, argument = self._probe.read_register("r0"), self._probe.read_register("r1")
        result = self._semihosting.call(operation, argument)
        if isinstance(result, FirmwareExit):
            self._lap.exit_code = result.code
            return self._finish(now)
        if isinstance(result, Blocked):
            result = signed(0xFFFFFFFF)
        if self._open is not None:
            self._open.stops += 1
        self._looks += 1
        self._probe.write_register("r0", result & 0xFFFFFFFF)
        self._probe.write_register("pc", self._probe.read_register("pc") + 2)
        return False

    def _instruction(self) -> bytes:
        return self._probe.read_memory(self._probe.read_register("pc"), 2)

    def _has_all_calls(self) -> bool:
        done = self._lap.calls
        return (
            bool(self._picks)
            and self._open is None
            and all(len(done.get(p.address, ())) >= p.calls for p in self._picks.values())
        )

    def _check_reached(self, pc: int) -> None:
        missing = [pick for pick in self._picks.values() if pick.address not in self._lap.calls]
        for pick in missing:
            self._note(f"{pick.name} is not measured: the run ended at {self._where(pc)} without calling it")

    def _never(self, pc: int) -> NeverReachedError:
        missing = next((pick for pick in self._picks.values() if pick.address not in self._lap.calls), None)
        if missing is not None:
            what = f"{missing.name} at 0x{missing.address:08x}"
        elif self._open is not None:
            what = f"the return of {self._picks[self._open.address].name}"
        elif self._end is not None:
            what = f"the end of the run at {self._where(self._end.address)}"
        else:
            what = self._calls_so_far()
        hint = "--timeout S waits longer"
        if self._end is None:
            hint = f"--until SYMBOL ends the virtual run and this one there; {hint}"
        return NeverReachedError(
            f"{what} was not reached within {self._timeout_s:g} s; the core is at {self._where(pc)}", hint=hint
        )

    def _calls_so_far(self) -> str:
        made = {pick.name: (len(self._lap.calls[pick.address]), pick.calls) for pick in self._picks.values()}
        some = [f"{name} {n:,} of {calls:,}" for name, (n, calls) in made.items() if n < calls]
        return f"as many calls as the virtual run made ({', '.join(some)})"

    def _where(self, pc: int) -> str:
        function = self._image.function_at(pc)
        return f"0x{pc:08x} ({function.name})" if function is not None else f"0x{pc:08x}"

    def _note(self, text: str) -> None:
        if text not in self._lap.notes:
            self._lap.notes.append(text)

    # Overhead.

    def calibrate(self, place: int, visits: Visits = NO_VISITS) -> int | None:
        """What stopping and going on adds to a span: the median of spans of one instruction that takes a cycle, at
        ``place``, as the firmware comes by. None if it doesn't in one run, or soon if that has no end."""
        self._begin((), visits)
        found: list[int] = []
        self._arm(place)
        seconds = self._timeout_s if self._end is not None else min(self._timeout_s, ENDLESS_SECONDS)
        deadline = time.monotonic() + seconds
        while len(found) < EMPTY_SPANS:
            try:
                halt = self._go(deadline)
            except NeverReachedError:
                if self._end is None:
                    break
                raise
            if halt.ended or (halt.pc != place and self._is_over(halt)):
                break
            if halt.pc != place:
                continue
            before = self._watch.now()
            self._disarm(place)
            self._arm(place + 2)
            if self._go(deadline).pc == place + 2:
                found.append(self._watch.now() - before - 1)
            self._disarm(place + 2)
            self._arm(place)
        return max(0, median_low(found)) if found else None
