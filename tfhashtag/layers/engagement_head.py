"""From a user and a personalised hashtag to one logit."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_dropout, check_sizes, dense, dropout_of
from tfhashtag.registration import ConfiguredByArguments, public


@public
class EngagementHead(ConfiguredByArguments, keras.layers.Layer):
    r"""Engagement prediction (EMNLP 2021, equations 6 and 7), up to the sigmoid.

    $$
    r_{u,h} = \mathrm{ReLU}(W_{MLP} [r_u^h; r_u] + b_{MLP}), \quad
    \mathrm{logit}_{u,h} = W r_{u,h} + b
    $$

    \(W_{MLP}\) is kept in two parts, \(W_1 r_u^h + W_2 r_u\), so that the user's part is computed
    once for all candidates. Training uses the logit; the sigmoid belongs to inference.

    Input: `embeddings` \(r_u^h\), float `[B, C, d]`; `user` \(r_u\), float `[B, D]`.
    Output: logits, float `[B, C]`.

    Args:
        hidden: int >= 1, width of \(r_{u,h}\).
        dropout: float in [0, 1), on \(r_{u,h}\), in training.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or `embeddings` is not of rank 3.

    Example:

    >>> import numpy as np
    >>> head = EngagementHead(hidden=8)
    >>> head(np.ones((2, 3, 5), "float32"), np.ones((2, 4), "float32")).shape
    TensorShape([2, 3])
    """

    def __init__(self, hidden: int = 256, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(hidden=hidden)
        check_dropout(dropout)
        self.hidden = hidden
        self.dropout = dropout

    def build(self, embeddings_shape: Any, user_shape: Any) -> None:
        if len(embeddings_shape) != 3:
            raise ValueError(
                "`embeddings` must be [users, candidates, width], found shape "
                f"{tuple(embeddings_shape)}."
            )
        width = embeddings_shape[-1]
        self.hashtag_dense = dense(self, width, self.hidden, "hashtag", use_bias=False)
        self.user_dense = dense(self, user_shape[-1], self.hidden, "user")
        self.drop = dropout_of(self)
        self.logit_dense = dense(self, self.hidden, 1, "logit")

    def logits(self, hashtag_part: Any, user_part: Any, training: Any = None) -> Any:
        """From \\(W_1 r_u^h\\) and \\(W_2 r_u + b\\), which broadcast to `[..., hidden]`."""
        hidden = self.drop(ops.relu(hashtag_part + user_part), training=training)
        return ops.squeeze(self.logit_dense(hidden), axis=-1)

    def call(self, embeddings: Any, user: Any, training: Any = None) -> Any:
        user_part = self.user_dense(user)[:, None, :]
        return self.logits(self.hashtag_dense(embeddings), user_part, training=training)

    def compute_output_shape(self, embeddings_shape: Any, user_shape: Any) -> Any:
        """`[B, C]`."""
        return tuple(embeddings_shape[:2])
