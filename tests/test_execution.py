"""What the machine computes equals what QEMU computes: console, exit code and every byte of memory in use."""

from __future__ import annotations

from pathlib import Path

import pytest
from firmwarelib import QEMU_TARGETS, build, build_for_qemu, needs_compiler
from machinelib import EXAMPLES, PROGRAMS, run_elf
from qemu import needs_qemu, ram_ranges, run_qemu

from vtarget.data.record import Reason

NAMES = build.examples()
CORES = {"m0plus": "rpi-pico", "m4f": "nucleo-l4r5zi", "m7": "nucleo-f746zg", "m33": "nucleo-u575zi-q"}
# Test programs whose boards QEMU has.
ON_QEMU_BOARDS = sorted(PROGRAMS.glob("microkernels-m[347]*.elf"))


@pytest.fixture(scope="module")
def qemu_elfs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Path]:
    return build_for_qemu(list(NAMES), tmp_path_factory.mktemp("qemu"))


@needs_compiler
@needs_qemu
@pytest.mark.parametrize(("core", "board"), QEMU_TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_example_leaves_the_memory_that_qemu_leaves(
    name: str, core: str, board: str, qemu_elfs: dict[tuple[str, str, str], Path]
) -> None:
    elf = qemu_elfs[name, core, board]
    ranges = ram_ranges(elf)
    expected = run_qemu(board, elf, dump=ranges)
    ran = run_elf(elf, board, reads=tuple(ranges))
    assert ran.record.console == expected.console
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, expected.exit_code)
    assert [len(part) for part in ran.reads] == [size for _, size in ranges]
    assert ran.reads == expected.memory
    assert expected.console.endswith(" ok\n") and any(expected.memory[0])
    assert ran.record.not_modelled == ()


MICROKERNEL_BOARDS = {"m3": "mps2-an385", "m4f": "mps2-an386", "m7": "mps2-an500", "m33": "mps2-an505"}


@needs_qemu
@pytest.mark.parametrize("elf", ON_QEMU_BOARDS, ids=lambda elf: elf.stem)
def test_assembly_kernels_leave_the_memory_that_qemu_leaves(elf: Path) -> None:
    board = MICROKERNEL_BOARDS[elf.stem.split("-")[1]]
    ranges = ram_ranges(elf)
    expected = run_qemu(board, elf, dump=ranges)
    ran = run_elf(elf, board, reads=tuple(ranges))
    assert (ran.record.console, ran.record.exit.code) == (expected.console, expected.exit_code)
    assert ran.reads == expected.memory


@pytest.mark.parametrize(("core", "board"), CORES.items())
@pytest.mark.parametrize("name", NAMES)
def test_committed_example_passes_its_self_check_on_its_board(name: str, core: str, board: str) -> None:
    ran = run_elf(EXAMPLES / f"{name}-{core}.elf", board)
    assert ran.record.console.startswith(f"{name} crc=0x") and ran.record.console.endswith(" ok\n")
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    assert ran.record.exit.call_stack[0].function == "semihost_exit"
    assert ran.record.not_modelled == ()
    profile = ran.profile()
    assert profile.instructions == ran.record.instructions == sum(k.instructions for k in profile.kernels)
    assert profile.cycles.nominal == ran.record.live_cycles == sum(k.cycles for k in profile.kernels)


@pytest.mark.parametrize(
    ("name", "board", "chunk"),
    [
        ("tests/inclusive_virtual-m4f", "nucleo-l4r5zi", 1),
        ("tests/inclusive_longjmp-m4f", "nucleo-l4r5zi", 1),
        ("tests/inclusive_recursion-m4f", "nucleo-l4r5zi", 1),
        ("tests/microkernels-m4f", "mps2-an386", 1),
        ("tests/clock-m33", "nucleo-u575zi-q", 7),
        ("examples/fft-m0plus", "rpi-pico", 300),
        ("examples/quantise-m4f", "nucleo-l4r5zi", 300),
    ],
)
def test_interrupting_and_resuming_a_run_changes_nothing(
    name: str, board: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How often the emulator comes back to the host depends on the host's speed, so it must not show."""
    elf = EXAMPLES.parent / f"{name}.elf"
    whole = run_elf(elf, board)
    for constant, value in {"FIRST_CHUNK": chunk, "LEAST_CHUNK": chunk, "MOST_CHUNK": chunk}.items():
        monkeypatch.setattr(f"vtarget.shell.budget.{constant}", value)
    comebacks: list[tuple[int, int]] = []
    parts = run_elf(elf, board, progress=lambda *done: comebacks.append(done))
    assert len(comebacks) > 5
    assert parts.profile() == whole.profile()
    assert parts.record.stacks == whole.record.stacks
