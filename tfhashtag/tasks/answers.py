"""What answers of exported models have in common."""

import tensorflow as tf


def zeros_where_not(known: tf.Tensor, found: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Numbers of rows that are not known are 0, and strings empty.

    Args:
        known: bool `[B]`.
        found: tensors with `B` first.

    Example:

    >>> zeros_where_not(tf.constant([True, False]), {"a": tf.ones([2])})["a"].numpy().tolist()
    [1.0, 0.0]
    """
    kept = {}
    for name, value in found.items():
        rows = tf.reshape(known, [-1, *[1] * (len(value.shape) - 1)])
        kept[name] = tf.where(rows, value, tf.zeros([], value.dtype))
    return kept
