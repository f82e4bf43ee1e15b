"""The silicon twin: a virtual board behind a GDB server whose timing is off by hidden amounts.

To a debug probe it is a board: it is flashed, reset, stopped and read, and its counters count what its own factors make
of every cycle. Its time is exact: counts times fractional prices, rounded once, when somebody looks.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.calibration import Calibration
from vtarget.data.image import Image, Segment
from vtarget.data.limits import RunLimits
from vtarget.data.record import OPERAND_CLASSES
from vtarget.logic.placement import find_vector_table
from vtarget.logic.pricing import Pricer
from vtarget.logic.twinpricing import TwinPricer, factors_of
from vtarget.shell import layout
from vtarget.shell.debugging import RestartRequestedError
from vtarget.shell.epochs import ClockProgrammedError
from vtarget.shell.gdb.server import GdbServer
from vtarget.shell.gdb.target import merged
from vtarget.shell.machine import Machine
from vtarget.shell.recorder import UNLIMITED, Recorder
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.sites import classes

BRANCH_TO_SELF = b"\xfe\xe7"
ERASED = 0xFF
ALIGNMENT = 1 << 10  # of what is taken of a flash: more than any vector table needs


class TwinRecorder(Recorder):
    """A recorder whose time is exact. What the native code adds up is a whole number of cycles that is never behind."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._pricer: Pricer | None = None
        self._settled = 0.0  # cycles of epochs that are over
        self._edge_base: NDArray[np.int64] | None = None
        self._site_base: NDArray[np.int64] | None = None
        self._edge_prices: list[float] = []
        self._site_prices: list[NDArray[np.float64]] = []
        super().__init__(*arguments, **options)

    @property
    def pricer(self) -> Pricer:
        """The prices in force."""
        assert self._pricer is not None
        return self._pricer

    @pricer.setter
    def pricer(self, pricer: Pricer) -> None:
        """What has been counted so far keeps its old prices."""
        if self._pricer is not None:
            self._settled = self._exact()
            self._edge_base, self._site_base = self.edge_counts(), self.site_counts()
            self._edge_prices, self._site_prices = [], []
        self._pricer = pricer

    @property
    def cycles(self) -> int:
        """Cycles up to the start of the current block."""
        return int(self._exact())

    def limit(self, *, cycles: int = UNLIMITED, instructions: int = UNLIMITED) -> None:
        """Stop there or, as the native count may be ahead, a little before."""
        if cycles < UNLIMITED:
            cycles = int(self.words[layout.H_CYCLES]) + max(0, cycles - self.cycles)
        super().limit(cycles=cycles, instructions=instructions)

    def ahead(self, pc: int) -> int:
        """As ``Recorder.ahead``, such that time never runs backwards for its fractions."""
        exact, pricer = self._exact(), self.pricer
        assert isinstance(pricer, TwinPricer)
        rows = {site.offset: site for site in self.site_table.rows}
        later = 0.0
        for offset, event in self.noted_from(pc):
            site = rows[offset]
            later += pricer.exact_site(site.kind, self.nodes[site.node].block, site.insn, event)
        return int(exact) - int(exact - later)

    def _exact(self) -> float:
        pricer = self.pricer
        assert isinstance(pricer, TwinPricer)
        self._price_new(pricer)
        edges, sites = self.edge_counts(), self.site_counts()
        if self._edge_base is not None and self._site_base is not None:
            edges[: len(self._edge_base)] -= self._edge_base
            sites[: len(self._site_base)] -= self._site_base
        total = self._settled + float(edges @ np.array(self._edge_prices)) if len(edges) else self._settled
        return total + float((sites * np.array(self._site_prices)).sum()) if len(sites) else total

    def _price_new(self, pricer: TwinPricer) -> None:
        for edge in self.edges[len(self._edge_prices) :]:
            source = self.nodes[edge.source].block if edge.source >= 0 else None
            target = self.nodes[edge.target].block if edge.target >= 0 else None
            if source is not None and edge.executed >= 0:
                source = source.first(edge.executed)
            self._edge_prices.append(pricer.exact_edge(source, edge.exit, target))
        for site in self.site_table.rows[len(self._site_prices) :]:
            prices = np.zeros(OPERAND_CLASSES)
            for event in classes(pricer, site.kind):
                prices[event] = pricer.exact_site(site.kind, self.nodes[site.node].block, site.insn, event)
            self._site_prices.append(prices)


