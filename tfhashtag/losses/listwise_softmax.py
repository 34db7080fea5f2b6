"""Cross-entropy over a user's whole candidate list."""

from typing import Any

import keras
from keras import ops

from tfhashtag.registration import public


@public
class ListwiseSoftmax(keras.losses.Loss):
    r"""Softmax cross-entropy between a list's labels and its logits.

    $$
    L_u = -\sum_c \frac{y_c}{\sum_j y_j} \log \mathrm{softmax}(x)_c
    $$

    over the candidates \(c\) of user \(u\); the mean over the users that have a positive. A user
    without a positive, or without candidates, counts nothing. (ListNet's top-one loss.)

    Input: `y_true`, 0 or 1 or graded, and `y_pred`, logits, both `[B, C]`; `sample_weight`, the
    candidate mask, bool or float `[B, C]`: candidates of weight 0 are left out of the list.

    Args:
        temperature: float > 0, divides the logits.
        name: of the loss.
        dtype: of the computation; float32 by default.

    Raises:
        ValueError: `temperature` is not above 0.

    Example:

    >>> import numpy as np
    >>> labels, logits = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 9.0]])
    >>> loss = ListwiseSoftmax()
    >>> value = loss(labels, logits, sample_weight=np.array([[True, True, False]]))
    >>> round(float(value), 4)  # log 2
    0.6931
    """

    def __init__(
        self, temperature: float = 1.0, name: str = "listwise_softmax", dtype: Any = None
    ) -> None:
        super().__init__(name=name, reduction="mean_with_sample_weight", dtype=dtype)
        if not temperature > 0:
            raise ValueError(f"`temperature` must be above 0, found {temperature!r}.")
        self.temperature = temperature

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        listed = ops.ones_like(y_pred, dtype="bool")
        if sample_weight is not None:
            listed = ops.convert_to_tensor(sample_weight)
            listed = ops.broadcast_to(listed, ops.shape(y_pred))
            listed = listed if listed.dtype == "bool" else listed > 0
        y_true = ops.where(listed, y_true, 0.0)
        y_pred = ops.where(listed, y_pred, -1e30)
        usable = ops.cast(ops.sum(y_true, axis=-1) > 0, self.dtype)
        losses = ops.where(usable > 0, self.call(y_true, y_pred), 0.0)
        return ops.sum(losses) / ops.maximum(ops.sum(usable), 1.0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each list, `[B]`; 0 where no label is above 0."""
        target = y_true / ops.maximum(ops.sum(y_true, axis=-1, keepdims=True), 1e-7)
        return -ops.sum(target * ops.log_softmax(y_pred / self.temperature, axis=-1), axis=-1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["reduction"]
        return {**config, "temperature": self.temperature}
