"""``vtarget compare``: what changed between two results, and whether a policy lets it pass."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vtarget.base.errors import InputError, RunError

if TYPE_CHECKING:
    from vtarget.data.comparison import Comparison, ResultFacts


@click.command()
@click.argument("base", metavar="BASE.json")
@click.argument("new", metavar="NEW.json")
@click.option("--policy", "policy_path", metavar="FILE",
              help="A regression, as YAML (default: 0.5 % more cycles or energy, any more memory).")  # fmt: skip
@click.option("--allow", multiple=True, metavar="WHAT",
              help="Compare although this differs: board, clock, provenance, model, engine.")  # fmt: skip
@click.option("--all", "show_all", is_flag=True, help="Show every kernel, layer and span, changed or not.")
@click.option(
    "--json", "json_path", metavar="PATH", help="Write the comparison as JSON to PATH ('-': standard output)."
)
@click.option("--markdown", "markdown_path", metavar="PATH", help="Write a table for a pull request ('-' as above).")
@click.option("--junit", "junit_path", metavar="PATH", help="Write a JUnit file: one test case per judged metric.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def compare(
    base: str,
    new: str,
    policy_path: str | None,
    allow: tuple[str, ...],
    show_all: bool,
    json_path: str | None,
    markdown_path: str | None,
    junit_path: str | None,
    quiet: bool,
) -> int:
    """Compare two results of ``run --json`` or ``profile --json``.

    Exit status: 0 nothing got worse than the policy allows; 1 a regression; 2 results that can't be compared.
    """
    from vtarget.app.terminal import write_json, write_text
    from vtarget.data.comparison import DEFAULT_POLICY, Policy
    from vtarget.logic import comparereport
    from vtarget.logic.compare import compare as judge

    if [json_path, markdown_path, junit_path].count("-") > 1:
        raise InputError("only one of --json, --markdown and --junit can go to standard output")
    policy = DEFAULT_POLICY
    if policy_path is not None:
        from vtarget.base.strictyaml import load_yaml_model

        policy = load_yaml_model(Path(policy_path), Policy)
    comparison = judge(_facts(base), _facts(new), policy, allow=allow)
    if json_path is not None:
        write_json(json_path, comparereport.comparison_json(comparison))
    if markdown_path is not None:
        write_text(markdown_path, comparereport.markdown(comparison), "--markdown")
    if junit_path is not None:
        write_text(junit_path, comparereport.junit(comparison), "--junit")
    if "-" not in (json_path, markdown_path, junit_path) and not quiet:
        _show(comparison, show_all=show_all)
    if comparison.failed:
        raise RunError(comparereport.summary(comparison))
    return 0


def _facts(path: str) -> ResultFacts:
    from vtarget.logic.metrics import facts_of
    from vtarget.shell.resultfile import load_result

    return load_result(path, "compare", partial(facts_of, path))


def _show(comparison: Comparison, *, show_all: bool) -> None:
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import comparereport

    changes = comparison.changes if show_all else comparereport.shown(comparison)
    right = [Column(name, "right") for name in comparereport.COLUMNS[1:-1]]
    columns: list[Column | str] = [comparereport.COLUMNS[0], *right, comparereport.COLUMNS[-1]]
    print_table(columns, comparereport.rows(changes), title=f"{comparison.base} and {comparison.new}")
    left = len(comparison.changes) - len(changes)
    if left:
        print_line(f"… and {left} kernels, layers and spans that changed less or not at all")
    for told in comparison.differences:
        print_line(f"compared in spite of another {told}")
    print_line(comparereport.summary(comparison))
