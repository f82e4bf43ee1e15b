"""Start-up firmware runs from reset to its end on every board: clocks, delays, consoles, timers, interrupts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest
from firmwarelib import FIRMWARE, build

from vtarget.data.board import Board
from vtarget.data.consoles import ConsoleOptions, UartScript
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.logic.uartscript import parse_script
from vtarget.shell import waiting
from vtarget.shell.boardlib import load_board
from vtarget.shell.devices.device import WordDevice
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.ports import PinEdge
from vtarget.shell.running import price, pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.starting import run_image
from vtarget.shell.symbols import resolve_address

CRC = "crc 0x7d24a31b\n"  # of the words 12345678 and 9abcdef0, checked below
WORDS = "rng: two different words\n"


@dataclass(frozen=True)
class Case:
    """What one board does. ``more`` is the text of board_more, ``delay_ms`` how long its ready bits take at least."""

    clock_hz: int
    reset_hz: int
    pin: str
    uart: str
    timer_handler: str
    uart_handler: str
    more: str
    wait_states: tuple[tuple[str, int], ...]
    not_modelled: tuple[str, ...]
    ready_ms: float = 0.0
    sleeps_in_echo: bool = True


BOARDS = {
    "nucleo-l4r5zi": Case(
        clock_hz=120_000_000,
        reset_hz=4_000_000,
        pin="PB7",
        uart="LPUART1",
        timer_handler="TIM2_IRQHandler",
        uart_handler="LPUART1_IRQHandler",
        more=CRC + WORDS,
        wait_states=(("FLASH", 5),),
        not_modelled=(),
    ),
    "disco-f407vg": Case(
        clock_hz=168_000_000,
        reset_hz=16_000_000,
        pin="PD12",
        uart="USART2",
        timer_handler="TIM2_IRQHandler",
        uart_handler="USART2_IRQHandler",
        more=CRC + WORDS,
        wait_states=(("FLASH", 5),),
        not_modelled=(),
        ready_ms=2.2,  # HSE 2 ms, PLL 200 us
    ),
    "nucleo-f746zg": Case(
        clock_hz=216_000_000,
        reset_hz=16_000_000,
        pin="PB7",
        uart="USART3",
        timer_handler="TIM2_IRQHandler",
        uart_handler="USART3_IRQHandler",
        # The core's largest data cache, 32 KiB; the chip has 4 KiB, whose lines are 128.
        more="data cache: 128 lines invalidated\n" + CRC + WORDS,
        wait_states=(("FLASH", 7), ("FLASH_ITCM", 7)),
        not_modelled=(),
        ready_ms=0.29,  # PLL 200 us, over-drive twice 45 us; HSE is ready at once, being an input
    ),
    "nucleo-u575zi-q": Case(
        clock_hz=160_000_000,
        reset_hz=4_000_000,
        pin="PC7",
        uart="USART1",
        timer_handler="TIM2_IRQHandler",
        uart_handler="USART1_IRQHandler",
        more=CRC + WORDS,
        wait_states=(("FLASH", 4),),
        not_modelled=(),
    ),
    "nucleo-g071rb": Case(
        clock_hz=64_000_000,
        reset_hz=16_000_000,
        pin="PA5",
        uart="USART2",
        timer_handler="TIM2_IRQHandler",
        uart_handler="USART2_IRQHandler",
        more=CRC,
        wait_states=(("FLASH", 2),),
        not_modelled=(),
    ),
    "nrf52840dk": Case(
        clock_hz=64_000_000,
        reset_hz=64_000_000,
        pin="P0.13",
        uart="UART0",
        timer_handler="TIMER0_IRQHandler",
        uart_handler="UARTE0_UART0_IRQHandler",
        more="rtc: 328 counts in 10 ms\nrng: different bytes\n",
        wait_states=(),
        not_modelled=(),
        ready_ms=250.36,  # LFXO 250 ms, HFXO 360 us
        sleeps_in_echo=False,
    ),
    "rpi-pico": Case(
        clock_hz=125_000_000,
        reset_hz=6_500_000,
        pin="GPIO25",
        uart="UART0",
        timer_handler="TIMER_IRQ_0_Handler",
        uart_handler="UART0_IRQHandler",
        more=(
            "divider: 81004 remainder 5627\ndivider: -142857 remainder -1\ncounted 125000 kHz\nrng: different bits\n"
        ),
        wait_states=(),
        not_modelled=("energy: no power figure is known for this board",),
        ready_ms=1.0,  # XOSC
    ),
    "apollo4p-evb": Case(
        clock_hz=192_000_000,
        reset_hz=96_000_000,
        pin="GPIO30",
        uart="UART0",
        timer_handler="STIMER_CMPR0_IRQHandler",
        uart_handler="UART0_IRQHandler",
        more="",
        wait_states=(),
        not_modelled=(),
    ),
}
OPTIMISED = [(board, board) for board in BOARDS]
ALL = [*OPTIMISED, *((board, f"{board}-O0") for board in BOARDS), ("nrf52840dk", "nrf52840dk-uart")]


@dataclass(frozen=True)
class Startup:
    """A finished run: facts, price, edges of the board's pin, the ticks counted by SysTick_Handler, the machine."""

    record: ExecutionRecord
    profile: Profile
    edges: list[PinEdge]
    ticks: int
    machine: Machine

    def calls(self, kernel: str) -> int:
        return sum(k.calls for k in self.profile.kernels if k.name.split(" (")[0] == kernel)

    def milliseconds(self, pulse: int) -> float:
        """How long the pin was high the n-th time; the clock is the last one by then."""
        highs = [(a, b) for a, b in zip(self.edges, self.edges[1:], strict=False) if a.level and not b.level]
        rise, fall = highs[pulse]
        return (fall.cycle - rise.cycle) * 1000 / self.clocks[-1]

    @property
    def clocks(self) -> list[int]:
        """Core clocks in Hz from reset on."""
        return [epoch.clock_hz for epoch in self.record.epochs] or [self.record.clock_hz]


