"""The priced call tree: who called what, and that it adds up."""

from __future__ import annotations

import pytest
from machinelib import PROGRAMS

import vtarget
from vtarget.data.profile import Context, Profile


def profile_of(path: str, board: str = "nucleo-l4r5zi") -> Profile:
    return vtarget.run(PROGRAMS.parent / path, board)


def chain(rows: tuple[Context, ...], row: Context) -> list[str]:
    """Names from the outermost caller to the row."""
    names = [row.function]
    while row.parent is not None:
        row = rows[row.parent]
        names.append(row.function)
    return names[::-1]


def inclusive(rows: tuple[Context, ...], name: str) -> int:
    """Cycles of all rows at and below the function's outermost ones."""
    return sum(row.cycles for row in rows if name in chain(rows, row))


@pytest.mark.parametrize(
    "path",
    [
        "examples/fft-m4f.elf",
        "tests/inclusive_recursion-m4f.elf",
        "tests/inclusive_tailcall-m4f.elf",
        "startups/nucleo-l4r5zi.elf",
    ],
)
def test_the_tree_adds_up_to_the_kernels(path: str) -> None:
    profile = profile_of(path)
    rows = profile.contexts
    assert all(row.parent is None or row.parent < position for position, row in enumerate(rows))
    for kernel in profile.kernels:
        of_kernel = [row for row in rows if row.address == kernel.address]
        assert sum(row.cycles for row in of_kernel) == kernel.cycles
        assert sum(row.calls for row in of_kernel) == kernel.calls
        assert sum(row.instructions for row in of_kernel) == kernel.instructions
        assert inclusive(rows, kernel.name) == kernel.total_cycles
    assert sum(row.cycles for row in rows) == profile.cycles.nominal


def test_one_function_has_a_row_per_caller() -> None:
    rows = profile_of("examples/fft-m4f.elf").contexts
    writes = [" ".join(chain(rows, row)[2:]) for row in rows if row.function == "semihost_write"]
    assert writes == ["check_output print_text semihost_write", "check_output print_hex semihost_write"]
    assert [row.calls for row in rows if row.function == "semihost_write"] == [3, 1]


def test_recursion_is_one_row_and_mutual_recursion_hangs_below_the_newest() -> None:
    rows = profile_of("tests/inclusive_recursion-m4f.elf").contexts
    assert [row.calls for row in rows if row.function == "descend"] == [5]
    even = [chain(rows, row) for row in rows if row.function == "mutual_even"]
    assert [names[-3:] for names in even][1:] == [["mutual_even", "mutual_odd", "mutual_even"]]


def test_handlers_begin_trees_of_their_own() -> None:
    rows = profile_of("startups/nucleo-l4r5zi.elf").contexts
    tops = [row.function for row in rows if row.parent is None]
    assert tops[0] == "Reset_Handler" and "SysTick_Handler" in tops
