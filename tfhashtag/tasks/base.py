"""What recommenders are asked: the differences of users and posts behind one interface."""

import abc
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.named_users import NamedUsers
from tfhashtag.evaluation.beyond import (
    FEW_POSTS,
    Usage,
    beyond_accuracy,
    expected_calibration_error,
)
from tfhashtag.evaluation.trec import RunLines, write_qrels, write_run
from tfhashtag.metrics import ranking as ranked_lists
from tfhashtag.tasks.names import check_names

Call = Callable[..., Mapping[str, Any]]
"""A signature of a servable by name: `call("top_k", history=..., k=...)` gives its outputs."""


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Ranked hashtags of queries.

    Attributes:
        queries: names that `lists.users` indexes, as they stand in TREC files.
        hashtags: names that `lists.hashtags` indexes.
        lists: the hashtags that were ranked for each query, with the truth where it is known.
        scores: float32, aligned with `lists.hashtags.values`, higher is better.
        seed: of the order of equal scores.

    Example:

    >>> from tfhashtag.corpus import Rows
    >>> lists = Candidates(np.array([1]), Rows.from_lists([[0, 2]]), np.array([0, 1]))
    >>> ranking = Ranking(["ann", "bob"], ["a", "b", "c"], lists, np.array([0.2, 0.7]))
    >>> ranking.best()
    {'bob': [('c', 0.7), ('a', 0.2)]}
    """

    queries: Sequence[str]
    hashtags: Sequence[str]
    lists: Candidates
    scores: np.ndarray
    seed: int = 0

    @functools.cached_property
    def order(self) -> ranked_lists.Ranking:
        """The lists in ranked order, what every metric looks at."""
        return ranked_lists.rank(self.lists, self.scores, self.seed)

    def best(self, k: int | None = None) -> dict[str, list[tuple[str, float]]]:
        """Query to its `k` best hashtags with their scores, best first; all for None."""
        found: dict[str, list] = {self.queries[query]: [] for query in self.lists.users}
        order = self.order
        for place, row, rank in zip(order.order, order.row, order.rank, strict=True):
            if k is None or rank <= k:
                hashtag = self.hashtags[self.lists.hashtags.values[place]]
                found[self.queries[self.lists.users[row]]].append(
                    (hashtag, float(self.scores[place]))
                )
        return found

    def first(self, k: int) -> np.ndarray:
        """The `k` best hashtags of each query, best first, int32 `[queries, k]`; -1 pads."""
        order = self.order
        kept = order.rank <= k
        found = np.full((len(self.lists), k), -1, np.int32)
        place = order.row[kept], order.rank[kept] - 1
        found[place] = self.lists.hashtags.values[order.order[kept]]
        return found

    def write_run(self, path: pathlib.Path) -> None:
        """Writes `run.trec`, see `tfhashtag.evaluation.trec.write_run`."""
        write_run(path, self.queries, self.hashtags, self.lists, self.scores, self.seed)


class Queries(abc.ABC):
    """Who or what is asked about, and the moment: what is known when it is asked.

    Everything that a recommender may see of a query stands in its queries, so that a leak would
    have to be written there.

    Attributes:
        corpus: the posts.
        seed: of the order of equal scores, and of what was drawn.
    """

    corpus: Corpus
    seed: int

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of queries."""

    @abc.abstractmethod
    def ranking(self, scores: np.ndarray, k: int | None = None) -> Ranking:
        """Scores as ranked lists.

        Args:
            scores: what `Recommender.score` gave for these queries.
            k: how many hashtags of each query are kept; None for all.
        """

    @abc.abstractmethod
    def scores_of(self, run: RunLines) -> np.ndarray:
        """What a run says of these queries, as `ranking` takes it.

        Raises:
            DataError: it ranks something else.
        """

    @abc.abstractmethod
    def take(self, rows: np.ndarray) -> Self:
        """Some of the queries at the same moment, int `[n]` places, in the given order."""

    @property
    @abc.abstractmethod
    def truth(self) -> Candidates:
        """What `qrels.trec` holds: the judged hashtags of each query."""

    @property
    @abc.abstractmethod
    def names(self) -> tuple[Sequence[str], Sequence[str]]:
        """Names of queries and of hashtags that `truth` and rankings index."""

    @property
    @abc.abstractmethod
    def askers(self) -> np.ndarray:
        """The corpus user of each query, int `[queries]`."""

    @property
    @abc.abstractmethod
    def usage(self) -> Usage:
        """What was known at the moment: a row a corpus user, hashtags as rankings number them."""

    def write_qrels(self, path: pathlib.Path) -> None:
        """Writes `qrels.trec`, see `tfhashtag.evaluation.trec.write_qrels`."""
        write_qrels(path, *self.names, self.truth)


