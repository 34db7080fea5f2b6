"""From an episode to the features of its candidates, in blocks of users."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.model import (
    AudienceModel,
    catalogue_statistics,
    content_features_of,
    features_of,
)
from tfhashtag.recommenders.audience.signals import AudienceSignals
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.list_training import CandidateLists


def candidate_features(
    episode: Episode,
    audience: Audience,
    vectors: np.ndarray,
    *,
    history_length: int = 50,
    block_users: int = 64,
) -> CandidateLists:
    """Works out the signals of a whole episode and keeps those of the candidates.

    Its heads are those of `AudienceModel`.

    Args:
        episode: the moment; `audience` must have been made from it.
        audience: its constants.
        vectors: float32 `[messages of the corpus, d]`.
        history_length: newest messages of a user.
        block_users: users at a time; memory is about 60 kB a user and 100 hashtags.
    """
    blocks = list(
        _blocks(episode, audience, vectors, history_length, block_users, _features_of_pairs)
    )
    lists = episode.candidates
    return CandidateLists(
        {
            head: np.concatenate([found[at] for found in blocks])
            if blocks
            else np.zeros((0, 0), np.float32)
            for at, head in enumerate(("all", "content"))
        },
        lists.hashtags.offsets,
        (lists.labels > 0).astype(np.float32),
    )


def score_audience(
    model: AudienceModel,
    episode: Episode,
    audience: Audience,
    vectors: np.ndarray,
    *,
    history_length: int = 50,
    block_users: int = 64,
) -> np.ndarray:
    """Logits of every candidate of an episode, float32, aligned with `candidates.hashtags.values`.

    Arguments as `candidate_features`; the features are not kept.
    """

    def logits(signals: Any, state: Any, hidden: Any, pairs: Any) -> Any:
        return (model(_features_of_pairs(signals, state, hidden, pairs)[0], training=False),)

    blocks = _blocks(episode, audience, vectors, history_length, block_users, logits)
    return np.concatenate([np.zeros(0, np.float32), *(block[0] for block in blocks)])


def _features_of_pairs(signals: AudienceSignals, state: Any, hidden: Any, pairs: Any) -> Any:
    """Features of (row of the block, place in the catalogue) pairs, `[pairs, *]` each."""
    found = signals.signals(state, hidden)
    statistics = catalogue_statistics(found, state["new"])
    row = pairs[:, 0]
    chosen = tf.gather_nd(found, pairs)[:, None]
    alone = tf.gather(state["alone"], row)
    statistics = tuple(tf.gather(value, row) for value in statistics)
    return (
        features_of(chosen, alone, statistics)[:, 0],
        content_features_of(chosen, alone, statistics)[:, 0],
    )


def _blocks(
    episode: Any, audience: Any, vectors: Any, history_length: Any, block_users: Any, function: Any
) -> Iterator[tuple[np.ndarray, ...]]:
    corpus, lists = episode.corpus, episode.candidates
    signals = AudienceSignals(audience)
    place = np.full(len(corpus.hashtags), -1, np.int64)
    place[audience.hashtags] = np.arange(len(audience.hashtags))
    columns = place[lists.hashtags.values]
    if np.any(columns < 0):
        odd = corpus.hashtags[lists.hashtags.values[np.argmin(columns)]]
        raise DataError(
            f"candidate {odd!r} has fewer than {episode.minimum_contexts} context messages; "
            "leave it out or lower `minimum_contexts`."
        )

    pair = tf.TensorSpec([None, 2], tf.int32)
    hidden_specs = {"entries": pair, "pairs": pair, "norm_places": pair}
    hidden_specs["norms"] = tf.TensorSpec([None], tf.float32)

    def compute(rows: Any, mask: Any, tags: Any, hidden: Any, pairs: Any) -> Any:
        state = signals.user_state(rows, mask, tags)
        return function(signals, state, hidden, pairs)

    # The audience's constants are part of the graph: one graph an audience.
    traced = tf.function(compute, autograph=False).get_concrete_function(
        tf.TensorSpec([None, None, audience.width], tf.float32),
        tf.TensorSpec([None, None], tf.bool),
        tf.TensorSpec([None, None], tf.int32),
        hidden_specs,
        pair,
    )

    filled = np.flatnonzero(lists.hashtags.lengths)
    for start in range(0, len(filled), block_users):
        block = filled[start : start + block_users]
        users = lists.users[block]
        messages, mask, tags = user_inputs(episode, users, history_length)
        rows = np.asarray(vectors[np.maximum(messages, 0)], np.float32)
        taken = lists.hashtags.take(block)
        first, last = lists.hashtags.offsets[block[0]], lists.hashtags.offsets[block[-1] + 1]
        pairs = np.stack([taken.row_of_value, columns[first:last]], axis=1).astype(np.int32)
        hidden = {key: tf.constant(value) for key, value in signals.hidden_of(users).items()}
        found = traced(
            tf.constant(rows), tf.constant(mask), tf.constant(tags), hidden, tf.constant(pairs)
        )
        yield tuple(value.numpy() for value in found)


def user_inputs(
    episode: Episode, users: np.ndarray, history_length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `AudienceSignals.user_state` takes, as indices.

    Returns:
        message rows int32 `[B, H]` (-1 pads), mask bool `[B, H]`, hashtags int32 `[B, T]` (-1 pads)
        of the users' newest known posts.
    """
    corpus = episode.corpus
    longest = int(episode.history.lengths[users].max(initial=1))
    posts = episode.history.padded(users, max(min(history_length, longest), 1), keep="last")
    mask = posts >= 0
    messages = np.where(mask, corpus.message_of_post[np.maximum(posts, 0)], -1).astype(np.int32)
    tags = Rows(corpus.hashtag_offsets, corpus.hashtag_values).take(posts[mask])
    row = np.repeat(np.arange(len(users)), mask.sum(axis=1))[tags.row_of_value]
    by_user = Rows.from_pairs(row, tags.values, len(users))
    width = max(int(by_user.lengths.max(initial=1)), 1)
    return messages, mask, by_user.padded(np.arange(len(users)), width)
