"""A named system of a comparison."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Ranked:
    """What a system reached with one seed, query by query.

    Attributes:
        queries: names of the queries (posts, users), the same for every system of a comparison.
        values: name of a metric to float64 `[queries]`, whose mean is the metric.
    """

    queries: list[str]
    values: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class System:
    """Something that ranks, by name.

    Attributes:
        name: as it stands in tables.
        about: one line for people.
        rank: `rank(seed, folder)` does all the work and leaves metrics.json, run.trec and
            qrels.trec in the folder. Called again after an interruption it goes on.
        identity: JSON values that decide the result beside the seed; a result with another
            identity is not taken for this system's.
        not_applicable: why it cannot be ranked on this corpus; "" where it can.
        folder: of its results; "": the name in lower case.

    Example:

    >>> system = System("Own hashtags", "counts of the user", lambda seed, folder: None)
    >>> system.folder_name
    'own-hashtags'
    """

    name: str
    about: str
    rank: Callable[[int, pathlib.Path], Ranked]
    identity: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    not_applicable: str = ""
    folder: str = ""

    @property
    def folder_name(self) -> str:
        """Name of the folder of its results: lower case, hyphens for all but letters and digits."""
        if self.folder:
            return self.folder
        words = "".join(c if c.isalnum() else " " for c in self.name.lower()).split()
        return "-".join(words)
