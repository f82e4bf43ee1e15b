"""The JSON header of a record file: everything in a record that is no array, strictly typed and bounded."""

from __future__ import annotations

from typing import Annotated, Literal

from vtarget.base.strictyaml import Field, Model
from vtarget.data.record import Reason
from vtarget.data.timeline import LaneKind

FORMAT: Literal["vtarget.record/4"] = "vtarget.record/4"  # of record/3, which tells no moments, the rest is the same

Address = Annotated[int, Field(ge=0, lt=1 << 32)]
Size = Annotated[int, Field(ge=0, le=1 << 32)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Adjustment = Annotated[int, Field(gt=-(1 << 20), lt=1 << 20)]
Clock = Annotated[int, Field(gt=0, le=10_000_000_000)]


class FrameHeader(Model):
    """A Frame."""

    function: str
    address: Address


class ExitHeader(Model):
    """An Exit."""

    reason: Reason
    code: Annotated[int, Field(ge=-(1 << 31), lt=1 << 32)]
    pc: Address
    detail: str
    call_stack: tuple[FrameHeader, ...]


class RegionHeader(Model):
    """A RecordedRegion."""

    name: str
    kind: str
    base: Address
    size_bytes: Size


class FunctionHeader(Model):
    """A RecordedFunction."""

    name: str
    address: Address
    size_bytes: Size


class StackHeader(Model):
    """A Stack; a stack pointer that wrapped below zero is still 32 bits."""

    name: str
    top: Size
    lowest: Annotated[int, Field(ge=-(1 << 32), le=1 << 32)]


class UseHeader(Model):
    """A RegionUse."""

    name: str
    used_bytes: Size
    size_bytes: Size


class SectionHeader(Model):
    """A Section."""

    name: str
    address: Address
    size_bytes: Size


class SpanHeader(Model):
    """A span's name and index; its counts are arrays."""

    name: str
    index: Count
    epoch: Count
    adjust_cycles: Adjustment
    adjust_instructions: Adjustment
    begin_cycle: Annotated[int, Field(ge=-1, lt=1 << 53)] = -1
    end_cycle: Annotated[int, Field(ge=-1, lt=1 << 53)] = -1


class SleepHeader(Model):
    """A Sleep."""

    state: str
    clock_hz: Clock
    cycles: Count
    wakeups: Count


class EpochHeader(Model):
    """An epoch's clock (0: one that was asked for), wait states and switches; its counts are arrays."""

    clock_hz: Annotated[int, Field(ge=0, le=10_000_000_000)]
    wait_states: tuple[tuple[str, Annotated[int, Field(ge=0, le=64)]], ...]
    switches: tuple[tuple[str, bool], ...]


class LeftOutHeader(Model):
    """A LeftOut."""

    count: Count
    cycles: Count
    first_cycle: Count
    last_cycle: Count


class LaneHeader(Model):
    """A lane; its stretches are arrays."""

    kind: LaneKind
    name: str
    number: Count
    handler: str
    left_out: LeftOutHeader
    unfinished: bool


class ClockHeader(Model):
    """A ClockChange."""

    cycle: Count
    clock_hz: Clock


class TimelineHeader(Model):
    """A Timeline."""

    board: str
    end_cycle: Count
    known_cycles: Count
    clocks: tuple[ClockHeader, ...]
    lanes: tuple[LaneHeader, ...]


class RecordHeader(Model):
    """The header. ``block_sizes`` are bytes of code per block."""

    format: Literal["vtarget.record/3", "vtarget.record/4"]
    image_path: str
    image_sha256: str
    board: str
    core: str
    board_sha256: str
    clock_hz: Clock
    final_node: Annotated[int, Field(ge=-1, lt=1 << 31)]
    final_instructions: Count
    instructions: Count
    live_cycles: Count
    console: str
    clock_reads: Count
    not_modelled: tuple[str, ...]
    exit: ExitHeader
    regions: tuple[RegionHeader, ...]
    functions: tuple[FunctionHeader, ...]
    stacks: tuple[StackHeader, ...]
    memory: tuple[UseHeader, ...]
    block_sizes: tuple[Annotated[int, Field(ge=0, le=1 << 20, multiple_of=2)], ...]
    spans: tuple[SpanHeader, ...]
    sleep: tuple[SleepHeader, ...]
    epochs: tuple[EpochHeader, ...]
    zones: tuple[tuple[str, ...], ...]
    caches: tuple[str, ...]
    sections: tuple[SectionHeader, ...]
    timeline: TimelineHeader | None = None
