"""A chip description: its peripherals, as device models and as rules for registers, each with its source."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from vtarget.base.strictyaml import Field, FieldError, Model, Text, model_validator
from vtarget.base.units import Address, Bytes, Hertz


class Window(Model):
    """A stretch of addresses outside 0x40000000..0x5fffffff where peripherals answer."""

    name: Text
    base: Address
    size: Bytes
    source: Text


class DeviceEntry(Model):
    """One peripheral: which model answers at ``base``, and how it is connected.

    ``model`` is a module of ``vtarget/shell/devices``, with a variant behind a dot if it has several. ``interrupts``
    are external interrupt numbers by line (``""`` where there is only one). It runs at the clock named ``clock``, or
    at a fixed ``clock_hz``.
    """

    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    model: Text
    base: Address
    size: Bytes = 0x400
    interrupts: dict[str, Annotated[int, Field(ge=0, le=479)]] = Field(default_factory=dict)
    clock: str = "HCLK"
    clock_hz: Hertz | None = None
    options: dict[str, int | str | bool] = Field(default_factory=dict)
    source: Text


class Chip(Model):
    """The peripherals of one chip or family. ``interrupts`` is the number of external interrupt lines."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: Text
    interrupts: Annotated[int, Field(ge=1, le=480)]
    priority_bits: Annotated[int, Field(ge=2, le=8)]
    mpu_regions: Annotated[int, Field(ge=0, le=16)] = 0
    reset_clock: Hertz | None = None
    windows: tuple[Window, ...] = ()
    devices: tuple[DeviceEntry, ...] = ()
    source: Text
    unknown: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [device.name for device in self.devices]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise FieldError(f"device '{name}' is listed twice", at=("devices", index, "name"))
        ordered = sorted(self.devices, key=lambda device: device.base)
        for below, above in pairwise(ordered):
            if above.base < below.base + below.size:
                raise FieldError(f"devices {below.name} and {above.name} overlap", at=("devices",))
        return self
