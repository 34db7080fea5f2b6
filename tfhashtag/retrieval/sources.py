"""Candidate sources in the graph: each names a few hashtags for a query, scored."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.rows import sorted_distinct

# What is ordered is compared in steps of 2^-14: the rounding of sums must not decide.
_STEP = 1 << 14
_SAME, _APART = 1e-4, 1e4


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of a query and a hashtag that something speaks for.

    Attributes:
        keys: int64 `[n]`, query * number of hashtags + hashtag; a pair may stand several times.
        values: a row a pair, so that other arrays can be taken along.
    """

    keys: tf.Tensor
    values: dict[str, tf.Tensor]


def pairs_of(queries: tf.Tensor, hashtags: tf.Tensor, count: int, **values: tf.Tensor) -> Pairs:
    """Real pairs of a rectangle.

    Args:
        queries: int32, of a shape that goes with `hashtags`.
        hashtags: int32 `[...]`, -1 pads.
        count: how many hashtags there are.
        values: by name, of shapes that go with `hashtags`.
    """
    real = hashtags >= 0
    shape = tf.shape(hashtags)

    def flat(value: tf.Tensor) -> tf.Tensor:
        return tf.boolean_mask(tf.broadcast_to(value, shape), real)

    keys = tf.cast(flat(queries), tf.int64) * count
    keys += tf.cast(tf.boolean_mask(hashtags, real), tf.int64)
    return Pairs(keys, {name: flat(value) for name, value in values.items()})


