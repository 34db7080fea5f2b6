"""Features to mean 0 and deviation 1, by statistics that are set once."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfhashtag.registration import ConfiguredByArguments, public

_ROWS = 8192


@public
class Standardizer(ConfiguredByArguments, keras.layers.Layer):
    """`(x - mean) / deviation` of every feature, cut to `[-clip, clip]`.

    The statistics are weights that no optimizer moves; `adapt` sets them. Unlike
    `keras.layers.Normalization` the values are cut, so that a feature that lies far outside what
    was seen cannot carry a score alone, and a constant feature becomes 0.

    Input and output: float `[..., F]`.

    Args:
        clip: float > 0.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `clip` is not above 0.

    Example:

    >>> layer = Standardizer(clip=1.0)
    >>> layer.adapt(np.array([[0.0, 5.0], [2.0, 5.0]]))
    >>> layer(np.array([[1.5, 5.0], [9.0, 5.0]], "float32")).numpy().tolist()
    [[0.5, 0.0], [1.0, 0.0]]
    """

    def __init__(self, clip: float = 6.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not clip > 0:
            raise ValueError(f"`clip` must be above 0, found {clip!r}.")
        self.clip = clip

    def build(self, inputs_shape: Any) -> None:
        shape = (inputs_shape[-1],)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.scale = self.add_weight(shape=shape, initializer="ones", trainable=False, name="scale")

    def adapt(self, *features: np.ndarray) -> None:
        """Sets the statistics from float `[n, F]` arrays, together at least one row.

        Rows are read a few thousand at a time, and no copy of them is made.
        """
        if not self.built:
            self.build(features[0].shape)

        def mean_of(function: Any) -> Any:
            total: Any = 0
            for part in features:
                for start in range(0, len(part), _ROWS):
                    block = np.asarray(part[start : start + _ROWS])
                    total = total + function(block).sum(axis=0, dtype=np.float64)
            return total / sum(map(len, features))

        mean = mean_of(lambda block: block)
        squares = mean_of(lambda block: np.square(block - mean))
        deviation = np.sqrt(squares)
        known = deviation > 1e-6
        self.mean.assign(mean)
        self.scale.assign(np.where(known, 1 / np.where(known, deviation, 1), 0))

    def call(self, inputs: Any) -> Any:
        """Standardized features."""
        return ops.clip((inputs - self.mean) * self.scale, -self.clip, self.clip)

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        """The shape of the input."""
        return inputs_shape
