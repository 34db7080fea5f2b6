"""The hashtags of a post as one vector."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.placeholder import Placeholder
from tfhashtag.layers.sublayers import check_sizes, dense
from tfhashtag.registration import ConfiguredByArguments, public


@public
class HashtagAttention(ConfiguredByArguments, keras.layers.Layer):
    r"""Attention over the hashtags of a post, as in MaCon (AAAI 2019).

    $$
    s_j = u^\top \tanh(W^\top e_j + b), \quad \alpha = \mathrm{softmax}(s), \quad
    t = \sum_j \alpha_j e_j
    $$

    over the real hashtags of the post; a masked one is not read and gets weight exactly 0. A post
    without hashtags gets a learned vector. The softmax runs in float32 at least.

    Input: `hashtags` e, float `[..., T, g]`; `hashtags_mask`, bool `[..., T]`, true for a real one
    (None: all are). Output: a dictionary of `vector` t, float `[..., g]`, and `attention`
    \(\alpha\), float `[..., T]`.

    Args:
        units: int >= 1, inner width.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `units` is out of range, or `hashtags` has no known width.

    Example:

    >>> import numpy as np
    >>> found = HashtagAttention(units=5)(
    ...     np.ones((2, 3, 4), "float32"),
    ...     hashtags_mask=np.array([[True, False, True], [False, False, False]]),
    ... )
    >>> found["attention"].numpy().tolist()
    [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]
    >>> found["vector"].numpy().tolist()
    [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, units: int = 200, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(units=units)
        self.units = units

    def build(self, hashtags_shape: Any) -> None:
        if len(hashtags_shape) < 3 or hashtags_shape[-1] is None:
            raise ValueError(
                "`hashtags` must be [batch, hashtags, width] of known width, found shape "
                f"{tuple(hashtags_shape)}."
            )
        width = hashtags_shape[-1]
        self.inner_dense = dense(self, width, self.units, "inner", activation="tanh")
        self.score_dense = dense(self, self.units, 1, "score", use_bias=False)
        self.no_hashtags = Placeholder(dtype=self.dtype_policy, name="no_hashtags")
        self.no_hashtags.build((None, width), (None,))

    def call(self, hashtags: Any, hashtags_mask: Any = None) -> Any:
        hashtags = ops.cast(hashtags, self.compute_dtype)
        if hashtags_mask is None:
            hashtags_mask = ops.ones(ops.shape(hashtags)[:-1], "bool")
        mask = ops.cast(hashtags_mask, "bool")
        hashtags = ops.where(mask[..., None], hashtags, ops.zeros_like(hashtags))
        scores = ops.squeeze(self.score_dense(self.inner_dense(hashtags)), axis=-1)
        attention = ops.cast(masked_softmax(scores, mask), self.compute_dtype)
        vector = ops.squeeze(ops.matmul(attention[..., None, :], hashtags), axis=-2)
        flat = self.no_hashtags(
            ops.reshape(vector, (-1, vector.shape[-1])), ops.reshape(ops.any(mask, axis=-1), (-1,))
        )
        return {"vector": ops.reshape(flat, ops.shape(vector)), "attention": attention}

    def compute_output_shape(self, hashtags_shape: Any) -> Any:
        """`vector` `[..., g]` and `attention` `[..., T]`."""
        return {
            "vector": (*hashtags_shape[:-2], hashtags_shape[-1]),
            "attention": tuple(hashtags_shape[:-1]),
        }
