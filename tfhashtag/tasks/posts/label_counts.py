"""How often labels were used in the posts around a post."""

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.memory import ROWS, let_go, rows_of
from tfhashtag.tasks.posts.labels import PostLabels

_PAIRS = 1 << 22


@dataclasses.dataclass(frozen=True)
class LabelCounts:
    """For each of n posts the labels that occur around it, each with a weight.

    Attributes:
        rows: n rows of labels, rising within a row, each once.
        weights: float32, aligned with `rows.values`, never 0.
    """

    rows: Rows
    weights: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", np.asarray(self.weights, np.float32))
        if self.weights.shape != self.rows.values.shape:
            raise DataError(
                f"`weights` must hold one weight for each of {len(self.rows.values)} values, found "
                f"shape {self.weights.shape}."
            )

    def __len__(self) -> int:
        return len(self.rows)

    def dense(self, rows: np.ndarray, labels: int) -> np.ndarray:
        """The given rows as a matrix float32 `[len(rows), labels]`, 0 where there is nothing."""
        rows = np.asarray(rows, np.int64)
        matrix = np.zeros((len(rows), labels), np.float32)
        picked = self.rows.take(rows)
        places = Rows(self.rows.offsets, np.arange(len(self.weights))).take(rows).values
        matrix[picked.row_of_value, picked.values] = self.weights[places]
        return matrix

    @classmethod
    def of_user_history(
        cls, corpus: Corpus, labels: PostLabels, posts: np.ndarray
    ) -> "LabelCounts":
        """How many train posts of the same user have each label.

        The post itself never counts, and where the corpus has timestamps only strictly earlier
        posts do.

        Args:
            corpus: the posts.
            labels: the label space.
            posts: int `[n]`, of any split.

        Example:

        >>> from tfhashtag.corpus.synthetic import synthetic_corpus
        >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
        >>> labels = PostLabels.of_corpus(corpus, 2)
        >>> counts = LabelCounts.of_user_history(corpus, labels, np.arange(4))
        >>> counts.dense(np.arange(4), len(labels)).shape == (4, len(labels))
        True
        """
        parts = [
            cls.weighted(labels, rows, others, np.ones(len(others), np.float32), count)
            for rows, others, count in histories(corpus, np.asarray(posts))
        ]
        return _concatenated(parts)

    @classmethod
    def of_similar_posts(
        cls, labels: PostLabels, similar: np.ndarray, weights: np.ndarray
    ) -> "LabelCounts":
        """Sum of the weights of those similar posts that have each label.

        Args:
            labels: the label space.
            similar: int `[n, k]` from `find_similar_posts`, -1 pads.
            weights: float `[n, k]`, such as the similarities or a function of them; a pair of
                weight 0 or at the padding counts nothing.

        >>> labels = PostLabels(np.array([4, 7]), Rows.from_lists([[0], [0, 1], []]))
        >>> counts = LabelCounts.of_similar_posts(
        ...     labels, np.array([[1, 0], [2, -1]]), np.array([[0.5, 0.25], [1.0, 9.0]])
        ... )
        >>> counts.dense(np.arange(2), 2).tolist()
        [[0.75, 0.5], [0.0, 0.0]]
        """
        similar, weights = np.asarray(similar), np.asarray(weights, np.float32)
        if similar.shape != weights.shape or similar.ndim != 2:
            raise DataError(
                f"`weights` must have the shape of `similar`, {similar.shape}, found "
                f"{weights.shape}."
            )
        parts = []
        step = max(1, _PAIRS // max(similar.shape[1], 1))
        for start in range(0, max(len(similar), 1), step):
            block, weight = similar[start : start + step], weights[start : start + step]
            row, column = np.nonzero((block >= 0) & (weight != 0))
            parts.append(
                cls.weighted(labels, row, block[row, column], weight[row, column], len(block))
            )
        return _concatenated(parts)

    @classmethod
    def weighted(
        cls,
        labels: PostLabels,
        rows: np.ndarray,
        posts: np.ndarray,
        weights: np.ndarray,
        count: int,
    ) -> "LabelCounts":
        """From (row, post, weight) in any order: each label of the post gets the weight.

        Args:
            labels: the label space.
            rows: int `[pairs]`, in `0 .. count - 1`.
            posts: int `[pairs]`, corpus posts.
            weights: float `[pairs]`.
            count: number of rows.
        """
        found = labels.rows.take(posts)
        pair = found.row_of_value
        keys = np.asarray(rows, np.int64)[pair] * max(len(labels), 1) + found.values
        distinct, place = np.unique(keys, return_inverse=True)
        sums = np.bincount(place, weights=np.asarray(weights)[pair], minlength=len(distinct))
        kept = sums.astype(np.float32) != 0
        distinct, sums = distinct[kept], sums[kept]
        width = max(len(labels), 1)
        return cls(Rows.from_pairs(distinct // width, distinct % width, count), sums)


def histories(corpus: Corpus, posts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Blocks of posts: (row within the block, another train post of the user), and block size."""
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    of_user = Rows.from_pairs(corpus.user_of_post[train], train, len(corpus.users))
    ends = np.cumsum(of_user.lengths[corpus.user_of_post[posts]])
    start = 0
    while start < len(posts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS, side="right")))
        block = posts[start:stop]
        found = of_user.take(corpus.user_of_post[block])
        rows, others = found.row_of_value, found.values
        allowed = others != block[rows]
        if corpus.timestamps is not None:
            allowed &= corpus.timestamps[others] < corpus.timestamps[block[rows]]
        yield rows[allowed], others[allowed], len(block)
        start = stop


def time_lines(
    corpus: Corpus, posts: np.ndarray, time: np.ndarray, side: Literal["left", "right"] = "left"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The train posts by user, then by time, and where those of a post's user lie.

    Args:
        corpus: the posts.
        posts: int `[n]`, of any split.
        time: int64 `[posts of the corpus]`, from 0 to their number.
        side: whether posts of the same time count as before, `right`, or not.

    Returns:
        The train posts; of each post where those of its user begin, int64 `[n]`, and where those
        before it end.
    """
    keys = corpus.user_of_post * np.int64(len(corpus) + 1) + time
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    train = train[np.argsort(keys[train], kind="stable")]
    first = np.searchsorted(keys[train], keys[posts] - time[posts])
    return train, first, np.searchsorted(keys[train], keys[posts], side=side)


def history_means(
    corpus: Corpus, posts: np.ndarray, text: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean text vector of the train posts that `histories` gives of each post.

    Sums are taken once a user, so that the cost is that of the posts and not of their pairs.

    Args:
        corpus: the posts.
        posts: int `[n]`, of any split.
        text: float `[messages, g]`, row `i` embeds message `i`.

    Returns:
        How many posts there are, int64 `[n]`, and the means, float32 `[n, g]`, zeros for none.
    """
    time = np.zeros(len(corpus), np.int64)
    if corpus.timestamps is not None:
        time = np.unique(corpus.timestamps, return_inverse=True)[1].astype(np.int64)
    if corpus.timestamps is None:
        train, first, end = time_lines(corpus, posts, time, "right")
        itself = corpus.split_of_post[posts] == Split.TRAIN
    else:
        train, first, end = time_lines(corpus, posts, time)
        itself = np.zeros(len(posts), bool)
    means = np.zeros((len(posts), text.shape[1]), np.float32)
    count = end - first - itself
    rows = np.flatnonzero(count > 0)
    rows = rows[np.argsort(first[rows], kind="stable")]
    of_users = np.split(rows, np.flatnonzero(np.diff(first[rows], prepend=-1)))[1:]
    read = 0
    for some in of_users:
        start, stop = int(first[some[0]]), int(end[some].max())
        vectors = rows_of(text, corpus.message_of_post[train[start:stop]], np.float64)
        sums = np.cumsum(vectors, axis=0)[end[some] - start - 1]
        own = itself[some]
        sums[own] -= text[corpus.message_of_post[posts[some[own]]]]
        means[some] = sums / count[some, None]
        read += len(vectors)
        if read > ROWS:
            let_go(text)
            read = 0
    return count, means


def _concatenated(parts: list[LabelCounts]) -> LabelCounts:
    weights = np.concatenate([np.zeros(0, np.float32), *(part.weights for part in parts)])
    return LabelCounts(Rows.joined([part.rows for part in parts]), weights)