def run_startup(board: str, program: str, script: str = "") -> Startup:
    consoles = (
        ConsoleOptions(scripts=(UartScript(BOARDS[board].uart, parse_script(script, "script")),))
        if script
        else ConsoleOptions()
    )
    image = load_image(str(FIRMWARE / "startups" / f"{program}.elf"))
    pricer = pricer_for(board)
    tick, _ = resolve_address(image, "uwTick", "tick")
    machine = Machine(image, pricer, RunOptions(reads=((tick, 4),), consoles=consoles), managed=True)
    result = machine.run()
    edges = [e for e in machine.chipset.backplane.edges if e.pin == BOARDS[board].pin]
    return Startup(
        result.record, price(result.record, pricer), edges, int.from_bytes(result.reads[0], "little"), machine
    )


run_once = cache(run_startup)


def expected_text(board: str, echo: str = "nothing typed") -> str:
    case = BOARDS[board]
    return (
        f"{board} at {case.clock_hz} Hz\n"
        "computed 0xdd845c15\n"
        "delay of 10 ms: 11 ticks\n"
        "timer: 10 interrupts\n"
        f"{case.more}"
        f"? {echo}\n"
        "done\n"
    )


def test_the_programs_tested_here_are_the_ones_committed() -> None:
    names = sorted(p.stem for p in (FIRMWARE / "startups").glob("*.elf"))
    assert names == sorted([program for _, program in ALL] + ["nucleo-l4r5zi-idle", "nucleo-l4r5zi-lse"])
    assert sorted(build.STARTUP_CORES) == sorted(BOARDS)


@pytest.mark.parametrize(("board", "program"), ALL)
def test_it_prints_what_it_prints_on_the_board_and_exits(board: str, program: str) -> None:
    ran = run_once(board, program)
    assert ran.record.console == expected_text(board)
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)


@pytest.mark.parametrize(("board", "program"), OPTIMISED)
def test_the_core_clock_goes_from_reset_to_what_was_programmed(board: str, program: str) -> None:
    case, ran = BOARDS[board], run_once(board, program)
    epochs = ran.record.epochs
    assert (ran.clocks[0], ran.clocks[-1]) == (case.reset_hz, case.clock_hz)
    assert ran.profile.clock_hz == ran.machine.chipset.clocks.core_hz == case.clock_hz
    assert (epochs[-1].wait_states if epochs else ()) == case.wait_states


