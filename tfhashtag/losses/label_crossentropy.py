"""Softmax over all labels against the few that a post has."""

from typing import Any

import keras
from keras import ops

from tfhashtag.registration import public


@public
class LabelCrossentropy(keras.losses.Loss):
    r"""Cross-entropy of the softmax over all labels, summed over a post's labels.

    $$
    L = \frac{1}{B} \sum_i \sum_{j \in Y_i} -\log \mathrm{softmax}(z_i)_j
    $$

    Thesis (2024), equation 21, up to its constant factor \(1/t\), the number of labels. Labels come
    as a short list a post instead of a row over the whole label space.

    `y_true`: int `[B, T]`, labels, -1 pads. `y_pred`: logits, float `[B, L]`. A post without labels
    counts 0.

    Args:
        name: of the loss.
        **kwargs: of `keras.losses.Loss`.

    Example:

    >>> import numpy as np
    >>> loss = LabelCrossentropy()
    >>> float(loss(np.array([[1, -1]]), np.zeros((1, 4), "float32"))).__round__(4)  # log 4
    1.3863
    """

    def __init__(self, name: str = "label_crossentropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each post, float `[B]`."""
        # Keras casts labels to the type of the logits, in which whole numbers stay whole up to
        # 2^24 in float32; 16-bit logits are widened by the model before they come here.
        labels = ops.cast(y_true, "int32")
        logits = ops.cast(y_pred, keras.backend.result_type(y_pred.dtype, "float32"))
        real = labels >= 0
        chosen = ops.take_along_axis(logits, ops.where(real, labels, 0), axis=-1)
        normalizer = ops.logsumexp(logits, axis=-1, keepdims=True)
        return ops.sum(ops.where(real, normalizer - chosen, 0.0), axis=-1)
