"""What a check of an exported model found."""

import pathlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckReport:
    """What a check looked at and what is wrong.

    Args:
        folder: the version folder.
        ops: different ops of the graph and its functions.
        signatures: what the model answers.
        lowest: release of the stock server from which on it can be served; None for none known.
        answered: warm-up requests answered with finite numbers in the bare process.
        problems: one sentence each; empty when all is well.
    """

    folder: pathlib.Path
    ops: int
    signatures: tuple[str, ...]
    lowest: str | None = None
    answered: int = 0
    problems: tuple[str, ...] = field(default=())
