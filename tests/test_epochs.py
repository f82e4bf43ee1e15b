"""Epochs: firmware that changes its clock and wait states; what was counted before and after is priced apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from asmlib import assemble_program, needs_assembler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtarget.base.errors import InputError
from vtarget.data.consoles import ConsoleOptions, EndKind, LineEnd
from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Reason, SiteKind
from vtarget.logic.costs import follows_firmware, price_parts
from vtarget.logic.recordcheck import check_tables
from vtarget.logic.selfcheck import check_record
from vtarget.shell.epochs import ClockProgrammedError, Epochs
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine, RunOptions
from vtarget.shell.moments import Moments
from vtarget.shell.recordfile import load_record, save_record
from vtarget.shell.running import price, pricer_for

pytestmark = needs_assembler
BOARD = "nucleo-l4r5zi"
# RM0432 6.4.1: MSIRANGE is bits 7:4 of RCC_CR, MSIRGSEL bit 3; 6.4.3: HPRE is bits 7:4 of RCC_CFGR, 8 halves.
SET_MSI = """
ldr r0, =0x40021000
ldr r1, [r0]
ldr r2, =0xf8
bics r1, r2
ldr r2, =0x8 + ({code} << 4)
orrs r1, r2
str r1, [r0]
"""
MSI_HZ = {5: 2_000_000, 6: 4_000_000, 8: 16_000_000, 11: 48_000_000}
HALVE = "ldr r0, =0x40021008\nmovs r1, #0x80\nstr r1, [r0]\n"
LATENCY = "ldr r0, =0x40022000\nmovs r1, #{states}\nstr r1, [r0]\n"
WORK = """
fn work
ldr r2, =1000
movs r3, #7
1: udiv r1, r2, r3
cmp r1, #50
it gt
addgt r1, #1
subs r2, #1
bne 1b
bx lr
end work
"""


def program(*parts: str) -> str:
    """Each part is ``work`` or code that sets something."""
    body = "\n".join("bl work" if part == "work" else part for part in parts)
    return f"fn test\npush {{r4, lr}}\n{body}\npop {{r4, pc}}\nend test\n{WORK}"


def run(
    directory: Path, source: str, *, clock_hz: int | None = None, **options: object
) -> tuple[ExecutionRecord, Machine]:
    path = assemble_program(directory / "p.elf", BOARD, source, {15: "logger"})
    chosen = RunOptions(limits=RunLimits(instructions=2_000_000), **options)  # type: ignore[arg-type]
    machine = Machine(load_image(str(path)), pricer_for(BOARD, clock_hz=clock_hz), chosen, managed=True)
    return machine.run().record, machine


def test_a_firmware_that_leaves_its_clock_alone_has_no_epochs(tmp_path: Path) -> None:
    record, _ = run(tmp_path, program("work"))
    assert record.epochs == ()
    assert record.clock_hz == 4_000_000  # MSI at reset


def test_each_change_begins_an_epoch_at_its_clock(tmp_path: Path) -> None:
    parts = ("work", SET_MSI.format(code=11), "work", "work", HALVE, "work")
    record, machine = run(tmp_path, program(*parts), spans=("work",))
    assert [e.clock_hz for e in record.epochs] == [4_000_000, 48_000_000, 24_000_000]
    profile = price(record, machine.pricer)
    spans = profile.spans
    assert [span.cycles for span in spans] == [spans[0].cycles] * 4
    seconds = [span.cycles / hz for span, hz in zip(spans, (4e6, 48e6, 48e6, 24e6), strict=True)]
    assert [span.latency_s for span in spans] == pytest.approx(seconds)
    assert profile.clock_hz == 24_000_000
    assert profile.cycles.nominal == record.live_cycles == sum(k.cycles for k in profile.kernels)
    assert sum(k.latency_s for k in profile.kernels) == pytest.approx(profile.latency_s.nominal)
    assert profile.latency_s.nominal == pytest.approx(sum(seconds), rel=0.02)
    (work,) = (k for k in profile.kernels if k.name == "work")
    assert (work.calls, work.cycles) == (4, 4 * spans[0].cycles)


def test_setting_what_is_set_begins_no_epoch(tmp_path: Path) -> None:
    record, _ = run(tmp_path, program("work", SET_MSI.format(code=6), "work"))
    assert record.epochs == ()


def test_there_and_back_are_three_epochs(tmp_path: Path) -> None:
    record, _ = run(tmp_path, program("work", SET_MSI.format(code=8), "work", SET_MSI.format(code=6), "work"))
    assert [e.clock_hz for e in record.epochs] == [4_000_000, 16_000_000, 4_000_000]
    counts = [int(e.edge_counts.sum()) for e in record.epochs]
    assert max(counts) - min(counts) < 10


def test_wait_states_that_the_firmware_programs_are_priced_from_there_on(tmp_path: Path) -> None:
    record, machine = run(tmp_path, program("work", LATENCY.format(states=4), "work"), spans=("work",))
    assert [dict(e.wait_states) for e in record.epochs] == [{}, {"FLASH": 4}]
    profile = price(record, machine.pricer)
    assert profile.cycles.nominal == record.live_cycles
    assert profile.spans[1].cycles >= profile.spans[0].cycles


# The STM32L4's ACR: PRFTEN is bit 8, ICEN 9, DCEN 10 (RM0432 3.7.1); 0x600 after reset.
ACR = "ldr r0, =0x40022000\nldr r1, ={value}\nstr r1, [r0]\n"
# CCR: IC is bit 17, DC 16, STKALIGN 9.
CCR = "ldr r0, =0xE000ED14\nldr r1, ={value}\nstr r1, [r0]\ndsb\nisb\n"


def unmanaged(directory: Path, board: str, source: str, **options: object) -> tuple[ExecutionRecord, Machine]:
    """A run at the board's typical clock; ClockProgrammedError if the firmware programs it."""
    path = assemble_program(directory / "p.elf", board, source, {})
    clock_hz = options.pop("clock_hz", None)
    machine = Machine(load_image(str(path)), pricer_for(board, clock_hz=clock_hz), RunOptions(**options))  # type: ignore[arg-type]
    return machine.run().record, machine


