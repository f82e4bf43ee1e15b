"""Groups of commands: without a command they show their help, and a mistyped one is told the nearest."""

from __future__ import annotations

import click

from vtarget.app.parameters import with_files
from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean


class HelpfulGroup(click.Group):
    """A group that says the same whatever version of click there is, and whose commands shells can complete."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        command = self.find_command(ctx, cmd_name)
        return command and with_files(command)

    def find_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name as it is written."""
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What click makes of the arguments; the help and exit status 2 if there are none."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; InputError if there is none of that name."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise InputError(f"{ctx.command_path}: no command '{args[0]}'", hint=did_you_mean(args[0], known))
        return super().resolve_command(ctx, args)
