"""``vtarget doctor``: whether the environment has what vtarget needs, and what gets the rest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vtarget.data.doctor import Check, Finding

_STYLES = {"ok": "green", "missing": "yellow", "broken": "bold red"}


@click.command()
@click.option("--json", "json_path", metavar="PATH", help="Write JSON to PATH ('-' for standard output).")
@click.option("-v", "--verbose", is_flag=True, help="Show versions, paths and sizes; load optional packages, too.")
def doctor(json_path: str | None, verbose: bool) -> int:
    """Check what vtarget needs of this machine: what works, what is missing, what for, and how to get it.

    Exit status: 0 all that is required works; 1 something required is missing or broken; 2 wrong usage.
    """
    from vtarget import __version__
    from vtarget.app.terminal import write_json
    from vtarget.logic.doctor import check, document, exit_code, usable
    from vtarget.shell.doctor import look, package_manager
    from vtarget.shell.files import check_target

    if json_path not in (None, "-"):
        check_target(str(json_path), "--json")
    found, manager = look(load_all=verbose), package_manager()
    rich = usable(found, "rich")
    checks = [check(one, manager) for one in (*found, _terminal(rich))]
    if json_path is not None:
        write_json(json_path, document(checks, __version__))
    if json_path != "-" and rich:
        _print(checks, verbose)
    elif json_path != "-":
        _print_plainly(checks)
    return exit_code(checks)


def _terminal(rich: bool) -> Finding:
    from vtarget.app.terminal import console
    from vtarget.logic.doctor import terminal_finding

    encoding = sys.stdout.encoding or "unknown"
    if not rich or not sys.stdout.isatty():
        return terminal_finding(None, None, encoding)
    target = console()
    return terminal_finding(target.width, target.color_system, encoding)


def _print(checks: Sequence[Check], verbose: bool) -> None:
    from vtarget.app.terminal import Column, Styled, print_line, print_table
    from vtarget.logic.doctor import advice, details, rows, verdict

    shown = [(name, Styled(((status, _STYLES[status]),)), told) for name, status, told in rows(checks)]
    print_table([Column("part", wrap=False), Column("status", wrap=False), "what there is"], shown)
    lacking = advice(checks)
    if lacking:
        print_line()
        print_table([Column("not there", wrap=False), "is for", Column("get it by", wrap=False)], lacking)
    if verbose:
        print_line()
        print_table([Column("part", wrap=False), Column("fact", wrap=False), "value"], details(checks))
    print_line()
    print_line(verdict(checks), style="bold")


def _print_plainly(checks: Sequence[Check]) -> None:
    """Without the package that prints tables."""
    from vtarget.base.errors import printable
    from vtarget.logic.doctor import advice, rows, verdict

    lines = [f"{name}: {status}: {told}" for name, status, told in rows(checks)]
    lines += [f"{name}: for {purpose}: {remedy}" for name, purpose, remedy in advice(checks)]
    for line in (*lines, verdict(checks)):
        click.echo(printable(line))
