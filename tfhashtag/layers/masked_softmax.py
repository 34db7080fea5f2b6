"""Attention weights among those that are real."""

from typing import Any

from keras import ops

from tfhashtag.layers.sublayers import at_least_float32


def masked_softmax(scores: Any, mask: Any) -> Any:
    """Softmax over the last axis; what is masked gets exactly 0, and all do where nothing is left.

    Args:
        scores: float `[..., n]`; what stands in masked places is not read.
        mask: bool `[..., n]`, true for what is real.

    Returns:
        Float `[..., n]`, float32 at least, whatever the dtype of `scores`.

    Example:

    >>> import numpy as np
    >>> scores = np.array([[0.0, 0.0, 9.0], [1.0, 2.0, 3.0]], "float32")
    >>> mask = np.array([[True, True, False], [False, False, False]])
    >>> masked_softmax(scores, mask).numpy().tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    scores = at_least_float32(ops.convert_to_tensor(scores))
    mask = ops.cast(mask, "bool")
    weights = ops.softmax(ops.where(mask, scores, -1e30), axis=-1)
    return ops.where(mask, weights, ops.zeros_like(weights))
