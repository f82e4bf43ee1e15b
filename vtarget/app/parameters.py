"""Parameters that are boards or files: shells complete them, no name is empty, and nothing is written over an input."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from vtarget.base.errors import InputError

# By how a parameter is shown in the help; NAME=FILE is left to the shell.
_FILES = re.compile(r"\b(FILE|PATH|DIR|FOLDER|FIRMWARE|RECORDING|MODEL|\w+\.(tflite|json|yaml|jsonl))\b")
# Repeated, --record names runs to read.
_WRITTEN = frozenset({"--json", "--output", "--measurement", "--markdown", "--junit", "--reveal", "--record"})
_KEPT = frozenset({"--journal", "--add-to"})  # may be read and written


class Completed(click.types.StringParamType):
    """A board (if ``boards``) or a file, by name."""

    def __init__(self, *, boards: bool) -> None:
        self._boards = boards

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text; a usage error for a file's name that is empty."""
        if value == "" and not self._boards:
            self.fail("a file's name can't be empty.", param, ctx)
        return super().convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Boards whose names begin so, if any is meant; else the shell's files."""
        from vtarget.shell.boardlib import board_names

        named = [name for name in board_names() if name.startswith(incomplete)] if self._boards else []
        return [CompletionItem(name) for name in named] or [CompletionItem(incomplete, type="file")]


@cache
def with_files(command: click.Command) -> click.Command:
    """The command, its parameters of any text taken for the boards and files that they are."""
    for parameter in command.params:
        shown = parameter.metavar or ""
        if parameter.type is click.STRING and "=" not in shown:
            if "BOARD" in shown:
                parameter.type = Completed(boards=True)
            elif _FILES.search(shown):
                parameter.type = Completed(boards=False)
    callback = command.callback
    if callback is not None:

        @wraps(callback)
        def guarded(*arguments: Any, **values: Any) -> Any:
            _refuse_overwriting(command.params, values)
            return callback(*arguments, **values)

        command.callback = guarded
    return command


def _refuse_overwriting(parameters: Sequence[click.Parameter], values: Mapping[str, Any]) -> None:
    """InputError if a result would be written over what the command reads, or over another result."""
    files = [parameter for parameter in parameters if isinstance(parameter.type, Completed)]
    written = [
        one for one in files if _WRITTEN.intersection(one.opts) and not ("--record" in one.opts and one.multiple)
    ]
    read = [one for one in files if one not in written and not _KEPT.intersection(one.opts)]
    for number, output in enumerate(written):
        for path in _paths(output, values):
            for other in (*read, *written[:number]):
                if any(_same(path, name) for name in _paths(other, values)):
                    raise InputError(f"{output.opts[-1]} {path}: is {_shown(other)}, too", hint="name another file")


def _paths(parameter: click.Parameter, values: Mapping[str, Any]) -> Iterator[str]:
    value = values.get(parameter.name or "")
    yield from (value if isinstance(value, tuple) else () if value is None else (value,))


def _same(one: str, other: str) -> bool:
    if "-" in (one, other):
        return False
    first, second = Path(one), Path(other)
    try:
        return first.samefile(second) and first.is_file()
    except (OSError, ValueError):  # one of them isn't there
        return first.absolute() == second.absolute()


def _shown(parameter: click.Parameter) -> str:
    return parameter.human_readable_name.strip("[].") if isinstance(parameter, click.Argument) else parameter.opts[-1]
