"""Similar posts, their hashtags guiding which of them count."""

from typing import Any

from keras import ops

from tfhashtag.layers import PostTagAttention, Segments
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.recommenders.phr.parts.side import Side
from tfhashtag.registration import public


@public
class PostTagSide(Side):
    r"""\(V_u'\) or \(V_o'\): `PostTagAttention` over similar posts (thesis 2024, equation 14).

    Inputs, for the side `own`: `own_posts`, float `[B, k, g]`, and `own_posts_mask`, bool `[B, k]`;
    `own_hashtags`, float `[B, gamma, g]`, and `own_hashtags_mask`. `others` likewise.

    Args:
        side: `own` or `others`.
        proposals: int >= 1, m.
        features: int >= 1, f.
        posts: int >= 1, k or mu.
        width: int >= 1, g.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    reads_hashtags = True

    def __init__(
        self, side: str, proposals: int, features: int, posts: int, width: int, **kwargs: Any
    ) -> None:
        super().__init__(side, proposals, features, **kwargs)
        check_sizes(posts=posts, width=width)
        self.posts, self.width, self.values = posts, width, f"{side}_posts"
        self.segments = Segments(proposals, features, dtype=self.dtype_policy, name="segments")
        self.attention = PostTagAttention(dtype=self.dtype_policy, name="attention")

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        self.segments.build((None, self.width))
        self.attention.build((None, self.posts, self.width), (None, None, self.width))

    def call(self, inputs: Any, training: Any = False) -> Any:
        """The side, float `[B, m, f]`, and the weights of the posts, float `[B, k]`."""
        found = self.attention(
            inputs[f"{self.side}_posts"],
            inputs[f"{self.side}_hashtags"],
            posts_mask=inputs[f"{self.side}_posts_mask"],
            hashtags_mask=inputs[f"{self.side}_hashtags_mask"],
        )
        return self.segments(found["vector"]), found["attention"]

    def guidance(self, inputs: Any, attention: Any) -> Any:
        r"""\(\pi Q\), float `[B, gamma]`: how far the posts that count go with each hashtag.

        Args:
            inputs: of `PhrModel`.
            attention: \(\pi\), float `[B, k]`.
        """
        found = []
        for what in ("posts", "hashtags"):
            values = ops.cast(inputs[f"{self.side}_{what}"], self.compute_dtype)
            real = ops.cast(inputs[f"{self.side}_{what}_mask"], "bool")[..., None]
            found.append(ops.where(real, values, ops.zeros_like(values)))
        return ops.squeeze(attention[:, None] @ self.attention.correlation(*found), axis=1)
