"""Experts for kinds of content, in place of the hidden layer of the head."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfhashtag.layers import MixtureOfExperts, PictureTextAgreement
from tfhashtag.layers.picture_pooling import mean_of_pictures
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import public

_BALANCE = 0.01


@public
class ContentExperts(keras.layers.Layer):
    """`MixtureOfExperts` whose gate reads what kind of content a post has.

    That is: whether it has a text and pictures, how far they agree (`PictureTextAgreement`), and
    what both say in their shared space.

    Args:
        experts: int >= 1.
        hidden: int >= 1, units of an expert.
        width: int >= 1, g, of the vectors of texts.
        image_width: int >= 1, a'.
        shared: int >= 1, width of the shared space.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: a size is out of range.
    """

    def __init__(
        self,
        experts: int,
        hidden: int,
        width: int,
        image_width: int,
        shared: int = 16,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(experts=experts, hidden=hidden, width=width, image_width=image_width)
        policy = self.dtype_policy
        self.width, self.image_width = width, image_width
        self.agreement = PictureTextAgreement(shared, dtype=policy, name="agreement")
        self.mixture = MixtureOfExperts(
            experts, hidden, balance=_BALANCE, dtype=policy, name="mixture"
        )

    def build(self, node_shape: Any) -> None:
        """Makes the weights, for rows of a known width, `[B, width]`."""
        self.agreement.build((None, self.width), (None, self.image_width), (None,), (None,))
        self.mixture.build(node_shape, (None, 2 * self.agreement.units + 3))

    def call(self, node: Any, inputs: Mapping, training: Any = False) -> Any:
        """What the experts make of nodes `[B, width]`, float `[B, hidden]`."""
        return self.mixture(node, self.kind(inputs, training), training=training)

    def kind(self, inputs: Mapping, training: Any = False) -> Any:
        """What the gate reads, float `[B, 2 * shared + 3]`: agreement first."""
        has_text, has_image = inputs["has_text"], inputs["has_image"]
        proposals = ops.cast(inputs["proposals"], self.compute_dtype)
        visual = mean_of_pictures(proposals, inputs.get("image_mask"))
        text = ops.cast(inputs["text"], self.compute_dtype)
        found = self.agreement(text, visual, has_text, has_image, training=training)
        there = [ops.cast(has, text.dtype)[:, None] for has in (has_text, has_image)]
        agreement = found["agreement"][:, None]
        return ops.concatenate([agreement, *there, found["text"], found["visual"]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "experts": self.mixture.experts,
            "hidden": self.mixture.units,
            "width": self.width,
            "image_width": self.image_width,
            "shared": self.agreement.units,
        }
