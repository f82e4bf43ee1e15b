"""A chip description: its peripherals, as device models and as rules for registers, each with its source."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Annotated, Self

from vtarget.base.strictyaml import Field, FieldError, KeyPath, Model, Text, model_validator
from vtarget.base.suggest import did_you_mean
from vtarget.base.units import Address, Bytes, Hertz
from vtarget.data.registers import RegisterEntry, bit_list


class Window(Model):
    """A stretch of addresses outside 0x40000000..0x5fffffff where peripherals answer."""

    name: Text
    base: Address
    size: Bytes
    source: Text


class DeviceEntry(Model):
    """One peripheral: which model answers at ``base``, and how it is connected.

    ``model`` is a module of ``vtarget/shell/devices``, with a variant behind a dot if it has several. ``interrupts``
    are external interrupt numbers by line (``IRQ`` where there is only one). It runs at the clock named ``clock``, or
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


class Rom(Model):
    """Memory whose content comes with the chip: ``image`` is a file of ``firmware/roms``, or a path relative to the
    chip's file; ELF, Intel HEX or the raw bytes of ``base``. A firmware image that covers it takes its place."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    base: Address
    size: Bytes
    image: Text
    source: Text


class Chip(Model):
    """The peripherals of one chip or family. ``interrupts`` is the number of external interrupt lines.

    ``registers`` are rules for what has no device model, or for a register that its device's model lacks.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: Text
    interrupts: Annotated[int, Field(ge=1, le=480)]
    priority_bits: Annotated[int, Field(ge=2, le=8)]
    mpu_regions: Annotated[int, Field(ge=0, le=16)] = 0
    reset_clock: Hertz | None = None
    systick_clock: Text = "HCLK"  # SysTick's reference clock: a clock's name, "HCLK/8", or a fixed "1 MHz"
    systick_sleeps: bool = False  # SysTick stands still in WFI, not only in deep sleep
    instruction_cache: Bytes | None = None  # L1 caches, for the cache identity registers
    data_cache: Bytes | None = None
    secure: bool = False  # the core runs in Secure state, as its EXC_RETURN values show
    windows: tuple[Window, ...] = ()
    roms: tuple[Rom, ...] = ()
    devices: tuple[DeviceEntry, ...] = ()
    registers: tuple[RegisterEntry, ...] = ()
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
        self._check_registers()
        self._check_follows()
        return self

    def address_of(self, entry: RegisterEntry) -> int | None:
        """Where one of ``registers`` is; None if only an SVD file can tell."""
        if entry.device is None or entry.offset is None:
            return entry.address
        return next(device.base for device in self.devices if device.name == entry.device) + entry.offset

    def _check_registers(self) -> None:
        names: list[str] = []
        places: dict[int, str] = {}
        for index, entry in enumerate(self.registers):
            at: KeyPath = ("registers", index)
            if entry.name in names:
                raise FieldError(f"register '{entry.name}' is listed twice", at=(*at, "name"))
            names.append(entry.name)
            if entry.device is not None:
                _check_known(entry.device, [device.name for device in self.devices], "device", (*at, "device"))
            place = self.address_of(entry)
            if place is not None and place in places:
                raise FieldError(f"{place:#010x} is already {places[place]}", at=at)
            if place is not None:
                places[place] = entry.name

    def _check_follows(self) -> None:
        """Every register named by a rule exists, and no bit follows itself."""
        names = [entry.name for entry in self.registers]
        sources: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for index, entry in enumerate(self.registers):
            at: KeyPath = ("registers", index)
            rules = [((*at, "follows", i, "of_register"), rule.of_register) for i, rule in enumerate(entry.follows)]
            rules += [((*at, "on_write", i, "target"), rule.target) for i, rule in enumerate(entry.on_write)]
            for place, name in rules:
                if name is not None:
                    _check_known(name, names, "register", place)
            for follow in entry.follows:
                for bit, source in zip(bit_list(follow.bits), bit_list(follow.of), strict=True):
                    sources[entry.name, bit] = [(follow.of_register or entry.name, source)]
        try:
            TopologicalSorter(sources).prepare()
        except CycleError as error:
            name, bit = error.args[1][0]
            raise FieldError(
                f"bit {bit} of {name} follows itself", at=("registers", names.index(name), "follows")
            ) from None


def _check_known(name: str, known: list[str], what: str, at: KeyPath) -> None:
    if name not in known:
        raise FieldError(f"there is no {what} '{name}' in this file", at=at, hint=did_you_mean(name, known))
