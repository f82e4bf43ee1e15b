"""Where a model's activations are in its arena, and where arena and weights are on a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Allocation:
    """A stretch of the arena, in use from operator ``first`` to operator ``last``, both included.

    ``tensors`` are the tensors that have it one after another (more than one where layers work in place); none if it is
    the scratch buffer of the one operator.
    """

    offset_bytes: int
    size_bytes: int
    first: int
    last: int
    tensors: tuple[int, ...] = ()

    @property
    def end_bytes(self) -> int:
        """One past its last byte."""
        return self.offset_bytes + self.size_bytes

    @property
    def scratch(self) -> bool:
        """Whether it is a scratch buffer."""
        return not self.tensors


@dataclass(frozen=True)
class Plan:
    """The arena of a model: ``offsets_bytes`` by tensor, ``scratch_offsets_bytes`` by operator, all aligned.

    ``lower_bound_bytes`` is what is live at once at least, so no plan with these layers takes less.
    ``in_place`` leads from an output to the input whose memory it has.
    """

    arena_bytes: int
    alignment_bytes: int
    lower_bound_bytes: int
    allocations: tuple[Allocation, ...]
    offsets_bytes: Mapping[int, int] = field(default_factory=dict)
    scratch_offsets_bytes: Mapping[int, int] = field(default_factory=dict)
    in_place: Mapping[int, int] = field(default_factory=dict)

    def lifetime(self, tensor: int) -> tuple[int, int]:
        """First and last operator during which the tensor's memory is taken (KeyError: it isn't in the arena)."""
        for allocation in self.allocations:
            if tensor in allocation.tensors:
                return allocation.first, allocation.last
        raise KeyError(tensor)


@dataclass(frozen=True)
class Need:
    """What is to go into a region: ``what`` (``weights``, ``arena``, ``code``, ``data``, ``stack``) and how much."""

    what: str
    size_bytes: int


@dataclass(frozen=True)
class RegionNeed:
    """One region of a board: what is to go there and what it has."""

    region: str
    have_bytes: int
    needs: tuple[Need, ...]

    @property
    def need_bytes(self) -> int:
        """All that is to go there."""
        return sum(need.size_bytes for need in self.needs)

    @property
    def fits(self) -> bool:
        """Whether it has room."""
        return self.need_bytes <= self.have_bytes


@dataclass(frozen=True)
class Placement:
    """Where weights and arena go: names of regions, and what each region in use needs and has. ``data_region`` is that
    of data and stack, by default the board's."""

    weights_region: str
    arena_region: str
    regions: tuple[RegionNeed, ...]
    data_region: str | None = None
