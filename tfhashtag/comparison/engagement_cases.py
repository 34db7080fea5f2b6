"""Pairs of user and hashtag for Figure 6, drawn by lot among those that the model got right."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhashtag.metrics import rank
from tfhashtag.recommenders.engagement.explanation import (
    ContextMessage,
    EngagementExplanation,
    Word,
    explain_engagement,
)
from tfhashtag.tasks.users.episode import Episode

PAIRS = 3
_MOST_CONTEXTS = 10  # so that a figure can be read


def explained_cases(
    run: pathlib.Path, episode: Episode, scores: np.ndarray, k: int = 5
) -> list[EngagementExplanation]:
    """Explanations of pairs whose hashtag the user takes up and that stood among the first `k`.

    Args:
        run: folder of a complete run with attention over contexts.
        episode: the test moment with its lists.
        scores: float, aligned with the lists.
        k: how far down the list counts as right.
    """
    corpus, candidates = episode.corpus, episode.candidates
    ranking = rank(candidates, scores)
    right = np.sort(ranking.order[(ranking.rank <= k) & (ranking.labels > 0)])
    users, hashtags = candidates.user_of_value[right], candidates.hashtags.values[right]
    few = episode.visible_context_counts(users, hashtags) <= _MOST_CONTEXTS
    chosen = np.flatnonzero(few) if few.any() else np.arange(len(right))
    lots = np.random.default_rng(0).permutation(chosen)[:PAIRS]
    return [
        explain_engagement(run, corpus.users[users[at]], corpus.hashtags[hashtags[at]])
        for at in np.sort(lots)
    ]


def explanation_of(case: Mapping[str, Any]) -> EngagementExplanation:
    """An explanation from its JSON values, the folder of its run left out."""
    messages = [
        ContextMessage(**{**message, "words": [Word(**word) for word in message["words"]]})
        for message in case["messages"]
    ]
    found = {
        **case,
        "messages": messages,
        "topics": [tuple(topic) for topic in case["topics"]],
        "history": [tuple(message) for message in case["history"]],
    }
    return EngagementExplanation(**{"run": "", **found})
