"""The vector of a post, from all pairs of its four sides."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfhashtag.layers.co_attention import CoAttention
from tfhashtag.registration import ConfiguredByArguments, public

SIDES = ("visual", "textual", "own", "others")
ALL_SIX = (
    ("textual", "visual"),
    ("own", "visual"),
    ("others", "visual"),
    ("own", "textual"),
    ("others", "textual"),
    ("others", "own"),
)
TRIPLET = (("own", "visual"), ("textual", "visual"), ("own", "textual"))


@public
class SextupletCoAttention(ConfiguredByArguments, keras.layers.Layer):
    r"""Sextuplet co-attention of the four sides of a post (thesis 2024, section 3.3).

    $$
    r_i = V^{TV} + V^{UV} + V^{OV} + V^{UT} + V^{OT} + V^{OU}
    $$

    Each term is a `CoAttention` (equations 15 and 16) with weights of its own; the superscripts
    name its `first` and its `second` side. The sides: `visual` \(V_i\) and `textual` \(T_i\), the
    proposals of the post; `own` \(V_u'\), from the user's similar posts; `others` \(V_o'\), from
    similar posts by others.

    Which pairs take part is a switch: `ALL_SIX` as in the thesis; `TRIPLET`, the user-image,
    image-text and text-user pairs of TAGNet; without a side, the pairs of `ALL_SIX` without it.

    Input: `visual`, `textual`, `own`, `others`, float `[B, m, f]`, all of one shape; a side that
    no pair uses may be None, and has no influence if it is given. Output: a dictionary of `post`
    \(r_i\), float `[B, m, f]`, and `attention`, float `[B, P, 2, m]`: for each of the P pairs in
    their order the weights of (15) and of (16).

    Args:
        pairs: pairs of names of sides, `first` before `second`, at least one, none twice.
        block: of `CoAttention`: posts in a block.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `pairs` is empty, names another side, a side with itself or a pair twice; or a
            side that a pair uses is None.

    Example:

    >>> import numpy as np
    >>> sides = [np.ones((2, 4, 3), "float32")] * 4
    >>> result = SextupletCoAttention()(*sides)
    >>> result["post"].shape, result["attention"].shape
    (TensorShape([2, 4, 3]), TensorShape([2, 6, 2, 4]))
    """

    def __init__(
        self,
        pairs: Sequence[Sequence[str]] = ALL_SIX,
        block: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Keras would track a list of lists; a plain tuple stays what it is
        self.pairs = tuple((str(first), str(second)) for first, second in pairs)
        if not self.pairs:
            raise ValueError("`pairs` must name at least one pair, found none.")
        for first, second in self.pairs:
            if first not in SIDES or second not in SIDES or first == second:
                raise ValueError(
                    f"`pairs` must be of two different sides out of {', '.join(SIDES)}, found "
                    f"({first!r}, {second!r})."
                )
        if len({frozenset(pair) for pair in self.pairs}) < len(self.pairs):
            raise ValueError(f"`pairs` must not name a pair twice, found {self.pairs}.")
        self.block = block

    def build(
        self,
        visual_shape: Any = None,
        textual_shape: Any = None,
        own_shape: Any = None,
        others_shape: Any = None,
    ) -> None:
        shapes = dict(
            zip(SIDES, (visual_shape, textual_shape, own_shape, others_shape), strict=True)
        )
        self._check_sides(shapes)
        self.co_attentions = []
        for first, second in self.pairs:
            layer = CoAttention(block=self.block, dtype=self.dtype_policy, name=f"{first}_{second}")
            layer.build(shapes[first], shapes[second])
            self.co_attentions.append(layer)

    def call(
        self, visual: Any = None, textual: Any = None, own: Any = None, others: Any = None
    ) -> Any:
        sides = dict(zip(SIDES, (visual, textual, own, others), strict=True))
        self._check_sides(sides)
        post, attention = 0, []
        for (first, second), layer in zip(self.pairs, self.co_attentions, strict=True):
            result = layer(sides[first], sides[second])
            post = post + result["vector"]
            attention.append(result["attention"])
        return {"post": post, "attention": ops.stack(attention, axis=1)}

    def _check_sides(self, sides: Any) -> None:
        for pair in self.pairs:
            for side in pair:
                if sides[side] is None:
                    raise ValueError(
                        f"`{side}` must be given, found None: the pair {pair} uses it; leave its "
                        "pairs out with `pairs`."
                    )

    def compute_output_shape(
        self,
        visual_shape: Any = None,
        textual_shape: Any = None,
        own_shape: Any = None,
        others_shape: Any = None,
    ) -> Any:
        """`post` `[B, m, f]` and `attention` `[B, P, 2, m]`."""
        shapes = (visual_shape, textual_shape, own_shape, others_shape)
        shape = tuple(shapes[SIDES.index(self.pairs[0][0])])
        return {"post": shape, "attention": (shape[0], len(self.pairs), 2, shape[1])}
