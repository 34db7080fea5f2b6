"""Pairs of user and hashtag for Figure 6, drawn by lot among those that the model got right."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhashtag.explain.explanation import Explanation, HeatMap, Items
from tfhashtag.metrics import rank
from tfhashtag.recommenders.engagement.explanation import explain_engagement
from tfhashtag.tasks.users.episode import Episode

PAIRS = 3
_MOST_CONTEXTS = 10  # so that a figure can be read


def explained_cases(
    recommender: Any, episode: Episode, scores: np.ndarray, k: int = 5
) -> list[dict[str, Any]]:
    """Explanations of pairs whose hashtag the user takes up and that stood among the first `k`.

    Args:
        recommender: with attention over contexts.
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
        _case(
            explain_engagement(recommender, corpus.users[users[at]], corpus.hashtags[hashtags[at]])
        )
        for at in np.sort(lots)
    ]


def attention_of(case: Mapping[str, Any]) -> HeatMap:
    """Figure 6 of the engagement paper for one of these values."""
    messages = case["messages"]
    return HeatMap(
        key="attention",
        title=f"#{case['hashtag']} as {case['user']} sees it",
        rows=[message["text"] for message in messages],
        values=[[word["topic"] or 0.0 for word in message["words"]] for message in messages],
        cells=[[word["text"] for word in message["words"]] for message in messages],
        weights=("attention", [message["attention"] for message in messages]),
    )


def _case(found: Explanation) -> dict[str, Any]:
    seen, messages = found.panel("attention", HeatMap), found.panel("messages", Items)
    topics: list[Any] = []
    if any(panel.key == "topics" for panel in found.panels):
        panel = found.panel("topics", Items)
        words = [names.split(", ") for names in panel.column("likeliest words")]
        topics = list(zip(panel.column("topic"), panel.column("share"), words, strict=True))
    return {
        "user": found.about["user"],
        "hashtag": found.about["hashtag"],
        "messages": [
            {
                "text": text,
                "attention": weight,
                "words": [{"text": word, "topic": topic} for word, topic in row],
            }
            for text, weight, row in zip(
                seen.rows, messages.column("attention"), messages.column("message"), strict=True
            )
        ],
        "topics": topics,
        "history": [(text, None) for text in found.panel("history", Items).column("message")],
    }
