"""From scores to metrics, in both averages."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.errors import DataError
from tfhashtag.metrics import RankingMetric, average, default_metrics, rank

AVERAGES = ("all", "answerable")


def per_user(
    candidates: Candidates,
    scores: np.ndarray,
    metrics: list[RankingMetric] | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Each metric for each user, a user without a positive counting 0.

    Args:
        candidates: the lists.
        scores: float, aligned with `candidates.hashtags.values`; higher is better.
        metrics: default `default_metrics((5,))`.
        seed: of the order of equal scores.

    Returns:
        Name to float64 `[U]`, in the order of `candidates.users`; `[U, 2]` of F1, see there.

    Raises:
        DataError: scores that are not finite or not aligned.
    """
    ranking = rank(candidates, scores, seed)
    return {metric.name: metric(ranking) for metric in metrics or default_metrics()}


def evaluate(
    candidates: Candidates,
    scores: np.ndarray,
    cutoffs: tuple[int, ...] = (5,),
    seed: int = 0,
    metrics: list[RankingMetric] | None = None,
) -> dict[str, Any]:
    """Mean of every metric over all users, and over those who have a positive.

    Args:
        candidates: the lists.
        scores: float, aligned with `candidates.hashtags.values`; higher is better.
        cutoffs: the k of the metrics with a cut-off.
        seed: of the order of equal scores.
        metrics: instead of the default ones.

    Returns:
        `{"users": number of lists, "averages": {"all": {name: value}, "answerable": {...}}}`. The
        average `all` is the paper's: a user without a positive counts 0. An average over no user is
        0.

    Raises:
        DataError: no list at all, or scores that are not finite or not aligned.

    Example:

    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(
    ...     np.array([0, 1]), Rows.from_lists([[0, 1, 2], []]), np.array([0, 1, 0])
    ... )
    >>> result = evaluate(lists, np.array([0.3, 0.2, 0.1]))
    >>> result["averages"]["all"]["MAP"], result["averages"]["answerable"]["MAP"]
    (0.25, 0.5)
    """
    if len(candidates) == 0:
        raise DataError("`candidates` holds no user; there is nothing to evaluate.")
    return averages(
        candidates, per_user(candidates, scores, metrics or default_metrics(cutoffs), seed)
    )


def averages(candidates: Candidates, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What `evaluate` returns, of values that `per_user` has worked out already.

    Args:
        candidates: the lists.
        values: metric to float `[U]`.
    """
    answerable = candidates.positives > 0
    return {
        "users": len(candidates),
        "averages": {
            "all": {name: average(value) for name, value in values.items()},
            "answerable": {
                name: average(value[answerable]) if answerable.any() else 0.0
                for name, value in values.items()
            },
        },
    }
