"""Registers that follow the rules of a chip file (``data/registers.py``), by absolute address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.chip import Chip
from vtarget.data.registers import WORD, Count, Delay, Follow, OnWrite, RegisterEntry, gather, spread
from vtarget.shell.clocks import CORE, Alarm, Clock
from vtarget.shell.devices.device import Ports
from vtarget.shell.svd import SvdChip

NANOSECONDS = 10**9


@dataclass(eq=False)
class _Follower:
    """Bits of ``target`` that follow ``source``; ``coming`` is what they will be when ``alarm`` goes off."""

    target: _Register
    source: _Register
    rule: Follow
    alarm: Alarm | None = None
    coming: int = 0


@dataclass(eq=False)
class _Effect:
    """What a write does to ``target``. ``matched`` values of a sequence were seen; ``under_way`` bits are to change."""

    target: _Register
    rule: OnWrite
    matched: int = 0
    under_way: int = 0


@dataclass(eq=False)
class _Clearing:
    """Bits that will clear themselves."""

    mask: int
    alarm: Alarm | None = None


@dataclass(eq=False)
class _Counter:
    """A count that was ``start`` at ``tick``."""

    rule: Count
    clock: Clock
    start: int
    tick: int = 0

    @property
    def modulus(self) -> int:
        return 1 + (self.rule.top if self.rule.top is not None else gather(WORD, self.rule.bits))

    def value(self) -> int:
        passed = self.clock.ticks - self.tick
        return (self.start - passed if self.rule.down else self.start + passed) % self.modulus

    def set(self, value: int) -> None:
        self.start, self.tick = value % self.modulus, self.clock.ticks


@dataclass(eq=False)
class _Register:
    """A register's entry, its stored bits, and what hangs on them."""

    entry: RegisterEntry
    value: int
    counter: _Counter | None = None
    written: int = 0
    followers: list[_Follower] = field(default_factory=list)
    effects: list[_Effect] = field(default_factory=list)
    clearings: list[_Clearing] = field(default_factory=list)


