"""The recommended model of users: networks and trees over signals of a user and a hashtag."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfhashtag.layers.scorer_ensemble import ScorerEnsemble
from tfhashtag.layers.standardizer import Standardizer
from tfhashtag.layers.tree_ensemble import TreeEnsemble
from tfhashtag.recommenders.audience.looks import FIRST_LOOK
from tfhashtag.recommenders.audience.signals import (
    CONTENT_SIGNALS,
    SIGNALS,
    SUM_COLUMNS,
    USER_SIGNALS,
)
from tfhashtag.registration import public
from tfhashtag.training.boosting import Boosting, regression_trees
from tfhashtag.training.list_training import Head
from tfhashtag.training.logistic_fit import logistic_fit

#: Features of a pair: every signal, every signal among the reference hashtags, the user alone.
FEATURES = 2 * len(SIGNALS) + len(USER_SIGNALS)
#: The same of what context messages alone give.
CONTENT_FEATURES = 2 * len(CONTENT_SIGNALS) + len(USER_SIGNALS)

# Columns of the features of a pair that the looks read.
_FIRST_LOOK = [SIGNALS.index(name) for name in FIRST_LOOK]
_SECOND_LOOK = [*SUM_COLUMNS, *range(2 * len(SIGNALS), FEATURES)]
_BLOCK = 1024  # rows of features that trees read at once
_LOOK_TREES, _LOOK_LEAVES, _LOOK_RATE = 60, 15, 0.1


@public
class AudienceModel(keras.Model):
    """Scores of (user, hashtag) pairs from the signals of `AudienceSignals`.

    Two ensembles of perceptrons: one reads all signals, the other, for hashtags that are given by
    their messages alone, reads the signals that messages give. Boosted trees read all signals, too,
    and `blend` weighs the two. Lists are trained by their order alone, which leaves the
    level of the logits open; `calibrate` sets it, so that their sigmoid is the share of positives
    among candidates that score alike.

    Input: features, float `[..., FEATURES]`, from `features_of`. Output: logits, float `[...]`.

    Args:
        members: networks in each ensemble.
        hidden: widths of their hidden layers.
        dropout: float in [0, 1).
        trees: boosted trees beside the first ensemble; 0: none.
        leaves: of each.
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
        trees: int = 150,
        leaves: int = 15,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # Statistics and logits stay in 32 bits: z-scores of a whole catalogue lose too much in 16.
        super().__init__(autocast=False, **kwargs)
        self.members, self.hidden = members, tuple(hidden)
        self.dropout, self.seed = dropout, seed
        scorer = dict(members=members, hidden=hidden, dropout=dropout, dtype=self.dtype_policy)
        self.standardizer = Standardizer(dtype="float32", name="standardizer")
        self.scorer = ScorerEnsemble(seed=2 * seed, name="scorer", **scorer)
        self.trees = TreeEnsemble(trees, leaves, dtype="float32", name="trees")
        looks = _LOOK_TREES if trees else 0
        self.second_look = TreeEnsemble(looks, _LOOK_LEAVES, dtype="float32", name="second_look")
        self.content_standardizer = Standardizer(dtype="float32", name="content_standardizer")
        self.content_scorer = ScorerEnsemble(seed=2 * seed + 1, name="content_scorer", **scorer)
        self.build()

    def build(self, input_shape: Any = None) -> None:
        for layer, width in (
            (self.standardizer, FEATURES),
            (self.scorer, FEATURES),
            (self.trees, FEATURES),
            (self.second_look, len(_SECOND_LOOK)),
            (self.content_standardizer, CONTENT_FEATURES),
            (self.content_scorer, CONTENT_FEATURES),
        ):
            if not layer.built:
                layer.build((None, width))
        if not getattr(self, "built", False):
            for name in ("calibration", "content_calibration", "shares"):
                weight = self.add_weight(
                    shape=(2,),
                    initializer="zeros",
                    trainable=False,
                    dtype="float32",
                    autocast=False,
                    name=name,
                )
                weight.assign([1.0, 0.0])
                setattr(self, name, weight)
            self.first_look = self.add_weight(
                shape=(len(FIRST_LOOK),),
                initializer="ones",
                trainable=False,
                dtype="float32",
                autocast=False,
                name="first_look",
            )
        self.built = True

    @property
    def heads(self) -> dict[str, Head]:
        """Its ensembles, as `ListTraining` takes them."""
        return {
            "all": Head(self.standardizer, self.member_logits),
            "content": Head(self.content_standardizer, self.content_member_logits),
        }

    def member_logits(self, features: Any, training: Any = None) -> Any:
        """Logits of each member, float32 `[..., members]`."""
        features = self.standardizer(ops.cast(features, "float32"))
        return ops.cast(self.scorer(features, training=training), "float32")

    def content_member_logits(self, features: Any, training: Any = None) -> Any:
        """The same for content features, `[..., CONTENT_FEATURES]`."""
        features = self.content_standardizer(ops.cast(features, "float32"))
        return ops.cast(self.content_scorer(features, training=training), "float32")

    def call(self, features: Any, training: Any = None) -> Any:
        """Calibrated sum of the members' mean logit and the trees, each by its share."""
        networks = ops.mean(self.member_logits(features, training=training), axis=-1)
        logits = networks * self.shares[0] + self.trees(features) * self.shares[1]
        return logits * self.calibration[0] + self.calibration[1]

    def content_logits(self, features: Any, training: Any = None) -> Any:
        """Calibrated mean logit of the members that read content features."""
        logits = ops.mean(self.content_member_logits(features, training=training), axis=-1)
        return logits * self.content_calibration[0] + self.content_calibration[1]

    def blend(
        self, networks: np.ndarray, trees: np.ndarray, rows: np.ndarray, share: float
    ) -> np.ndarray:
        """Weighs networks and trees, each over how much it differs within a list.

        Args:
            networks, trees: float `[n]`, the members' mean logit and the sum of the trees.
            rows: int `[n]`, the list of each.
            share: of the networks, in [0, 1]; the rest is the trees'. Where one of them says the
                same of all, the other speaks alone.

        Returns:
            float32 `[n]`, the logits with these shares, not calibrated.
        """
        count = np.maximum(np.bincount(rows), 1)
        found = []
        for scores, weight in ((networks, share), (trees, 1 - share)):
            means = np.bincount(rows, scores) / count
            spread = float(np.std(scores - means[rows])) if len(rows) else 0.0
            found.append(weight / spread if spread > 1e-6 else 0.0)
        shares = found if any(found) else [1.0, 0.0]
        self.shares.assign(shares)
        return (networks * shares[0] + trees * shares[1]).astype(np.float32)

    def calibrate(self, logits: np.ndarray, content_logits: np.ndarray, labels: np.ndarray) -> None:
        """Scales and shifts the logits so that their sigmoid is a probability; ranks stay.

        Args:
            logits, content_logits: float `[n]`, before any calibration.
            labels: 0 or 1, `[n]`.
        """
        self.calibration.assign(logistic_fit(logits, labels))
        self.content_calibration.assign(logistic_fit(content_logits, labels))

    def grow_second_look(self, features: np.ndarray) -> None:
        """Grows few trees over `SUM_SIGNALS` whose sum comes next to that of `trees`.

        Towards the trees, since those are the same on one machine and on several, which logits are
        to the fifth digit alone.

        Args:
            features: float `[n, FEATURES]`.
        """
        features = features.astype(np.float32)
        asked = tf.function(self.trees, input_signature=[tf.TensorSpec([None, FEATURES])])
        targets = [asked(features[at : at + _BLOCK]) for at in range(0, len(features), _BLOCK)]
        rows = features[:, _SECOND_LOOK]
        how = Boosting(_LOOK_TREES, _LOOK_LEAVES, _LOOK_RATE, self.seed)
        grown = regression_trees(rows, np.concatenate(targets), how)
        self.second_look.assign_trees(grown)

    def fit_first_look(
        self, parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], least: float = 1e-3
    ) -> None:
        """Sets the weights of the first look: those by which it comes next to the logits.

        Least squares between the logits and the `FIRST_LOOK` signals, each less its mean over the
        list.

        Args:
            parts: of lists laid end to end: features `[n, FEATURES]`, logits `[n]`, and where each
                list begins and ends, int `[lists + 1]`.
            least: weight of a ridge, as a share of the signals' own squares.
        """
        squares = np.zeros((len(_FIRST_LOOK),) * 2)
        products = np.zeros(len(_FIRST_LOOK))
        for features, logits, offsets in parts:
            lengths = np.diff(offsets)
            row = np.repeat(np.arange(len(lengths)), lengths)
            both = np.column_stack([features[:, _FIRST_LOOK], logits]).astype(np.float64)
            count = np.maximum(lengths, 1)[:, None]
            sums = np.stack([np.bincount(row, c, len(lengths)) for c in both.T], axis=1)
            both -= (sums / count)[row]
            squares += both[:, :-1].T @ both[:, :-1]
            products += both[:, :-1].T @ both[:, -1]
        ridge = least * np.diag(np.maximum(np.diag(squares), 1e-9))
        self.first_look.assign(np.linalg.solve(squares + ridge, products))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`[...]`."""
        return tuple(input_shape[:-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "members": self.members,
            "hidden": list(self.hidden),
            "dropout": self.dropout,
            "trees": self.trees.trees,
            "leaves": self.trees.leaves,
            "seed": self.seed,
        }


def statistics_of(signals: Any, counted: Any) -> Any:
    """Mean and deviation of every signal over the reference hashtags that are new to a user.

    The reference is a fixed sample of the catalogue, so that a hashtag's z-scores do not depend on
    which others are ranked with it. Those that the user has used are left out: their contexts hold
    the user's own messages, which are hidden where it is known who asks, and are not where only a
    history is given.

    Args:
        signals: float `[B, R, S]`, of the reference.
        counted: float `[B, R]`, 1 for a hashtag that the user has not used, else 0.

    Returns:
        Two float `[B, 1, S]`; zeros for a user to whom nothing is new.
    """
    count = tf.maximum(tf.reduce_sum(counted, axis=1), 1.0)[:, None, None]
    mean = tf.matmul(counted[:, None], signals) / count
    squares = tf.matmul(counted[:, None], tf.square(signals - mean))
    return mean, tf.sqrt(squares / count)


def features_of(signals: Any, alone: Any, statistics: Any) -> Any:
    """What the networks read.

    Args:
        signals: float `[B, C, S]`.
        alone: float `[B, len(USER_SIGNALS)]`.
        statistics: of the reference, from `statistics_of`.

    Returns:
        float `[B, C, 2 * S + len(USER_SIGNALS)]`: signals, z-scores, the user alone.
    """
    mean, deviation = statistics
    # A signal that is the same for the whole catalogue says nothing; its rounding must not either.
    spread = deviation > 1e-3
    scores = tf.where(spread, (signals - mean) / tf.where(spread, deviation, 1.0), 0.0)
    width = [tf.shape(alone)[0], tf.shape(signals)[1], tf.shape(alone)[1]]
    return tf.concat([signals, scores, tf.broadcast_to(alone[:, None], width)], axis=-1)


def content_features_of(signals: Any, alone: Any, statistics: Any) -> Any:
    """`features_of` for the content signals, which stand first among all."""
    width = len(CONTENT_SIGNALS)
    mean, deviation = (value[..., :width] for value in statistics)
    return features_of(signals[..., :width], alone, (mean, deviation))
