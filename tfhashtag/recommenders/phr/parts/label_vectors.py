"""Parts of PHR speak for a hashtag through the vector of its name, not through an output row."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public
from tfhashtag.vector_codes import unit_rows

_SATURATION = 100.0
_SHARP = 12.0  # a cosine of 0.8 counts a tenth of one of 1


@public
class LabelVectors(ConfiguredByArguments, keras.layers.Layer):
    r"""What the hashtags around a post, and the post itself, say of labels by their vectors.

    Equation 14 of the thesis (2024) lets hashtags weigh similar posts and no more, and equation 20
    gives each label a row of weights. So a hashtag that a user always adds, and of which no text
    speaks, is nothing that the model could read. Here, with \(n_\ell\) the vector of the name of
    a label and \(h_j\) those of the hashtags of a side,

    $$
    s_\ell = \sum_j \alpha_j \exp(\tau (\cos(n_\ell, h_j) - 1)), \quad
    \alpha = \mathrm{softmax}(\sigma\, \pi Q), \quad
    z_\ell = (W r)^\top n_\ell + \sum_{\text{sides}} \beta \log(1 + 100\, s_\ell)
    $$

    \(\pi\) and \(Q\) are those of the side's post-tag attention: the hashtags count that go
    together with the posts that count. Without that attention all count alike. \(r\) is what the
    MLP makes of the post. \(\tau\), \(\sigma\) and \(\beta\) are learned, one of each a side.
    \(W\) starts at zero.

    Args:
        labels: int >= 1, L.
        width: int >= 1, g.
        sides: those whose hashtags speak, out of `own` and `others`.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, labels: int, width: int, sides: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(labels=labels, width=width)
        if not set(sides) <= {"own", "others"}:
            raise ValueError(f"`sides` must be out of own and others, found {list(sides)}.")
        self.labels, self.width, self.sides = labels, width, tuple(sides)
        self.query_dense = keras.layers.Dense(
            width, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy, name="query"
        )

    def build(self, post_shape: Any) -> None:
        """Makes the weights, for rows of a known width, `[B, width]`."""
        self.names = self.add_weight(
            shape=(self.labels, self.width),
            initializer="zeros",
            trainable=False,
            autocast=False,
            name="names",
        )
        self.query_dense.build(post_shape)
        self.learned = {
            side: self.add_weight(shape=(3,), initializer="ones", autocast=False, name=side)
            for side in self.sides
        }

    def adapt(self, names: np.ndarray) -> None:
        """Takes the vectors of the labels' names, float `[L, g]`, as directions."""
        self.names.assign(unit_rows(names))

    def call(self, post: Any, inputs: Mapping, guidance: Mapping) -> Any:
        """Logits, float `[B, L]`.

        Args:
            post: float `[B, units]`.
            inputs: of `PhrModel`: the hashtags of the sides and their masks.
            guidance: by side `[B, gamma]`, how far the posts that count go with each hashtag; a
                side that is not there lets its hashtags count alike.
        """
        names = ops.cast(self.names, self.compute_dtype)
        logits = ops.matmul(self.query_dense(post), ops.transpose(names))
        for side in self.sides:
            logits = logits + ops.cast(self.said(side, inputs, guidance.get(side)), logits.dtype)
        return logits

    def said(self, side: str, inputs: Mapping, guidance: Any = None) -> Any:
        """What the hashtags of a side say of each label, float32 `[B, L]`.

        Args:
            side: one of `sides`.
            inputs: as of `call`.
            guidance: of this side; None: its hashtags count alike.
        """
        sharp, focus, gain = ops.split(ops.softplus(self.learned[side]) / np.log1p(np.e), 3)
        mask = ops.cast(inputs[f"{side}_hashtags_mask"], "bool")
        hashtags = ops.cast(inputs[f"{side}_hashtags"], "float32")
        hashtags = ops.where(mask[..., None], hashtags, 0.0)
        hashtags = ops.normalize(hashtags, axis=-1, epsilon=1e-12)
        cosines = ops.matmul(hashtags, ops.transpose(self.names))
        alike = ops.exp(_SHARP * sharp * (cosines - 1.0))
        scores = ops.zeros_like(hashtags[..., 0])
        if guidance is not None:
            scores = focus * ops.cast(guidance, "float32")
        weights = masked_softmax(scores, mask)
        heard = ops.squeeze(ops.matmul(weights[:, None], alike), axis=1)
        return gain * ops.log1p(_SATURATION * heard)
