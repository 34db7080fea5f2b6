"""Ranked lists: one place that decides the order of equal scores."""

import dataclasses

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.errors import DataError


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Labels of ragged lists in ranked order; what every metric looks at.

    Attributes:
        order: int64 `[values]`, places in the candidates' flat arrays, best first within a list.
        row: int32 `[values]`, the list of each.
        rank: int64 `[values]`, from 1.
        labels: int8 `[values]`, in ranked order; above 0 is relevant.
        lists: number of lists, empty ones counted.
    """

    order: np.ndarray
    row: np.ndarray
    rank: np.ndarray
    labels: np.ndarray
    lists: int

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum over each list, float64 `[lists]`."""
        return np.bincount(self.row, weights=values, minlength=self.lists)

    @property
    def relevant(self) -> np.ndarray:
        """Number of relevant candidates of each list, float64 `[lists]`."""
        return self.sum(self.labels > 0)


def rank(candidates: Candidates, scores: np.ndarray, seed: int = 0) -> Ranking:
    """Sorts each list by score, highest first.

    Equal scores are ordered by a lot that depends on seed, user and hashtag alone. So the order in
    which candidates were built has no influence, and a constant scorer gets the score of chance.

    Args:
        candidates: the lists.
        scores: float, aligned with `candidates.hashtags.values`.
        seed: of the lots.

    Raises:
        DataError: the scores are not aligned with the candidates, or not all finite.

    Example:

    >>> from tfhashtag.corpus.rows import Rows
    >>> candidates = Candidates(
    ...     np.array([0]), Rows.from_lists([[10, 11, 12]]), np.array([0, 1, 0])
    ... )
    >>> rank(candidates, np.array([0.1, 0.2, 0.3])).labels.tolist()
    [0, 1, 0]
    """
    scores = np.asarray(scores)
    if scores.shape != candidates.labels.shape:
        raise DataError(
            f"`scores` must be aligned with the {len(candidates.labels)} candidates, "
            f"found shape {scores.shape}."
        )
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        user = candidates.user_of_value[bad[0]]
        raise DataError(
            f"`scores` holds {len(bad)} values that are not finite, the first {scores[bad[0]]} for "
            f"user {user}, hashtag {candidates.hashtags.values[bad[0]]}; the model has diverged?"
        )
    row = candidates.hashtags.row_of_value
    lot = lots(candidates.user_of_value, candidates.hashtags.values, seed)
    order = np.lexsort((lot, -scores, row))
    ranks = np.arange(len(row)) - np.repeat(
        candidates.hashtags.offsets[:-1], candidates.hashtags.lengths
    )
    return Ranking(order, row, ranks + 1, candidates.labels[order], len(candidates))


def lots(users: np.ndarray, hashtags: np.ndarray, seed: int) -> np.ndarray:
    """Uniform 64-bit numbers from (seed, user, hashtag), by the finaliser of SplitMix64.

    Args:
        users, hashtags: int `[n]`.
        seed: of the lots.

    Returns:
        uint64 `[n]`; a pair has the same lot wherever it stands.
    """
    with np.errstate(over="ignore"):
        state = np.full(users.shape, np.uint64(seed & 0xFFFFFFFFFFFFFFFF))
        for part in (users, hashtags):
            state = state + np.uint64(0x9E3779B97F4A7C15) + part.astype(np.uint64)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state
