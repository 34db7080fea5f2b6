"""What moves on stderr while a command works, and is gone afterwards."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def counting(what: str, unit: str) -> Iterator[Callable[[str, int], None]]:
    """One line that counts, for as long as it takes; gives `moved(what, done)`."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn(f"{{task.completed:,}} {unit}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda what, done: bar.update(task, description=what, completed=done)


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
