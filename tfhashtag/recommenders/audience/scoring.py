"""From an episode to the features of its candidates, in blocks of users with lists of a length."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.hidden import Shown
from tfhashtag.recommenders.audience.model import content_features_of, features_of, statistics_of
from tfhashtag.recommenders.audience.signals import AudienceSignals
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.list_training import CandidateLists

_PAIRS = 1 << 13  # of users and hashtags in a block: about 60 MB


class AudienceScoring:
    """Works out features of the candidates of episodes; what was traced serves them all.

    Args:
        vectors: float `[messages of the corpus, d]`; may be memory-mapped.
        history_length: newest messages of a user.
        block_pairs: users and candidates at a time, padding and reference hashtags included.
    """

    def __init__(
        self, vectors: np.ndarray, history_length: int = 50, block_pairs: int = _PAIRS
    ) -> None:
        self.vectors = vectors
        self.history_length = history_length
        self.block_pairs = block_pairs
        self._signals: AudienceSignals | None = None
        self._traced: Any = None

    def features(self, episode: Episode, audience: Audience) -> CandidateLists:
        """The features of every candidate of an episode, by the heads of `AudienceModel`.

        Args:
            episode: the moment; `audience` must have been made from it.
            audience: its tables.

        Returns:
            Features in float16, list after list.

        Raises:
            DataError: a candidate is not in the catalogue.
        """
        lists = episode.candidates
        found: dict[str, np.ndarray] = {}
        for cells, values in self.blocks(episode, audience):
            for head, some in values.items():
                if head not in found:
                    found[head] = np.zeros((len(lists.labels), some.shape[1]), np.float16)
                found[head][cells] = some
        empty = np.zeros((0, 0), np.float16)
        return CandidateLists(
            {head: found.get(head, empty) for head in ("all", "content")},
            lists.hashtags.offsets,
            (lists.labels > 0).astype(np.float32),
        )

    def scores(self, model: Any, episode: Episode, audience: Audience) -> np.ndarray:
        """Logits, float32, aligned with `candidates.hashtags.values`; features are not kept."""
        found = np.zeros(len(episode.candidates.labels), np.float32)
        for cells, values in self.blocks(episode, audience):
            found[cells] = np.asarray(model(values["all"], training=False))
        return found

    def blocks(
        self, episode: Episode, audience: Audience
    ) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Places of candidates in `candidates.hashtags.values`, and their features by head."""
        lists = episode.candidates
        columns = _columns(episode, audience)
        self._hold(audience)
        rows = Rows(lists.hashtags.offsets, columns)
        lengths = rows.lengths
        order = np.argsort(-lengths, kind="stable")
        order = order[: np.count_nonzero(lengths)]
        reference = len(audience.reference)
        start = 0
        while start < len(order):
            width = int(lengths[order[start]]) + reference
            block = order[start : start + max(1, self.block_pairs // width)]
            start += len(block)
            places = rows.padded(block, width - reference)
            listed = places >= 0
            offsets = rows.offsets[block][:, None] + np.arange(places.shape[1])
            found = self._block(episode, audience, lists.users[block], places)
            yield (
                offsets[listed],
                {name: value.numpy()[listed] for name, value in found.items()},
            )

    def _hold(self, audience: Audience) -> None:
        if self._signals is None:
            self._signals = AudienceSignals(audience)
            self._traced = tf.function(self._features, autograph=False, reduce_retracing=True)
        else:
            self._signals.assign(audience)

    def _block(
        self, episode: Episode, audience: Audience, users: np.ndarray, places: np.ndarray
    ) -> dict[str, tf.Tensor]:
        messages, mask, tags = user_inputs(episode, users, self.history_length)
        vectors = np.asarray(self.vectors[np.maximum(messages, 0)], np.float32)
        beside = np.tile(audience.reference, (len(users), 1))
        places = np.concatenate([beside, places], axis=1)
        shown = audience.shown(users, places)
        return self._traced(
            tf.constant(vectors),
            tf.constant(mask),
            tf.constant(tags),
            tf.constant(places),
            [
                tf.constant(value)
                for value in (shown.messages, shown.authors, shown.counts, shown.norms)
            ],
        )

    def _features(self, vectors: Any, mask: Any, tags: Any, places: Any, shown: Any) -> Any:
        signals = self._signals
        assert signals is not None
        state = signals.user_state(vectors, mask, tags)
        found = signals.signals(state, places, Shown(*shown))
        beside = tf.shape(signals.reference)[0]
        statistics = statistics_of(found[:, :beside], signals.unused(state))
        chosen = found[:, beside:]
        return {
            "all": features_of(chosen, state["alone"], statistics),
            "content": content_features_of(chosen, state["alone"], statistics),
        }


def _columns(episode: Episode, audience: Audience) -> np.ndarray:
    """The row of the tables of every candidate."""
    corpus, values = episode.corpus, episode.candidates.hashtags.values
    place = np.full(len(corpus.hashtags), -1, np.int32)
    place[audience.hashtags] = np.arange(len(audience.hashtags))
    columns = place[values]
    if np.any(columns < 0):
        odd = corpus.hashtags[values[np.argmin(columns)]]
        raise DataError(
            f"candidate {odd!r} has fewer than {episode.minimum_contexts} context messages; "
            "leave it out or lower `minimum_contexts`."
        )
    return columns


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