@pytest.mark.parametrize(("board", "program"), ALL)
def test_a_delay_of_ten_ticks_takes_ten_to_eleven_milliseconds(board: str, program: str) -> None:
    assert 10 <= run_once(board, program).milliseconds(1) <= 11.01


@pytest.mark.parametrize(("board", "program"), ALL)
def test_ten_periods_of_the_timer_take_ten_milliseconds_mostly_asleep(board: str, program: str) -> None:
    ran = run_once(board, program)
    assert 10 <= ran.milliseconds(2) <= 10.05
    asleep_ms = sum(s.cycles / s.clock_hz for s in ran.record.sleep) * 1000
    least, most = (29.5, 31) if BOARDS[board].sleeps_in_echo else (9.9, 10)  # the echo waits for 20 ms
    assert least <= asleep_ms <= most


@pytest.mark.parametrize(("board", "program"), ALL)
def test_handlers_are_called_as_often_as_their_interrupts_come(board: str, program: str) -> None:
    case, ran = BOARDS[board], run_once(board, program)
    assert ran.calls(case.timer_handler) == 10
    assert ran.calls("SysTick_Handler") == ran.ticks > 40
    assert ran.calls(case.uart_handler) == 0


@pytest.mark.parametrize(("board", "program"), [(b, p) for b, p in ALL if BOARDS[b].sleeps_in_echo])
def test_ticks_are_milliseconds_at_every_clock(board: str, program: str) -> None:
    """Two parts of a tick are lost: where the clock changes, and at the end."""
    ran = run_once(board, program)
    assert ran.ticks <= 1000 * ran.profile.duty.elapsed_s.nominal < ran.ticks + 2


@pytest.mark.parametrize(("board", "program"), ALL)
def test_nothing_is_left_out_but_what_the_memories_cost(board: str, program: str) -> None:
    ran = run_once(board, program)
    assert ran.record.not_modelled == ()
    assert ran.profile.not_modelled == BOARDS[board].not_modelled


@pytest.mark.parametrize(("board", "program"), ALL)
def test_a_byte_takes_ten_bits_at_the_programmed_rate(board: str, program: str) -> None:
    """The console is waited for, awake, so that its bytes bound the time from below and, with all else, from above."""
    case, ran = BOARDS[board], run_once(board, program)
    uart = ran.machine.chipset.device(case.uart)
    assert isinstance(uart, WordDevice)
    assert uart.ports.wire.baud == pytest.approx(115_200, rel=0.01)
    others_ms = 10 + 10 + 20 + case.ready_ms
    elapsed_ms = 1000 * ran.profile.duty.elapsed_s.nominal
    assert len(ran.record.console) * 10 / 115.2 + others_ms <= elapsed_ms
    assert elapsed_ms <= len(ran.record.console) * 10 / 115.2 + others_ms + (18 if board == "nrf52840dk" else 9)


TYPING = 'expect "? " within 1s\nsend "hello\\n"\nexpect "done\\n"\n'
# An interrupt for each byte, or, with FIFOs and a timeout of 32 bits, for the line.
INTERRUPTS_OF_A_LINE = dict.fromkeys(BOARDS, 6) | {"rpi-pico": 1, "apollo4p-evb": 1}


@pytest.mark.parametrize(("board", "program"), ALL)
def test_a_typed_line_comes_back(board: str, program: str) -> None:
    ran = run_startup(board, program, TYPING)
    assert ran.record.console == expected_text(board, "you typed 'hello'")
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    assert ran.calls(BOARDS[board].uart_handler) == INTERRUPTS_OF_A_LINE[board]
    assert ran.calls("SysTick_Handler") == ran.ticks


@pytest.mark.parametrize(("board", "program"), ALL)
def test_no_byte_of_a_long_line_is_lost(board: str, program: str) -> None:
    line = "The quick brown fox jumps over the dog."
    assert len(line) == 39  # the most that the firmware keeps
    ran = run_startup(board, program, TYPING.replace("hello", line))
    assert ran.record.console == expected_text(board, f"you typed '{line}'")


