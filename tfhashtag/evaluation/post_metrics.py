"""Metrics of ranked hashtags of posts: the best few of a label space that is not kept whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.metrics import HitRate, Precision, Ranking, RankingMetric, Recall, average, rank

CUTOFFS = (1, 3, 5, 7, 9)
_BLOCK = 1 << 22


def rank_labels(
    scores: np.ndarray, count: int, seed: int = 0, posts: np.ndarray | None = None
) -> np.ndarray:
    """The best labels of each post, best first.

    Equal scores are ordered by a lot that depends on seed, post and label alone, never by the
    label's place. So posts may be ranked in blocks: give each block its `posts`.

    Args:
        scores: float `[n, L]`, higher is better.
        count: int, how many to keep, at least 1; no more than L are kept.
        seed: of the lots.
        posts: int `[n]`, not negative, distinct numbers of the posts for the lots; default
            `0 .. n - 1`.

    Returns:
        int32 `[n, min(count, L)]`.

    Raises:
        DataError: scores that are no matrix or not finite, or `posts` that do not fit.

    Example:

    >>> rank_labels(np.array([[0.1, 0.9, 0.5], [3.0, 1.0, 2.0]]), 2).tolist()
    [[1, 2], [0, 2]]
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise DataError(f"`scores` must be [posts, labels], found shape {scores.shape}.")
    if count < 1:
        raise DataError(f"`count` must be at least 1, found {count}.")
    numbers = np.arange(len(scores)) if posts is None else np.asarray(posts)
    if numbers.shape != (len(scores),):
        raise DataError(
            f"`posts` must hold a number for each of {len(scores)} rows of `scores`, found shape "
            f"{numbers.shape}."
        )
    count = min(count, scores.shape[1])
    ranked = np.empty((len(scores), count), np.int32)
    step = max(1, _BLOCK // scores.shape[1])
    for start in range(0, len(scores), step):
        block = scores[start : start + step]
        bad = np.argwhere(~np.isfinite(block))
        if len(bad):
            row, label = bad[0]
            raise DataError(
                f"`scores` must be finite, found {block[row, label]} for row {start + row}, label "
                f"{label}; the model has diverged?"
            )
        # Only labels as good as the last one kept can be among the kept.
        least = np.partition(block, -count, axis=1)[:, -count]
        row, label = np.nonzero(block >= least[:, None])
        lists = Candidates(
            numbers[start : start + step],
            Rows.from_pairs(row, label, len(block)),
            np.zeros(len(label), np.int8),
        )
        ranking = rank(lists, block[row, label], seed)
        kept = ranking.order[ranking.rank <= count]
        ranked[start : start + step] = label[kept].reshape(len(block), count)
    return ranked


def per_post(
    labels: Rows,
    scores: np.ndarray | None = None,
    cutoffs: Sequence[int] = CUTOFFS,
    seed: int = 0,
    rankings: np.ndarray | None = None,
    posts: np.ndarray | None = None,
    metrics: Sequence[RankingMetric] | None = None,
) -> dict[str, np.ndarray]:
    """Metrics of every post that has a label: HitRate@k, Precision@k, Recall@k, or what is asked.

    Args:
        labels: the relevant labels of each post, n rows.
        scores: float `[n, L]`; or give `rankings`.
        cutoffs: the k, each at least 1.
        seed: of the order of equal scores.
        rankings: int `[n, columns]` from `rank_labels`, at least as wide as the largest k or as
            the label space; -1 pads.
        posts: int `[n]` for the order of equal scores, as in `rank_labels`.
        metrics: in place of those at `cutoffs`, such as `parse_metric("ndcg@9")`.

    Returns:
        Name to float64, one value for each post with at least one label, in the order of
        `labels`; so two systems can be compared by `compare_paired`.

    Raises:
        DataError: neither or both of `scores` and `rankings`, or what does not fit `labels`.

    Example:

    >>> values = per_post(Rows.from_lists([[2], [], [0, 1]]), np.eye(3), cutoffs=(1,))
    >>> values["HitRate@1"].tolist(), values["Recall@1"].tolist()
    ([0.0, 0.0], [0.0, 0.0])
    """
    if (scores is None) == (rankings is None):
        raise DataError("Give one of `scores` and `rankings`.")
    if not cutoffs or min(cutoffs) < 1:
        raise DataError(f"`cutoffs` must be numbers of at least 1, found {list(cutoffs)}.")
    if metrics is None:
        metrics = [kind(k) for k in cutoffs for kind in (HitRate, Precision, Recall)]
    if scores is not None:
        width = max(metric.k or np.shape(scores)[-1] for metric in metrics)
        rankings = rank_labels(scores, width, seed, posts)
    rankings = np.asarray(rankings)
    if rankings.ndim != 2 or len(rankings) != len(labels):
        raise DataError(
            f"`labels` has {len(labels)} posts, but what is evaluated has shape {rankings.shape}."
        )
    rows = np.flatnonzero(labels.lengths > 0)
    ranking = _ranking_of(rankings[rows], labels.take(rows))
    return {_printed(metric): metric(ranking) for metric in metrics}


def _printed(metric: RankingMetric) -> str:
    """Its name in files of posts, which write P@k out."""
    return f"Precision@{metric.k}" if isinstance(metric, Precision) else metric.name


def evaluate_posts(
    labels: Rows,
    scores: np.ndarray | None = None,
    cutoffs: Sequence[int] = CUTOFFS,
    seed: int = 0,
    rankings: np.ndarray | None = None,
    posts: np.ndarray | None = None,
    label_count: int | None = None,
) -> dict[str, Any]:
    """Means over the posts that have at least one label; F1 is that of the means.

    F1@k = 2PR / (P + R) with P = Precision@k and R = Recall@k averaged over posts, which gives the
    F1 of the thesis (2024), Table 2, from its P and R; 0 where both are 0.

    Args:
        labels: the relevant labels of each post, n rows.
        scores: float `[n, L]`, higher is better; or give `rankings`.
        cutoffs: the k, each at least 1.
        seed: of the order of equal scores, which is a lot and never their place.
        rankings: int `[n, columns]` from `rank_labels`; -1 pads.
        posts: int `[n]` for the order of equal scores, as in `rank_labels`.
        label_count: size of the label space; needed with `rankings` only.

    Returns:
        `{"posts": posts with a label, "labels": L, "metrics": {"HitRate@1": ..., "Precision@1",
        "Recall@1", "F1@1", ...}}`.

    Raises:
        DataError: no post has a label, or the arguments do not fit one another.

    Example:

    >>> result = evaluate_posts(
    ...     Rows.from_lists([[0], [], [0, 1]]), np.array([[0.9, 0.1], [0, 0], [0.2, 0.8]]), (1,)
    ... )
    >>> result["posts"], result["metrics"]["Precision@1"], result["metrics"]["Recall@1"]
    (2, 1.0, 0.75)
    """
    if label_count is None:
        if scores is None:
            raise DataError("`label_count` must be given with `rankings`.")
        label_count = np.shape(scores)[-1]
    values = per_post(labels, scores, cutoffs, seed, rankings, posts)
    count = int((labels.lengths > 0).sum())
    if count == 0:
        raise DataError("`labels` holds no post with a label; there is nothing to evaluate.")
    return {"posts": count, "labels": int(label_count), "metrics": post_averages(values)}


def post_averages(values: dict[str, np.ndarray]) -> dict[str, float]:
    """Means of what `per_post` gave, with F1@k = 2PR / (P + R) of the means after each Recall@k.

    >>> means = post_averages({"Precision@9": np.array([0.1719]), "Recall@9": np.array([0.1959])})
    >>> round(means["F1@9"], 4)
    0.1831
    """
    metrics: dict[str, float] = {}
    for name, value in values.items():
        metrics[name] = average(value)
        if name.startswith("Recall@"):
            k = name.split("@")[1]
            metrics[f"F1@{k}"] = average(np.array([[metrics[f"Precision@{k}"], metrics[name]]]))
    return metrics


def _ranking_of(rankings: np.ndarray, relevant: Rows) -> Ranking:
    """The best labels of each post, and behind them the relevant ones that are not among them."""
    hits = _hits(rankings, relevant)
    count, width = rankings.shape
    missed = Rows.from_lists([np.arange(n) for n in relevant.lengths - hits.sum(axis=1)])
    row = np.concatenate([np.repeat(np.arange(count), width), missed.row_of_value])
    place = np.concatenate([np.tile(np.arange(width), count), width + missed.values])
    labels = np.concatenate([hits.ravel(), np.ones(len(missed.values), bool)]).astype(np.int8)
    order = np.lexsort((place, row))
    return Ranking(order, row[order], place[order] + 1, labels[order], count)


def _hits(rankings: np.ndarray, relevant: Rows) -> np.ndarray:
    """Whether each ranked label is relevant, bool `[n, columns]`."""
    width = int(max(rankings.max(initial=0), relevant.values.max(initial=0))) + 1
    keys = np.sort(relevant.row_of_value.astype(np.int64) * width + relevant.values)
    asked = np.arange(len(rankings), dtype=np.int64)[:, None] * width + rankings
    place = np.minimum(np.searchsorted(keys, asked), max(len(keys) - 1, 0))
    return (keys[place] == asked) & (rankings >= 0)
