"""The data of Figures 4, 5 and 7 of the engagement paper (EMNLP 2021, Sections 5.2 and 5.4)."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfhashtag.evaluation.significance import bootstrap_interval
from tfhashtag.metrics import rank
from tfhashtag.tasks.users.episode import Episode

K = 5
HISTORY_BINS = ((1, 7), (8, 14), (15, 21), (22, 28), (29, 36))
CONTEXT_BINS = ((0, 5), (6, 10), (11, 15), (16, 20), (21, 25), (26, 30))
_EDGES = np.linspace(-0.2, 1.0, 25)


@dataclasses.dataclass(frozen=True)
class Bin:
    """One bar of Figure 4 or 5.

    Attributes:
        label: such as `"8-14"`.
        value: precision; None where there is nothing to take it of.
        low, high: 95% bootstrap interval of it over users; None as above.
        count: users (Figure 4) or ranked places (Figure 5) in the bin.
        right: those of them with a positive (Figure 4); hashtags found (Figure 5).
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    count: int
    right: int


def by_history(
    episode: Episode, values: np.ndarray, bins: Sequence[tuple[int, int]] = HISTORY_BINS
) -> list[Bin]:
    """Figure 4: P@5 of users by the number of their known posts, average `all`.

    A last bin holds users with more posts than the paper's have.

    Args:
        episode: the test moment.
        values: P@5 of each user, float `[users]`, averaged over seeds.
        bins: first and last number of posts of each.
    """
    users = episode.candidates.users
    lengths, positives = episode.history.lengths[users], episode.candidates.positives
    found = []
    for low, high, label in _labelled(bins, lengths):
        inside = (lengths >= low) & (lengths <= high)
        count, right = int(inside.sum()), int((positives[inside] > 0).sum())
        if not count:
            found.append(Bin(label, None, None, None, 0, 0))
            continue
        interval = bootstrap_interval(values[inside])
        found.append(Bin(label, float(values[inside].mean()), *interval, count, right))
    return found


def by_contexts(
    episode: Episode,
    scores: Mapping[int, np.ndarray],
    bins: Sequence[tuple[int, int]] = CONTEXT_BINS,
) -> list[Bin]:
    """Figure 5: of the first five hashtags of every user, those with so many context messages.

    The paper does not say how a precision at 5 is one of hashtags. Here a bin holds the places
    among the first five at which a hashtag with that many context messages stands, messages that
    the user may see; its value is the share of them that are right. The places of all bins
    together are those that P@5 counts. More context messages than the last bin fall into it.

    Args:
        episode: the test moment with its lists.
        scores: seed to the scores of the lists; places are pooled over seeds.
        bins: first and last number of context messages of each.
    """
    candidates = episode.candidates
    users = len(candidates)
    counts = episode.visible_context_counts(candidates.user_of_value, candidates.hashtags.values)
    places = np.zeros((len(bins), users))
    right = np.zeros((len(bins), users))
    last = len(bins) - 1
    for seed, values in scores.items():
        ranking = rank(candidates, values, seed)
        first = ranking.rank <= K
        order, row, hit = ranking.order[first], ranking.row[first], ranking.labels[first] > 0
        for number, (low, high) in enumerate(bins):
            inside = (counts[order] >= low) & ((counts[order] <= high) | (number == last))
            places[number] += np.bincount(row[inside], minlength=users)
            right[number] += np.bincount(row[inside & hit], minlength=users)
    found = []
    for number, (low, high) in enumerate(bins):
        label = f"{low}-{high}" if number < last else f"{low}+"
        total, hits = places[number].sum(), right[number].sum()
        if not total:
            found.append(Bin(label, None, None, None, 0, 0))
            continue
        interval = _ratio_interval(right[number], places[number])
        found.append(Bin(label, float(hits / total), *interval, int(total), int(hits)))
    return found


@dataclasses.dataclass(frozen=True)
class Similarity:
    """Figure 7 for one model.

    Attributes:
        looks_at: `"history"` of the user, or `"contexts"` of the hashtag.
        edges: of the bins of similarity, `[bins + 1]`.
        posts: test posts in each bin whose hashtag was predicted, mean over seeds, `[bins]`.
        predicted: their number, mean over seeds.
        mean: mean similarity of the most attended message and the post; None without posts.
        chance: the same of any message that the model could look at.
    """

    looks_at: str
    edges: list[float]
    posts: list[float]
    predicted: float
    mean: float | None
    chance: float | None


def by_similarity(
    episode: Episode,
    scores: Mapping[int, np.ndarray],
    attended: Mapping[int, Mapping[str, np.ndarray]],
) -> Similarity:
    """Figure 7: how like the most attended message is the post that the user went on to write.

    Counted are test posts whose hashtag stood among the user's first five.

    Args:
        episode: the test moment with its lists.
        scores: seed to the scores of the lists.
        attended: seed to the arrays of `AttendedMessages`.
    """
    candidates = episode.candidates
    width = max(len(episode.corpus.hashtags), 1)
    key = candidates.user_of_value.astype(np.int64) * width + candidates.hashtags.values
    found, chance = [], []
    for seed, values in scores.items():
        ranking = rank(candidates, values, seed)
        right = key[ranking.order[(ranking.rank <= K) & (ranking.labels > 0)]]
        rows = attended[seed]
        pairs = rows["user"].astype(np.int64) * width + rows["hashtag"]
        kept = np.isin(pairs, right) & np.isfinite(rows["similarity"])
        found.append(rows["similarity"][kept])
        chance.append(rows["chance"][kept])
    together, by_chance = np.concatenate(found), np.concatenate(chance)
    counts, _ = np.histogram(np.clip(together, _EDGES[0], _EDGES[-1]), _EDGES)
    history = any(bool(rows["history"]) for rows in attended.values())
    some = len(together) > 0
    return Similarity(
        "history" if history else "contexts",
        _EDGES.round(4).tolist(),
        (counts / len(scores)).tolist(),
        len(together) / len(scores),
        float(together.mean()) if some else None,
        float(by_chance.mean()) if some else None,
    )


def _labelled(bins, lengths) -> list[tuple[int, int, str]]:
    found = [(low, high, f"{low}-{high}") for low, high in bins]
    longest, last = int(lengths.max(initial=0)), bins[-1][1]
    if longest > last:
        found.append((last + 1, longest, f"{last + 1}+"))
    return found


def _ratio_interval(
    right: np.ndarray, places: np.ndarray, samples: int = 1000
) -> tuple[float, float]:
    """95% bootstrap interval over users of a share whose denominator differs from user to user."""
    some = np.flatnonzero(places)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(some), (samples, len(some)))
    shares = right[some][drawn].sum(axis=1) / places[some][drawn].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)
