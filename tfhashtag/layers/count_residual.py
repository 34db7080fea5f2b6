"""What was used around a post, added to its logits."""

import keras
from keras import ops

from tfhashtag.registration import public


@public
class CountResidual(keras.layers.Layer):
    r"""Logits of labels from how often, how lately and how near they were used around a post.

    $$
    z_{i,l} = w_l^T t_i + b_l + g(s_{i,l})
    $$

    \(t_i\) is the vector of the post's text, \(s_{i,l}\) the signals of label l around post i
    (such as counts in the user's history and in similar posts), and g a small network that all
    labels share, so that it holds for labels that a user has never used. For labels without any
    signal \(g\) is left out. It is no part of the thesis; its model may take it as a residual path.

    Input: `text`, float `[B, g]`; `labels`, int `[B, N]`, distinct in a row, -1 pads; `signals`,
    float `[B, N, S]`. Output: logits, float `[B, L]`.

    Args:
        labels: int >= 1, L.
        hidden: int >= 1, width of g.
        dropout: float in [0, 1), of the text vector and in g, in training.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> import numpy as np
    >>> layer = CountResidual(labels=5)
    >>> layer(np.ones((1, 3)), np.array([[4, -1]]), np.ones((1, 2, 6), "float32")).shape
    TensorShape([1, 5])
    """

    def __init__(self, labels: int, hidden: int = 32, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("labels", labels), ("hidden", hidden)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be an integer of at least 1, found {value!r}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must lie in [0, 1), found {dropout!r}.")
        self.labels = labels
        self.hidden = hidden
        self.dropout = dropout

    def build(self, text_shape, labels_shape, signals_shape):
        self.classifier = keras.layers.Dense(
            self.labels, kernel_initializer="zeros", dtype=self.dtype_policy, name="classifier"
        )
        self.classifier.build((None, text_shape[-1]))
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy, name="drop")
        self.drop.build((None, text_shape[-1]))
        self.signal_dense = keras.layers.Dense(
            self.hidden, activation="relu", dtype=self.dtype_policy, name="signals"
        )
        self.signal_dense.build((None, None, signals_shape[-1]))
        self.score_dense = keras.layers.Dense(1, dtype=self.dtype_policy, name="score")
        self.score_dense.build((None, None, self.hidden))

    def call(self, text, labels, signals, training=None):
        logits = self.classifier(self.drop(text, training=training))
        hidden = self.drop(self.signal_dense(signals), training=training)
        scores = ops.squeeze(self.score_dense(hidden), axis=-1)
        real = labels >= 0
        scores = ops.where(real, scores, ops.zeros_like(scores))
        labels = ops.where(real, labels, ops.zeros_like(labels))
        rows = ops.broadcast_to(ops.arange(ops.shape(labels)[0])[:, None], ops.shape(labels))
        places = ops.reshape(rows * self.labels + ops.cast(labels, rows.dtype), (-1,))
        size = ops.shape(labels)[0] * self.labels
        added = ops.segment_sum(ops.reshape(scores, (-1,)), places, num_segments=size)
        return logits + ops.reshape(added, ops.shape(logits))

    def compute_output_shape(self, text_shape, labels_shape, signals_shape):
        """`[B, L]`."""
        return (text_shape[0], self.labels)

    def get_config(self):
        """The arguments of `__init__`."""
        return {
            **super().get_config(),
            "labels": self.labels,
            "hidden": self.hidden,
            "dropout": self.dropout,
        }
