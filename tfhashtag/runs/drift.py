"""How well a run ranks posts before they come in: each update is first a test set."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import DataError
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.recommenders.rules.posts import PopularHashtags
from tfhashtag.recommenders.rules.users import PopularityScorer
from tfhashtag.tasks.base import Queries
from tfhashtag.tasks.posts.task import PostQueries
from tfhashtag.tasks.users.task import UserQueries


def ranked_before(run: Any, weights: Any, data: Any, new: np.ndarray) -> dict[str, Any] | None:
    """Figures of the new posts as a test set: everything before them is known, they lie ahead.

    Args:
        run: the run, for its settings and task.
        weights: folder of the weights over `data`.
        data: old and new posts with their vectors.
        new: bool `[posts]`, which are new.

    Returns:
        `queries`, the task's followed `metric`, its mean `value` over those who have something to
        be found and its standard `error`; `popular`, the same of ranking by popularity; `gain` and
        `gain_error`, of the difference of the two. None where nobody can be asked about.
    """
    corpus = at_the_moment(data.corpus, new)
    asked = dataclasses.replace(data, corpus=corpus)
    try:
        recommender = recommender_class(run.settings.model).load(weights, run.settings, asked)
    except DataError:
        return None  # no hashtag has enough posts before them
    return figures_of(run.task, corpus, run.settings.data, recommender)


def figures_of(
    task: Any, corpus: Corpus, data: Any, recommender: Any, seed: int = 0
) -> dict[str, Any] | None:
    """Figures of the test split of a corpus, as `ranked_before` gives them.

    Args:
        task: of the recommender.
        corpus: the moment, as splits.
        data: section `data` of the settings.
        recommender: what ranks.
        seed: of what is drawn, and of ties.
    """
    queries = task.queries(corpus, data, Split.TEST, seed=seed)
    if not len(queries) or not len(queries.truth.hashtags.values):
        return None
    model = followed(task, queries, recommender.rank(queries))
    if model is None:
        return None
    popular = followed(task, queries, queries.ranking(_popularity(queries)))
    assert popular is not None
    gain = model - popular
    return {
        "queries": len(model),
        "metric": task.followed,
        "value": float(model.mean()),
        "error": _error(model),
        "popular": float(popular.mean()),
        "gain": float(gain.mean()),
        "gain_error": _error(gain),
    }


def mean_gain(figures: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Gain over popularity over all queries of several figures, and its standard error."""
    weights = [row["queries"] for row in figures]
    total = sum(weights)
    mean = sum(w * row["gain"] for w, row in zip(weights, figures, strict=True)) / total
    error = math.sqrt(
        sum((w / total * row["gain_error"]) ** 2 for w, row in zip(weights, figures, strict=True))
    )
    return mean, error


def at_the_moment(corpus: Corpus, new: np.ndarray) -> Corpus:
    """The corpus as an evaluation of the new posts reads it: they are test, all others train."""
    splits = np.where(new, Split.TEST, Split.TRAIN).astype(np.int8)
    users = np.unique(corpus.user_of_post[new]).astype(np.int32)
    return dataclasses.replace(corpus, split_of_post=splits, evaluation_users=users)


def followed(task: Any, queries: Queries, ranking: Any) -> np.ndarray | None:
    """The followed metric of each query that has something to be found; None where none has."""
    cutoffs = (int(task.followed.partition("@")[2] or 5),)
    values = task.measure(queries, ranking, cutoffs)[task.followed]
    truth = queries.truth
    found = np.zeros(len(truth), bool)
    found[truth.hashtags.row_of_value[truth.labels > 0]] = True
    values = np.asarray(values)[found] if len(values) == len(found) else np.asarray(values)
    return values if len(values) else None


def _popularity(queries: Queries) -> np.ndarray:
    if isinstance(queries, UserQueries):
        return PopularityScorer("train").score(queries.episode)
    assert isinstance(queries, PostQueries)
    return PopularHashtags(queries.corpus, queries.labels).score(queries.posts)


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
