"""The recommended model of users behind raw strings."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.blocks import in_blocks
from tfhashtag.explain.contributions import largest_first
from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.explanation import WORDS, parts_of
from tfhashtag.recommenders.audience.looks import Looks
from tfhashtag.recommenders.audience.model import (
    AudienceModel,
    content_features_of,
    features_of,
    statistics_of,
)
from tfhashtag.recommenders.audience.scoring import user_inputs
from tfhashtag.recommenders.audience.signals import SIGNALS, USER_SIGNALS, AudienceSignals
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.tasks.users.servable import State, UsersServable

_PAIRS_AT_A_TIME = 4096
_FIRST, _ASKED, _PAIRS = 20, 64, 1 << 19  # of what is retrieved the recall: by so many users, pairs
_COLUMNS = 256


class AudienceServingHead:
    """Serves an `AudienceModel` over the tables of one audience.

    A signal is read beside its z-score among the reference hashtags, so the score of a hashtag
    does not depend on which others a request names.

    Args:
        model: a trained `AudienceModel`.
        audience: the tables.
        widths: how many hashtags of a user are retrieved and how many of these are ranked, see
            `Looks.best`; None: all are ranked.
        some: gives the arguments of `user_state` for at most so many users; needed with `widths`.
    """

    def __init__(
        self,
        model: AudienceModel,
        audience: Audience,
        widths: tuple[int, int] | None = None,
        some: Callable[[int], tuple[Any, ...]] | None = None,
    ) -> None:
        self.model = model
        self.widths = widths
        self._some = some
        self.count = len(audience.hashtags)
        audience = audience.served()
        self.signals = AudienceSignals(audience)
        self.looks = None if widths is None else Looks(self.signals, audience, model)

    def user_state(self, vectors: tf.Tensor, mask: tf.Tensor, hashtags: tf.Tensor) -> State:
        """What `AudienceSignals.user_state` gives."""
        return self.signals.user_state(vectors, mask, hashtags)

    def ranked(self, state: State, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What is retrieved of the catalogue, and its logits, `[B, C]` each.

        At least `k` are ranked, but no more than are retrieved.
        """
        users = tf.shape(state["text"])[0]
        if self.looks is None or self.widths is None:
            places = tf.tile(tf.range(self.count)[None], [users, 1])
        else:
            looks, (candidates, least) = self.looks, self.widths
            ranked = tf.maximum(k, least)
            places = self._in_blocks(
                lambda some: looks.best(some, candidates, ranked), state, candidates, tf.int32
            )
        return places, self.logits_of(state, places)

    def logits_of(self, state: State, places: tf.Tensor) -> tf.Tensor:
        """Logits `[B, C]` of rows of the catalogue, of few users at a time."""

        def logits(some: State) -> tf.Tensor:
            return self.model(self._features(some, some["places"]), training=False)

        columns = tf.shape(places)[1] + tf.shape(self.signals.reference)[0]
        return self._in_blocks(logits, {**state, "places": places}, columns, tf.float32)

    def _features(self, state: State, places: tf.Tensor) -> tf.Tensor:
        """The features of hashtags by their places, `[B, C, FEATURES]`."""
        beside = tf.shape(self.signals.reference)[0]
        found = self.signals.signals(state, tf.concat([self._reference(state), places], axis=1))
        statistics = statistics_of(found[:, :beside], self.signals.unused(state))
        return features_of(found[:, beside:], state["alone"], statistics)

    def _reference(self, state: State) -> tf.Tensor:
        return tf.tile(self.signals.reference[None], [tf.shape(state["text"])[0], 1])

    def _in_blocks(self, compute: Any, state: State, columns: Any, dtype: Any) -> tf.Tensor:
        """What a function gives `[B, *]` of the state of users, a few thousand pairs at a time."""
        known = state["known"]  # has no row a user
        names = [name for name in state if name != "known"]
        size = tf.maximum(_PAIRS_AT_A_TIME // tf.maximum(columns, 1), 1)
        return in_blocks(
            lambda rows: compute({**dict(zip(names, rows, strict=True)), "known": known}),
            [state[name] for name in names],
            size,
            tf.TensorSpec([None, None], dtype),
            beside=1,
        )

    def explain(self, state: State, places: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `tfhashtag explain` says of signals, for a hashtag a user."""
        features = self._features(state, places[:, None])[:, 0]
        names = (*SIGNALS, *USER_SIGNALS)
        values = tf.concat([features[:, : len(SIGNALS)], state["alone"]], axis=1)
        parts = parts_of(self.model, features)
        return largest_first(names, [WORDS[name] for name in names], values, parts)

    def context_state(self, state: State) -> State:
        """Besides, the statistics of the reference."""
        found = self.signals.signals(state, self._reference(state))
        mean, deviation = statistics_of(found, self.signals.unused(state))
        return {**state, "mean": mean, "deviation": deviation}

    def context_logits(
        self, state: State, texts: tf.Tensor, vectors: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits from the messages alone, since nobody says who wrote them; attention over them."""
        found, attention = self.signals.context_signals(state, vectors, mask)
        features = content_features_of(found, state["alone"], (state["mean"], state["deviation"]))
        return self.model.content_logits(features, training=False), attention

    def limits(self) -> tuple[str, ...]:
        """Where a catalogue is not ranked whole, what that leaves of the whole ranking's first."""
        if self.looks is None or self.widths is None or self._some is None:
            return ()
        candidates, ranked = (min(width, self.count) for width in self.widths)
        ranked = min(ranked, candidates) if self.looks.closer else candidates
        first, looks = min(_FIRST, ranked), self.looks
        state = self.user_state(*self._some(min(_ASKED, max(_PAIRS // self.count, 1))))
        kept = self._in_blocks(
            lambda few: looks.best(few, candidates, ranked), state, candidates, tf.int32
        ).numpy()
        blocks = []
        for start in range(0, self.count, _COLUMNS):
            places = tf.range(start, min(start + _COLUMNS, self.count))[None]
            blocks.append(self.logits_of(state, tf.tile(places, [len(kept), 1])).numpy())
        best = np.argsort(-np.concatenate(blocks, axis=1), axis=1, kind="stable")[:, :first]
        share = np.mean([np.isin(*rows).mean() for rows in zip(best, kept, strict=True)])
        return (
            f"Of {self.count:,} hashtags {candidates:,} are retrieved for a user and {ranked:,} of "
            f"them ranked: {share:.3f} of the first {first} of a ranking of all are among these "
            f"(measured on {len(kept)} users).",
        )

    def embedding(self, state: State) -> tf.Tensor:
        """Mean history vector less that of all users, taste, and names: unit parts, `[B, e]`."""
        return tf.concat([state["centred"], state["taste"], state["names"]], axis=-1)

    def trackables(self) -> list[Any]:
        """Model and constants."""
        return [self.model, self.signals, *([] if self.looks is None else [self.looks])]


def audience_servable(recommender: Any, k: int = 50) -> UsersServable:
    """A trained `audience` recommender as it is exported: see `UsersServable.of_catalogue`."""
    data = recommender.settings.data

    def head(episode: Episode, hashtags: np.ndarray) -> AudienceServingHead:
        def some(count: int) -> tuple[Any, ...]:
            users = np.flatnonzero(episode.history.lengths)
            users = np.sort(np.random.default_rng(0).permutation(users)[:count])
            messages, mask, tags = user_inputs(episode, users, data.history_length)
            vectors = np.asarray(recommender.vectors[np.maximum(messages, 0)], np.float32)
            return vectors, mask, tags

        whole = len(hashtags) <= data.rank_whole
        return AudienceServingHead(
            recommender.model,
            recommender.audience(episode),
            None if whole else (data.candidates, data.ranked),
            None if whole else some,
        )

    return UsersServable.of_catalogue(
        recommender.data, data.minimum_contexts, data.history_length, k, head
    )
