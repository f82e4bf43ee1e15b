"""Callgrind files: read back by the rules of the format, with source lines, and by callgrind_annotate where it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from firmwarelib import build, needs_compiler
from hypothesis import given
from machinelib import PROGRAMS, vtarget
from reportlib import HOSTILE, result
from test_traces import trees

from vtarget.data.savedresult import SavedResult
from vtarget.logic.callgrind import callgrind

BOARD = "nucleo-l4r5zi"
C = """\
#include <stdint.h>
int main(void);
__attribute__((section(".vectors"), used)) void *const vectors[2] = {(void *)0x20001000, main};
volatile int total;
__attribute__((noinline)) static int square(int x) {
    return x * x + total;
}
__attribute__((noinline)) static int sum(int n) {
    int s = 0;
    for (int i = 0; i < n; i++)
        s += square(i);
    return s;
}
int main(void) {
    total = sum(10);
    total = square(3);
    __asm volatile("movs r0, #0x18\\n ldr r1, =0x20026\\n bkpt 0xab");
    return 0;
}
"""
Costs = tuple[int, int]


@dataclass
class Read:
    """What a callgrind file says: own costs by (function, file, line), calls by (caller, callee)."""

    header: dict[str, str] = field(default_factory=dict)
    own: dict[tuple[str, str, int], Costs] = field(default_factory=dict)
    calls: dict[tuple[str, str], list[tuple[int, int, int, Costs]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def totals(self) -> Costs:
        return sum(c for c, _ in self.own.values()), sum(i for _, i in self.own.values())

    def own_of(self, function: str) -> int:
        return sum(costs[0] for (name, _, _), costs in self.own.items() if name == function)


def parse(text: str) -> Read:
    """Lines as the format's specification names them; anything else fails."""
    found, file, home, function, callee = Read(), "", "", "", ""
    lines = iter(text.split("\n"))
    assert next(lines) == "# callgrind format"
    for line in lines:
        if header := re.fullmatch(r"(version|creator|cmd|positions|events|summary|totals): (.*)", line):
            found.header[header[1]] = header[2]
        elif place := re.fullmatch(r"(fl|fi|fe)=(.+)", line):
            file = place[2]
            home = file if place[1] == "fl" else home
            assert place[1] != "fe" or file == home
        elif name := re.fullmatch(r"fn=(.+)", line):
            function = name[1]
        elif name := re.fullmatch(r"cfn=(.+)", line):
            callee = name[1]
        elif call := re.fullmatch(r"calls=(\d+) (\d+)", line):
            costs = re.fullmatch(r"(\d+) (\d+) (\d+)", next(lines))
            assert costs and callee
            found.calls[function, callee].append(
                (int(call[1]), int(call[2]), int(costs[1]), (int(costs[2]), int(costs[3])))
            )
            callee = ""
        elif own := re.fullmatch(r"(\d+) (-?\d+) (\d+)", line):
            key = (function, file, int(own[1]))
            assert key not in found.own
            found.own[key] = (int(own[2]), int(own[3]))
        else:
            assert line == "" or re.fullmatch(r"(ob|cfi)=.+", line), line
    assert found.header["positions"] == "line" and found.header["events"] == "Cycles Instructions"
    assert found.header["summary"] == found.header["totals"] == "{} {}".format(*found.totals)
    return found


def converted(folder: Path, elf: Path) -> tuple[Path, Read]:
    record, out = folder / "run.record", folder / "callgrind.out"
    assert vtarget("run", elf, "-b", BOARD, "--quiet", "--record", record).code == 0
    assert vtarget("report", "--record", record, "--format", "callgrind", "-o", out).code == 0
    return out, parse(out.read_text(encoding="utf-8"))


def annotate(path: Path) -> str:
    tool = shutil.which("callgrind_annotate")
    if tool is None:
        pytest.skip("callgrind_annotate is not installed")
    return subprocess.run(
        [tool, "--auto=yes", "--threshold=100", "--show-percs=yes", path],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def test_functions_without_lines() -> None:
    read = parse(callgrind(result(2), None))
    assert read.own == {
        ("main", "???", 0): (0, 0),
        ("f0 plain", "???", 0): (1000, 500),
        ("f1 plain", "???", 0): (1037, 518),
    }
    assert read.calls["main", "f1 plain"] == [(2, 0, 0, (1037, 518))]


@given(trees())
def test_every_cycle_is_somewhere_whatever_the_tree(saved: SavedResult) -> None:
    read = parse(callgrind(saved, None))
    assert read.totals == (sum(r.cycles for r in saved.contexts), sum(r.instructions for r in saved.contexts))


def test_odd_names_stay_on_their_lines() -> None:
    read = parse(callgrind(result(len(HOSTILE), HOSTILE), None))
    assert len({function for function, _, _ in read.own}) == len(HOSTILE) + 1


@pytest.mark.parametrize("name", ["inclusive_recursion", "inclusive_tailcall", "inclusive_longjmp"])
def test_lines_and_kernels_agree(name: str, tmp_path: Path) -> None:
    elf = PROGRAMS / f"{name}-m4f.elf"
    if not elf.exists():
        pytest.skip(f"{elf.name} is not there")
    import vtarget as library

    _, read = converted(tmp_path, elf)
    for kernel in library.run(elf, BOARD).kernels:
        assert read.own_of(kernel.name) == kernel.cycles


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "prog.c").write_text(C)
    options = ["-mcpu=cortex-m4", "-mthumb", "-O1", "-g", "-nostdlib", "-Wl,-emain", "-Ttext=0x08000400",
               "-Wl,--section-start=.vectors=0x08000000", "-Wl,-Tbss=0x20002000"]  # fmt: skip
    command = [build.COMPILER, *options, "-o", folder / "prog.elf", folder / "prog.c"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "prog.elf"


@needs_compiler
def test_source_lines_have_their_costs_and_calls(program: Path, tmp_path: Path) -> None:
    out, read = converted(tmp_path, program)
    lines = {(function, line) for function, file, line in read.own if file == str(program.with_name("prog.c"))}
    assert {("square", 6), ("sum", 11), ("main", 15), ("main", 16)} <= lines
    (of_sum,) = read.calls["sum", "square"]
    (of_main,) = read.calls["main", "square"]
    assert (of_sum[0], of_sum[2]) == (10, 11) and (of_main[0], of_main[2]) == (1, 16)
    assert of_sum[3][0] + of_main[3][0] == read.own_of("square")
    (whole,) = read.calls["main", "sum"]
    assert whole[3][0] == read.own_of("sum") + of_sum[3][0]
    shown = annotate(out)
    assert f"{read.totals[0]:,} (100.0%)" in shown and re.search(r"prog\.c:square", shown)
    # It finds the source by itself, and sets each line's costs before it.
    text = C.splitlines()
    for function, line in (("square", 6), ("sum", 11), ("main", 15)):
        own = read.own[function, str(program.with_name("prog.c")), line]
        costs = r"\s+".join(rf"{cost:,} \([ \d.]+%\)" for cost in own)
        assert re.search(rf"^\s*{costs}\s+{re.escape(text[line - 1])}$", shown, re.MULTILINE), shown
    assert re.search(rf"=> \S*prog\.c:square \({of_sum[0]}x\)", shown)


def test_callgrind_annotate_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "callgrind.out"
    path.write_text(callgrind(result(5), None), encoding="utf-8")
    shown = annotate(path)
    assert "PROGRAM TOTALS" in shown and "???:f4 plain" in shown
