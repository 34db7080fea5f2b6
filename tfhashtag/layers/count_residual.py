"""What speaks for labels around a post, added to its logits."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfhashtag.layers.sublayers import (
    at_least_float32,
    check_dropout,
    check_sizes,
    dense,
    dropout_of,
)
from tfhashtag.registration import ConfiguredByArguments, public

_START = 0.3  # weight of a signal of unit size before training
_BLOCK = 8192  # labels at a time
_VISUAL = 0.6  # length of a picture's vector where a text's is 1: it says less, and overfits less


@public
class CountResidual(ConfiguredByArguments, keras.layers.Layer):
    r"""Logits of labels from what the user and others used around a post.

    $$
    z_{i,l} = b_l + W_l^T [t_i; u_i; v_i] + \sum_s w_s \frac{s_{i,l}}{\rho_s}
        + w_n \cos(t_i, n_l) / \rho_n
    $$

    \(t_i\) is the vector of the post's text, \(u_i\) the mean vector of the user's other texts,
    \(v_i\) the mean proposal of the post's picture less that of all pictures (only where `visual`
    is given), \(s_{i,l}\) the signals of label l around post i (such as counts in the user's
    history and in similar posts), \(n_l\) the vector of the label's name. The weights \(w\) are
    shared by all labels, so they hold for those that a user has never used. \(\rho\) are the root
    mean squares of the signals, measured by `adapt`. No part of the thesis: its model may take
    these logits as a residual path.

    Input: `text` and `user`, float `[B, g]`, of any length, zeros where there is none; `labels`,
    int `[B, N]`, distinct in a row, -1 pads; `signals`, float `[B, N, S]`; and perhaps `visual`,
    float `[B, a]`, zeros where there is no picture. Output: logits, float `[B, L]`.

    Args:
        labels: int >= 1, L.
        dropout: float in [0, 1), of texts, users and pictures, in training.
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

    def __init__(self, labels: int, dropout: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(labels=labels)
        check_dropout(dropout)
        if l2 < 0:
            raise ValueError(f"`l2` must be at least 0, found {l2!r}.")
        self.labels = labels
        self.dropout = dropout
        self.l2 = l2

    def build(
        self,
        text_shape: Any,
        user_shape: Any,
        labels_shape: Any,
        signals_shape: Any,
        visual_shape: Any = None,
    ) -> None:
        width, signals = text_shape[-1], signals_shape[-1]
        self.visual_classifier: Any = None
        if visual_shape is not None:
            self.visual_classifier = self._classifier(visual_shape[-1], "visual_classifier", False)
            self.visual_drop = dropout_of(self, "visual_drop")
            self.visual_mean = self.add_weight(
                shape=visual_shape[-1:], initializer="zeros", trainable=False, name="visual_mean"
            )
        self.classifier = self._classifier(width + user_shape[-1], "classifier")
        self.drop = dropout_of(self)
        start = keras.initializers.Constant(_START)
        self.weight = self.add_weight(shape=(signals + 1,), initializer=start, name="weight")
        self.scale = self.add_weight(
            shape=(signals + 1,), initializer="ones", trainable=False, name="scale"
        )
        self.names = self.add_weight(
            shape=(width, self.labels), initializer="zeros", trainable=False, name="names"
        )

    def _classifier(self, width: int, name: str, use_bias: bool = True) -> Any:
        l2 = keras.regularizers.L2(self.l2) if self.l2 else None
        how: dict = {"kernel_initializer": "zeros", "kernel_regularizer": l2, "use_bias": use_bias}
        return dense(self, width, self.labels, name, **how)

    def adapt(self, counts: Any, names: Any, text: Any, signals: Any, visual: Any = None) -> None:
        """Sets what is measured before training.

        Args:
            counts: int `[L]`, train posts with each label: where the bias starts.
            names: float `[L, g]`, vectors of the labels' names.
            text: float `[n, g]`, some texts.
            signals: float `[values, S]`, the signals of some posts.
            visual: float `[n, a]`, the pictures of some posts, zeros where there is none; for a
                layer that was built with them.
        """
        start = np.log1p(np.asarray(counts, "float64"))
        self.classifier.bias.assign(start - start.mean())
        self.names.assign(np.asarray(ops.transpose(_unit(ops.cast(names, "float32")))))
        unit = _unit(ops.cast(text, "float32"))
        likeness = []  # mean square of the cosines that are not zero, and how many these are
        for start in range(0, self.labels, _BLOCK):
            cosines = np.asarray(ops.matmul(unit, self.names[:, start : start + _BLOCK])).ravel()
            likeness.append(_mean_square(cosines))
        of_signals = [_mean_square(one)[0] for one in np.asarray(signals, "float64").T]
        squares, numbers = np.transpose(likeness)
        of_names = squares @ numbers / max(numbers.sum(), 1)
        self.scale.assign(np.sqrt([one or 1.0 for one in (*of_signals, of_names)]))
        if self.visual_classifier is not None and visual is not None:
            visual = np.asarray(visual, "float64")
            there = visual[np.any(visual != 0, axis=-1)]
            if len(there):
                self.visual_mean.assign(there.mean(axis=0))

    def call(
        self,
        text: Any,
        user: Any,
        labels: Any,
        signals: Any,
        visual: Any = None,
        training: Any = None,
    ) -> Any:
        text, user = _unit(text), _unit(user)
        factor = float(ops.shape(text)[-1]) ** 0.5 / 4
        both = ops.concatenate([text, user], axis=-1) * factor
        logits = self.classifier(self.drop(both, training=training))
        if self.visual_classifier is not None:
            there = ops.any(visual != 0, axis=-1, keepdims=True)
            centred = visual - ops.cast(self.visual_mean, visual.dtype)
            centred = _unit(ops.where(there, centred, ops.zeros_like(centred)))
            centred = self.visual_drop(centred * (factor * _VISUAL), training=training)
            logits = logits + self.visual_classifier(centred)
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

    def compute_output_shape(
        self,
        text_shape: Any,
        user_shape: Any,
        labels_shape: Any,
        signals_shape: Any,
        visual_shape: Any = None,
    ) -> Any:
        """`[B, L]`."""
        return (text_shape[0], self.labels)


def _mean_square(values: np.ndarray) -> tuple[float, int]:
    """Of those that are not zero, and their number."""
    there = values[values != 0]
    return (float(np.square(there).mean()) if len(there) else 0.0), len(there)


def _unit(vectors: Any) -> Any:
    """Vectors of length one; zeros stay zeros."""
    wide = at_least_float32(vectors)  # the smallest length is 0 in 16 bits
    length = ops.sqrt(ops.sum(ops.square(wide), axis=-1, keepdims=True))
    return ops.cast(wide / ops.maximum(length, 1e-6), vectors.dtype)
