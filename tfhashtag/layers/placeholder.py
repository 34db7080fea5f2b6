"""A learned value for what is not there."""

from typing import Any

import keras
from keras import ops

from tfhashtag.registration import public


@public
class Placeholder(keras.layers.Layer):
    """Values where they are present, one learned tensor where they are absent.

    Absent rows may hold anything, NaN too: they are not read, and get no gradient. The learned
    tensor gets its gradient from absent rows only.

    Input: `values`, float `[B, ...]`, every axis but the first of a known size; `present`, bool
    `[B]`, true for a row that is real. Output: float `[B, ...]`, the shape of `values`.

    Args:
        initializer: of the learned tensor, which has the shape of one row.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an axis of `values` but the first has no known size.

    Example:

    >>> import numpy as np
    >>> layer = Placeholder()
    >>> layer(np.array([[1.0, 2.0], [3.0, np.nan]], "float32"), np.array([True, False])).numpy()
    array([[1., 2.],
           [0., 0.]], dtype=float32)
    """

    def __init__(self, initializer: Any = "zeros", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, values_shape: Any, present_shape: Any = None) -> None:
        if not values_shape[1:] or None in values_shape[1:]:
            raise ValueError(
                "`values` must be [batch, ...] with known sizes behind the batch, found shape "
                f"{tuple(values_shape)}."
            )
        self.learned = self.add_weight(
            shape=tuple(values_shape[1:]), initializer=self.initializer, name="learned"
        )

    def call(self, values: Any, present: Any) -> Any:
        present = ops.cast(present, "bool")
        present = ops.reshape(present, (-1, *(1 for _ in values.shape[1:])))
        return ops.where(present, values, ops.cast(self.learned, values.dtype)[None])

    def compute_output_shape(self, values_shape: Any, present_shape: Any = None) -> Any:
        """The shape of `values`."""
        return tuple(values_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initializer": keras.initializers.serialize(self.initializer),
        }