class TwinMachine(Machine):
    """A machine with the time of a twin; its pricer is a TwinPricer."""

    recorder_type = TwinRecorder

    def __init__(self, image: Image, pricer: TwinPricer, options: RunOptions, *, managed: bool = False) -> None:
        super().__init__(image, pricer, options, managed=managed)
        self.ticking.enabled = False  # native code would count SysTick's rounds in whole cycles


class TwinServer(GdbServer):
    """A GDB server that tells what was flashed and loaded."""

    def flash(self) -> dict[str, bytes]:
        """What is in the flash that was written, by region."""
        return {} if self._held is None else self._held.target.flash()

    def loads(self) -> dict[int, bytes]:
        """What was loaded into RAM, by address."""
        return {} if self._held is None else self._held.target.loads()


class Twin:
    """One board that doesn't exist, as long as it has power: what is flashed stays from one debugger to the next."""

    def __init__(self, pricer: Pricer, truth: Calibration, *, jitter_pct: float = 0.0, seed: int = 0) -> None:
        self._pricer = pricer
        self._truth = truth
        self._jitter_pct = jitter_pct
        self._seed = seed
        self._runs = 0
        self._flash: dict[str, bytes] = {}
        self._loads: dict[int, bytes] = {}
        self._managed: set[str] = set()  # images that set up their clock

    def serve(self, server: TwinServer) -> None:
        """Be the board of one debugger, until it leaves."""
        options = RunOptions(debugger=server, limits=RunLimits(wall_seconds=0.0))
        while True:
            image = image_of(self._flash, self._pricer.board, self._loads)
            try:
                self.machine(image, options).run()
                self._keep(server)
                return
            except ClockProgrammedError:
                self.set_up_by_firmware(image)
            except RestartRequestedError:
                gc.collect()  # a machine holds its board's memory, and refers to itself
            self._keep(server)

    def machine(self, image: Image, options: RunOptions) -> TwinMachine:
        """The next run, from reset."""
        self._runs += 1
        factors = factors_of(self._truth, self._jitter_pct, (self._seed, self._runs))
        pricer = TwinPricer.twin(self._pricer, factors)
        return TwinMachine(image, pricer, options, managed=image.sha256 in self._managed)

    def set_up_by_firmware(self, image: Image) -> None:
        """Runs of this image begin at the chip's reset clock: the firmware sets up the clock tree."""
        self._managed.add(image.sha256)

    def _keep(self, server: TwinServer) -> None:
        self._flash |= server.flash()
        loads = server.loads()
        self._loads = merged({**{a: data for a, data in self._loads.items() if a not in loads}, **loads})


def image_of(flash: dict[str, bytes], board: Board, loads: Mapping[int, bytes] = MappingProxyType({})) -> Image:
    """What is in the flash, and what was loaded into RAM, as an image; where no firmware is in it, one that does
    nothing."""
    segments = [segment for name, data in sorted(flash.items()) if (segment := _segment(name, data, board))]
    segments += [Segment(address, address, data, len(data), True) for address, data in loads.items()]
    digest = sha256(b"".join(segment.data for segment in segments)).hexdigest()
    image = Image("flash", "bin", digest, tuple(segments), None)
    try:
        find_vector_table(image, board)
    except InputError:
        return _nothing(board)
    return image


def _segment(name: str, data: bytes, board: Board) -> Segment | None:
    base, kept = board.region(name).base, data.rstrip(bytes((ERASED,)))
    skipped = (len(kept) - len(kept.lstrip(bytes((ERASED,))))) // ALIGNMENT * ALIGNMENT
    kept = kept[skipped:]
    return Segment(base + skipped, base + skipped, kept, len(kept), True, name) if kept else None


def _nothing(board: Board) -> Image:
    """A vector table, and a branch to itself."""
    table = board.vector_addresses()[0]
    ram = next(region for region in board.regions if region.writable)
    words = (ram.base + min(ram.size, 1 << 12), table + 8 | 1)
    data = b"".join(word.to_bytes(4, "little") for word in words) + BRANCH_TO_SELF
    return Image("erased flash", "bin", sha256(data).hexdigest(), (Segment(table, table, data, len(data), True),), None)
