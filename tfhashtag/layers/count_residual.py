"""What speaks for labels around a post, added to its logits."""

import keras
import numpy as np
from keras import ops

from tfhashtag.registration import public

_START = 0.3  # weight of a signal of unit size before training


@public
class CountResidual(keras.layers.Layer):
    r"""Logits of labels from what the user and others used around a post.

    $$
    z_{i,l} = b_l + W_l^T [t_i; u_i] + \sum_s w_s \frac{s_{i,l}}{\rho_s}
        + w_n \cos(t_i, n_l) / \rho_n
    $$

    \(t_i\) is the vector of the post's text, \(u_i\) the mean vector of the user's other texts,
    \(s_{i,l}\) the signals of label l around post i (such as counts in the user's history and in
    similar posts), \(n_l\) the vector of the label's name. The weights \(w\) are shared by all
    labels, so they hold for those that a user has never used. \(\rho\) are the root mean squares
    of the signals, measured by `adapt`. No part of the thesis: its model may take these logits as a
    residual path.

    Input: `text` and `user`, float `[B, g]`, of any length, zeros where there is none; `labels`,
    int `[B, N]`, distinct in a row, -1 pads; `signals`, float `[B, N, S]`. Output: logits, float
    `[B, L]`.

    Args:
        labels: int >= 1, L.
        dropout: float in [0, 1), of texts and users, in training.
        l2: float >= 0, penalty on the squares of W.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> layer = CountResidual(labels=5)
    >>> text, user = np.ones((1, 3), "float32"), np.zeros((1, 3), "float32")
    >>> layer(text, user, np.array([[4, -1]]), np.ones((1, 2, 6), "float32")).shape
    TensorShape([1, 5])
    """

    def __init__(self, labels: int, dropout: float = 0.0, l2: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(labels, int) or labels < 1:
            raise ValueError(f"`labels` must be an integer of at least 1, found {labels!r}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must lie in [0, 1), found {dropout!r}.")
        if l2 < 0:
            raise ValueError(f"`l2` must be at least 0, found {l2!r}.")
        self.labels = labels
        self.dropout = dropout
        self.l2 = l2

    def build(self, text_shape, user_shape, labels_shape, signals_shape):
        width, signals = text_shape[-1], signals_shape[-1]
        self.classifier = keras.layers.Dense(
            self.labels,
            kernel_initializer="zeros",
            kernel_regularizer=keras.regularizers.L2(self.l2) if self.l2 else None,
            dtype=self.dtype_policy,
            name="classifier",
        )
        self.classifier.build((None, width + user_shape[-1]))
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy, name="drop")
        self.drop.build((None, width + user_shape[-1]))
        start = keras.initializers.Constant(_START)
        self.weight = self.add_weight(shape=(signals + 1,), initializer=start, name="weight")
        self.scale = self.add_weight(
            shape=(signals + 1,), initializer="ones", trainable=False, name="scale"
        )
        self.names = self.add_weight(
            shape=(width, self.labels), initializer="zeros", trainable=False, name="names"
        )

    def adapt(self, counts, names, text, signals) -> None:
        """Sets what is measured before training.

        Args:
            counts: int `[L]`, train posts with each label: where the bias starts.
            names: float `[L, g]`, vectors of the labels' names.
            text: float `[n, g]`, some texts.
            signals: float `[values, S]`, the signals of some posts.
        """
        start = np.log1p(np.asarray(counts, "float64"))
        self.classifier.bias.assign(start - start.mean())
        self.names.assign(np.asarray(ops.transpose(_unit(ops.cast(names, "float32")))))
        cosines = np.asarray(ops.matmul(_unit(ops.cast(text, "float32")), self.names))
        squares = [cosines.ravel(), *np.asarray(signals, "float64").T]
        means = [np.square(x[x != 0]).mean() if np.any(x != 0) else 1.0 for x in squares]
        roots = np.sqrt([*means[1:], means[0]])
        self.scale.assign(roots)

    def call(self, text, user, labels, signals, training=None):
        text, user = _unit(text), _unit(user)
        width = ops.shape(text)[-1]
        both = ops.concatenate([text, user], axis=-1) * (float(width) ** 0.5 / 4)
        logits = self.classifier(self.drop(both, training=training))
        weight = ops.cast(self.weight / self.scale, logits.dtype)
        logits = logits + weight[-1] * ops.matmul(text, ops.cast(self.names, text.dtype))
        scores = ops.matmul(signals, weight[:-1])
        real = labels >= 0
        scores = ops.where(real, scores, ops.zeros_like(scores))
        labels = ops.where(real, labels, ops.zeros_like(labels))
        rows = ops.arange(ops.shape(labels)[0], dtype=labels.dtype)[:, None]
        places = ops.reshape(rows * self.labels + labels, (-1,))
        size = ops.shape(labels)[0] * self.labels
        added = ops.segment_sum(ops.reshape(scores, (-1,)), places, num_segments=size)
        return logits + ops.reshape(added, ops.shape(logits))

    def compute_output_shape(self, text_shape, user_shape, labels_shape, signals_shape):
        """`[B, L]`."""
        return (text_shape[0], self.labels)

    def get_config(self):
        """The arguments of `__init__`."""
        return {
            **super().get_config(),
            "labels": self.labels,
            "dropout": self.dropout,
            "l2": self.l2,
        }


def _unit(vectors):
    """Vectors of length one; zeros stay zeros."""
    length = ops.sqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True))
    return vectors / ops.maximum(length, 1e-6)
