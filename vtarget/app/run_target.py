"""Where ``vtarget run`` runs: the virtual board, a real one behind ``--probe``, or a stored run of either."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from vtarget.app.run_devices import connections, refuse_device_options, takes_terminal
from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from vtarget.app.run_whatif import WhatIf
    from vtarget.data.image import Image
    from vtarget.logic.pricing import Pricer
    from vtarget.shell.onlooking import RunOrder
    from vtarget.shell.replaying import ReplayTarget
    from vtarget.shell.targets import TargetResult

MOST_WRITTEN_BYTES = 64 << 20
MOST_REPEATS, REPEATS = 1000, 3
REPEAT = click.option("--repeat", type=click.IntRange(1, MOST_REPEATS), metavar="N",
                      help="How often each run on the real board is made (default: 3); medians are kept.")  # fmt: skip
NO_FLASH = click.option("--no-flash", is_flag=True, help="The real board holds the firmware already: verify it only.")
_OPTIONS = (
    click.option("--probe", "probe_url", metavar="PROBE",
                 help="Run it on the real board: pyocd[:UID], or gdb:[HOST:]PORT of a GDB server."),
    REPEAT,
    NO_FLASH,
    click.option("-o", "--record", "record_path", metavar="FILE",
                 help="Save the facts of the run; of a real board, its measurement (and FILE.record beside)."),
    click.option("--from-record", "from_record", metavar="FILE",
                 help="Show a stored run instead of running: price a record, or take a measurement's figures."),
)  # fmt: skip


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where to run to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def run_target(
    firmware: str | None, pricer: Pricer, options: dict[str, Any], supposed: WhatIf, json_path: str | None
) -> TargetResult:
    """Run the firmware where the options say, or take the stored run; files of ``--read`` and ``--record`` are written.

    InputError for options that don't go together; RunError if a board, or its probe, fails.
    """
    check_probe_options(options)
    if options["from_record"] is not None:
        found = _replayed(firmware, pricer, options, supposed)
    elif firmware is None:
        raise click.UsageError("missing argument FIRMWARE (or --from-record FILE)")
    elif options["probe_url"] is not None:
        found = _on_board(firmware, pricer, options, supposed)
    else:
        found = _emulated(firmware, pricer, options, json_path)
    if options["record_path"] is not None:
        _store(found, options["record_path"])
    return found


def check_probe_options(options: dict[str, Any]) -> None:
    """InputError for options of a probe without one, and for limits that a board can't tell with one."""
    if options["probe_url"] is None:
        for name, option in (("repeat", "--repeat"), ("no_flash", "--no-flash")):
            if options[name]:
                raise InputError(f"{option} needs --probe")
        return
    for name, option in (("max_instructions", "--max-instructions"), ("max_seconds", "--max-seconds")):
        if options[name] is not None and options["from_record"] is None:
            raise InputError(
                f"{option} is for the virtual board, not for --probe", hint="--timeout and --until end a run"
            )


def _store(found: TargetResult, path: str) -> None:
    from vtarget.shell.measurementfile import save_with_record
    from vtarget.shell.recordfile import save_record

    if found.measurement is None:
        save_record(found.record, path)
    else:
        save_with_record(found.measurement, found.record, path)


def _replayed(firmware: str | None, pricer: Pricer, options: dict[str, Any], supposed: WhatIf) -> TargetResult:
    from vtarget.data.limits import RunLimits
    from vtarget.shell.onlooking import RunOrder
    from vtarget.shell.replaying import ReplayTarget
    from vtarget.shell.running import check_power_state, load_firmware

    replay = ReplayTarget(options["from_record"], pricer)
    refuse_with_stored(firmware, options, supposed, replay)
    check_power_state(pricer, options["power_state"])
    image = None if firmware is None else load_firmware(firmware, pricer)
    with _progress(options) as progress:
        return replay.run(image, RunOrder(limits=RunLimits(wall_seconds=options["timeout"]), progress=progress))


def refuse_with_stored(firmware: str | None, options: dict[str, Any], supposed: WhatIf, replay: ReplayTarget) -> None:
    """InputError for what needs a run, and not the stored one that is taken."""
    if options["probe_url"] is not None:
        raise InputError("--probe needs a run, not --from-record")
    if firmware is not None and not replay.measures:
        raise InputError("FIRMWARE and --from-record exclude each other")
    for name in ("until", "max_instructions", "max_seconds", "spans", "writes", "reads", "base"):
        if options[name]:
            option = name.rstrip("s") if name in ("spans", "writes", "reads") else name.replace("_", "-")
            raise InputError(f"--{option} needs a run, not --from-record")
    refuse_device_options(options, "needs a run, not --from-record")
    if replay.measures:
        refuse_supposing(supposed, replay.path)


def refuse_supposing(supposed: WhatIf, measurement: str | None) -> None:
    """InputError for suppositions along with a real board, which is as it is: what it would take otherwise follows from
    nothing that was measured. ``measurement`` is the file of a stored one."""
    from vtarget.shell.replaying import estimate_hint

    if supposed.given:
        hint = "without --probe it is estimated" if measurement is None else estimate_hint(measurement)
        raise InputError(f"{supposed.settings[-1].label} is for estimates: a real board is as it is", hint=hint)


