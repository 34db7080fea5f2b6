"""The recommended engagement model: small networks over match signals with messages and authors."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from tfhashtag.layers.scorer_ensemble import ScorerEnsemble
from tfhashtag.layers.standardizer import Standardizer
from tfhashtag.models.engagement.signals import CONTENT_SIGNALS, SIGNALS, USER_SIGNALS
from tfhashtag.registration import public

#: Features of a pair: every signal, every signal among the user's catalogue, the user alone.
FEATURES = 2 * len(SIGNALS) + len(USER_SIGNALS)
#: The same of what context messages alone give.
CONTENT_FEATURES = 2 * len(CONTENT_SIGNALS) + len(USER_SIGNALS)


@public
class AudienceModel(keras.Model):
    """Scores of (user, hashtag) pairs from the signals of `AudienceSignals`.

    Two ensembles of perceptrons: one reads all signals, the other, for hashtags that are given by
    their messages alone, reads the signals that messages give.

    Input: features, float `[..., FEATURES]`, from `features_of`. Output: logits, float `[...]`.

    Args:
        members: networks in each ensemble.
        hidden: widths of their hidden layers.
        dropout: float in [0, 1).
        seed: of the initial weights and the dropout.
        **kwargs: of `keras.Model`.

    Example:

    >>> import numpy as np
    >>> model = AudienceModel(members=2, hidden=(4,))
    >>> model(np.zeros((3, 5, FEATURES), "float32")).shape
    TensorShape([3, 5])
    """

    def __init__(
        self,
        members: int = 8,
        hidden: Sequence[int] = (64, 32),
        dropout: float = 0.1,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.members, self.hidden = members, tuple(hidden)
        self.dropout, self.seed = dropout, seed
        scorer = dict(members=members, hidden=hidden, dropout=dropout, dtype=self.dtype_policy)
        # Statistics and logits stay in 32 bits: z-scores of a whole catalogue lose too much in 16.
        self.standardizer = Standardizer(dtype="float32", name="standardizer")
        self.scorer = ScorerEnsemble(seed=2 * seed, name="scorer", **scorer)
        self.content_standardizer = Standardizer(dtype="float32", name="content_standardizer")
        self.content_scorer = ScorerEnsemble(seed=2 * seed + 1, name="content_scorer", **scorer)
        self.build()

    def build(self, input_shape=None):
        for layer, width in (
            (self.standardizer, FEATURES),
            (self.scorer, FEATURES),
            (self.content_standardizer, CONTENT_FEATURES),
            (self.content_scorer, CONTENT_FEATURES),
        ):
            if not layer.built:
                layer.build((None, width))
        self.built = True

    def member_logits(self, features, training=None):
        """Logits of each member, float32 `[..., members]`."""
        return ops.cast(self.scorer(self.standardizer(features), training=training), "float32")

    def content_member_logits(self, features, training=None):
        """The same for content features, `[..., CONTENT_FEATURES]`."""
        features = self.content_standardizer(features)
        return ops.cast(self.content_scorer(features, training=training), "float32")

    def call(self, features, training=None):
        """Mean logit of the members."""
        return ops.mean(self.member_logits(features, training=training), axis=-1)

    def content_logits(self, features, training=None):
        """Mean logit of the members that read content features."""
        return ops.mean(self.content_member_logits(features, training=training), axis=-1)

    def compute_output_shape(self, input_shape):
        """`[...]`."""
        return tuple(input_shape[:-1])

    def get_config(self):
        """The arguments of `__init__`."""
        return {
            **super().get_config(),
            "members": self.members,
            "hidden": list(self.hidden),
            "dropout": self.dropout,
            "seed": self.seed,
        }


def catalogue_statistics(signals):
    """Mean and deviation of every signal over a user's catalogue, each `[B, 1, S]`."""
    mean = tf.reduce_mean(signals, axis=1, keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(signals - mean), axis=1, keepdims=True))
    return mean, deviation


def features_of(signals, alone, statistics):
    """What the networks read.

    Args:
        signals: float `[B, C, S]`.
        alone: float `[B, len(USER_SIGNALS)]`.
        statistics: of the user's catalogue, from `catalogue_statistics`.

    Returns:
        float `[B, C, 2 * S + len(USER_SIGNALS)]`: signals, z-scores, the user alone.
    """
    mean, deviation = statistics
    # A signal that is the same for the whole catalogue says nothing; its rounding must not either.
    spread = deviation > 1e-4
    scores = tf.where(spread, (signals - mean) / tf.where(spread, deviation, 1.0), 0.0)
    width = [tf.shape(alone)[0], tf.shape(signals)[1], tf.shape(alone)[1]]
    return tf.concat([signals, scores, tf.broadcast_to(alone[:, None], width)], axis=-1)


def content_features_of(signals, alone, statistics):
    """`features_of` for the content signals, which stand first among all."""
    width = len(CONTENT_SIGNALS)
    mean, deviation = (value[..., :width] for value in statistics)
    return features_of(signals[..., :width], alone, (mean, deviation))
