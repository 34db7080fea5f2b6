"""What the four sides of a post have in common."""

from collections.abc import Mapping
from typing import Any

import keras

from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments


class Side(ConfiguredByArguments, keras.layers.Layer):
    """A side of a post: a matrix `[m, f]` of what a part of the inputs says.

    Sides are parts of `PhrModel`. All their widths are arguments, so `build` takes none.

    Args:
        side: its name, one of `SIDES` of `SextupletCoAttention`.
        proposals: int >= 1, m.
        features: int >= 1, f.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: a size is no integer of at least 1.
    """

    reads_hashtags = False  # of other posts, among which a post's own may come back to it
    values: str | None = None  # the input that a side of several vectors is about
    attention: Any = None  # over these vectors

    def __init__(self, side: str, proposals: int, features: int, **kwargs: Any) -> None:
        super().__init__(**{"name": side, **kwargs})
        self.side, self.proposals, self.features = side, proposals, features
        check_sizes(proposals=proposals, features=features)

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        raise NotImplementedError

    def call(self, inputs: Mapping, training: Any = False) -> tuple:
        """The side, float `[B, m, f]`, and its attention over similar posts or None.

        Args:
            inputs: of `PhrModel`; only those of the side are read.
            training: whether dropout acts.
        """
        raise NotImplementedError
