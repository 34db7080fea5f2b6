"""How a user tags, read from their latest posts for the post at hand."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.placeholder import Placeholder
from tfhashtag.layers.sublayers import check_sizes, dense
from tfhashtag.registration import ConfiguredByArguments, public


@public
class UserHabit(ConfiguredByArguments, keras.layers.Layer):
    r"""The external memory of MaCon (AAAI 2019): a user's tagging habit as one vector.

    $$
    z_i = [p_i \odot p \,; t_i], \quad
    \beta = \mathrm{softmax}_i(\tanh(w^\top z_i + b)), \quad
    r = W_h \sum_i \beta_i z_i + b_h
    $$

    p is the post at hand; \(p_i\) and \(t_i\) are a history post and its hashtags. A masked
    history post is not read and gets weight exactly 0; a user without history gets a learned
    vector. The softmax runs in float32 at least.

    Input: `post`, float `[B, f]`; `history`, float `[B, h, f]`; `hashtags`, float `[B, h, g]`;
    `history_mask`, bool `[B, h]`, true for a real post (None: all are). Output: a dictionary of
    `vector` r, float `[B, units]`, and `attention` \(\beta\), float `[B, h]`.

    Args:
        units: int >= 1, width of r.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `units` is out of range, or the shapes do not fit each other.

    Example:

    >>> import numpy as np
    >>> found = UserHabit(units=5)(
    ...     np.ones((2, 3), "float32"),
    ...     np.ones((2, 4, 3), "float32"),
    ...     np.ones((2, 4, 6), "float32"),
    ...     history_mask=np.arange(4) < np.array([2, 0])[:, None],
    ... )
    >>> found["vector"].shape, found["attention"].numpy().tolist()
    (TensorShape([2, 5]), [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    """

    def __init__(self, units: int = 300, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(units=units)
        self.units = units

    def build(self, post_shape: Any, history_shape: Any, hashtags_shape: Any) -> None:
        for name, shape in (("history", history_shape), ("hashtags", hashtags_shape)):
            if len(shape) != 3 or shape[-1] is None:
                raise ValueError(
                    f"`{name}` must be [batch, posts, width] of known width, found shape "
                    f"{tuple(shape)}."
                )
        if len(post_shape) != 2 or post_shape[-1] != history_shape[-1]:
            raise ValueError(
                f"`post` must be [batch, {history_shape[-1]}], as wide as `history`, found shape "
                f"{tuple(post_shape)}."
            )
        width = history_shape[-1] + hashtags_shape[-1]
        self.score_dense = dense(self, width, 1, "score")
        self.output_dense = dense(self, width, self.units, "output")
        self.no_history = Placeholder(dtype=self.dtype_policy, name="no_history")
        self.no_history.build((None, self.units), (None,))

    def call(self, post: Any, history: Any, hashtags: Any, history_mask: Any = None) -> Any:
        if history_mask is None:
            history_mask = ops.ones(ops.shape(history)[:2], "bool")
        mask = ops.cast(history_mask, "bool")
        parts = ops.concatenate(
            [
                ops.cast(history, self.compute_dtype)
                * ops.cast(post, self.compute_dtype)[:, None, :],
                ops.cast(hashtags, self.compute_dtype),
            ],
            axis=-1,
        )
        parts = ops.where(mask[..., None], parts, ops.zeros_like(parts))
        scores = ops.tanh(ops.squeeze(self.score_dense(parts), axis=-1))
        attention = ops.cast(masked_softmax(scores, mask), self.compute_dtype)
        mixed = ops.squeeze(ops.matmul(attention[:, None, :], parts), axis=1)
        vector = self.no_history(self.output_dense(mixed), ops.any(mask, axis=-1))
        return {"vector": vector, "attention": attention}

    def compute_output_shape(self, post_shape: Any, history_shape: Any, hashtags_shape: Any) -> Any:
        """`vector` `[B, units]` and `attention` `[B, h]`."""
        return {
            "vector": (post_shape[0], self.units),
            "attention": tuple(history_shape[:2]),
        }
