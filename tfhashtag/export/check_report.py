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
        answered: warm-up requests answered with finite numbers in the bare process.
        problems: one sentence each; empty when all is well.
    """

    folder: pathlib.Path
    ops: int
    signatures: tuple[str, ...]
    answered: int = 0
    problems: tuple[str, ...] = field(default=())
