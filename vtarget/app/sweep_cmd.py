"""``vtarget sweep``: models and firmware on boards, in every combination, as rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from vtarget.base.errors import InputError, RunError

if TYPE_CHECKING:
    from vtarget.data.sweep import Cell, Row, SweepSpec
    from vtarget.logic.sweepquery import Question

ENGINES = ("reference", "simd")
FORMATS = (".jsonl", ".csv", ".parquet")


@click.command()
@click.argument("workloads", metavar="[MODEL|FIRMWARE|FOLDER]...", nargs=-1)
@click.option("--spec", "spec_path", metavar="FILE.yaml", help="The matrix as YAML, in the place of what follows.")
@click.option("-b", "--board", "boards", multiple=True, metavar="BOARD",
              help="A name, a glob such as 'nucleo-*', a YAML file, or all (default). Repeatable.")  # fmt: skip
@click.option("-e", "--engine", "engines", multiple=True, type=click.Choice(ENGINES), help="Default: simd. Repeatable.")
@click.option("--clock", "clocks", multiple=True, metavar="HZ", help="Such as '80 MHz', or typical. Repeatable.")
@click.option("--weights", multiple=True, metavar="REGION", help="Where weights go (default: auto). Repeatable.")
@click.option("--arena", multiple=True, metavar="REGION", help="Where the arena goes (default: auto). Repeatable.")
@click.option("--cflags", multiple=True, metavar="FLAGS", help="More options for the compiler. Repeatable.")
@click.option("--toolchain", type=click.Choice(("auto", "gcc", "zig")), default="auto", show_default=True)
@click.option("--samples", type=click.IntRange(1, 10_000), default=1, show_default=True, metavar="N",
              help="How many random samples a model gets.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the samples.")
@click.option("--validate", is_flag=True, help="Compare the firmware's tensors with the interpreter's.")
@click.option("--power", metavar="STATE", help="Power state to price energy for (default: the first).")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True, max=86_400), metavar="S",
              help="What one run may take (default: 600 of a model, 60 of firmware).")  # fmt: skip
@click.option("--max-instructions", type=click.IntRange(min=1), metavar="N", help="How many one run may execute.")
@click.option("--share", is_flag=True, help="Price one run per kind of core for all its boards, with wider bounds.")
@click.option("--no-calibration", is_flag=True, help="Leave out calibrations beside board files.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes (default: one for each processor).")
@click.option("--cluster", metavar="URL", help="Work on dask://HOST:PORT or ray://HOST:PORT.")
@click.option("--shard", metavar="I/N", help="Do only part I of N; --from puts the parts' rows together.")
@click.option("--resume", is_flag=True, help="Go on with a sweep that was ended, by its journal.")
@click.option("--journal", metavar="FILE", help="Where finished cells are noted (default: in the user's cache).")
@click.option("--no-cache", is_flag=True, help="Do all cells, whatever earlier sweeps found.")
@click.option("--from", "from_paths", multiple=True, metavar="ROWS.jsonl", help="Ask rows of sweeps; run nothing.")
@click.option("--where", metavar="CONDITION", help="Only rows for which this holds: 'latency_ms < 20 and price < 30'.")
@click.option("--pareto", metavar="METRIC,...", help="Mark rows that no other of their workload beats in all of these.")
@click.option("--sort", metavar="METRIC,...", help="In this order; -METRIC: largest first.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="FILE",
              help="Rows as .jsonl, .csv or .parquet; '-': JSON lines to standard output. Repeatable.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 if a cell failed.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def sweep(workloads: tuple[str, ...], outputs: tuple[str, ...], **options: Any) -> int:
    """Run every workload on every board with every engine and option, and print a row for each.

    A cell that fails is a row that says why. Exit status: 0 done; 1 no row fulfils --where, or --strict found a failed
    one; 2 unusable input.
    """
    from vtarget.logic.sweepquery import Question

    question = Question.of(options["where"], options["pareto"], options["sort"])
    _check_outputs(outputs)
    with ExitStack() as stack:
        rows: Iterable[Row] = _rows(workloads, options, stack)
        if question.needs_all:
            rows = question.answer(rows)
        shown = _written(rows, question, outputs, stack)
    if "-" not in outputs and not options["quiet"]:
        _show(shown)
    if question.where is not None and not shown:
        raise RunError(f"--where: {question.where.text}: holds of no row")
    if options["strict"]:
        _check_failures(shown)
    return 0


def _rows(workloads: tuple[str, ...], options: dict[str, Any], stack: ExitStack) -> Iterable[Row]:
    from vtarget.shell.matrix import matrix_of
    from vtarget.shell.sweeping import SweepOptions, load_rows, run_sweep

    if options["from_paths"]:
        if workloads or options["spec_path"]:
            raise InputError("--from asks rows that are there: give no workloads and no --spec")
        return load_rows(options["from_paths"])
    matrix = matrix_of(_spec(workloads, options), calibrated=not options["no_calibration"])
    if options["shard"] is not None:
        matrix = matrix.shard(*_shard(options["shard"]))
    journal = options["journal"]
    done, waiting = _progress(matrix.cells, options["quiet"], stack)
    return run_sweep(
        matrix,
        SweepOptions(
            jobs=options["jobs"],
            cluster=options["cluster"],
            journal=None if journal is None else Path(journal),
            resume=options["resume"],
            cached=not options["no_cache"],
            done=done,
            waiting=waiting,
        ),
    )


def _progress(
    cells: Sequence[Cell], quiet: bool, stack: ExitStack
) -> tuple[Callable[[Sequence[Row]], None] | None, Callable[[str], None] | None]:
    """What to tell of finished rows, and of what is waited for; None where nobody looks."""
    from vtarget.app.terminal import Column, rows_progress
    from vtarget.logic.sweeptext import line_of, telling_titles

    if quiet or not cells or not sys.stderr.isatty():
        return None, None
    titles = telling_titles(cells)
    columns = [Column(title, "right" if right else "left") for title, right in titles]
    progress = stack.enter_context(rows_progress(len(cells), "sweeping", columns))
    assert progress is not None
    known = False

    def done(rows: Sequence[Row]) -> None:
        nonlocal known
        if known:
            progress.add([line_of(row, titles) for row in rows])
        else:
            progress.known(len(rows))
        known = True

    return done, progress.waiting_for


def _spec(workloads: tuple[str, ...], options: dict[str, Any]) -> SweepSpec:
    from vtarget.data.sweep import TYPICAL
    from vtarget.shell.matrix import split_workloads
    from vtarget.shell.sweeping import load_spec, spec_of

    matrix = ("boards", "engines", "clocks", "weights", "arena", "cflags")
    if options["spec_path"] is not None:
        given = [name for name in matrix if options[name]]
        if workloads or given:
            raise InputError("--spec is the whole matrix: give no workloads, boards or options of cells beside it")
        return load_spec(options["spec_path"])
    if not workloads:
        raise InputError("nothing to sweep", hint="give models, firmware, folders of them, or --spec FILE.yaml")
    models, firmware = split_workloads(workloads)
    return spec_of(
        models=models,
        firmware=firmware,
        boards=options["boards"] or ("all",),
        engines=options["engines"] or ("simd",),
        clocks=options["clocks"] or (TYPICAL,),
        weights=options["weights"] or ("auto",),
        arena=options["arena"] or ("auto",),
        cflags=options["cflags"] or ("",),
        samples=options["samples"],
        seed=options["seed"],
        validation=options["validate"],
        power=options["power"],
        timeout_s=options["timeout"],
        max_instructions=options["max_instructions"],
        toolchain=options["toolchain"],
        share=options["share"],
    )


def _shard(text: str) -> tuple[int, int]:
    number, separator, of = text.partition("/")
    if not separator or not number.isdecimal() or not of.isdecimal() or not 1 <= int(number) <= int(of) <= 100_000:
        raise InputError(f"--shard {text}: is no part", hint="such as 1/4 for the first of four")
    return int(number), int(of)


def _check_outputs(outputs: tuple[str, ...]) -> None:
    from vtarget.shell.files import check_target
    from vtarget.shell.frames import check_parquet

    for path in outputs:
        if path == "-":
            continue
        if Path(path).suffix not in FORMATS:
            raise InputError(f"--output {path}: not one of {', '.join(FORMATS)}")
        check_target(path, "--output")
        if path.endswith(".parquet"):
            check_parquet(f"--output {path}")


def _written(rows: Iterable[Row], question: Question, outputs: tuple[str, ...], stack: ExitStack) -> list[Row]:
    """Write each row that the question takes as it comes; Parquet at the end."""
    from vtarget.logic.sweeptext import columns
    from vtarget.shell.frames import write_parquet

    front = bool(question.pareto)
    writers = [stack.enter_context(_writer(path, front)) for path in outputs if not path.endswith(".parquet")]
    shown: list[Row] = []
    with redirect_stdout(sys.stderr):  # what Ray prints of lost workers is no row
        for row in rows:
            if question.needs_all or question.takes(row):
                shown.append(row)
                for write in writers:
                    write(row)
    for path in outputs:
        if path.endswith(".parquet"):
            with _told(path):
                write_parquet(path, columns(front=front), (row.to_dict() for row in shown))
    return shown


@contextmanager
def _writer(path: str, front: bool) -> Iterator[Callable[[Row], None]]:
    """A function that writes a row to a file or standard output, at once."""
    from vtarget.logic.sweeptext import csv_header, csv_line, json_line

    text = csv_line if path.endswith(".csv") else json_line
    with ExitStack() as stack:
        file: IO[str] = sys.stdout
        if path != "-":
            with _told(path):
                file = stack.enter_context(Path(path).open("w", encoding="utf-8", newline=""))
        if path.endswith(".csv"):
            file.write(csv_header(front=front))

        def write(row: Row) -> None:
            with _told(path):
                file.write(text(row))
                file.flush()

        yield write


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"--output {path}: can't be written: {error.strerror or error}") from None


def _show(rows: list[Row]) -> None:
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic.sweeptext import summary, table

    if rows:
        titles, lines = table(rows)
        print_table([Column(title, "right" if right else "left") for title, right in titles], lines)
        print_line()
    print_line(summary(rows))


def _check_failures(rows: list[Row]) -> None:
    bad = [row for row in rows if row.outcome.status == "failed"]
    if bad:
        count = f"{len(bad)} cells failed, the first" if len(bad) > 1 else "1 cell failed"
        raise RunError(f"--strict: {count}: {bad[0].outcome.error}")
