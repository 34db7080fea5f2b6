"""The recommended model of users behind raw strings."""

from typing import Any

import tensorflow as tf

from tfhashtag.encoders.blocks import in_blocks
from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.model import (
    AudienceModel,
    catalogue_statistics,
    content_features_of,
    features_of,
)
from tfhashtag.recommenders.audience.signals import AudienceSignals
from tfhashtag.tasks.users.servable import State, UsersServable

_PAIRS_AT_A_TIME = 2048


class AudienceServingHead:
    """Serves an `AudienceModel` for the catalogue of one audience.

    A signal is read beside its z-score among the user's whole catalogue, so the score of a hashtag
    does not depend on which others a request names.

    Args:
        model: a trained `AudienceModel`.
        audience: the constants of the catalogue.
    """

    def __init__(self, model: AudienceModel, audience: Audience) -> None:
        self.model = model
        self.signals = AudienceSignals(audience)

    def user_state(self, vectors: tf.Tensor, mask: tf.Tensor, hashtags: tf.Tensor) -> State:
        """What `AudienceSignals.user_state` gives, with the user's signals of the catalogue."""
        state = self.signals.user_state(vectors, mask, hashtags)
        found = self.signals.signals(state)
        return {
            **state,
            "catalogue": found,
            "statistics": catalogue_statistics(found, state["new"]),
        }

    def catalogue_logits(self, state: State) -> tf.Tensor:
        """Logits `[B, N]`, of few users at a time: the networks' layers of more leave the cache."""

        def logits(rows: list[tf.Tensor]) -> tf.Tensor:
            signals, alone, *statistics = rows
            return self.model(features_of(signals, alone, statistics), training=False)

        count = self.signals.count
        return in_blocks(
            logits,
            [state["catalogue"], state["alone"], *state["statistics"]],
            max(1, _PAIRS_AT_A_TIME // count),
            tf.TensorSpec([None, count]),
        )

    def context_logits(
        self, state: State, texts: tf.Tensor, vectors: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits from the messages alone, since nobody says who wrote them; attention over them."""
        found, attention = self.signals.context_signals(state, vectors, mask)
        features = content_features_of(found, state["alone"], state["statistics"])
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
        lambda episode, _: AudienceServingHead(recommender.model, recommender.audience(episode)),
    )
