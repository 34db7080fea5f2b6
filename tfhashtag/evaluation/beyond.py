"""What a list is beside right: how much of the catalogue, how popular, how varied, how far from the
user's own ways, and for whom and for which hashtags it is right at all."""

import dataclasses
import functools
from typing import Any

import numpy as np

from tfhashtag.corpus.rows import Rows

FEW_POSTS = 5
"""A user with fewer known posts is new."""

_SHARE = 0.2  # of all uses, that the head and the tail of the catalogue have each
_BINS = 15

DEFINITIONS = {
    "Coverage": ("share of the catalogue in the first k of anybody", "Ge et al., 2010"),
    "Gini": (
        "how unequally hashtags are recommended: 0 equally, 1 a single one",
        "Shani and Gunawardana, 2011",
    ),
    "Novelty": (
        "mean log2(users / users of the hashtag), who are at least one",
        "Zhou et al., 2010",
    ),
    "Popularity": ("mean share of all uses that a listed hashtag has", "Yin et al., 2012"),
    "PopularityLift": (
        "popularity of lists over that of users' own hashtags, less 1",
        "Abdollahpouri et al., 2020",
    ),
    "Diversity": (
        "mean 1 - cosine of the users of two hashtags of a list",
        "Zhang and Hurley, 2008",
    ),
    "Miscalibration": (
        "divergence of head, middle, tail from the user's own, bits",
        "Steck, 2018; Abdollahpouri et al., 2021",
    ),
    "ECE": (
        "distance of scores, read as probabilities, from what came true",
        "Naeini et al., 2015",
    ),
}
"""What each figure means, and its source."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """Who used which hashtags before the moment at which is asked.

    Attributes:
        uses: a row a user: the hashtags of the user's known posts, repeats kept.
        posts: int `[users]`, known posts of each.
        catalogue: int `[n]`, the hashtags that may be ranked, without repeats.
        hashtags: number of hashtags that the others count in.
    """

    uses: Rows
    posts: np.ndarray
    catalogue: np.ndarray
    hashtags: int

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """Uses of each hashtag, int64 `[hashtags]`."""
        return np.bincount(self.uses.values, minlength=self.hashtags)

    @functools.cached_property
    def users(self) -> Any:
        """1 where a user used a hashtag, SciPy CSR float64 `[hashtags, users]`."""
        import scipy.sparse

        pairs = np.unique(np.stack([self.uses.values, self.uses.row_of_value]), axis=1)
        shape = (self.hashtags, len(self.uses))
        return scipy.sparse.csr_matrix((np.ones(pairs.shape[1]), pairs), shape=shape)

    @functools.cached_property
    def groups(self) -> np.ndarray:
        """0 of the head, 1 of the middle, 2 of the tail, int8 `[hashtags]`.

        The head are the most used hashtags of the catalogue that together have a fifth of its uses,
        the tail the least used that have a fifth (Abdollahpouri et al., 2021). Hashtags that are
        used as often are in one group, by the middle of the uses that they have; the most used are
        the head and the least used the tail, however much they have.
        """
        counts = self.counts[self.catalogue]
        levels, place = np.unique(counts, return_inverse=True)
        held = np.bincount(place, counts, len(levels)) / max(counts.sum(), 1)
        middle = np.cumsum(held) - held / 2
        group = np.where(middle > 1 - _SHARE, 0, np.where(middle < _SHARE, 2, 1))
        group[: np.searchsorted(levels, 1) + 1] = 2
        if counts.any():
            group[-1] = 0
        groups = np.full(self.hashtags, 2, np.int8)
        groups[self.catalogue] = group[place]
        return groups

    @property
    def tail(self) -> np.ndarray:
        """The hashtags of the tail that somebody used, bool `[hashtags]`."""
        return (self.groups == 2) & (self.counts > 0)

    @property
    def new(self) -> np.ndarray:
        """The hashtags that no known post has, bool `[hashtags]`."""
        return self.counts == 0


def beyond_accuracy(best: np.ndarray, askers: np.ndarray, usage: Usage) -> dict[str, float]:
    """The figures of `DEFINITIONS` but `ECE`, each with `@k` behind its name.

    Args:
        best: int `[queries, k]`, ranked hashtags, best first; -1 pads.
        askers: int `[queries]`, the user of each query; -1 for nobody known.
        usage: what was known.

    Returns:
        Name to value, means over the queries that have one: `Diversity` those with two hashtags,
        `PopularityLift` and `Miscalibration` those whose user used a hashtag. 0 over none.

    Example:

    >>> usage = Usage(Rows.from_lists([[0, 0], [1]]), np.array([2, 1]), np.array([0, 1, 2]), 3)
    >>> found = beyond_accuracy(np.array([[0, 1], [0, 1]]), np.array([0, 1]), usage)
    >>> found["Coverage@2"], found["Novelty@2"], found["Diversity@2"]
    (0.6666666666666666, 1.0, 1.0)
    """
    k = best.shape[1]
    real = best >= 0
    place = np.maximum(best, 0)
    counts, total = usage.counts, max(int(usage.counts.sum()), 1)
    users = np.asarray(usage.users.sum(axis=1)).ravel()
    active = max(int((usage.uses.lengths > 0).sum()), 1)
    novelty = -np.log2(np.maximum(users, 1) / active)
    popularity = _mean_of_row(counts[place] / total, real)
    listed = real.any(axis=1)
    own = _own_popularity(askers, usage)
    compared = listed & (own >= 0)
    recommended = np.bincount(best[real], minlength=usage.hashtags)[usage.catalogue]
    figures = {
        "Coverage": float((recommended > 0).mean()) if len(recommended) else 0.0,
        "Gini": _gini(recommended),
        "Novelty": _mean(_mean_of_row(novelty[place], real)[listed]),
        "Popularity": _mean(popularity[listed]),
        "PopularityLift": _lift(popularity[compared], own[compared] / total),
        "Diversity": _diversity(best, usage),
        "Miscalibration": _miscalibration(best, askers, usage),
    }
    return {f"{name}@{k}": value for name, value in figures.items()}


def expected_calibration_error(
    scores: np.ndarray, labels: np.ndarray, bins: int = _BINS
) -> tuple[float, list[dict[str, float]]]:
    """How far probabilities are from how often they come true (Naeini et al., 2015).

    Args:
        scores: float `[n]`, logits; their sigmoid is the probability.
        labels: int `[n]`, above 0 came true.
        bins: of as many pairs each, by rising probability: those of equal width would be all but
            empty, since most hashtags are unlikely.

    Returns:
        The error, the mean over pairs of |mean probability - share that came true| of their bin;
        and each bin: `probability`, `share`, `pairs`.

    Example:

    >>> error, (bin,) = expected_calibration_error(np.zeros(4), np.array([1, 0, 0, 0]), bins=1)
    >>> error, bin["probability"], bin["share"]
    (0.25, 0.5, 0.25)
    """
    scores = np.asarray(scores, np.float64)
    probability = np.exp(-np.logaddexp(0, -scores))
    order = np.argsort(scores, kind="stable")
    found = [
        {
            "probability": float(probability[part].mean()),
            "share": float((labels[part] > 0).mean()),
            "pairs": len(part),
        }
        for part in np.array_split(order, min(bins, max(len(order), 1)))
        if len(part)
    ]
    apart = sum(abs(each["probability"] - each["share"]) * each["pairs"] for each in found)
    return apart / max(len(scores), 1), found


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _mean_of_row(values: np.ndarray, real: np.ndarray) -> np.ndarray:
    return np.where(real, values, 0).sum(axis=1) / np.maximum(real.sum(axis=1), 1)


def _gini(counts: np.ndarray) -> float:
    """Of sorted counts c_1 <= ... <= c_n: sum of (2j - n - 1) c_j over (n - 1) sum of c_j."""
    n, total = len(counts), counts.sum()
    if n < 2 or total == 0:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ np.sort(counts) / ((n - 1) * total))


def _own_popularity(askers: np.ndarray, usage: Usage) -> np.ndarray:
    """Mean number of uses of the hashtags that each asker used, use by use; -1 for none."""
    lengths = usage.uses.lengths
    sums = np.bincount(usage.uses.row_of_value, usage.counts[usage.uses.values], len(lengths))
    known = askers >= 0
    own = np.full(len(askers), -1.0)
    user = askers[known]
    own[known] = np.where(lengths[user] > 0, sums[user] / np.maximum(lengths[user], 1), -1.0)
    return own


def _lift(listed: np.ndarray, own: np.ndarray) -> float:
    return float(listed.mean() / own.mean() - 1) if len(own) and own.mean() > 0 else 0.0


def _diversity(best: np.ndarray, usage: Usage) -> float:
    """1 - cosine of pairs: the length of the sum of unit vectors holds all pairs at once."""
    import scipy.sparse

    real = best >= 0
    lengths = np.sqrt(np.asarray(usage.users.sum(axis=1)).ravel())
    unit = scipy.sparse.diags_array(1 / np.maximum(lengths, 1)) @ usage.users
    row, column = np.nonzero(real)
    place = scipy.sparse.csr_matrix(
        (np.ones(len(row)), (row, best[row, column])), shape=(len(best), usage.hashtags)
    )
    sums = scipy.sparse.csr_matrix(place @ unit)
    squared = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    alone = place @ (lengths > 0).astype(np.float64)
    pairs = real.sum(axis=1) * (real.sum(axis=1) - 1)
    some = pairs > 0
    return _mean(1 - ((squared - alone)[some] / pairs[some]))


def _miscalibration(best: np.ndarray, askers: np.ndarray, usage: Usage) -> float:
    groups = usage.groups
    own = np.stack(
        [
            np.bincount(usage.uses.row_of_value, groups[usage.uses.values] == g, len(usage.uses))
            for g in range(3)
        ],
        axis=1,
    )
    real = best >= 0
    listed = np.stack(
        [((groups[np.maximum(best, 0)] == g) & real).sum(axis=1) for g in range(3)], axis=1
    )
    known = (askers >= 0) & real.any(axis=1)
    known[known] = own[askers[known]].sum(axis=1) > 0
    p, q = own[askers[known]], listed[known]
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    middle = (p + q) / 2
    return _mean((_divergence(p, middle) + _divergence(q, middle)) / 2)


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Of Kullback and Leibler, in bits, row by row; where `p` is 0 it counts nothing."""
    some = p > 0
    ratio = np.divide(p, q, out=np.ones_like(p), where=some)
    return np.sum(p * np.log2(ratio), axis=1)
