"""Several pictures of a post as one."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


@public
class PicturePooling(ConfiguredByArguments, keras.layers.Layer):
    r"""One matrix `[m, f]` of the pictures of a post, whatever their number and order.

    The thesis (2024, chapter 5) names posts with several pictures and short videos as what comes
    next and leaves the way open. Here cell j of the result is a weighted mean of cell j of the P
    pictures, whose weights are of a picture as a whole:

    $$
    V_j = \sum_{p=1}^P \alpha_p r_{p,j}, \quad
    \alpha = \mathrm{softmax}_p\Big(q \cdot \frac{1}{m} \sum_{j=1}^m r_{p,j}\Big)
    $$

    with a learned \(q\), zero at the start, or without one \(\alpha_p = 1/P\). Of one picture the
    result is that picture, to the bit.

    Input: `read` \(r\), float `[B, P * m, f]`, the m cells of the first picture, then those of the
    second; `image_mask`, bool `[B, P]`, which pictures there are. What is masked is not read.
    Output: float `[B, m, f]`, zeros for a post without pictures.

    Args:
        proposals: int >= 1, m.
        weighted: whether \(q\) is learned.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `proposals` is out of range, or the width of `read` is not known.

    Example:

    >>> import numpy as np
    >>> read = np.array([[[1.0], [2.0], [3.0], [6.0]]], "float32")
    >>> layer = PicturePooling(proposals=2)
    >>> layer(read, np.array([[True, True]])).numpy().tolist()
    [[[2.0], [4.0]]]
    >>> layer(read, np.array([[False, True]])).numpy().tolist()
    [[[3.0], [6.0]]]
    """

    def __init__(self, proposals: int, weighted: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(proposals=proposals)
        self.proposals, self.weighted = proposals, bool(weighted)

    def build(self, read_shape: Any, image_mask_shape: Any = None) -> None:
        if len(read_shape) != 3 or read_shape[-1] is None:
            raise ValueError(
                "`read` must be [batch, pictures * proposals, width] of known width, found shape "
                f"{tuple(read_shape)}."
            )
        self.query = None
        if self.weighted:
            self.query = self.add_weight(shape=(read_shape[-1],), initializer="zeros", name="query")

    def call(self, read: Any, image_mask: Any) -> Any:
        mask = ops.cast(image_mask, "bool")
        shape = ops.shape(mask)
        cells = ops.reshape(read, (shape[0], shape[1], self.proposals, read.shape[-1]))
        cells = ops.where(mask[..., None, None], cells, ops.zeros_like(cells))
        weights = self.weights_of(cells, mask)
        return ops.sum(ops.cast(weights, cells.dtype)[..., None, None] * cells, axis=1)

    def weights_of(self, cells: Any, mask: Any) -> Any:
        """The weights of the pictures, float `[B, P]`; `cells` float `[B, P, m, f]`."""
        if self.query is None or mask.shape[1] == 1:
            there = ops.cast(mask, cells.dtype)
            return there / ops.maximum(ops.sum(there, axis=1, keepdims=True), 1)
        scores = ops.matmul(ops.mean(cells, axis=2), ops.cast(self.query, cells.dtype))
        return masked_softmax(scores, mask)

    def compute_output_shape(self, read_shape: Any, image_mask_shape: Any = None) -> Any:
        """`[B, m, f]`."""
        return (read_shape[0], self.proposals, read_shape[-1])


def mean_of_pictures(proposals: Any, mask: Any = None) -> Any:
    """The mean proposal of a post's pictures.

    Args:
        proposals: float `[B, P * m, a]`; zeros where there is no picture.
        mask: bool `[B, P]`, which pictures there are; None for one picture.

    Returns:
        float `[B, a]`, zeros without a picture.

    Example:

    >>> import numpy as np
    >>> cells = np.array([[[1.0], [3.0], [0.0], [0.0]]], "float32")
    >>> float(mean_of_pictures(cells, np.array([[True, False]]))[0, 0])
    2.0
    """
    if mask is None:
        return ops.mean(proposals, axis=1)
    mask = ops.cast(mask, "bool")
    shape = ops.shape(mask)
    # Not the other way round: without a post no size could be worked out.
    cells = ops.shape(proposals)[1] // ops.maximum(shape[1], 1)
    pictures = ops.reshape(proposals, (shape[0], shape[1], cells, proposals.shape[-1]))
    means = ops.where(mask[..., None], ops.mean(pictures, axis=2), 0.0)
    count = ops.maximum(ops.sum(ops.cast(mask, means.dtype), axis=1, keepdims=True), 1)
    return ops.sum(means, axis=1) / count
