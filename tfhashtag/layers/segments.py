"""A vector as m proposals."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_sizes, dense
from tfhashtag.registration import ConfiguredByArguments, public


@public
class Segments(ConfiguredByArguments, keras.layers.Layer):
    r"""A vector of a post's neighbours in the form of proposals (thesis 2024, Section 3.3).

    The thesis divides \(V_u \in \mathbb{R}^g\) into f segments and converts each to m values.
    Here a dense layer maps \(V_u\) to f values, each of which is a segment, and one affine map,
    shared by all segments, expands each of them:

    $$
    x = W V_u + b, \quad V_u'[j, i] = w_j x_i + c_j, \quad 1 \le i \le f, 1 \le j \le m
    $$

    Input: float `[B, g]`. Output: float `[B, m, f]`, a row a proposal.

    Args:
        proposals: int >= 1, m.
        features: int >= 1, f.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or the input is not of rank 2.

    Example:

    >>> import numpy as np
    >>> Segments(proposals=9, features=6)(np.ones((2, 4), "float32")).shape
    TensorShape([2, 9, 6])
    """

    def __init__(self, proposals: int = 9, features: int = 300, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(proposals=proposals, features=features)
        self.proposals = proposals
        self.features = features

    def build(self, vectors_shape: Any) -> None:
        if len(vectors_shape) != 2:
            raise ValueError(
                f"`vectors` must be [posts, width], found shape {tuple(vectors_shape)}."
            )
        self.segment_dense = dense(self, vectors_shape[-1], self.features, "segment")
        self.expand_dense = dense(self, 1, self.proposals, "expand")

    def call(self, vectors: Any) -> Any:
        segments = self.segment_dense(vectors)
        return ops.transpose(self.expand_dense(segments[:, :, None]), (0, 2, 1))

    def compute_output_shape(self, vectors_shape: Any) -> Any:
        """`[B, m, f]`."""
        return vectors_shape[0], self.proposals, self.features
