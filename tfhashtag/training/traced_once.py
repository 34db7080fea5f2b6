"""Functions that are traced once, whatever the sizes of what they are called with."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def traced_once(function: Callable[..., Any], free: int = 1) -> Callable[..., Any]:
    """A `tf.function` whose signature is taken from its first call, with its first axes free.

    With `reduce_retracing` it would be traced two or three times until it is known which sizes
    change.

    Args:
        function: of tensors, or of dictionaries and lists of them.
        free: how many axes of each may have any size; the others are as in the first call.

    >>> double = traced_once(lambda values: 2 * values)
    >>> [double(tf.ones([rows, 2])).shape[0] for rows in (3, 1)]
    [3, 1]
    """
    made: list[Callable[..., Any]] = []

    def specified(value: tf.Tensor) -> tf.TensorSpec:
        return tf.TensorSpec([None] * min(free, value.ndim) + value.shape[free:], value.dtype)

    def call(*arguments: Any) -> Any:
        if not made:
            signature = tf.nest.map_structure(specified, arguments)
            made.append(tf.function(function, signature, autograph=False))
        return made[0](*arguments)

    return call
