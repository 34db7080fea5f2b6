"""Similar posts or used hashtags that all count alike."""

from typing import Any

from keras import ops

from tfhashtag.layers import Placeholder, Segments
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.recommenders.phr.parts.side import Side
from tfhashtag.registration import public

USED_HASHTAGS = "used_hashtags"


@public
class MeanSide(Side):
    r"""\(V_u'\) or \(V_o'\) without attention: the mean of vectors, as segments.

    Over similar posts it is PHR-PTA; over the user's most used hashtags the user of TAGNet. Inputs:
    `values`, float `[B, k, g]`, under the name `values`, and the mask beside it, bool `[B, k]`. A
    learned vector stands for a user without any.

    Args:
        side: `own` or `others`.
        proposals: int >= 1, m.
        features: int >= 1, f.
        values: the input: `own_posts`, `others_posts` or `used_hashtags`.
        width: int >= 1, g.
        reads_hashtags: whether hashtags are part of `values`; used hashtags always are.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        side: str,
        proposals: int,
        features: int,
        values: str,
        width: int,
        reads_hashtags: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(side, proposals, features, **kwargs)
        check_sizes(width=width)
        self.values, self.width = values, width
        self.reads_hashtags = reads_hashtags or values == USED_HASHTAGS
        self.segments = Segments(proposals, features, dtype=self.dtype_policy, name="segments")
        self.nothing = Placeholder(dtype=self.dtype_policy, name="nothing")

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        self.segments.build((None, self.width))
        self.nothing.build((None, self.width), (None,))

    def call(self, inputs: Any, training: Any = False) -> Any:
        """The side, float `[B, m, f]`, and None: it has no attention."""
        values = ops.cast(inputs[self.values], self.compute_dtype)
        mask = ops.cast(inputs[f"{self.values}_mask"], "bool")
        values = ops.where(mask[..., None], values, ops.zeros_like(values))
        weights = ops.cast(mask, values.dtype)
        weights = weights / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)
        mean = ops.einsum("bk,bkg->bg", weights, values)
        return self.segments(self.nothing(mean, ops.any(mask, axis=1))), None
