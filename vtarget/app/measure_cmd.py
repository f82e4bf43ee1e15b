"""``vtarget measure``: run on a real board what ``run`` emulates, and write what its kernels took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vtarget.app.run_target import MOST_REPEATS, REPEATS

if TYPE_CHECKING:
    from vtarget.data.image import Image
    from vtarget.data.measurement import Measurement
    from vtarget.data.profile import Profile
    from vtarget.data.record import ExecutionRecord
    from vtarget.logic.pricing import Pricer


@click.command()
@click.argument("firmware", metavar="FIRMWARE")
@click.option("-b", "--board", required=True, metavar="BOARD", help="A board's name or a YAML file.")
@click.option("--probe", "probe_url", metavar="PROBE", help="pyocd[:UID], or gdb:[HOST:]PORT of a GDB server.")
@click.option("-o", "--output", metavar="FILE", help="Write the measurement to FILE.")
@click.option("--json", "json_path", metavar="PATH", help="Write it as JSON to PATH ('-': standard output).")
@click.option("--kernels", metavar="REGEX", help="Measure the kernels whose name matches (default: the largest).")
@click.option("--span", "spans", multiple=True, metavar="SYMBOL", help="Measure this function in any case.")
@click.option("--repeat", type=click.IntRange(1, MOST_REPEATS), default=REPEATS, show_default=True, metavar="N",
              help="How often each run is made; medians are kept.")  # fmt: skip
@click.option("--until", metavar="SYMBOL|ADDRESS", help="The run ends before executing this address.")
@click.option("--no-flash", is_flag=True, help="The board holds the firmware already: verify it only.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True, max=1e6), default=60.0, show_default=True,
              metavar="S", help="The most that one run may take, in seconds, on the board and emulated.")  # fmt: skip
@click.option("--self-reported", "self_reported", metavar="FILE|SYMBOL",
              help="Take spans that the firmware timed itself, from its console text or its mailbox.")  # fmt: skip
@click.option("--serial", metavar="TEXT", help="The board's serial number (default: what the probe tells).")
@click.option("--base", metavar="ADDRESS", help="Load address of a raw binary (default: the board's boot region).")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def measure(firmware: str, board: str, json_path: str | None, quiet: bool, **options: Any) -> int:
    """Run FIRMWARE on the real BOARD behind a debug probe, and measure the cycles of its kernels.

    The firmware is emulated first, to know which kernels are worth measuring; the board needs no instrumentation. With
    --self-reported FILE alone, no board is touched.

    Exit status: 0 done; 1 the board, the probe or the firmware failed; 2 unusable input.
    """
    from vtarget.app.run_target import parse_base
    from vtarget.app.terminal import write_json
    from vtarget.shell.measurementfile import measurement_json, save_measurement, save_with_record
    from vtarget.shell.running import load_firmware, pricer_for

    _check(options, json_path)
    pricer = pricer_for(board)
    image = load_firmware(firmware, pricer, base=parse_base(options["base"]))
    record, profile = _emulated(firmware, pricer, options)
    if options["probe_url"] is None:
        measurement = _imported(image, pricer, options)
    else:
        measurement = _measured(image, pricer, record, options, quiet=quiet)
    if options["output"] is not None:
        told = options["until"] is None and options["base"] is None  # else the image alone doesn't say what ran
        if told:
            save_measurement(measurement, options["output"])
        else:
            save_with_record(measurement, record, options["output"])
    if json_path is not None:
        write_json(json_path, measurement_json(measurement))
    if json_path != "-" and not quiet:
        _print(measurement, profile)
    return 0


def _check(options: dict[str, Any], json_path: str | None) -> None:
    from vtarget.shell.files import check_target

    if options["probe_url"] is None and options["self_reported"] is None:
        raise click.UsageError("missing option --probe (pyocd[:UID] or gdb:[HOST:]PORT)")
    if options["output"] is not None:
        check_target(options["output"], "-o")
    if json_path not in (None, "-"):
        check_target(str(json_path), "--json")


def _emulated(firmware: str, pricer: Pricer, options: dict[str, Any]) -> tuple[ExecutionRecord, Profile]:
    from vtarget.app.run_target import parse_base
    from vtarget.app.terminal import run_progress
    from vtarget.data.limits import RunLimits
    from vtarget.shell.running import execute, price
    from vtarget.shell.targets import check_measurable

    limits = RunLimits(None, None, options["timeout"])
    base = parse_base(options["base"])
    with run_progress(None) as progress:
        result = execute(firmware, pricer, base=base, until=options["until"], limits=limits, progress=progress)
    profile = price(result.record, pricer)
    check_measurable(profile)
    return result.record, profile


def _measured(
    image: Image, pricer: Pricer, record: ExecutionRecord, options: dict[str, Any], *, quiet: bool
) -> Measurement:
    from vtarget.app.run_target import kernel_pattern
    from vtarget.app.terminal import stage_progress
    from vtarget.shell.measuring import MeasureOptions
    from vtarget.shell.onlooking import RunOrder
    from vtarget.shell.symbols import resolve_function
    from vtarget.shell.targets import probed

    wanted = MeasureOptions(
        repeats=options["repeat"],
        timeout_s=options["timeout"],
        flash=not options["no_flash"],
        pattern=kernel_pattern(options["kernels"]),
        spans=tuple(resolve_function(image, name, "--span") for name in options["spans"]),
        self_reported=options["self_reported"],
        serial=options["serial"],
    )
    with (
        stage_progress(show=not quiet) as progress,
        probed(options["probe_url"], pricer, wanted, progress) as target,
    ):
        measurement = target.run(image, RunOrder(guide=record)).measurement
    assert measurement is not None
    return measurement


def _imported(image: Image, pricer: Pricer, options: dict[str, Any]) -> Measurement:
    """A measurement that is nothing but what the firmware said."""
    from vtarget import __version__
    from vtarget.shell.measuring import imported
    from vtarget.shell.selfreport import load_spans

    if options["self_reported"] in image.objects:
        raise click.UsageError(f"--self-reported {options['self_reported']}: a mailbox is read through a --probe")
    spans = load_spans(options["self_reported"])
    return imported(image, pricer, spans, version=__version__, serial=options["serial"])


def _print(measurement: Measurement, profile: Profile) -> None:
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import measurereport

    first, *others = measurereport.COLUMNS
    columns: list[Column | str] = [first, *(Column(name, "right") for name in others)]
    print_table(columns, measurereport.rows(measurement, profile), title=measurereport.heading(measurement))
    if measurement.notes:
        print_line()
        print_line("notes", style="bold")
        for note in measurement.notes:
            print_line(f"  {note}")
