"""The message that a model looked at most, beside the one that the user went on to write."""

from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.recommenders.engagement.pipeline import context_rows, history_rows
from tfhashtag.recommenders.engagement.scoring import encode_topics, encode_users
from tfhashtag.tasks.users.episode import Episode

_BATCH = 256


def attended_messages(recommender: Any, episode: Episode) -> dict[str, np.ndarray] | None:
    """Which message had the highest weight for each positive pair of the lists.

    Args:
        recommender: trained, with attention over a hashtag's contexts, or else over the history.
        episode: the moment with its lists.

    Returns:
        None of a model without attention. Else a row for each test post of each positive pair of
        user and hashtag, arrays `[rows]`: `user`, `hashtag` and `post`, places in the corpus;
        `message`, the corpus message with the highest weight, -1 where the model saw none;
        `weight` of it; `similarity`, the cosine of the two messages' vectors, and `chance`, the
        mean cosine over all messages that the model could look at, NaN where it saw none. And
        `history`, bool `[]`: whether it looks at the user's history.
    """
    model = recommender.model
    history = model.topic_attention.score == "mean"
    if history and model.user_encoder.pooling != "attention":
        return None
    candidates = episode.candidates
    positive = candidates.labels > 0
    users, hashtags = candidates.user_of_value[positive], candidates.hashtags.values[positive]
    looked_at = _history_weights if history else _context_weights
    rows, weights = looked_at(recommender, episode, users, hashtags)
    pair, posts = _posts_of(episode.corpus, users, hashtags)
    rows, weights = rows[pair], weights[pair]
    cosines = _cosines(recommender.vectors, episode.corpus.message_of_post[posts], rows)
    some = np.any(rows >= 0, axis=1)
    best = np.argmax(np.where(rows >= 0, weights, -1), axis=1)
    at = np.arange(len(pair)), best
    count = np.maximum(np.sum(rows >= 0, axis=1), 1)
    return {
        "user": users[pair],
        "hashtag": hashtags[pair],
        "post": posts,
        "message": np.where(some, rows[at], -1),
        "weight": weights[at].astype(np.float32),
        "similarity": np.where(some, cosines[at], np.nan).astype(np.float32),
        "chance": np.where(some, cosines.sum(axis=1) / count, np.nan).astype(np.float32),
        "history": np.array(history),
    }


def _context_weights(
    recommender: Any, episode: Episode, users: np.ndarray, hashtags: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Message rows and weights of each pair's contexts, `[pairs, M]`."""
    data, model = recommender.settings.data, recommender.model
    rows = context_rows(
        episode, hashtags, data.contexts_of_ranked, recommender.settings.seed, users=users
    )
    known, place = np.unique(users, return_inverse=True)
    encoded = encode_users(model, history_rows(episode, known, data.history_length))[place]
    weights = np.zeros(rows.shape, np.float32)
    for start in range(0, len(rows), _BATCH):
        part = slice(start, start + _BATCH)
        topics = encode_topics(model, rows[part], recommender.words)
        vectors, mask = model.vectors_of(rows[part][:, None])
        z = None if topics is None else topics[:, None]
        weights[part] = np.asarray(model.score_vectors(encoded[part], vectors, mask, z)[1])[:, 0]
    return rows, weights


def _history_weights(
    recommender: Any, episode: Episode, users: np.ndarray, hashtags: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Message rows and weights of each pair's user's history, `[pairs, H]`."""
    model = recommender.model
    known, place = np.unique(users, return_inverse=True)
    rows = history_rows(episode, known, recommender.settings.data.history_length)
    weights = np.zeros(rows.shape, np.float32)
    for start in range(0, len(rows), _BATCH):
        part = slice(start, start + _BATCH)
        weights[part] = model.user_encoder.attention_of(*model.vectors_of(rows[part]))
    return rows[place], weights[place]


def _posts_of(
    corpus: Corpus, users: np.ndarray, hashtags: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each test post of each pair: the pair's place, and the post."""
    test = np.flatnonzero(corpus.split_of_post == Split.TEST)
    of_pair: dict[tuple[int, int], list[int]] = {}
    for post in test.tolist():
        user = int(corpus.user_of_post[post])
        for hashtag in np.unique(corpus.hashtags_of_post(post)).tolist():
            of_pair.setdefault((user, hashtag), []).append(post)
    found = [
        (place, post)
        for place, pair in enumerate(zip(users.tolist(), hashtags.tolist(), strict=True))
        for post in of_pair[pair]
    ]
    places, posts = zip(*found, strict=True) if found else ((), ())
    return np.array(places, np.int64), np.array(posts, np.int64)


def _cosines(vectors: np.ndarray, messages: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Cosine of each message with each of its rows, `[n, M]`; 0 for padding."""
    cosines = np.zeros(rows.shape, np.float32)
    for start in range(0, len(rows), _BATCH):
        part = slice(start, start + _BATCH)
        one, others = vectors[messages[part]], vectors[np.maximum(rows[part], 0)]
        lengths = np.linalg.norm(one, axis=-1)[:, None] * np.linalg.norm(others, axis=-1)
        products = np.einsum("nd,nmd->nm", one, others)
        cosines[part] = products / np.maximum(lengths, 1e-12) * (rows[part] >= 0)
    return cosines
