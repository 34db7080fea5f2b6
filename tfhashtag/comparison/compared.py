"""What a comparison found."""

import dataclasses
import pathlib

from tfhashtag.comparison.summary import Summary
from tfhashtag.comparison.tables import Table
from tfhashtag.errors import ComparisonError


@dataclasses.dataclass(frozen=True)
class Compared:
    """What a comparison found.

    Attributes:
        folder: of all files.
        tables: those with a system that was asked for.
        summaries: all systems.
        failed: (system, seed, message) of those that failed.
    """

    folder: pathlib.Path
    tables: list[Table]
    summaries: list[Summary]
    failed: list[tuple[str, int, str]]

    def check(self) -> None:
        """Nothing where all went well.

        Raises:
            ComparisonError: a system failed; the message names all that did.
        """
        if not self.failed:
            return
        names = ", ".join(f"{name} (seed {seed})" for name, seed, _ in self.failed)
        raise ComparisonError(
            f"{self.folder}: failed: {names}; the other systems are done. First: "
            f"{self.failed[0][2]}\nThe same command tries again what failed; tracebacks are in "
            "runs/*/*/failed.txt."
        )