def _on_board(firmware: str, pricer: Pricer, options: dict[str, Any], supposed: WhatIf) -> TargetResult:
    from vtarget.app.terminal import stage_progress
    from vtarget.shell.measuring import MeasureOptions
    from vtarget.shell.running import check_power_state
    from vtarget.shell.targets import VirtualTarget, check_measurable, probed

    refuse_device_options(options, "is for the virtual board, not for --probe")
    refuse_supposing(supposed, None)
    check_power_state(pricer, options["power_state"])
    wanted = MeasureOptions(
        repeats=options["repeat"] or REPEATS,
        timeout_s=options["timeout"],
        flash=not options["no_flash"],
        pattern=kernel_pattern(options["kernels"]),
        partial=True,
    )
    saves = [_read_request(text) for text in options["reads"]]
    with _progress(options) as progress:
        image, order = _order(firmware, pricer, options, saves, progress)
        guide = VirtualTarget(pricer).run(image, replace(order, reads=()))
    check_measurable(guide.profile)
    with (
        stage_progress(show=not options["quiet"]) as stages,
        probed(options["probe_url"], pricer, wanted, stages) as target,
    ):
        found = target.run(image, replace(order, guide=guide.record))
    _save_all(saves, found)
    return found


def _emulated(firmware: str, pricer: Pricer, options: dict[str, Any], json_path: str | None) -> TargetResult:
    from vtarget.shell.running import check_power_state
    from vtarget.shell.runoptions import RunOptions
    from vtarget.shell.targets import VirtualTarget

    outside = {name: end for name, end in connections(options, pricer.board, json_path).items() if end is not None}
    check_power_state(pricer, options["power_state"])
    saves = [_read_request(text) for text in options["reads"]]
    with _progress(options) as progress:
        image, order = _order(firmware, pricer, options, saves, progress)
        found = VirtualTarget(pricer, RunOptions(**outside)).run(image, order)
    _save_all(saves, found)
    return found


def _order(
    firmware: str, pricer: Pricer, options: dict[str, Any], saves: list[tuple[str, int | None, str]], progress: Any
) -> tuple[Image, RunOrder]:
    from vtarget.data.limits import RunLimits
    from vtarget.shell.onlooking import RunOrder
    from vtarget.shell.running import load_firmware, run_options

    image = load_firmware(firmware, pricer, base=parse_base(options["base"]))
    resolved = run_options(
        image,
        until=options["until"],
        spans=options["spans"],
        writes=[write_request(text) for text in options["writes"]],
        reads=[(symbol, size_bytes) for symbol, size_bytes, _ in saves],
    )
    limits = RunLimits(options["max_instructions"], options["max_seconds"], options["timeout"])
    return image, RunOrder(spans=resolved.spans, writes=resolved.writes, reads=resolved.reads, until=resolved.until,
                           limits=limits, progress=progress)  # fmt: skip


def _progress(options: dict[str, Any]) -> Any:
    from vtarget.app.terminal import run_progress

    return run_progress(options["max_instructions"], show=not takes_terminal(options))


def kernel_pattern(text: str | None) -> re.Pattern[str] | None:
    """The pattern of a ``--kernels`` option; InputError if it is none."""
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise InputError(f"--kernels '{text}': not a regular expression: {error}") from None


def parse_base(text: str | None) -> int | None:
    """The address of a ``--base`` option; InputError if it is none."""
    from vtarget.shell.symbols import parse_address

    address = None if text is None else parse_address(text, "--base")
    if text is not None and address is None:
        raise InputError(f"--base '{text}': not an address", hint="such as 0x08000000")
    return address


def write_request(text: str) -> tuple[str, bytes]:
    """Symbol and bytes of a ``--write`` option; InputError for what can't be read."""
    from vtarget.shell.files import read_file

    symbol, path = _pair("--write", text, "SYMBOL=FILE")
    return symbol, read_file(path, "--write", MOST_WRITTEN_BYTES)


def _read_request(text: str) -> tuple[str, int | None, str]:
    """(symbol, size in bytes if given, file)."""
    from vtarget.shell.files import check_target

    symbol, path = _pair("--read", text, "SYMBOL[:SIZE]=FILE")
    check_target(path, "--read")
    given = re.fullmatch(r"(.+[^:]):(\d+|0x[0-9a-fA-F]+)", symbol)
    return (given[1], int(given[2], 0), path) if given else (symbol, None, path)


def _pair(option: str, text: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise InputError(f"{option} '{text}': expected {form}")
    return left, right


def _save_all(saves: list[tuple[str, int | None, str]], found: TargetResult) -> None:
    from vtarget.shell.files import replace_file

    for (_, _, path), data in zip(saves, found.reads, strict=True):
        try:
            replace_file(path, data)
        except OSError as error:
            raise InputError(f"--read {path}: {error.strerror or error}") from None