def test_a_managed_run_begins_with_what_is_on_after_reset(tmp_path: Path) -> None:
    source = program("work", ACR.format(value=0x104), "work", ACR.format(value=0x604), "work")
    record, machine = run(tmp_path, source)
    assert [dict(e.switches) for e in record.epochs] == [
        {"FLASH.DCEN": True, "FLASH.ICEN": True, "FLASH.PRFTEN": False},
        {"FLASH.DCEN": False, "FLASH.ICEN": False, "FLASH.PRFTEN": True},
        {"FLASH.DCEN": True, "FLASH.ICEN": True, "FLASH.PRFTEN": False},
    ]
    assert [dict(e.wait_states) for e in record.epochs] == [{}, {"FLASH": 4}, {"FLASH": 4}]
    assert price(record, machine.pricer).cycles.nominal == record.live_cycles
    path = str(tmp_path / "record")
    save_record(record, path)
    assert [e.switches for e in load_record(path).epochs] == [e.switches for e in record.epochs]


def test_caches_turned_on_at_the_typical_clock_only_confirm_what_was_assumed(tmp_path: Path) -> None:
    source = program("work", CCR.format(value=0x2_0200), CCR.format(value=0x3_0200), "work")
    record, machine = unmanaged(tmp_path, "nucleo-f746zg", source)
    assert (record.epochs, record.clock_hz, machine.epochs.changes) == ((), machine.board.clock.typical, 0)


def test_a_cache_turned_off_at_the_typical_clock_is_off_from_there_on(tmp_path: Path) -> None:
    source = program("work", CCR.format(value=0x3_0200), "work", CCR.format(value=0x1_0200), "work")
    record, machine = unmanaged(tmp_path, "nucleo-f746zg", source, spans=("work",))
    first, second = record.epochs
    assert first.clock_hz == second.clock_hz == record.clock_hz == machine.board.clock.typical
    assert {name for name, on in first.switches if not dict(second.switches)[name]} == {"SCB.IC"}
    assert [span.epoch for span in record.spans] == [0, 0, 1]
    profile = price(record, machine.pricer)
    assert profile.cycles.nominal == record.live_cycles
    spans = [span.cycles for span in profile.spans]
    assert spans[1] < spans[0]  # the first has filled the cache
    assert spans[1] < spans[2]  # from here on, flash is read line by line