class Rules:
    """The registers of a chip file. ``unplaced`` are the names of those whose address only an SVD file can tell.

    Everything happens at alarms of the ports' clocks and at accesses; delays are kept to a core cycle. InputError for
    a register that the SVD file lacks.
    """

    def __init__(self, chip: Chip, ports: Ports, svd: SvdChip | None = None) -> None:
        self._ports = ports
        self._by_address: dict[int, _Register] = {}
        by_name = {entry.name: _Register(entry, entry.reset or 0) for entry in chip.registers}
        unplaced: list[str] = []
        for entry in chip.registers:
            register = by_name[entry.name]
            address = _place(chip, entry, svd)
            if address is None:
                unplaced.append(entry.name)
            else:
                register.value = _reset_value(entry, address, svd)
                self._add(address, register)
        self.unplaced = tuple(unplaced)
        for register in by_name.values():
            self._connect(register, by_name)
        for register in by_name.values():
            for follower in register.followers:
                self._follow(follower)

    def holds(self, address: int) -> bool:
        """Whether a rule speaks of the register at ``address``."""
        return address & ~3 in self._by_address

    def name(self, address: int) -> str:
        """The name of the register at an address that ``holds``."""
        return self._by_address[address & ~3].entry.name

    def read(self, address: int, size_bytes: int) -> int:
        """The value read at an address that ``holds``."""
        register = self._by_address[address & ~3]
        lanes = _lanes(address, size_bytes)
        value = self._shown(register, lanes)
        cleared = (register.entry.clear_on_read or 0) & lanes
        if cleared:
            self._set(register, register.value & ~cleared)
        return (value & lanes) >> 8 * (address & 3)

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """A write to an address that ``holds``; parts of a word leave the rest alone."""
        register = self._by_address[address & ~3]
        lanes = _lanes(address, size_bytes)
        data = value << 8 * (address & 3) & lanes
        entry, old = register.entry, register.value
        ones, zeros = data, lanes & ~data
        plain = register.written & lanes
        new = old & ~plain | data & plain
        new &= ~(ones & (entry.write_one_to_clear or 0) | zeros & (entry.write_zero_to_clear or 0))
        new |= ones & (entry.write_one_to_set or 0)
        self._write_counter(register, data, lanes)
        self._set(register, new)
        for effect in register.effects:
            self._act(effect, ones, old & ~lanes | data)

    def _shown(self, register: _Register, lanes: int) -> int:
        """The stored bits with those that rules compute."""
        value = register.value
        counter = register.counter
        if counter is not None and counter.rule.bits & lanes:
            value = value & ~counter.rule.bits | spread(counter.value(), counter.rule.bits)
        for fixed in register.entry.reads_as:
            value = value & ~fixed.bits | spread(fixed.value, fixed.bits)
        return value

    def _write_counter(self, register: _Register, data: int, lanes: int) -> None:
        counter = register.counter
        if counter is None:
            return
        taken = counter.rule.bits & lanes & ~(register.entry.read_only or 0)
        if taken:
            count = spread(counter.value(), counter.rule.bits)
            counter.set(gather(count & ~taken | data & taken, counter.rule.bits))

    def _set(self, register: _Register, value: int) -> None:
        """New stored bits: what follows them follows, what clears itself is on its way."""
        old = register.value
        for rule in register.entry.self_clearing:
            if not rule.after.takes_time:
                value &= ~rule.bits
        register.value = value
        if value == old:
            return
        self._start_clearing(register, value & ~old, old & ~value)
        for follower in register.followers:
            if (value ^ old) & follower.rule.of:
                self._follow(follower)

    def _start_clearing(self, register: _Register, risen: int, fallen: int) -> None:
        for clearing in register.clearings:
            clearing.mask &= ~fallen
            if not clearing.mask and clearing.alarm is not None:
                clearing.alarm.cancel()
        register.clearings = [clearing for clearing in register.clearings if clearing.mask]
        for rule in register.entry.self_clearing:
            if risen & rule.bits:
                clearing = _Clearing(risen & rule.bits)
                clearing.alarm = self._after(rule.after, partial(self._clear, register, clearing))
                register.clearings.append(clearing)

    def _clear(self, register: _Register, clearing: _Clearing) -> None:
        register.clearings.remove(clearing)
        self._set(register, register.value & ~clearing.mask)

    def _follow(self, follower: _Follower) -> None:
        """The source is what it is now: so will the target be, after a while."""
        rule, target = follower.rule, follower.target
        wanted = spread(gather(follower.source.value ^ (WORD if rule.inverted else 0), rule.of), rule.bits)
        if follower.alarm is not None:
            if wanted == follower.coming:
                return
            follower.alarm.cancel()
            follower.alarm = None
        if wanted == target.value & rule.bits:
            return
        follower.coming = wanted
        if rule.after.takes_time:
            follower.alarm = self._after(rule.after, partial(self._arrive, follower))
        else:
            self._arrive(follower)

    def _arrive(self, follower: _Follower) -> None:
        follower.alarm = None
        target = follower.target
        self._set(target, target.value & ~follower.rule.bits | follower.coming)

    def _act(self, effect: _Effect, ones: int, word: int) -> None:
        """The effect of a write that had ``ones`` and made the word ``word``."""
        rule = effect.rule
        if not rule.values:
            field_ones = gather(ones, rule.bits)
            self._change(effect, spread(field_ones, rule.sets or 0), spread(field_ones, rule.clears or 0))
            return
        value = gather(word, rule.bits)
        if value != rule.values[effect.matched]:
            effect.matched = 0
        effect.matched += value == rule.values[effect.matched]
        if effect.matched == len(rule.values):
            effect.matched = 0
            self._change(effect, rule.sets or 0, rule.clears or 0)

    def _change(self, effect: _Effect, sets: int, clears: int) -> None:
        """Set and clear bits of the target now or later; what is under way already stays so."""
        sets, clears = sets & ~effect.under_way, clears & ~effect.under_way
        if not sets | clears:
            return
        effect.under_way |= sets | clears

        def change() -> None:
            effect.under_way &= ~(sets | clears)
            self._set(effect.target, effect.target.value & ~clears | sets)

        if effect.rule.after.takes_time:
            self._after(effect.rule.after, change)
        else:
            change()

    def _after(self, delay: Delay, action: Callable[[], None]) -> Alarm:
        clock = self._ports.fixed_clock(NANOSECONDS) if delay.nanoseconds else self._ports.named_clock(CORE)
        return clock.at(clock.ticks + (delay.nanoseconds or delay.cycles), action)

    def _add(self, address: int, register: _Register) -> None:
        if address in self._by_address:
            raise InputError(f"registers {self.name(address)} and {register.entry.name} are both at {address:#010x}")
        self._by_address[address] = register

    def _connect(self, register: _Register, by_name: dict[str, _Register]) -> None:
        entry = register.entry
        register.written = entry.written
        if entry.counts is not None:
            hz = entry.counts.clock_hz
            clock = self._ports.named_clock(entry.counts.clock) if hz is None else self._ports.fixed_clock(hz)
            register.counter = _Counter(entry.counts, clock, gather(register.value, entry.counts.bits))
        for follow in entry.follows:
            source = by_name[follow.of_register or entry.name]
            source.followers.append(_Follower(register, source, follow))
        register.effects = [_Effect(by_name[rule.target or entry.name], rule) for rule in entry.on_write]


def _lanes(address: int, size_bytes: int) -> int:
    """The bits of the word that an access reaches."""
    return ((1 << 8 * size_bytes) - 1) << 8 * (address & 3) & WORD


def _place(chip: Chip, entry: RegisterEntry, svd: SvdChip | None) -> int | None:
    address = chip.address_of(entry)
    if address is not None or svd is None:
        return address
    address = svd.addresses.get(entry.name)
    if address is None:
        hint = did_you_mean(entry.name, svd.addresses)
        raise InputError(f"chip {chip.name}: register {entry.name} is not in the SVD file of {svd.name}", hint=hint)
    if address % 4:
        raise InputError(f"chip {chip.name}: register {entry.name} at {address:#010x} starts inside a word")
    return address


def _reset_value(entry: RegisterEntry, address: int, svd: SvdChip | None) -> int:
    if entry.reset is not None or svd is None:
        return entry.reset or 0
    return svd.reset_word(address)
