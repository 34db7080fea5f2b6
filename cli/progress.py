"""What moves on stderr while a command works, and is gone afterwards."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from tfhashtag.cli.output import prints_json


@contextlib.contextmanager
def counting(
    what: str, unit: str = "", *, lines: bool = False, quiet: bool = False
) -> Iterator[Callable[..., None]]:
    """One line that says what is done and for how long, and counts; gives `moved(what, done=None)`.

    Args:
        what: is done first.
        unit: of what is counted.
        lines: where there is no terminal, say each thing that is not counted in a line of its own,
            unless the command prints JSON.
        quiet: show nothing.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    console = Console(stderr=True)
    live = console.is_terminal and not quiet
    said = ""
    with Progress(*columns, console=console, transient=True, disable=not live) as bar:
        task = bar.add_task(what, total=None)

        def moved(what: str, done: int | None = None) -> None:
            nonlocal said
            if live:
                counted = what if done is None else f"{what}  {done:,} {unit}"
                bar.update(task, description=counted)
            elif lines and done is None and what != said and not (quiet or prints_json()):
                click.echo(what, err=True)
            said = what

        yield moved


@contextlib.contextmanager
def bars(*columns: Any, quiet: bool = False) -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar a part, of columns of `rich`; gives `moved(part, done, total)`."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        tasks: dict[str, Any] = {}

        def moved(part: str, done: int, total: int | None) -> None:
            if part not in tasks:
                tasks[part] = bar.add_task(part, total=total)
            bar.update(tasks[part], completed=done, total=total)

        yield moved
