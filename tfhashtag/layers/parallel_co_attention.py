"""The words and the image of a post, each weighted by the other."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.placeholder import Placeholder
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


@public
class ParallelCoAttention(ConfiguredByArguments, keras.layers.Layer):
    r"""Parallel co-attention of words and image proposals, as in MaCon (AAAI 2019).

    $$
    C = U W_b P^\top, \quad
    H_v = \tanh(P W_v + C^\top U W_q), \quad
    H_q = \tanh(U W_q + C P W_v),
    $$

    $$
    a_v = \mathrm{softmax}(H_v w_v), \quad a_q = \mathrm{softmax}(H_q w_q), \quad
    p = U^\top a_q + P^\top a_v
    $$

    with one word a row of \(U\) and one proposal a row of \(P\); no tanh around \(C\), no biases.

    What is masked is not read and gets weight exactly 0. A post without an image has
    \(H_q = \tanh(U W_q)\) and \(p = U^\top a_q\), one without words the same the other way round;
    one with neither gets a learned vector. With `image` None the layer is made for text alone, and
    has the weights \(W_q\) and \(w_q\) only.

    Input: `words` U, float `[B, W, f]`; `image` P, float `[B, m, f]`, or None; `words_mask`, bool
    `[B, W]`, and `image_mask`, bool `[B, m]`, true for what is real (None: all are).
    Output: a dictionary of `vector` p, float `[B, f]`, `words_attention` \(a_q\), float `[B, W]`,
    and, with an image, `image_attention` \(a_v\), float `[B, m]`.

    Args:
        units: int >= 1, inner width.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `units` is out of range, or `words` and `image` are not `[batch, n, width]` of
            one known width.

    Example:

    >>> import numpy as np
    >>> found = ParallelCoAttention(units=5)(
    ...     np.ones((2, 3, 4), "float32"),
    ...     np.zeros((2, 9, 4), "float32"),
    ...     words_mask=np.array([[True, True, False], [False, False, False]]),
    ... )
    >>> found["vector"].numpy().tolist()
    [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    >>> found["words_attention"].numpy().tolist(), found["image_attention"].shape
    ([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]], TensorShape([2, 9]))
    """

    def __init__(self, units: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(units=units)
        self.units = units

    def build(self, words_shape: Any, image_shape: Any = None) -> None:
        for name, shape in (("words", words_shape), ("image", image_shape)):
            if shape is not None and (len(shape) != 3 or shape[-1] is None):
                raise ValueError(
                    f"`{name}` must be [batch, rows, width] of known width, found shape "
                    f"{tuple(shape)}."
                )
        width = words_shape[-1]
        self.query_kernel = self.add_weight(shape=(width, self.units), name="query_kernel")
        self.query_score = self.add_weight(shape=(self.units, 1), name="query_score")
        self.image_kernel = None
        if image_shape is not None:
            if image_shape[-1] != width:
                raise ValueError(
                    "`words` and `image` must be equally wide, found "
                    f"{width} and {image_shape[-1]}."
                )
            self.affinity_kernel = self.add_weight(shape=(width, width), name="affinity_kernel")
            self.image_kernel = self.add_weight(shape=(width, self.units), name="image_kernel")
            self.image_score = self.add_weight(shape=(self.units, 1), name="image_score")
        self.nothing = Placeholder(dtype=self.dtype_policy, name="nothing")
        self.nothing.build((None, width), (None,))

    def call(
        self, words: Any, image: Any = None, words_mask: Any = None, image_mask: Any = None
    ) -> Any:
        if (image is None) != (self.image_kernel is None):
            raise ValueError("`image` must be given always or never: the layer was built for one.")
        words, words_mask = self._cleared(words, words_mask)
        query = self._product(words, self.query_kernel)
        if image is None:
            vector, attention = self._sum(words, query, self.query_score, words_mask)
            vector = self.nothing(vector, ops.any(words_mask, axis=-1))
            return {"vector": vector, "words_attention": attention}
        image, image_mask = self._cleared(image, image_mask)
        visual = self._product(image, self.image_kernel)
        affinity = self._product(words, self.affinity_kernel)
        affinity = ops.matmul(affinity, ops.transpose(image, (0, 2, 1)))
        turned = ops.transpose(affinity, (0, 2, 1))
        # Masked rows are zeros, and so are their rows and columns of C: they guide nothing.
        guided_query = query + ops.matmul(affinity, visual)
        guided_visual = visual + ops.matmul(turned, query)
        read, words_attention = self._sum(words, guided_query, self.query_score, words_mask)
        seen, image_attention = self._sum(image, guided_visual, self.image_score, image_mask)
        present = ops.logical_or(ops.any(words_mask, axis=-1), ops.any(image_mask, axis=-1))
        return {
            "vector": self.nothing(read + seen, present),
            "words_attention": words_attention,
            "image_attention": image_attention,
        }

    def _cleared(self, values: Any, mask: Any) -> Any:
        values = ops.cast(values, self.compute_dtype)
        if mask is None:
            return values, ops.ones(ops.shape(values)[:2], "bool")
        mask = ops.cast(mask, "bool")
        return ops.where(mask[..., None], values, ops.zeros_like(values)), mask

    def _product(self, values: Any, kernel: Any) -> Any:
        return ops.matmul(values, ops.cast(kernel, self.compute_dtype))

    def _sum(self, values: Any, inner: Any, score: Any, mask: Any) -> Any:
        scores = ops.squeeze(self._product(ops.tanh(inner), score), axis=-1)
        attention = ops.cast(masked_softmax(scores, mask), self.compute_dtype)
        return ops.squeeze(ops.matmul(attention[:, None], values), axis=1), attention

    def compute_output_shape(self, words_shape: Any, image_shape: Any = None) -> Any:
        """`vector` `[B, f]`, `words_attention` `[B, W]`, `image_attention` `[B, m]`."""
        shapes = {
            "vector": (words_shape[0], words_shape[2]),
            "words_attention": tuple(words_shape[:2]),
        }
        if image_shape is not None:
            shapes["image_attention"] = tuple(image_shape[:2])
        return shapes