def test_switches_that_the_board_does_not_name_begin_no_epoch(tmp_path: Path) -> None:
    """The STM32U5's DCACHE1 is in front of external memory alone (RM0456 9.1), which the board hasn't."""
    enable = "ldr r0, =0x40031400\nmovs r1, #1\nstr r1, [r0]\n"
    record, machine = unmanaged(tmp_path, "nucleo-u575zi-q", program("work", enable, "work"))
    assert (record.epochs, machine.epochs.changes) == ((), 0)


def test_a_pinned_clock_leaves_the_caches_to_the_firmware(tmp_path: Path) -> None:
    source = program("work", CCR.format(value=0x3_0200), "work", CCR.format(value=0x1_0200), "work")
    record, machine = unmanaged(tmp_path, "nucleo-f746zg", source, clock_hz=100_000_000, spans=("work",))
    assert [(e.clock_hz, e.wait_states, dict(e.switches)["SCB.IC"]) for e in record.epochs] == [
        (0, (), True),
        (0, (), False),
    ]
    profile = price(record, machine.pricer)
    assert profile.cycles.nominal == record.live_cycles
    spans = [span.cycles for span in profile.spans]
    assert spans[1] < spans[0] and spans[1] < spans[2]  # filled; off
    save_record(record, str(tmp_path / "record"))
    again = load_record(str(tmp_path / "record"))
    assert price(again, machine.pricer).cycles == profile.cycles
    # Without a clock asked for, the same caches at the board's own.
    typical = price(again, pricer_for("nucleo-f746zg"))
    assert typical.clock_hz == machine.board.clock.typical and not follows_firmware(again, pricer_for("nucleo-f746zg"))
    assert typical.spans[1].cycles < typical.spans[2].cycles


def test_a_pinned_clock_keeps_its_wait_states(tmp_path: Path) -> None:
    """ACR's latency is left out, its cache bits aren't: instructions wait as the clock has it, without their cache."""
    source = program("work", ACR.format(value=0x401), "work", ACR.format(value=0x40F), "work")
    record, machine = run(tmp_path, source, clock_hz=120_000_000, spans=("work",))
    assert [(e.wait_states, dict(e.switches)["FLASH.ICEN"]) for e in record.epochs] == [((), True), ((), False)]
    spans = [span.cycles for span in price(record, machine.pricer).spans]
    assert 1.2 * spans[0] < spans[1] == pytest.approx(spans[2], rel=1e-3)


def test_one_cache_setting_throughout_is_priced_as_one_part(tmp_path: Path) -> None:
    """Clocks that the firmware chose go for another that is asked for; that its caches were off doesn't."""
    record, machine = run(tmp_path, program(ACR.format(value=0x4), "work", SET_MSI.format(code=11), "work"))
    pinned = pricer_for(BOARD, clock_hz=120_000_000)
    before, after = (e.switches for e in record.epochs[:2])
    assert [dict(p.pricer.memory.switches) for p in price_parts(record, pinned, None)] == [
        dict(e.switches) for e in record.epochs
    ]
    same = replace(record, epochs=tuple(replace(e, switches=after) for e in record.epochs))
    (part,) = price_parts(same, pinned, None)
    assert part.pricer.memory.switches == after != before and part.pricer.clock_hz == 120_000_000
    assert len(price_parts(same, machine.pricer, None)) == len(record.epochs)


def test_a_managed_run_that_leaves_a_cache_off_has_an_epoch_to_say_so(tmp_path: Path) -> None:
    path = assemble_program(tmp_path / "p.elf", "nucleo-f746zg", program("work"), {})
    machine = Machine(load_image(str(path)), pricer_for("nucleo-f746zg"), RunOptions(), managed=True)
    record = machine.run().record
    (epoch,) = record.epochs
    assert (epoch.clock_hz, set(dict(epoch.switches).values())) == (16_000_000, {False})
    assert price(record, pricer_for("nucleo-f746zg")).cycles.nominal == record.live_cycles


def test_lines_miss_while_the_cache_is_on_and_again_after_it_was_off(tmp_path: Path) -> None:
    on, off = CCR.format(value=0x2_0200), CCR.format(value=0x200)
    path = assemble_program(tmp_path / "p.elf", "nucleo-f746zg", program("work", on, "work", off, on, "work", off), {})
    machine = Machine(load_image(str(path)), pricer_for("nucleo-f746zg"), RunOptions(), managed=True)
    record = machine.run().record
    fetches = record.site_kind == SiteKind.FETCH
    missed = [int(e.site_counts[fetches[e.sites]].sum()) for e in record.epochs]
    assert [dict(e.switches)["SCB.IC"] for e in record.epochs] == [False, True, False, True, False]
    assert missed[0] == missed[2] == missed[4] == 0 and 0 < missed[1] < 50 and 0 < missed[3] < 50
    assert price(record, machine.pricer).cycles.nominal == record.live_cycles


