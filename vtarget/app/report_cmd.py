"""``vtarget report``: a page of results, and files for the viewers that people have."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from vtarget.data.linecosts import LineCosts
    from vtarget.data.record import ExecutionRecord
    from vtarget.data.savedresult import SavedResult
    from vtarget.logic.pricing import Pricer

FORMATS = ("html", "perfetto", "speedscope", "collapsed", "callgrind", "pprof", "model-explorer", "autodeploy-csv",
           "hpx-csv")  # fmt: skip
METRICS = ("cycles", "time-us", "energy-uj", "cycles-per-mac")  # as logic/layerexports.py has them
SEVERAL = ("html", "perfetto", "speedscope", "collapsed")
OF_CALLS = ("collapsed", "callgrind", "pprof", "speedscope")
OF_LAYERS = ("model-explorer", "autodeploy-csv", "hpx-csv")


@click.command()
@click.argument("results", nargs=-1, metavar="[RESULT.json]...")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write it ('-': standard output).")
@click.option("--format", "form", type=click.Choice(FORMATS), default="html", show_default=True,
              help="A page, or what another tool opens.")  # fmt: skip
@click.option("--metric", type=click.Choice(METRICS), help="What Model Explorer is to show (default: cycles).")
@click.option("--record", "records", multiple=True, metavar="FILE",
              help="A run saved by run --record, or a measurement; callgrind takes source lines from it.")  # fmt: skip
@click.option("-b", "--board", metavar="BOARD", help="Price the records for this board (default: each for its own).")
def report(
    results: tuple[str, ...], output: str, form: str, metric: str | None, records: tuple[str, ...], board: str | None
) -> int:
    """Make one HTML page of results, or a file for another viewer.

    RESULT.json is what ``run --json`` and ``profile --json`` write; several are set side by side.
    """
    if board is not None and not records:
        raise InputError("--board says what records are priced for: give one with --record")
    if metric is not None and form != "model-explorer":
        raise InputError("--metric says what Model Explorer is to show: give it with --format model-explorer")
    loaded = _load(results)
    priced = [_price(path, board) for path in records]
    shown = [*loaded, *(result for result, _, _ in priced)]
    if not shown:
        raise InputError("nothing to report", hint="name a result (run --json, profile --json) or a --record")
    _check(shown, form)
    costs = _line_costs(*priced[0][1:]) if form == "callgrind" and priced else None
    _write(output, _render(shown, form, metric or METRICS[0], costs))
    return 0


def _load(paths: tuple[str, ...]) -> list[SavedResult]:
    from vtarget.shell.resultfile import load_saved

    return [result for path in paths for result in load_saved(path, "report")]


def _price(path: str, board: str | None) -> tuple[SavedResult, ExecutionRecord, Pricer]:
    from vtarget.logic.result import profile_json
    from vtarget.shell.replaying import replay
    from vtarget.shell.resultfile import saved_of
    from vtarget.shell.running import price

    found = replay(path, board)
    profile = found.priced(lambda record: price(record, found.pricer))
    return saved_of(profile_json(profile)), found.record, found.pricer


def _check(shown: list[SavedResult], form: str) -> None:
    if form not in SEVERAL and len(shown) > 1:
        raise InputError(f"--format {form} takes one result, not {len(shown)}")
    for result in shown:
        if form in OF_LAYERS and not result.layers:
            raise InputError(f"{result.title}: has no layers, which --format {form} is about")
        if form in OF_CALLS and not result.contexts:
            raise InputError(
                f"{result.title}: has no call tree, which --format {form} is about",
                hint="an older version wrote it: run again, or give the --record",
            )


def _line_costs(record: ExecutionRecord, pricer: Pricer) -> LineCosts:
    from vtarget.app.terminal import print_error_line
    from vtarget.logic.linecosts import line_costs
    from vtarget.shell.sourcelines import source_lines

    lines = source_lines(record.image_path, record.image_sha256)
    if lines.note:
        print_error_line(lines.note)
    return line_costs(record, pricer, lines.path_at)


def _render(shown: list[SavedResult], form: str, metric: str, costs: LineCosts | None) -> str | bytes:
    from vtarget.logic import layerexports, traces

    match form:
        case "html":
            from vtarget.logic.htmlreport import html_report
            from vtarget.shell.reportfile import report_assets

            return html_report(shown, report_assets())
        case "perfetto":
            # Perfetto 52 shows \\u escapes as they stand.
            return _json(traces.chrome_trace(shown), ensure_ascii=False)
        case "speedscope":
            return _json(traces.speedscope(shown))
        case "collapsed":
            return traces.collapsed(shown)
        case "callgrind":
            from vtarget.logic.callgrind import callgrind

            return callgrind(shown[0], costs)
        case "pprof":
            from vtarget.logic.pprof import pprof

            return pprof(shown[0])
        case "model-explorer":
            return _json(layerexports.model_explorer(shown[0], metric))
        case "autodeploy-csv":
            return layerexports.autodeploy_csv(shown[0])
        case _:
            return layerexports.hpx_csv(shown[0])


def _json(value: object, *, ensure_ascii: bool = True) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=ensure_ascii) + "\n"


def _write(output: str, content: str | bytes) -> None:
    from vtarget.app.terminal import write_text
    from vtarget.shell.files import replace_file

    if isinstance(content, str):
        write_text(output, content, "--output")
    elif output == "-":
        sys.stdout.buffer.write(content)
    else:
        try:
            replace_file(output, content)
        except OSError as error:
            raise InputError(f"--output {output}: can't be written: {error.strerror or error}") from None
