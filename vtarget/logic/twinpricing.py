"""Prices of a board that isn't as it is described: the model's, each cycle times the factor of its term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from vtarget.data.calibration import TERMS, Calibration
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.record import SiteKind
from vtarget.logic.attribution import Attribution
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.logic.terms import NUMBER, charged, site_term


@dataclass(frozen=True)
class TwinPricer(Pricer):
    """Exact prices are fractions of cycles (``exact_edge``, ``exact_site``); those of a Pricer are the next whole ones.

    ``factors`` are by Term. Nothing it prices is free that wasn't before, nor gains time.
    """

    factors: tuple[float, ...] = (1.0,) * len(TERMS)
    _attribution: list[Attribution] = field(init=False, repr=False, compare=False, default_factory=list)

    @classmethod
    def twin(cls, pricer: Pricer, factors: NDArray[np.float64]) -> TwinPricer:
        """The prices of ``pricer``'s board with these factors."""
        return cls(
            pricer.core,
            pricer.board,
            pricer.memory,
            pricer.model,
            pricer.zones,
            pricer.pinned,
            None,
            tuple(float(factor) for factor in factors),
        )

    def exact_edge(self, source: Block | None, leaving: Exit, target: Block | None) -> float:
        """Cycles of a transition."""
        nominal = super().edge(source, leaving, target).nominal
        charges = self._split.edge(source, leaving, target, nominal)
        return self._scaled(charged(charges, source.insns if source is not None else ()))

    def exact_site(self, kind: SiteKind, block: Block, index: int, event: int) -> float:
        """Cycles of an event of a site."""
        term = site_term(kind, event)
        if term is None:
            cycles = super().site(block, index, event).nominal
            return self._scaled(charged(self._split.site(block, index, cycles), block.insns))
        prices = {SiteKind.FETCH: super().fetch, SiteKind.DATA: super().data, SiteKind.BRANCH: super().branch}
        return prices[kind](block, index, event).nominal * self.factors[NUMBER[term]]

    def edge(self, source: Block | None, leaving: Exit, target: Block | None) -> Cycles:
        """As a Pricer's."""
        return _whole(self.exact_edge(source, leaving, target))

    def site(self, block: Block, index: int, operand_class: int) -> Cycles:
        """As a Pricer's."""
        return _whole(self.exact_site(SiteKind.OPERANDS, block, index, operand_class))

    def data(self, block: Block, index: int, event: int, reach: tuple[int, int] = (-1, -1)) -> Cycles:
        """As a Pricer's."""
        term = site_term(SiteKind.DATA, event)
        assert term is not None
        return _whole(super().data(block, index, event, reach).nominal * self.factors[NUMBER[term]])

    def fetch(self, block: Block, index: int, event: int) -> Cycles:
        """As a Pricer's."""
        return _whole(self.exact_site(SiteKind.FETCH, block, index, event))

    def branch(self, block: Block, index: int, event: int) -> Cycles:
        """As a Pricer's."""
        return _whole(self.exact_site(SiteKind.BRANCH, block, index, event))

    def prefix(self, block: Block, index: int) -> int:
        """As a Pricer's; a share of what the whole block takes."""
        nominal = super().edge(block, Exit.END, None).nominal
        share = super().prefix(block, index) / nominal if nominal else 0.0
        return round(share * self.exact_edge(block, Exit.END, None))

    @property
    def _split(self) -> Attribution:
        if not self._attribution:
            self._attribution.append(Attribution(self.model, remarks=False))
        return self._attribution[0]

    def _scaled(self, cycles: Sequence[int]) -> float:
        return max(0.0, sum(count * factor for count, factor in zip(cycles, self.factors, strict=True)))


def _whole(cycles: float) -> Cycles:
    most = ceil(cycles - 1e-9)
    return Cycles(most, most, most) if most > 0 else NO_CYCLES


def factors_of(truth: Calibration, jitter_pct: float, seed: Sequence[int]) -> NDArray[np.float64]:
    """Factors by Term of one run: the truth, each off by normal jitter that the seed decides."""
    values = np.array([truth.factor(term) for term in TERMS])
    jitter = np.random.default_rng(seed).standard_normal(len(TERMS)) * jitter_pct / 100
    return np.asarray(values * np.clip(1 + jitter, 0.5, 2.0))
