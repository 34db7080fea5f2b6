"""From an episode to the features of its candidates, in blocks of users with lists of a length."""

import itertools
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
from tfhashtag.recommenders.audience.looks import Looks
from tfhashtag.recommenders.audience.model import (
    CONTENT_FEATURES,
    FEATURES,
    content_features_of,
    features_of,
    statistics_of,
)
from tfhashtag.recommenders.audience.signals import SUM_COLUMNS, SUM_SIGNALS, AudienceSignals
from tfhashtag.stored_rows import StoredRows
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.list_training import CandidateLists
from tfhashtag.training.traced_once import traced_once

_PAIRS = 1 << 12  # of users and hashtags in a block: about 40 MB
_MESSAGES = 1 << 16  # each is multiplied with every user of a block: of more, fewer pairs at once
_ROW, _CLOSER = 64, 2  # pairs of a first and of a second look that cost as much as one ranked


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
        self,
        model: Any,
        episode: Episode,
        audience: Audience,
        widths: tuple[int, int] | None = None,
    ) -> np.ndarray:
        """Logits, float32, aligned with `candidates.hashtags.values`; features are not kept.

        Args:
            model: an `AudienceModel`.
            episode: the moment.
            audience: its tables.
            widths: how many of a list are retrieved and how many of these are ranked, see
                `Looks.best`; the others follow after them. None: all are ranked.
        """
        lists = episode.candidates
        found = np.zeros(len(lists.labels), np.float32)
        kept = np.ones(len(found), bool)
        if widths is not None:
            looks = self.looks(model, audience)
            place = self.retrieved(looks, episode, audience, widths[0])
            count = min(widths) if looks.closer else widths[0]
            kept, found = place < count, -1 - place.astype(np.float32)
            row = lists.hashtags.row_of_value
            rows = Rows.from_pairs(row[kept], lists.hashtags.values[kept], len(lists))
            episode = episode.with_candidates(Candidates(lists.users, rows, lists.labels[kept]))
        ranked = np.zeros(int(kept.sum()), np.float32)
        for cells, values in self.blocks(episode, audience):
            ranked[cells] = np.asarray(model(values["all"], training=False))
        if not kept.all():
            found[~kept] += ranked.min()
        found[kept] = ranked
        return found

    def looks(self, model: Any, audience: Audience, weights: Any = None) -> Looks:
        """The `Looks` of an `AudienceModel` at the tables of a moment."""
        self._hold(audience)
        assert self._signals is not None
        return Looks(self._signals, audience, model, weights)

    def retrieved(
        self, looks: Looks, episode: Episode, audience: Audience, candidates: int
    ) -> np.ndarray:
        """How far in front each candidate of an episode stands by the looks.

        Args:
            looks: at the same tables, which have not been left for others since.
            episode: the moment.
            audience: its tables.
            candidates: how many of a list the second look looks at, those that the first puts
                highest. What a user must not see is left out of both.

        Returns:
            int64, aligned with `candidates.hashtags.values`: the place of each in its list, from 0:
            what the second look looked at in its order, then the others in that of the first.
        """
        lists, columns = episode.candidates, _columns(episode, audience)
        found = np.zeros(len(columns), np.int64)
        size = min(_ROW * self.block_pairs // looks.count, _CLOSER * self.block_pairs // candidates)
        size = max(size, 1)
        for start in range(0, len(lists), size):
            users = lists.users[start : start + size]
            offsets = lists.hashtags.offsets[start : start + len(users) + 1]
            some = Rows(offsets - offsets[0], columns[offsets[0] : offsets[-1]])
            places = self._places(looks, episode, audience, users, some, candidates)
            found[offsets[0] : offsets[-1]] = places
        return found

    def _places(
        self,
        looks: Looks,
        episode: Episode,
        audience: Audience,
        users: np.ndarray,
        lists: Rows,
        candidates: int,
    ) -> np.ndarray:
        """`retrieved` for some users, whose lists are rows of the tables."""
        messages, mask, tags = user_inputs(episode, users, self.history_length)
        state = looks.signals.user_state(self._read(messages), mask, tags)
        first = looks.first(state).numpy()
        hidden, sums, whole = self._hidden(looks.signals, state, episode, audience, users)
        # All by the same sketch: what is hidden, which the truth is, must not be seen any better.
        first[tuple(hidden.T)] += looks.first_of(sums) - looks.first_of(whole)
        bounds = list(itertools.pairwise(lists.offsets.tolist()))
        order = [
            np.argsort(-first[row, lists.values[start:stop]], kind="stable")
            for row, (start, stop) in enumerate(bounds)
        ]
        if looks.closer:
            best = Rows.from_lists([lists[at][some[:candidates]] for at, some in enumerate(order)])
            places = best.padded(np.arange(len(users)), _even(int(best.lengths.max())))
            places = np.maximum(places, 0)
            again = np.full(first.shape, np.nan, np.float32)
            again[tuple(hidden.T)] = looks.second_of(sums, tf.gather(state["alone"], hidden[:, 0]))
            again = np.take_along_axis(again, places, axis=1)
            second = np.where(np.isnan(again), looks.second(state, places), again)
            for row, some in enumerate(order):
                count = int(best.lengths[row])
                some[:count] = some[:count][np.argsort(-second[row, :count], kind="stable")]
        found = np.zeros(len(lists.values), np.int64)
        for (start, stop), some in zip(bounds, order, strict=True):
            found[start:stop][some] = np.arange(stop - start)
        return found

    def _hidden(
        self,
        signals: AudienceSignals,
        state: Any,
        episode: Episode,
        audience: Audience,
        users: np.ndarray,
    ) -> tuple[np.ndarray, Any, Any]:
        """Of what hashtags the tables show some users too much.

        Returns:
            int `[n, 2]`, place of the user and row of the tables; float32
            `[n, len(SUM_SIGNALS)]`, the signals of what each may see, and of all that is there.
        """
        place = np.full(len(episode.corpus.hashtags), -1)
        place[audience.hashtags] = np.arange(len(audience.hashtags))
        row_of = np.full(len(episode.corpus.users), -1)
        row_of[users] = np.arange(len(users))
        row, at = row_of[episode.hidden[:, 0]], place[episode.hidden[:, 1]]
        inside = (row >= 0) & (at >= 0)
        pairs = np.unique(np.stack([row[inside], at[inside]], axis=1), axis=0)
        if len(pairs) == 0:
            nothing = tf.zeros([0, len(SUM_SIGNALS)])
            return pairs, nothing, nothing
        rows = Rows.from_pairs(pairs[:, 0], pairs[:, 1], len(users))
        places = rows.padded(np.arange(len(users)), _even(int(rows.lengths.max())))
        seen = Shown(*(tf.constant(value) for value in audience.shown(users, places)))
        shown = tf.gather(signals.signals(state, places, seen), SUM_COLUMNS, axis=-1)
        whole = signals.sum_signals(state, np.maximum(places, 0))
        return pairs, shown[places >= 0], whole[places >= 0]

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
        pairs = self.block_pairs
        if len(audience.vectors) > _MESSAGES:
            pairs = min(pairs, _MESSAGES // audience.messages.shape[1])
        start = 0
        while start < len(order):
            width = _even(int(lengths[order[start]])) + reference
            many = max(1, pairs // width)
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
