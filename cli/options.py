"""Options that several commands have."""

from collections.abc import Callable
from typing import Any

import click

from tfhashtag.cli.paths import UserPath

overriding = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting."
)
encoded_data = click.option(
    "--data", type=UserPath(), required=True, help="Corpus folder; what is not encoded is encoded."
)
track_option: Any = click.option(
    "--track",
    multiple=True,
    metavar="PLACE",
    help="Tell mlflow, mlflow:URI, mlflow:FOLDER, tensorboard or tensorboard:FOLDER of it; without "
    "it nothing is sent anywhere.",
)


class NamingGroup(click.Group):
    """Says which commands there are where the given one does not exist."""

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        """Suggests the nearest command, or names all of a few."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], names, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            if not near and ctx.parent is not None:
                hint = f" `{ctx.command_path}` has {', '.join(names)}."
            ctx.fail(f"No such command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)


def count(name: str, default: int, about: str, least: int = 1) -> Callable[[Any], Any]:
    """An option that is a whole number, `least` or more."""
    return click.option(name, default=default, type=click.IntRange(least), help=about)


def together(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options and arguments as one decorator, in this order."""

    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return add
