"""Ranking a whole catalogue for many users: keys once, then products of users and keys."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.recommenders.engagement.model import EngagementModel


def score_catalogue(
    model: EngagementModel,
    users: np.ndarray,
    contexts: np.ndarray,
    topics: np.ndarray | None = None,
    *,
    exclude: np.ndarray | None = None,
    block_users: int = 256,
    block_hashtags: int = 16,
) -> np.ndarray:
    """Logits of every hashtag for every user.

    The keys of a hashtag are computed once, whoever looks at it; memory stays at a few hundred MB
    for any number of users and hashtags, beside the answer. Hashtags with few messages share their
    blocks, so that they do not pay for the one with most.

    Args:
        model: with its `message_vectors` set.
        users: float `[U, 2 * hidden]`, from `model.encode_user`.
        contexts: int `[N, M]`, message rows of each hashtag, -1 pads.
        topics: float `[N, K]`, from `model.encode_hashtags`; None without topics.
        exclude: int `[E, 3]` of (row of `users`, row of `contexts`, place in M): context messages
            that this user must not see, such as the user's own. They get weight 0.
        block_users, block_hashtags: how many at a time.

    Returns:
        float32 `[U, N]`.

    Example:

    >>> from tfhashtag.recommenders.engagement.compose import compose
    >>> from tfhashtag.recommenders.engagement.settings import EngagementNetwork
    >>> model = compose(EngagementNetwork(topics=None, hidden=5), message_width=4)
    >>> model.message_vectors = np.random.default_rng(0).normal(size=(10, 4))
    >>> users = model.encode_user(np.ones((2, 3, 4), "float32"))
    >>> scores = score_catalogue(
    ...     model, users, np.array([[0, 1], [2, -1], [3, 4]]), exclude=np.array([[0, 2, 1]])
    ... )
    >>> scores.shape
    (2, 3)
    """
    users = tf.convert_to_tensor(users)
    contexts = np.asarray(contexts, dtype=np.int32)
    topics = None if topics is None else np.asarray(topics)
    exclude = np.zeros((0, 3), np.int64) if exclude is None else np.asarray(exclude)
    count, messages = contexts.shape
    lengths = np.where(contexts >= 0, np.arange(1, messages + 1), 0).max(axis=1, initial=0)
    order = np.argsort(lengths, kind="stable")
    exclude = exclude[contexts[exclude[:, 1], exclude[:, 2]] >= 0]
    place = np.argsort(order)[exclude[:, 1]]
    by_place = np.argsort(place, kind="stable")
    exclude, place = exclude[by_place], place[by_place]
    queries_of, keys_of, score = (
        model.traced(function, jit_compile=True)
        for function in (EngagementModel.user_queries, _keys_of, EngagementModel.score_keys)
    )
    # Blocks of few shapes, which XLA compiles once each: the last ones are filled with padding.
    block_users, block_hashtags = min(block_users, len(users)), min(block_hashtags, count)
    padded = -len(users) % block_users
    user_blocks = [
        queries_of(block)
        for block in tf.split(
            tf.pad(users, [[0, padded], [0, 0]]), (len(users) + padded) // block_users
        )
    ]
    scores = np.zeros((len(users) + padded, count), dtype=np.float32)
    for start in range(0, count, block_hashtags):
        chosen = order[start : start + block_hashtags]
        width = _block_width(lengths[chosen[-1]], messages)
        rows = np.full((block_hashtags, width), -1, np.int32)
        rows[: len(chosen)] = contexts[chosen, :width]
        z = None
        if topics is not None:
            z = np.zeros((block_hashtags, topics.shape[1]), np.float32)
            z[: len(chosen)] = topics[chosen]
        keys = keys_of(tf.constant(rows), None if z is None else tf.constant(z))
        first, last = np.searchsorted(place, [start, start + len(chosen)])
        hidden = np.stack(
            [exclude[first:last, 0], place[first:last] - start, exclude[first:last, 2]]
        )
        for index, block in enumerate(user_blocks):
            mask = np.broadcast_to(rows >= 0, (block_users, *rows.shape)).copy()
            user, hashtag, message = hidden[:, hidden[0] // block_users == index]
            mask[user - index * block_users, hashtag, message] = False
            found = score(block, keys, tf.constant(mask))
            scores[index * block_users : (index + 1) * block_users, chosen] = found[
                :, : len(chosen)
            ]
    return scores[: len(users)]


def _block_width(longest: int, messages: int) -> int:
    """The next power of two, so that there are few widths."""
    return min(messages, 1 << max(1, (int(longest) - 1).bit_length()))


def _keys_of(model: Any, rows: Any, topics: Any) -> Any:
    vectors, _ = model.vectors_of(rows)
    return model.hashtag_keys(vectors, topics)
