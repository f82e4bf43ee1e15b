"""A result of ``vtarget run`` or ``profile`` as it stands in its JSON file (docs/running.md), for whoever reads it.

Fields that older versions didn't write have defaults; those that newer ones add are passed over.
"""

from __future__ import annotations

from typing import Annotated, Literal

from vtarget.base.strictyaml import Field, OpenModel
from vtarget.data.timeline import LaneKind
from vtarget.data.waterfall import Waterfall

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Number = Annotated[float, Field(ge=0, le=1e30)]  # far beyond any quantity, and safe to multiply
Signed = Annotated[float, Field(ge=-1e30, le=1e30)]
MOST_ROWS = 200_000


class SavedBoard(OpenModel):
    """What it was priced for."""

    name: str
    core: str
    clock_hz: Annotated[int, Field(gt=0, lt=1 << 63)]


class SavedFirmware(OpenModel):
    """The image."""

    path: str
    sha256: str


class SavedExit(OpenModel):
    """How it ended."""

    reason: str
    code: int
    detail: str = ""


class SavedCalibration(OpenModel):
    """What it was calibrated with."""

    file: str
    date: str
    error_pct: Signed


class SavedKernel(OpenModel):
    """A function."""

    name: str
    address: Count
    calls: Count
    instructions: Count
    cycles: Count
    total_cycles: Count
    latency_s: Number
    energy_j: Number | None
    interrupts: Count = 0
    waterfall: Waterfall | None = None


class SavedContext(OpenModel):
    """A row of the call tree."""

    parent: Count | None
    function: str
    address: Count
    calls: Count
    instructions: Count
    cycles: Count


class SavedSpan(OpenModel):
    """One call of a spanned function."""

    name: str
    index: Count
    instructions: Count
    cycles: int
    latency_s: Signed
    energy_j: Signed | None


class SavedSpread(OpenModel):
    """Cycles over samples."""

    cold: Count
    minimum: Count
    median: Count
    p95: Count
    maximum: Count


class SavedLayer(OpenModel):
    """An operator of a model."""

    index: Count
    op: str
    name: str = ""
    kernel: str
    type: str = ""
    output_shapes: tuple[tuple[int, ...], ...] = ()
    macs: Count
    cycles: Count
    latency_s: Number
    energy_j: Number | None
    share: Number = 0.0
    cycles_per_mac: Number | None = None
    ideal_cycles: Number | None = None
    cycles_spread: SavedSpread | None = None
    notes: tuple[str, ...] = ()
    waterfall: Waterfall | None = None
    weights_bytes: Count = 0
    activation_bytes: Count = 0


class SavedRegion(OpenModel):
    """Use of a region of memory."""

    name: str
    used_bytes: Count
    size_bytes: Count


class SavedStack(OpenModel):
    """How deep a stack got."""

    name: str
    bytes: Count


class SavedAllocation(OpenModel):
    """A stretch of the arena, in use from layer to layer."""

    offset_bytes: Count
    size_bytes: Count
    first_layer: int
    last_layer: int
    tensors: tuple[str, ...] = ()


class SavedArena(OpenModel):
    """The plan of the arena."""

    region: str | None = None
    lower_bound_bytes: Count = 0
    allocations: tuple[SavedAllocation, ...] = ()


class SavedMemory(OpenModel):
    """Bytes."""

    flash_bytes: Count
    ram_bytes: Count
    stack_peak_bytes: Count
    arena_bytes: Count | None = None
    weights_bytes: Count | None = None
    code_bytes: Count | None = None
    regions: tuple[SavedRegion, ...] = ()
    stacks: tuple[SavedStack, ...] = ()
    arena: SavedArena | None = None


class SavedSleep(OpenModel):
    """A sleep state."""

    state: str
    clock_hz: Count
    cycles: Count
    seconds: Number
    wakeups: Count
    energy_j: Number | None = None


class SavedDuty(OpenModel):
    """Awake and asleep together."""

    elapsed_s: Number
    energy_j: Number | None = None
    average_w: Number | None = None


class SavedLeftOut(OpenModel):
    """Stretches of a lane that aren't kept."""

    count: Count = 0
    cycles: Count = 0
    first_cycle: Count = 0
    last_cycle: Count = 0