class Task(abc.ABC):
    """One of the two questions: everything in which they differ.

    Attributes:
        name: `"users"` or `"posts"`.
        query: what one query is called, `"user"` or `"post"`.
        cutoffs: the k of the metrics, unless others are asked for.
        protocols: ways to draw the lists to rank; the first is the default.
        followed: the metric that is followed as posts come in.
        watched: the figure of the valid split by which trainings choose, as it stands in their log.
        least: the setting that decides which hashtags are asked for.
    """

    name: str
    query: str
    cutoffs: tuple[int, ...]
    protocols: tuple[str, ...]
    watched: str
    least: str
    followed: str

    @abc.abstractmethod
    def queries(
        self,
        corpus: Corpus,
        data: Any,
        split: Split,
        protocol: str | None = None,
        seed: int = 0,
        candidates: pathlib.Path | None = None,
    ) -> Queries:
        """The queries of an evaluation.

        Args:
            corpus: the posts.
            data: section `data` of a recommender's settings: the least posts of a hashtag.
            split: `Split.VALID` or `Split.TEST`.
            protocol: out of `protocols`.
            seed: of what is drawn, and of ties.
            candidates: a file of lists to rank in place of the protocol's.

        Raises:
            ConfigError: another protocol, or a file of lists where the task takes none.
            DataError: nothing to ask, or a mistake in the file.
        """

    @abc.abstractmethod
    def splits_when_grown(self, corpus: Corpus, rule: str, new: np.ndarray) -> np.ndarray:
        """Splits of a corpus whose posts have all been asked about, int8 `[posts]`.

        Args:
            corpus: old and new posts, the old ones with their splits.
            rule: how it was split where its source did not say, see `split_posts`.
            new: bool `[posts]`, which are new.
        """

    @abc.abstractmethod
    def measure(
        self, queries: Queries, ranking: Ranking, cutoffs: Sequence[int]
    ) -> dict[str, np.ndarray]:
        """Each metric of each query, name to float64 `[queries]`."""

    @abc.abstractmethod
    def averages(self, queries: Queries, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What `metrics.json` says of the values of `measure`."""

    @abc.abstractmethod
    def table(self, result: Mapping[str, Any], title: str) -> Any:
        """The content of `metrics.json` as a `rich` table."""

    @abc.abstractmethod
    def headline(self, result: Mapping[str, Any]) -> str:
        """What was evaluated, in a few words."""

    @abc.abstractmethod
    def read_query(self, record: Mapping[str, Any], where: str) -> "Question":
        """A question from outside, from a record of a file or the arguments of a call.

        Raises:
            DataError: a field is unknown, missing or of another kind; begins with `where`.
        """

    @abc.abstractmethod
    def answer(
        self,
        call: Call,
        questions: Sequence["Question"],
        k: int,
        corpus: Callable[[], Corpus],
        settings: Any,
    ) -> list[list[tuple[str, float]]]:
        """The `k` best hashtags of each question with their scores, best first.

        Args:
            call: the signatures of a servable, in process or loaded.
            questions: of `read_query`.
            k: how many, at least 1.
            corpus: gives the posts that names stand for; called where a question needs them.
            settings: of the recommender that the servable is of.

        Raises:
            DataError: a question names somebody unknown, or holds what the model cannot read.
        """

    @abc.abstractmethod
    def logits(self, answered: np.ndarray) -> np.ndarray:
        """Scores in answers of servables as logits, float64, -inf for what is no candidate."""

    @abc.abstractmethod
    def answered(self, scores: np.ndarray, ranking: Ranking) -> np.ndarray:
        """What a servable would answer where a recommender ranked, as `logits` gives it.

        Args:
            scores: of `Recommender.score`, of one whose servable answers.
            ranking: of `Queries.ranking` of these scores.

        Returns:
            float64, aligned with `ranking.scores`.
        """

    @abc.abstractmethod
    def judged_by(
        self, queries: Queries, ranking: Ranking, hashtags: np.ndarray, cutoffs: Sequence[int]
    ) -> tuple[int, dict[str, float]]:
        """Metrics of the queries that have a true hashtag among some, the other true ones left out.

        Args:
            queries, ranking: what was asked and answered.
            hashtags: bool, over all that the ranking numbers.
            cutoffs: the k of the metrics.

        Returns:
            How many queries there are, and their means; none of both for no query.
        """

    def evaluate(
        self,
        queries: Queries,
        ranking: Ranking,
        cutoffs: Sequence[int] | None = None,
        *,
        values: Mapping[str, np.ndarray] | None = None,
        probabilities: bool = False,
    ) -> dict[str, Any]:
        """What `metrics.json` holds: means of every metric, and what a list is beside right.

        Args:
            queries, ranking: what was asked and answered.
            cutoffs: the k of the metrics; figures beside accuracy are at the largest.
            values: of `measure`, where they are at hand.
            probabilities: whether the sigmoid of a score is one.

        Returns:
            Those of `averages`; `beyond`, the figures of `tfhashtag.evaluation.beyond`; `slices`,
            the metrics of the queries by new users, and of true hashtags of the tail and of new
            ones; `calibration` where scores are probabilities.
        """
        cutoffs = tuple(cutoffs or self.cutoffs)
        values = self.measure(queries, ranking, cutoffs) if values is None else values
        usage, askers = queries.usage, queries.askers
        few = np.flatnonzero(usage.posts[askers] < FEW_POSTS)
        slices: dict[str, Any] = {"new users": (0, {})}
        if len(few):
            means = self.averages(queries.take(few), {n: each[few] for n, each in values.items()})
            slices["new users"] = (len(few), means.get("metrics") or means["averages"]["all"])
        for name, hashtags in (("tail hashtags", usage.tail), ("new hashtags", usage.new)):
            slices[name] = self.judged_by(queries, ranking, hashtags, cutoffs)
        found = {
            **self.averages(queries, values),
            "beyond": beyond_accuracy(ranking.first(max(cutoffs)), askers, usage),
            "slices": {
                name: {self.query + "s": count, "metrics": means}
                for name, (count, means) in slices.items()
            },
        }
        if probabilities:
            error, bins = expected_calibration_error(ranking.scores, ranking.lists.labels)
            found["calibration"] = {"expected_error": error, "bins": bins}
        return found


class Question(abc.ABC):
    """One question from outside: raw strings and bytes, nothing of it needs to be in a corpus."""

    title: str
    user: str | None

    @abc.abstractmethod
    def hashed(self, named: NamedUsers) -> Self:
        """The same with hashes in place of the names of users, in texts as an import puts them."""

    def check(self, corpus: Callable[[], Corpus]) -> None:
        """Refuses names that are not in the corpus, before anything slow is loaded.

        Args:
            corpus: gives the corpus; called where the question holds a name of it.

        Raises:
            DataError: a name is not in the corpus.
        """
        if self.user is not None:
            check_names(corpus(), {"user": self.user})