def test_lines_miss_again_after_the_firmware_emptied_the_cache(tmp_path: Path) -> None:
    """ICIALLU at 0xE000EF50, and by address, ICIMVAU at 0xE000EF58: of the lines that ``work`` fills, each misses once
    in either pass, or just its first one."""
    empty = "ldr r0, =0xE000EF50\nmovs r1, #0\nstr r1, [r0]\ndsb\nisb\n"
    by_address = "ldr r0, =0xE000EF58\nldr r1, =work\nstr r1, [r0]\ndsb\nisb\n"
    source = program(*["work"] * 3, empty, "work", by_address, "work").replace("fn work", ".balign 32\nfn work")
    record, machine = unmanaged(tmp_path, "nucleo-f746zg", source, spans=("work",))
    fetches = record.site_kind == SiteKind.FETCH
    missed = [int(span.site_counts[fetches[span.sites]].sum()) for span in record.spans]
    assert missed[1:3] == [0, 0] and missed[3] == missed[0] > 0 and 0 < missed[4] <= missed[0]
    assert price(record, machine.pricer).cycles.nominal == record.live_cycles and record.epochs == ()


def test_connected_devices_alone_do_not_turn_caches_off(tmp_path: Path) -> None:
    """Such a run begins at the reset clock because its firmware may program one; if it does not, nothing is known."""
    path = assemble_program(tmp_path / "p.elf", "nucleo-f746zg", program("work"), {})
    consoles = ConsoleOptions(ends=(LineEnd("USART3", EndKind.FILE, str(tmp_path / "sent")),))
    machine = Machine(load_image(str(path)), pricer_for("nucleo-f746zg"), RunOptions(consoles=consoles))
    assert machine.managed and machine.run().record.epochs == ()


class FakeMemory:
    """Remembers what was switched."""

    def __init__(self) -> None:
        self.switched: list[tuple[str, bool]] = []

    def set_switch(self, name: str, on: bool) -> None:
        self.switched.append((name, on))


def fake_recorder(board: str, **options: object) -> Any:
    empty = np.zeros(0, dtype=np.int64)
    return SimpleNamespace(
        pricer=pricer_for(board, **options),  # type: ignore[arg-type]
        memory=FakeMemory(),
        spans=SimpleNamespace(epoch=0),
        moments=Moments(1),
        edges=[],
        sites=[],
        site_table=SimpleNamespace(reprice=lambda _pricer: None),
        words=empty,
        edge_counts=empty.copy,
        site_counts=lambda: np.zeros((0, 16), dtype=np.int64),
    )


def test_the_simulated_caches_are_switched_when_the_epoch_begins() -> None:
    recorder = fake_recorder(BOARD)
    soon: list[bool] = []
    epochs = Epochs(recorder, lambda: soon.append(True))
    epochs.set_switch("FLASH.ICEN", False)
    epochs.set_switch("XIP.EN", False)
    assert (epochs.changed, epochs.reclocked, len(soon), recorder.memory.switched) == (True, False, 1, [])
    epochs.change()
    assert recorder.memory.switched == [("FLASH.ICEN", False)]
    assert dict(recorder.pricer.memory.switches)["FLASH.ICEN"] is False
    epochs.set_switch("FLASH.ICEN", True)
    epochs.set_switch("FLASH.ICEN", False)
    assert not epochs.changed


def test_what_the_firmware_has_not_switched_when_it_sets_up_the_flash_is_as_after_reset() -> None:
    """The STM32F4's caches are off after reset; a firmware that isn't seen to set up anything is taken to have them."""
    recorder = fake_recorder("disco-f407vg")
    epochs = Epochs(recorder)
    epochs.set_switch("FLASH.DCEN", True)
    assert not epochs.changed
    epochs.set_wait_states("FLASH", 5)
    assert epochs.changed and epochs.reclocked
    epochs.change()
    assert recorder.memory.switched == [("FLASH.ICEN", False), ("FLASH.PRFTEN", False)]
    epochs.set_switch("FLASH.ICEN", True)
    epochs.set_clock(84_000_000)
    epochs.change()
    assert [e.switches for e in epochs.result()] == [
        (("FLASH.DCEN", True), ("FLASH.ICEN", True), ("FLASH.PRFTEN", True)),
        (("FLASH.DCEN", True), ("FLASH.ICEN", False), ("FLASH.PRFTEN", False)),
        (("FLASH.DCEN", True), ("FLASH.ICEN", True), ("FLASH.PRFTEN", False)),
    ]