class SavedLane(OpenModel):
    """When one thing happened: stretches, in order."""

    kind: LaneKind
    name: str
    number: Count = 0
    handler: str = ""
    begins: Annotated[tuple[Count, ...], Field(alias="begin_cycles", max_length=MOST_ROWS)]
    ends: Annotated[tuple[Count, ...], Field(alias="end_cycles", max_length=MOST_ROWS)]
    left_out: SavedLeftOut = SavedLeftOut()
    unfinished: bool = False

    @property
    def count(self) -> int:
        """How many stretches there were, kept or not."""
        return len(self.begins) + self.left_out.count


class SavedClock(OpenModel):
    """From that cycle on, the core's clock."""

    cycle: Count
    clock_hz: Annotated[int, Field(gt=0, lt=1 << 63)]


class SavedTimeline(OpenModel):
    """The moments of the run."""

    board: str
    note: str = ""
    end_cycle: Count
    known_cycles: Count
    clocks: Annotated[tuple[SavedClock, ...], Field(min_length=1, max_length=MOST_ROWS)]
    lanes: Annotated[tuple[SavedLane, ...], Field(max_length=MOST_ROWS)] = ()


class SavedTensor(OpenModel):
    """A tensor against the reference's."""

    name: str
    elements: Count = 0
    differing: Count = 0
    max_abs_diff: Number
    sqnr_db: Signed | None = None
    bit_exact: bool


class SavedLayerValidation(OpenModel):
    """The outputs of a layer against the reference's."""

    index: Count
    op: str
    bit_exact: bool
    within: bool
    outputs: tuple[SavedTensor, ...] = ()


class SavedValidation(OpenModel):
    """Firmware against reference."""

    reference: str
    samples: Count = 0
    passed: bool
    bit_exact: bool
    max_abs_diff: Number
    outputs: tuple[SavedTensor, ...] = ()
    layers: tuple[SavedLayerValidation, ...] = ()


class SavedAccuracy(OpenModel):
    """Shares of right answers."""

    samples: Count
    float_model: Number
    quantised_model: Number
    firmware: Number


class SavedLoss(OpenModel):
    """What quantisation costs a layer."""

    index: Count
    op: str
    name: str = ""
    quantised_sqnr_db: Signed | None = None
    firmware_sqnr_db: Signed | None = None


class SavedQuantisation(OpenModel):
    """Float model, quantised model and firmware."""

    samples: Count
    accuracy: SavedAccuracy | None = None
    layers: tuple[SavedLoss, ...] = ()


class SavedModel(OpenModel):
    """The model's file."""

    path: str
    sha256: str
    macs: Count = 0


class SavedMeasured(OpenModel):
    """How a real board was measured: figures of a firmware are its own then, of a model they stand beside."""

    probe: str
    board_serial: str | None = None
    counter: str
    date: str
    runs: Count
    notes: tuple[str, ...] = ()


class SavedResult(OpenModel):
    """One result."""

    format: Literal["vtarget.profile"] = Field(alias="schema")
    schema_version: Literal[1]
    vtarget_version: str = ""
    board: SavedBoard
    firmware: SavedFirmware
    exit: SavedExit
    instructions: Count
    cycles: Count
    cycles_low: Count
    cycles_high: Count
    latency_s: Number
    latency_s_low: Number
    latency_s_high: Number
    energy_j: Number | None = None
    energy_j_low: Number | None = None
    energy_j_high: Number | None = None
    power_source: str = ""
    provenance: str
    calibration: SavedCalibration | None = None
    waterfall: Waterfall | None = None
    kernels: Annotated[tuple[SavedKernel, ...], Field(max_length=MOST_ROWS)] = ()
    contexts: Annotated[tuple[SavedContext, ...], Field(max_length=MOST_ROWS)] = ()
    spans: Annotated[tuple[SavedSpan, ...], Field(max_length=MOST_ROWS)] = ()
    layers: Annotated[tuple[SavedLayer, ...], Field(max_length=MOST_ROWS)] = ()
    memory: SavedMemory
    sleep: tuple[SavedSleep, ...] = ()
    duty: SavedDuty | None = None
    timeline: SavedTimeline | None = None
    validation: SavedValidation | None = None
    quantisation: SavedQuantisation | None = None
    model: SavedModel | None = None
    engine: str | None = None
    console: str = ""
    not_modelled: tuple[str, ...] = ()
    measured: SavedMeasured | None = None

    @property
    def title(self) -> str:
        """What ran where, in one line."""
        what = self.model.path if self.model else self.firmware.path
        engine = f", {self.engine}" if self.engine else ""
        return f"{what} on {self.board.name} at {self.board.clock_hz / 1e6:g} MHz{engine}"
