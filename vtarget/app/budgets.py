"""``--fail-if``: conditions on a result that make a command fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from vtarget.base.errors import RunError

if TYPE_CHECKING:
    from vtarget.logic.expression import Condition


def fail_if_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option to a command."""
    return click.option(
        "--fail-if",
        "fail_if",
        multiple=True,
        metavar="CONDITION",
        help="Exit with 1 if this holds of the result, such as 'latency_ms > 20 or ram_bytes > 65536'.",
    )(command)


def conditions(texts: tuple[str, ...]) -> tuple[Condition, ...]:
    """The conditions given; InputError for what isn't one, before anything runs."""
    from vtarget.logic.expression import condition

    return tuple(condition(text) for text in texts)


def check(wanted: tuple[Condition, ...], result: Mapping[str, Any], of: str = "") -> None:
    """RunError if one of them holds of a result's JSON object; ``of`` says which, where there are several."""
    if not wanted:
        return
    from vtarget.logic.metrics import metrics_of, with_scaled

    metrics = with_scaled(metrics_of(result))
    for one in wanted:
        if one.holds(metrics):
            raise RunError(f"--fail-if: {one.text}{f' ({of})' if of else ''}: {told(one, metrics)}")


def told(one: Condition, metrics: Mapping[str, float]) -> str:
    """The values that decided, for the message."""
    values = [f"{name} is {metrics[name]:.10g}" for name in one.names if name in metrics]
    return ", ".join(values)