def summed(keys: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each key once, and the sum of its weights."""
    unique, index = tf.unique(keys, out_idx=tf.int64)
    size = tf.size(unique, out_type=tf.int64)
    return unique, tf.math.unsorted_segment_sum(weights, index, size)


def best(keys: tf.Tensor, weights: tf.Tensor, limit: int, count: int) -> tf.Tensor:
    """The keys with the largest weights of each query, at most `limit` each.

    Equal weights, in steps of 2^-14, are ordered by hashtag, lower first.

    Example:

    >>> best(tf.constant([5, 1, 0, 2], tf.int64), tf.constant([1.0, 2.0, 2.0, 3.0]), 2, 3).numpy()
    array([2, 0, 5])
    """
    order = tf.argsort(keys, stable=True)
    keys, weights = tf.gather(keys, order), tf.round(tf.gather(weights, order) * _STEP)
    order = tf.argsort(weights, direction="DESCENDING", stable=True)
    keys = tf.gather(keys, order)
    keys = tf.gather(keys, tf.argsort(keys // count, stable=True))
    rows = keys // count
    place = tf.range(tf.size(rows)) - tf.searchsorted(rows, rows)
    return tf.boolean_mask(keys, place < limit)


def best_of_all(scores: tf.Tensor, limit: int) -> tf.Tensor:
    """Keys of the `limit` highest columns of each row of float `[queries, hashtags]`."""
    levels = tf.round(scores * _STEP)
    found = tf.math.top_k(levels, min(limit, scores.shape[1])).indices
    rows = tf.range(tf.shape(scores)[0])[:, None]
    return pairs_of(rows, found, scores.shape[1]).keys


@dataclasses.dataclass(frozen=True)
class CandidateSource:
    """One way to candidates.

    Attributes:
        name: in reports.
        find: from the state of the queries to keys, at most so many a query as it sees fit.
    """

    name: str
    find: Callable[[Any], tf.Tensor]


def retrieve(sources: Sequence[CandidateSource], state: Any) -> dict[str, tf.Tensor]:
    """The keys that each source names, and under `all` their union, rising."""
    found = {source.name: source.find(state) for source in sources}
    union = tf.unique(tf.concat(list(found.values()), axis=0)).y
    return {**found, "all": tf.sort(union)}


class CandidateRows:
    """Candidates of several queries, laid end to end, and what is gathered for them.

    Args:
        keys: int64 `[c]`, rising.
        count: how many hashtags there are.

    Attributes:
        keys: as given.
        queries, hashtags: int32 `[c]`.

    Example:

    >>> rows = CandidateRows(tf.constant([1, 3, 4], tf.int64), count=3)  # 1; 0, 1
    >>> keys, weights = tf.constant([4, 4, 2], tf.int64), tf.constant([[1.0], [2.0], [9.0]])
    >>> rows.sums(rows.places(keys), weights).numpy().ravel().tolist()
    [0.0, 0.0, 3.0]
    >>> rows.ranks(tf.constant([0.0, 1.0, 5.0])).numpy().tolist()
    [0, 1, 0]
    """

    def __init__(self, keys: tf.Tensor, count: int) -> None:
        self.keys = keys
        self.size = tf.size(keys)
        self.queries = tf.cast(keys // count, tf.int32)
        self.hashtags = tf.cast(keys % count, tf.int32)

    def places(self, keys: tf.Tensor) -> tf.Tensor:
        """Where each key stands among the candidates, int32, -1 for one that is none."""
        place = tf.searchsorted(self.keys, keys)
        padded = tf.concat([self.keys, [tf.constant(-1, tf.int64)]], axis=0)
        return tf.where(tf.gather(padded, place) == keys, place, -1)

    def sums(self, places: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Sum of the weights `[n, w]` at each candidate, `[c, w]`."""
        return tf.math.unsorted_segment_sum(weights, places, self.size)

    def largest(self, places: tf.Tensor, weights: tf.Tensor, nothing: float = 0.0) -> tf.Tensor:
        """The largest of the weights `[n, w]` at each candidate, `nothing` where there is none."""
        found = tf.math.unsorted_segment_max(weights, places, self.size)
        return tf.where(found > found.dtype.min, found, nothing)

    def ranks(self, values: tf.Tensor) -> tf.Tensor:
        """How many candidates of its query have a larger value, int32 from 0.

        Larger by 1e-4 at least: the rounding of sums must not decide.

        Args:
            values: float32 `[c]`, within +-1,000.
        """
        values, rows = tf.cast(values, tf.float64), tf.cast(self.queries, tf.float64)
        order = tf.sort(rows * _APART - values)
        larger = tf.searchsorted(order, rows * _APART - values - _SAME)
        return larger - tf.searchsorted(self.queries, self.queries)


def recall_of(
    found: Mapping[str, np.ndarray], truth: np.ndarray, queries: int
) -> list[dict[str, float | str]]:
    """How much of the truth each source names.

    Args:
        found: keys of each source, distinct within a source.
        truth: the keys that are true, distinct.
        queries: how many there are.

    Returns:
        A row a source: `source`, `candidates` a query, `recall`, and `alone`, the share of the
        truth that no other source names; the last row, `all`, is the union, without `alone`.

    Example:

    >>> rows = recall_of({"own": np.array([1, 2]), "popular": np.array([2])}, np.array([1, 2]), 1)
    >>> [(row["source"], row["recall"], row.get("alone")) for row in rows]
    [('own', 1.0, 0.5), ('popular', 0.5, 0.0), ('all', 1.0, None)]
    """
    total, asked = max(len(truth), 1), max(queries, 1)
    hits = {name: np.isin(truth, keys) for name, keys in found.items()}
    counts = sum((hit.astype(int) for hit in hits.values()), np.zeros(len(truth), int))
    rows: list[dict[str, Any]] = [
        {
            "source": name,
            "candidates": len(keys) / asked,
            "recall": float(hits[name].sum()) / total,
            "alone": float((hits[name] & (counts == 1)).sum()) / total,
        }
        for name, keys in found.items()
    ]
    union = sorted_distinct(np.concatenate([np.zeros(0, np.int64), *found.values()]))
    share = float((counts > 0).sum()) / total
    return [
        *rows,
        {"source": "all", "candidates": len(union) / asked, "recall": share},
    ]