def test_a_crystal_of_32_khz_takes_two_seconds() -> None:
    ran = run_once("nucleo-l4r5zi", "nucleo-l4r5zi-lse")
    assert ran.record.console == expected_text("nucleo-l4r5zi")
    without = run_once("nucleo-l4r5zi", "nucleo-l4r5zi").profile.duty.elapsed_s.nominal
    assert ran.profile.duty.elapsed_s.nominal == pytest.approx(2 + without, abs=0.002)
    assert ran.record.not_modelled == ()


def test_two_runs_with_the_same_script_are_the_same() -> None:
    first, second = (run_startup("nucleo-l4r5zi", "nucleo-l4r5zi", TYPING) for _ in range(2))
    assert first.profile == second.profile
    assert first.edges == second.edges


@pytest.fixture
def soon_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second, in place of a minute, in which nothing but the tick happens."""
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 1)


@pytest.mark.usefixtures("soon_quiet")
def test_an_idle_loop_ends_the_run_once_nothing_but_the_tick_happens() -> None:
    ran = run_startup("nucleo-l4r5zi", "nucleo-l4r5zi-idle")
    assert ran.record.console == expected_text("nucleo-l4r5zi")
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.IDLE, 0)
    assert ran.calls("SysTick_Handler") == ran.ticks
    assert 1000 <= ran.ticks <= 1060


def test_a_clock_that_the_user_asked_for_stays() -> None:
    """The firmware believes its registers: 32 of its ticks are now 2 ms, a timer and a console run as programmed."""
    image = load_image(str(FIRMWARE / "startups" / "nucleo-l4r5zi.elf"))
    pricer = pricer_for("nucleo-l4r5zi", clock_hz=60_000_000)
    record = run_image(image, pricer, RunOptions()).record
    assert record.console == expected_text("nucleo-l4r5zi")
    assert {epoch.clock_hz for epoch in record.epochs} <= {0}  # the clock that was asked for
    assert price(record, pricer).duty.elapsed_s.nominal == pytest.approx(32 * 0.002 + 0.010 + 0.0118, rel=0.03)


def bare(board: str) -> Board:
    """The board as if nobody had described its chip: every register is a plain one."""
    return load_board(board).model_copy(update={"chip": None})


def test_without_the_chip_a_ready_bit_is_given_up_after_its_time() -> None:
    image = load_image(str(FIRMWARE / "startups" / "disco-f407vg.elf"))
    record = run_image(image, pricer_for(bare("disco-f407vg")), RunOptions()).record
    assert record.console == "no HSERDY\n"
    assert (record.exit.reason, record.exit.code) == (Reason.SEMIHOSTING, 1)
    # 101 ticks of the reset clock's 16000 cycles
    assert record.live_cycles == pytest.approx(101 * 16_000, rel=0.01)


@pytest.mark.usefixtures("soon_quiet")
def test_without_the_chip_a_wait_that_can_not_end_is_named() -> None:
    image = load_image(str(FIRMWARE / "startups" / "nrf52840dk.elf"))
    record = run_image(image, pricer_for(bare("nrf52840dk")), RunOptions()).record
    assert record.exit.reason is Reason.STUCK
    assert "0x40000100" in record.exit.detail  # EVENTS_HFCLKSTARTED
    assert record.exit.call_stack[0].function == "board_clock_start"


def test_the_crc_that_boards_print_is_that_of_their_words() -> None:
    crc = 0xFFFFFFFF
    for word in (0x12345678, 0x9ABCDEF0):
        crc ^= word
        for _ in range(32):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    assert f"crc 0x{crc:08x}\n" == CRC


def test_the_computation_between_the_edges_is_what_boards_print() -> None:
    seed, total = 1, 0
    for _ in range(256):
        seed ^= seed << 13 & 0xFFFFFFFF
        seed ^= seed >> 17
        seed ^= seed << 5 & 0xFFFFFFFF
        total = (total * 31 + (seed & 0xFF)) & 0xFFFFFFFF
    assert f"{total:08x}" == "dd845c15"


def test_the_divider_and_its_remainders() -> None:
    assert divmod(1_000_000_007, 12_345) == (81_004, 5627)
    assert (1_000_000 // 7, 1_000_000 % 7) == (142_857, 1)
