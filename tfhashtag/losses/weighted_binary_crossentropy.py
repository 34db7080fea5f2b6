"""Binary cross-entropy in which positives weigh more."""

from typing import Any

import keras
from keras import ops

from tfhashtag.registration import public


@public
class WeightedBinaryCrossentropy(keras.losses.Loss):
    r"""Weighted binary cross-entropy from logits (EMNLP 2021, equation 8).

    $$
    L = -\lambda y \log \hat y - (1 - y) \log(1 - \hat y), \quad \hat y = \mathrm{sigmoid}(x)
    $$

    Pass the candidate mask as `sample_weight`: a padded candidate then counts neither in the sum
    nor in the number that the mean divides by. (The paper sums over all pairs; a mean keeps the
    learning rate independent of the batch size.)

    Input: `y_true`, 0 or 1, and `y_pred`, logits, both `[B, C]`.

    Args:
        positive_weight: float > 0, \(\lambda\); the paper has 100.
        reduction: of `keras.losses.Loss`; the default divides by the sum of the weights.
        name: of the loss.
        dtype: of the computation; float32 by default.

    Raises:
        ValueError: `positive_weight` is not above 0.

    Example:

    >>> import numpy as np
    >>> labels, logits = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 9.0]])
    >>> loss = WeightedBinaryCrossentropy(positive_weight=3.0)
    >>> value = loss(labels, logits, sample_weight=np.array([[True, True, False]]))
    >>> round(float(value), 4)  # (3 log 2 + log 2) / 2
    1.3863
    """

    def __init__(
        self,
        positive_weight: float = 100.0,
        reduction: str = "mean_with_sample_weight",
        name: str = "weighted_binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not positive_weight > 0:
            raise ValueError(f"`positive_weight` must be above 0, found {positive_weight!r}.")
        self.positive_weight = positive_weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each pair, `[B, C]`."""
        return self.positive_weight * y_true * ops.softplus(-y_pred) + (
            1.0 - y_true
        ) * ops.softplus(y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "positive_weight": self.positive_weight}
