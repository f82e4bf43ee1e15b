"""Parameters that are boards or files: shells complete them, and no file's name is empty."""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import CompletionItem

# By how a parameter is shown in the help; NAME=FILE is left to the shell.
_FILES = re.compile(r"\b(FILE|PATH|DIR|FOLDER|FIRMWARE|RECORDING|MODEL|\w+\.(tflite|json|yaml|jsonl))\b")


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


def completed(command: click.Command) -> click.Command:
    """The command, its parameters of any text completed by what they are."""
    for parameter in command.params:
        shown = parameter.metavar or ""
        if parameter.type is click.STRING and "=" not in shown:
            if "BOARD" in shown:
                parameter.type = Completed(boards=True)
            elif _FILES.search(shown):
                parameter.type = Completed(boards=False)
    return command
