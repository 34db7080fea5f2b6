"""What is compared: the systems and tables of a paper, and what its report shows besides."""

import abc
import dataclasses
import importlib.resources
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import yaml

from tfhashtag.comparison.system import System
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.tasks import Queries, Ranking, Task

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

LISTS_SEED = 0  # of what is drawn to be ranked: the same for every system and every seed


@dataclasses.dataclass(frozen=True)
class TableOf:
    """Which systems stand in a table.

    Attributes:
        key: for file names and anchors.
        title: a number, a full stop and what it says.
        systems: their names, in the order of rows.
    """

    key: str
    title: str
    systems: Sequence[str]

    @property
    def short(self) -> str:
        """Its number."""
        return self.title.partition(".")[0]


@dataclasses.dataclass(frozen=True)
class View:
    """One way to look at the values of all queries.

    Attributes:
        protocol: out of the task's.
        average: `"all"` queries, or the `"answerable"` ones alone.
        title: after a table's number; "" where there is one view.
    """

    protocol: str
    average: str = "all"
    title: str = ""


class Study(abc.ABC):
    """A seed of a comparison: who is compared, on what, and what the report says of it.

    Its systems and tables stand in a YAML file of its name beside this module.

    Args:
        config: another configuration of the reference, and of the systems that are made of it.

    Attributes:
        name: of the command, `tfhashtag compare NAME`.
        task: what systems are asked.
        metrics: all metrics of tables.csv.
        title: of the report, before the name of the corpus.
        question: what systems answer, in a few words.
        reference: name of the paper's own system, whose settings decide what is asked.
        against: name of the system that the others are tested against; the reference at first.
        systems: all of the study. Others of the task join by name of their configuration.
        tables: their tables; those who join stand in the first.
        views: how values are averaged; the first is the paper's.
        cutoffs: the k of metrics.
        tested: the metrics in tables.
        shared: settings that are the reference's for everybody.
        switches: settings that tell systems apart; set of all, they are those of the reference
            and the systems that are made of it.
        parts: settings of parts; where a system is without, a value for all leaves it without.
        least: the setting of the least posts or messages that a hashtag must have.
        words: what metrics and other words of the tables mean.
        notes: sentences for the method, beside those that hold for all studies.
        captions: key of a section of the report to its `title`, and texts beside it.

    Raises:
        ConfigError: `config` is of another model.
    """

    name: ClassVar[str]
    task: ClassVar[Task]
    metrics: ClassVar[tuple[str, ...]]
    title: str
    question: str
    reference: str
    against: str
    least: str
    cutoffs: tuple[int, ...]
    tested: tuple[str, ...]
    shared: tuple[str, ...]
    switches: tuple[str, ...]
    parts: tuple[str, ...]
    notes: tuple[str, ...]
    words: Mapping[str, str]
    captions: Mapping[str, Mapping[str, Any]]

    def __init__(self, config: str | None = None) -> None:
        path = importlib.resources.files(__package__).joinpath(f"{self.name}.yaml")
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, value in values.items():
            setattr(self, key, tuple(value) if isinstance(value, list) else value)
        self.against = self.reference
        self.views = tuple(View(**view) for view in values["views"])
        self.tables = tuple(TableOf(**table) for table in values["tables"])
        self.systems = tuple(self._system(name, **of) for name, of in values["systems"].items())
        if config is not None:
            self._take(config)

    def _system(self, name: str, published: Sequence[float] = (), **fields: Any) -> System:
        return System(name, published=dict(zip(self.tested, published, strict=False)), **fields)

    def _take(self, config: str) -> None:
        """Another configuration of the reference."""
        shipped = next(one.config for one in self.systems if one.name == self.reference)
        ours, theirs = load_settings(config).model, load_settings(shipped).model
        if ours != theirs:
            raise ConfigError(f"{config}: `model` is {ours!r}, expected {theirs!r}.")
        self.systems = tuple(
            dataclasses.replace(one, config=config) if one.config == shipped else one
            for one in self.systems
        )

    def forced(self, corpus: Corpus) -> Sequence[str]:
        """`key=value` strings that the corpus leaves no choice of, for all that have the key."""
        return ()

    def per_query(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is compared query by query, of what `Task.measure` gave."""
        return values

    @abc.abstractmethod
    def look(
        self,
        system: str,
        recommender: Any,
        queries: Queries,
        ranking: Ranking,
        folder: pathlib.Path,
        first: bool,
    ) -> None:
        """Leaves in a result's folder what the report shows of a trained system.

        Called in the job, with the lists of the first protocol.

        Args:
            system: its name.
            recommender: trained.
            queries: what it was asked.
            ranking: what it answered.
            folder: of the result; a protocol's own folder lies in it.
            first: whether no other seed of the system has a result yet.
        """

    @abc.abstractmethod
    def counts(self, found: "Comparison") -> dict[str, Any]:
        """How many queries there are, for comparison.json."""

    @abc.abstractmethod
    def facts(self, found: "Comparison") -> Sequence[tuple[str, str]]:
        """Names and values for the head of the report."""

    @abc.abstractmethod
    def headline(self, found: "Comparison") -> str:
        """The result in a sentence or two; "" where there is none."""

    def figures(self, found: "Comparison") -> dict[str, Any]:
        """The data of figures as JSON values, for comparison.json."""
        return {}

    @abc.abstractmethod
    def sections(self, found: "Comparison") -> list[dict[str, Any]]:
        """Sections of the report after the tables; draws the figures that are files.

        Returns:
            Of each `key`, `title`, `kind`: a macro of sections.html, and what that takes.
        """