def test_a_pinned_recorder_follows_switches_and_ignores_wait_states() -> None:
    recorder = fake_recorder("disco-f407vg", clock_hz=80_000_000)
    epochs = Epochs(recorder)
    epochs.set_wait_states("FLASH", 3)  # sets up the flash: what it hasn't switched is as after reset
    assert epochs.changed and not epochs.reclocked
    epochs.change()
    epochs.set_switch("FLASH.ICEN", True)
    epochs.change()
    assert recorder.memory.switched == [
        ("FLASH.DCEN", False),
        ("FLASH.ICEN", False),
        ("FLASH.PRFTEN", False),
        ("FLASH.ICEN", True),
    ]
    assert {(e.clock_hz, e.wait_states) for e in epochs.result()} == {(0, ())}


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["FLASH.ICEN", "FLASH.DCEN", "FLASH.PRFTEN", None]), st.booleans())))
def test_the_simulation_follows_every_switch(steps: list[tuple[str | None, bool]]) -> None:
    """None is the beginning of the next block. What the simulation was told adds up to the pricer's state."""
    recorder = fake_recorder(BOARD)
    epochs = Epochs(recorder)
    told = {"FLASH.DCEN": True, "FLASH.ICEN": True, "FLASH.PRFTEN": False}
    wanted = dict(told)
    for name, on in [*steps, (None, True)]:
        if name is not None:
            epochs.set_switch(name, on)
            wanted[name] = on
        elif epochs.changed:
            epochs.change()
    told |= dict(recorder.memory.switched)
    assert told == wanted
    assert epochs.changes == 0 or dict(recorder.pricer.memory.switches) == wanted


def test_a_pinned_clock_prices_all_as_one(tmp_path: Path) -> None:
    source = program("work", SET_MSI.format(code=11), "work", HALVE, "work")
    following, machine = run(tmp_path, source)
    pinned = pricer_for(BOARD, clock_hz=80_000_000)
    assert follows_firmware(following, machine.pricer) and not follows_firmware(following, pinned)
    (part,) = price_parts(following, pinned, None)
    profile = price(following, pinned)
    assert (part.pricer.clock_hz, profile.clock_hz) == (80_000_000, 80_000_000)
    assert profile.latency_s.nominal == pytest.approx(profile.cycles.nominal / 80e6)
    # Run with the clock pinned, nothing of what the firmware sets matters.
    record, _ = run(tmp_path, source, clock_hz=80_000_000)
    assert record.epochs == () and record.clock_hz == 80_000_000
    assert price(record, pinned).cycles == profile.cycles


def test_parts_add_up_to_the_whole(tmp_path: Path) -> None:
    record, machine = run(tmp_path, program("work", SET_MSI.format(code=11), "work", HALVE, "work"))
    parts = price_parts(record, machine.pricer, None)
    assert [p.pricer.clock_hz for p in parts] == [4_000_000, 48_000_000, 24_000_000]
    assert sum(p.record.edge_count for p in parts).tolist() == record.edge_count.tolist()  # type: ignore[union-attr]
    assert sum(p.record.site_counts for p in parts).tolist() == record.site_counts.tolist()  # type: ignore[union-attr]
    assert sum(int(p.cycles[:, 1].sum()) for p in parts) == record.live_cycles
    assert [p.record.final_node >= 0 for p in parts] == [False, False, True]
    profile = price(record, machine.pricer)
    assert profile.latency_s.nominal == pytest.approx(sum(p.seconds.nominal for p in parts))
    assert profile.instructions == record.instructions


def test_an_unmanaged_machine_says_that_the_clock_is_programmed(tmp_path: Path) -> None:
    path = assemble_program(tmp_path / "p.elf", BOARD, program("work", SET_MSI.format(code=11), "work"), {})
    machine = Machine(load_image(str(path)), pricer_for(BOARD), RunOptions())
    with pytest.raises(ClockProgrammedError):
        machine.run()


