"""From an episode to the features of its candidates, in blocks of users with lists of a length."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.memory import let_go
from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.hidden import Shown
from tfhashtag.recommenders.audience.model import (
    CONTENT_FEATURES,
    FEATURES,
    content_features_of,
    features_of,
    statistics_of,
)
from tfhashtag.recommenders.audience.signals import FIRST_LOOK, SIGNALS, AudienceSignals
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.list_training import CandidateLists
from tfhashtag.training.stored_rows import StoredRows
from tfhashtag.training.traced_once import traced_once

_PAIRS = 1 << 12  # of users and hashtags in a block: about 40 MB
_ROW = 64  # pairs that are looked at once cost as much as one that is ranked


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
        widths = {"all": FEATURES, "content": CONTENT_FEATURES}
        found = {
            head: StoredRows(len(lists.labels), width, np.float16) for head, width in widths.items()
        }
        try:
            for cells, values in self.blocks(episode, audience):
                for head, some in values.items():
                    found[head].write(cells, some)
        finally:
            if self._signals is not None:
                self._signals.release()
        return CandidateLists(
            found,
            lists.hashtags.offsets,
            (lists.labels > 0).astype(np.float32),
        )

    def scores(
        self, model: Any, episode: Episode, audience: Audience, count: int | None = None
    ) -> np.ndarray:
        """Logits, float32, aligned with `candidates.hashtags.values`; features are not kept.

        Args:
            model: an `AudienceModel`.
            episode: the moment.
            audience: its tables.
            count: candidates of a list that are ranked, see `retrieved`; the others follow after
                them in the order of the first look. None: all are.
        """
        lists = episode.candidates
        found = np.zeros(len(lists.labels), np.float32)
        kept = np.ones(len(found), bool)
        if count is not None:
            kept, found = self.retrieved(model.first_look, episode, audience, count)
            row = lists.hashtags.row_of_value
            rows = Rows.from_pairs(row[kept], lists.hashtags.values[kept], len(lists))
            episode = episode.with_candidates(Candidates(lists.users, rows, lists.labels[kept]))
        ranked = np.zeros(int(kept.sum()), np.float32)
        for cells, values in self.blocks(episode, audience):
            ranked[cells] = np.asarray(model(values["all"], training=False))
        if not kept.all():
            lowest, highest = ranked.min(), found[~kept].max()
            found[~kept] += lowest - highest - 1
        found[kept] = ranked
        return found

    def retrieved(
        self, weights: np.ndarray, episode: Episode, audience: Audience, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which candidates of an episode are worth to be ranked, by one product a hashtag.

        Args:
            weights: float32 `[len(FIRST_LOOK)]`, those of `AudienceModel.first_look` or some.
            episode: the moment.
            audience: its tables.
            count: candidates of a list that are kept.

        Returns:
            bool and float32, aligned with `candidates.hashtags.values`: whether each is among the
            best of its list, and the look that was taken. What a user must not see is left out of
            that, too.
        """
        lists, weights = episode.candidates, tf.constant(weights)
        columns = _columns(episode, audience)
        self._hold(audience)
        kept, looks = np.zeros(len(columns), bool), np.zeros(len(columns), np.float32)
        size = max(1, self.block_pairs * _ROW // len(audience.hashtags))
        for start in range(0, len(lists), size):
            users = lists.users[start : start + size]
            found = self._look(episode, audience, users, weights)
            for row in range(len(users)):
                first, last = lists.hashtags.offsets[start + row : start + row + 2]
                looks[first:last] = found[row, columns[first:last]]
                best = np.argsort(-looks[first:last], kind="stable")[:count]
                kept[first + best] = True
        return kept, looks

    def _look(
        self, episode: Episode, audience: Audience, users: np.ndarray, weights: Any
    ) -> np.ndarray:
        """The first look at all hashtags, float32 `[B, N]`, of what each user may see."""
        signals = self._signals
        assert signals is not None
        messages, mask, tags = user_inputs(episode, users, self.history_length)
        vectors = self._read(messages)
        state = signals.user_state(vectors, mask, tags)
        look = signals.first_look(state, weights).numpy()
        place = np.full(len(episode.corpus.hashtags), -1)
        place[audience.hashtags] = np.arange(len(audience.hashtags))
        row_of = np.full(len(episode.corpus.users), -1)
        row_of[users] = np.arange(len(users))
        row, at = row_of[episode.hidden[:, 0]], place[episode.hidden[:, 1]]
        inside = (row >= 0) & (at >= 0)
        pairs = np.unique(np.stack([row[inside], at[inside]], axis=1), axis=0)
        if len(pairs):  # of these the tables show too much
            fewer = Rows.from_pairs(pairs[:, 0], pairs[:, 1], len(users))
            places = fewer.padded(np.arange(len(users)), _even(int(fewer.lengths.max())))
            shown = audience.shown(users, places)
            seen = Shown(*(tf.constant(v) for v in shown))
            values = signals.signals(state, places, seen).numpy()
            chosen = values[..., [SIGNALS.index(name) for name in FIRST_LOOK]] @ weights.numpy()
            look[pairs[:, 0], pairs[:, 1]] = chosen[places >= 0]
        return look

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
            width = _even(int(lengths[order[start]])) + reference
            many = max(1, self.block_pairs // width)
            block = order[start : start + many]
            start += len(block)
            places = rows.padded(block, width - reference)
            listed = places >= 0
            offsets = rows.offsets[block][:, None] + np.arange(places.shape[1])
            # The last of several is filled up with its first user, asked about nothing.
            more = [[0, many - len(block) if start > len(block) else 0], [0, 0]]
            users = np.pad(lists.users[block], more[0], constant_values=lists.users[block[0]])
            places = np.pad(places, more, constant_values=-1)
            found = self._block(episode, audience, users, places)
            yield (
                offsets[listed],
                {name: value.numpy()[: len(block)][listed] for name, value in found.items()},
            )

    def _hold(self, audience: Audience) -> None:
        if self._signals is None:
            self._signals = AudienceSignals(audience)
            self._traced = traced_once(self._features, free=2)
        else:
            self._signals.assign(audience)

    def _read(self, messages: np.ndarray) -> np.ndarray:
        found = np.asarray(self.vectors[np.maximum(messages, 0)], np.float32)
        let_go(self.vectors)
        return found

    def _block(
        self, episode: Episode, audience: Audience, users: np.ndarray, places: np.ndarray
    ) -> dict[str, tf.Tensor]:
        messages, mask, tags = user_inputs(episode, users, self.history_length)
        vectors = self._read(messages)
        beside = np.tile(audience.reference, (len(users), 1))
        places = np.concatenate([beside, places], axis=1)
        shown = audience.shown(users, places)
        return self._traced(
            tf.constant(vectors),
            tf.constant(mask),
            tf.constant(tags),
            tf.constant(places),
            [tf.constant(value) for value in shown],
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
    width = _even(int(by_user.lengths.max(initial=1)))
    return messages, mask, by_user.padded(np.arange(len(users)), width)


def _even(width: int) -> int:
    """The next of few widths, see `signals.py`: multiples of 16."""
    return max(-(-width // 16), 1) * 16
