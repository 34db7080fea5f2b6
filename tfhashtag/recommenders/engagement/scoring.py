"""Scores of an episode's candidates, each for what its user may see."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.vocabulary import MessageWords
from tfhashtag.recommenders.engagement.catalogue import score_catalogue
from tfhashtag.recommenders.engagement.model import EngagementModel
from tfhashtag.recommenders.engagement.pipeline import context_rows, history_rows
from tfhashtag.tasks.users.episode import Episode

_BATCH_HASHTAGS = 256
_BATCH_PAIRS = 512


def encode_users(model: EngagementModel, history: np.ndarray, batch_users: int = 256) -> np.ndarray:
    """User embeddings of histories, those of similar length together.

    Args:
        model: with its `message_vectors` set.
        history: int `[U, H]`, message rows, oldest first, -1 pads at the end.
        batch_users: users at a time.

    Returns:
        float32 `[U, model.user_width]`, in the order of `history`.

    Example:

    >>> from tfhashtag.recommenders.engagement.compose import compose
    >>> from tfhashtag.recommenders.engagement.settings import EngagementNetwork
    >>> model = compose(EngagementNetwork(topics=None, hidden=5), message_width=4)
    >>> model.message_vectors = np.ones((10, 4))
    >>> encode_users(model, np.array([[1, 2, -1], [-1, -1, -1]])).shape
    (2, 10)
    """
    lengths = np.sum(history >= 0, axis=1)
    order = np.argsort(lengths, kind="stable")
    users = np.zeros((len(history), model.user_width), np.float32)
    encode = model.traced(_encode, input_signature=[tf.TensorSpec([None, None], history.dtype)])
    for start in range(0, len(order), batch_users):
        chosen = order[start : start + batch_users]
        longest = max(1, lengths[chosen[-1]])
        users[chosen] = tf.cast(encode(tf.constant(history[chosen, :longest])), tf.float32)
    return users


def encode_topics(
    model: EngagementModel, contexts: np.ndarray, words: MessageWords | None
) -> np.ndarray | None:
    """Topics \\(z_h\\) of hashtags from the words of their context messages.

    Args:
        model: any; None is returned for one without topics.
        contexts: int `[N, M]`, message rows, -1 pads.
        words: of all messages; None for a model without topics.

    Returns:
        float32 `[N, K]`, or None.
    """
    if model.topic_model is None:
        return None
    if words is None:
        raise ValueError("`words` is None, but the model has topics: pass a `MessageWords`.")
    topics = np.zeros((len(contexts), model.topic_model.topics), np.float32)
    for start in range(0, len(contexts), _BATCH_HASHTAGS):
        part = slice(start, start + _BATCH_HASHTAGS)
        topics[part] = tf.cast(model.encode_hashtags(words.bags(contexts[part])), tf.float32)
    return topics


def score_candidates(
    model: EngagementModel,
    episode: Episode,
    words: MessageWords | None = None,
    *,
    history_length: int = 50,
    contexts_length: int = 30,
    seed: int = 0,
) -> np.ndarray:
    """Logits of every candidate of an episode.

    Hashtags are scored once for all users by `score_catalogue`. Where a user may not see some of a
    hashtag's messages (the user's own, mostly), that pair is scored by itself, from the messages
    and the words that this user may see: such words must not reach the topics either.

    Args:
        model: with its `message_vectors` set.
        episode: candidates, histories and contexts.
        words: of all messages of the corpus; None for a model without topics.
        history_length, contexts_length: as in training.
        seed: of the sample of contexts.

    Returns:
        float32, aligned with `episode.candidates.hashtags.values`.
    """
    candidates = episode.candidates
    hashtags = candidates.hashtags.values
    row = candidates.hashtags.row_of_value
    if len(hashtags) == 0:
        return np.zeros(0, np.float32)
    users = encode_users(model, history_rows(episode, candidates.users, history_length))
    catalogue, column = np.unique(hashtags, return_inverse=True)
    contexts = context_rows(episode, catalogue, contexts_length, seed)
    scores = score_catalogue(model, users, contexts, encode_topics(model, contexts, words))
    scores = scores[row, column]
    counts = episode.visible_context_counts(candidates.users[row], hashtags)
    apart = np.flatnonzero(counts < episode.contexts.lengths[hashtags])
    if len(apart):
        contexts = context_rows(
            episode, hashtags[apart], contexts_length, seed, users=candidates.users[row[apart]]
        )
        topics = encode_topics(model, contexts, words)
        scores[apart] = _score_pairs(model, users[row[apart]], contexts, topics)
    return scores


def _encode(model: Any, rows: Any) -> Any:
    return model.encode_user(*model.vectors_of(rows))


def _score(model: Any, user: Any, rows: Any, z: Any) -> Any:
    vectors, mask = model.vectors_of(rows[:, None])
    z = None if z is None else z[:, None]
    return model.score_vectors(user, vectors, mask, z)[0][:, 0]


def _score_pairs(model: Any, users: Any, contexts: Any, topics: Any) -> np.ndarray:
    score = model.traced(_score, reduce_retracing=True)
    scores = np.zeros(len(users), np.float32)
    for start in range(0, len(users), _BATCH_PAIRS):
        part = slice(start, start + _BATCH_PAIRS)
        z = None if topics is None else tf.constant(topics[part])
        scores[part] = score(tf.constant(users[part]), tf.constant(contexts[part]), z)
    return scores
