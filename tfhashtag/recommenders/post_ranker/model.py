"""The networks of the recommended model of posts."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfhashtag.layers.scorer_ensemble import ScorerEnsemble
from tfhashtag.layers.standardizer import Standardizer
from tfhashtag.registration import public
from tfhashtag.training.list_training import Head
from tfhashtag.training.logistic_fit import logistic_fit


@public
class PostRankerModel(keras.Model):
    """Scores of candidates from the signals of `PostSignals`.

    An ensemble of perceptrons reads the signals of one candidate. Nothing depends on how many
    hashtags there are or on which they are, so that the weights go on serving when posts and
    hashtags are added. Lists are trained by their order alone, which leaves the level of the logits
    open; `calibrate` sets it, so that their sigmoid is the share of true labels among candidates
    that score alike.

    Input: signals, float `[..., S]`. Output: logits, float `[...]`.

    Args:
        signals: how many there are.
        members: networks in the ensemble.
        hidden: widths of their hidden layers.
        dropout: float in [0, 1).
        seed: of the initial weights and the dropout.
        **kwargs: of `keras.Model`.

    Example:

    >>> import numpy as np
    >>> model = PostRankerModel(signals=4, members=2, hidden=(4,))
    >>> model(np.zeros((3, 4), "float32")).shape
    TensorShape([3])
    """

    def __init__(
        self,
        signals: int,
        members: int = 8,
        hidden: Sequence[int] = (64, 32),
        dropout: float = 0.1,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # Statistics and logits stay in 32 bits.
        super().__init__(autocast=False, **kwargs)
        self.signals, self.members, self.hidden = signals, members, tuple(hidden)
        self.dropout, self.seed = dropout, seed
        self.standardizer = Standardizer(dtype="float32", name="standardizer")
        self.scorer = ScorerEnsemble(
            members=members,
            hidden=hidden,
            dropout=dropout,
            seed=seed,
            dtype=self.dtype_policy,
            name="scorer",
        )
        self.build()

    def build(self, input_shape: Any = None) -> None:
        if getattr(self, "built", False):
            return
        self.standardizer.build((None, self.signals))
        self.scorer.build((None, self.signals))
        self.calibration = self.add_weight(
            shape=(2,),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            name="calibration",
        )
        self.calibration.assign([1.0, 0.0])
        self.built = True

    @property
    def heads(self) -> dict[str, Head]:
        """Its ensemble, as `ListTraining` takes it."""
        return {"signals": Head(self.standardizer, self.member_logits)}

    def member_logits(self, signals: Any, training: Any = None) -> Any:
        """Logits of each member, float32 `[..., members]`."""
        return ops.cast(self.scorer(self.standardizer(signals), training=training), "float32")

    def call(self, signals: Any, training: Any = None) -> Any:
        """Calibrated mean logit of the members."""
        logits = ops.mean(self.member_logits(signals, training=training), axis=-1)
        return logits * self.calibration[0] + self.calibration[1]

    def calibrate(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Scales and shifts the logits so that their sigmoid is a probability; ranks stay.

        Args:
            logits: float `[n]`, as the model gives them now.
            labels: 0 or 1, `[n]`.
        """
        scale, shift = logistic_fit(logits, labels)
        before = ops.convert_to_numpy(self.calibration)
        self.calibration.assign([before[0] * scale, before[1] * scale + shift])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`[...]`."""
        return tuple(input_shape[:-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "signals": self.signals,
            "members": self.members,
            "hidden": list(self.hidden),
            "dropout": self.dropout,
            "seed": self.seed,
        }