def test_systick_keeps_the_time_of_the_clock_it_runs_at(tmp_path: Path) -> None:
    """A tick of 4000 core cycles stays one when the core's clock changes; alarms move with it."""
    start = "set 0xE000E014, 3999\nset 0xE000E018, 0\nset 0xE000E010, 7\n"
    stop = "set 0xE000E010, 0\n"
    record, machine = run(tmp_path, program(start, "work", SET_MSI.format(code=11), "work", HALVE, "work", stop))
    ticks = next(k.calls for k in price(record, machine.pricer).kernels if k.name == "logger")
    total = sum(k.cycles for k in price(record, machine.pricer).kernels)
    assert abs(ticks - total // 4000) <= 1
    assert record.exit.reason is Reason.IDLE


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["work", HALVE, LATENCY.format(states=2), *(SET_MSI.format(code=c) for c in MSI_HZ)]),
                min_size=1, max_size=8), st.booleans())  # fmt: skip
def test_any_changes_add_up_and_survive_a_file(tmp_path: Path, parts: list[str], ticking: bool) -> None:
    start = ["set 0xE000E014, 700\nset 0xE000E018, 0\nset 0xE000E010, 7\n"] if ticking else []
    record, machine = run(tmp_path, program(*start, *parts, "work", "set 0xE000E010, 0"), spans=("work",))
    profile = price(record, machine.pricer)
    assert profile.cycles.nominal == record.live_cycles == sum(k.cycles for k in profile.kernels)
    assert sum(k.latency_s for k in profile.kernels) == pytest.approx(profile.latency_s.nominal)
    path = tmp_path / "record"
    save_record(record, str(path))
    again = load_record(str(path))
    assert len(again.epochs) == len(record.epochs)
    for one, other in zip(record.epochs, again.epochs, strict=True):
        assert (one.clock_hz, one.wait_states) == (other.clock_hz, other.wait_states)
        for name in ("edges", "edge_counts", "sites", "site_counts"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    assert (again.sleep, again.unfinished.tolist()) == (record.sleep, record.unfinished.tolist())
    assert price(again, machine.pricer) == replace(profile, console=again.console)


def test_epochs_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    record, _ = run(tmp_path, program("work", SET_MSI.format(code=11), "work"))
    check_tables(record)
    check_record(record)
    counts = record.epochs[0].edge_counts.copy()
    counts[0] += 1
    spoilt = replace(record, epochs=(replace(record.epochs[0], edge_counts=counts), record.epochs[1]))
    with pytest.raises(ValueError, match="its epochs do not add up to its counts"):
        check_tables(spoilt)
    with pytest.raises(ValueError, match="points outside"):
        rows = record.epochs[0].edges + len(record.edge_source)
        check_tables(replace(record, epochs=(replace(record.epochs[0], edges=rows), record.epochs[1])))
    path = tmp_path / "record"
    save_record(spoilt, str(path))
    with pytest.raises(InputError, match="its epochs do not add up"):
        load_record(str(path))


def test_sleep_and_what_was_interrupted_for_good_survive_a_file(tmp_path: Path) -> None:
    source = """
    fn test
    set 0xE000E014, 700
    set 0xE000E018, 0
    set 0xE000E010, 7
    wfi
    wfi
    1: b 1b
    end test
    """
    source = source.replace("1: b 1b", "ldr r2, =60000\n1: subs r2, #1\nbne 1b\nb stop")
    source += "fn slow\nmovs r0, #60\n1: subs r0, #1\nbne 1b\nbx lr\nend slow\n"
    unfinished = 0
    for stop in range(400, 1000, 20):
        path = assemble_program(tmp_path / "p.elf", BOARD, source, {15: "slow"})
        options = RunOptions(limits=RunLimits(instructions=stop))
        machine = Machine(load_image(str(path)), pricer_for(BOARD), options, managed=True)
        record = machine.run().record
        save_record(record, str(tmp_path / "record"))
        again = load_record(str(tmp_path / "record"))
        assert again.sleep == record.sleep
        assert [s.wakeups for s in record.sleep] == [2]
        assert again.unfinished.tolist() == record.unfinished.tolist()
        unfinished += len(record.unfinished)
        assert price(again, machine.pricer).cycles.nominal == record.live_cycles
    assert unfinished
