"""The recommended model of users behind raw strings."""

from typing import Any

import tensorflow as tf

from tfhashtag.encoders.blocks import in_blocks
from tfhashtag.explain.contributions import largest_first
from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.explanation import WORDS, parts_of
from tfhashtag.recommenders.audience.model import (
    AudienceModel,
    content_features_of,
    features_of,
    statistics_of,
)
from tfhashtag.recommenders.audience.signals import SIGNALS, USER_SIGNALS, AudienceSignals
from tfhashtag.tasks.users.servable import State, UsersServable

_PAIRS_AT_A_TIME = 4096


class AudienceServingHead:
    """Serves an `AudienceModel` over the tables of one audience.

    A signal is read beside its z-score among the reference hashtags, so the score of a hashtag
    does not depend on which others a request names.

    Args:
        model: a trained `AudienceModel`.
        audience: the tables.
        candidates: how many hashtags of a user are retrieved and ranked; None: all.
    """

    def __init__(
        self, model: AudienceModel, audience: Audience, candidates: int | None = None
    ) -> None:
        self.model = model
        self.candidates = candidates
        self.count = len(audience.hashtags)
        self.signals = AudienceSignals(audience.served())

    def user_state(self, vectors: tf.Tensor, mask: tf.Tensor, hashtags: tf.Tensor) -> State:
        """What `AudienceSignals.user_state` gives, and the statistics of the reference."""
        state = self.signals.user_state(vectors, mask, hashtags)
        reference = self.signals.reference[None]
        found = self.signals.signals(state, tf.tile(reference, [tf.shape(vectors)[0], 1]))
        mean, deviation = statistics_of(found, self.signals.unused(state))
        return {**state, "mean": mean, "deviation": deviation}

    def ranked(self, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        """What is retrieved of the catalogue, and its logits, `[B, C]` each."""
        if self.candidates is None:
            users = tf.shape(state["text"])[0]
            places = tf.tile(tf.range(self.count)[None], [users, 1])
        else:
            look = self.signals.first_look(state, self.model.first_look)
            places = tf.math.top_k(look, min(self.candidates, self.count)).indices
        return places, self.logits_of(state, places)

    def logits_of(self, state: State, places: tf.Tensor) -> tf.Tensor:
        """Logits `[B, C]` of rows of the catalogue, of few users at a time."""
        known = state["known"]
        names = [name for name in state if name != "known"]

        def logits(rows: list[tf.Tensor]) -> tf.Tensor:
            some = {**dict(zip(names, rows[1:], strict=True)), "known": known}
            found = self.signals.signals(some, rows[0])
            statistics = some["mean"], some["deviation"]
            return self.model(features_of(found, some["alone"], statistics), training=False)

        size = tf.maximum(_PAIRS_AT_A_TIME // tf.maximum(tf.shape(places)[1], 1), 1)
        rows = [places, *(state[name] for name in names)]
        return in_blocks(logits, rows, size, tf.TensorSpec([None, None]), beside=1)

    def explain(self, state: State, places: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `tfhashtag explain` says of signals, for a hashtag a user."""
        found = self.signals.signals(state, places[:, None])
        features = features_of(found, state["alone"], (state["mean"], state["deviation"]))[:, 0]
        names = (*SIGNALS, *USER_SIGNALS)
        values = tf.concat([features[:, : len(SIGNALS)], state["alone"]], axis=1)
        parts = parts_of(self.model, features)
        return largest_first(names, [WORDS[name] for name in names], values, parts)

    def context_logits(
        self, state: State, texts: tf.Tensor, vectors: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits from the messages alone, since nobody says who wrote them; attention over them."""
        found, attention = self.signals.context_signals(state, vectors, mask)
        features = content_features_of(found, state["alone"], (state["mean"], state["deviation"]))
        return self.model.content_logits(features, training=False), attention

    def embedding(self, state: State) -> tf.Tensor:
        """Mean history vector less that of all users, taste, and names: unit parts, `[B, e]`."""
        return tf.concat([state["centred"], state["taste"], state["names"]], axis=-1)

    def trackables(self) -> list[Any]:
        """Model and constants."""
        return [self.model, self.signals]


def audience_servable(recommender: Any, k: int = 50) -> UsersServable:
    """A trained `audience` recommender as it is exported: see `UsersServable.of_catalogue`."""
    data = recommender.settings.data
    return UsersServable.of_catalogue(
        recommender.data,
        data.minimum_contexts,
        data.history_length,
        k,
        lambda episode, hashtags: AudienceServingHead(
            recommender.model,
            recommender.audience(episode),
            None if len(hashtags) <= data.rank_whole else data.candidates,
        ),
    )
