"""How a run ends: the first reason counts, and a fault that nobody put right is told as the fault it began with."""

from __future__ import annotations

from dataclasses import replace

from vtarget.data.record import Exit, Reason
from vtarget.logic.report import ending
from vtarget.shell.engine import Engine
from vtarget.shell.recorder import Recorder
from vtarget.shell.recording import shortened

MAIN_RETURNED = "main returned"


class Ending:
    """The end of one run, once there is one."""

    def __init__(self, engine: Engine, recorder: Recorder) -> None:
        self._engine = engine
        self._recorder = recorder
        self.exit: Exit | None = None
        self.executed_in_last = 0
        self.open_fault: Exit | None = None  # taken by a handler that hasn't returned
        self.main_result: int | None = None

    def end(self, reason: Reason, pc: int, *, code: int = 0, detail: str = "", executed: bool = False) -> None:
        """End the run at ``pc``; ``executed``: the instruction there has completed."""
        if self.exit is None:
            stack = self._recorder.call_stack(pc)
            self.exit = Exit(reason, code, pc, detail, shortened(stack))
            self.executed_in_last = self.executed(pc, executed)
        self._engine.stop()

    def fault(self, detail: str, pc: int) -> Exit:
        """The end that a fault at ``pc`` would be if nobody puts it right."""
        return Exit(Reason.FAULT, 0, pc, detail, shortened(self._recorder.call_stack(pc)))

    def fault_of_last(self, detail: str) -> None:
        """The instruction executed last was a fault, whose handler is about to be entered."""
        node = self._recorder.current
        place = node.block.addresses[-1] if node is not None and node.block.addresses else 0
        self.open_fault = self.open_fault or self.fault(detail, place)

    def end_with_fault(self, fault: Exit, pc: int, *, executed: bool = False) -> None:
        """End at ``pc`` because of a fault, or of the one whose handler led to it."""
        if self.exit is None:
            self.exit = self.open_fault or fault
            self.executed_in_last = self.executed(pc, executed)

    def idle(self, pc: int, detail: str) -> None:
        """End because nothing can happen any more: after a fault, after ``main``, or just so."""
        if self.open_fault is not None:
            self.end_with_fault(self.open_fault, pc, executed=True)
        elif self.main_result is None:
            self.end(Reason.IDLE, pc, detail=detail, executed=True)
        else:
            self.end(Reason.RETURN, pc, code=self.main_result, detail=MAIN_RETURNED, executed=True)

    def unmet_script(self, unmet: str | None) -> None:
        """A script still expected something when the run ended by itself: it has failed."""
        if unmet is not None and self.exit is not None and self.exit.reason is not Reason.FAULT:
            detail = f"{unmet}; it ended by {ending(self.exit)}"
            self.exit = replace(self.exit, reason=Reason.SCRIPT, code=1, detail=detail)

    def executed(self, pc: int, done: bool) -> int:
        """How many instructions of the current block have completed when execution stops at ``pc``."""
        node = self._recorder.current
        if node is None or self._recorder.stopped_by_limit:
            return 0
        if pc in node.block.addresses:
            return node.block.addresses.index(pc) + (1 if done else 0)
        return len(node.block.insns)
