"""A bar over systems and seeds, with what is going on beneath it, and lines that stay."""

import rich.console
import rich.progress
import rich.text


class ComparisonProgress:
    """Shows how far a comparison is. A context manager.

    Args:
        console: where to draw; a quiet one shows nothing, one that is no terminal the lines alone.
    """

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console
        self._progress = rich.progress.Progress(
            rich.progress.TextColumn("systems x seeds"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("{task.fields[note]}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, note="")
        self._note = ""

    def __enter__(self) -> "ComparisonProgress":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self._console.print(rich.text.Text(line), soft_wrap=True)

    def moved(self, done: int, total: int) -> None:
        """Moves the bar."""
        self._progress.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        """Says beside the bar what is going on."""
        if text and text != self._note:
            self._note = text
            self._progress.update(self._task, note=text)
