"""The picture of a post."""

from typing import Any

import keras

from tfhashtag.layers import MemoryNetwork, PicturePooling, Placeholder
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.recommenders.phr.parts.side import Side
from tfhashtag.registration import public


@public
class VisualSide(Side):
    r"""\(V_i\): image proposals, projected and read by a memory (thesis 2024, equations 1 to 11).

    Inputs: `proposals`, float `[B, P * m, a']`, those of all pictures on one axis; `has_image`,
    bool `[B]`; with several pictures `image_mask`, bool `[B, P]`, which there are. The memory reads
    the proposals of all pictures, and `PicturePooling` makes one matrix of them. A learned matrix
    stands for pictures that are not there.

    Args:
        proposals: int >= 1, m.
        features: int >= 1, f.
        image_width: int >= 1, a', width of the given proposals.
        projection: int >= 1, a, to which they are projected first.
        slots: s of `MemoryNetwork`; None: one dense layer in its place (PHR-MN, TAGNet).
        heads, strength: nr and c of `MemoryNetwork`.
        weighted: whether pictures have learned weights; else all count alike.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        proposals: int,
        features: int,
        image_width: int,
        projection: int = 512,
        slots: int | None = 16,
        heads: int = 4,
        strength: float = 1.0,
        weighted: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__("visual", proposals, features, **kwargs)
        check_sizes(image_width=image_width, projection=projection)
        self.image_width, self.slots, self.heads, self.strength = (
            image_width,
            slots,
            heads,
            strength,
        )
        policy = self.dtype_policy
        self.projection = keras.layers.Dense(projection, dtype=policy, name="projection")
        if slots is None:
            self.reader = keras.layers.Dense(features, dtype=policy, name="dense")
        else:
            self.reader = MemoryNetwork(
                features, slots, heads, strength, dtype=policy, name="memory"
            )
        self.pooling = PicturePooling(proposals, weighted, dtype=policy, name="pooling")
        self.no_image = Placeholder(dtype=policy, name="no_image")

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        self.projection.build((None, self.proposals, self.image_width))
        self.reader.build((None, self.proposals, self.projection.units))
        self.pooling.build((None, None, self.features))
        self.no_image.build((None, self.proposals, self.features), (None,))

    def call(self, inputs: Any, training: Any = False) -> Any:
        """The side, float `[B, m, f]`, and None: it has no attention."""
        read = self.reader(self.projection(inputs["proposals"]))
        if "image_mask" in inputs:
            read = self.pooling(read, inputs["image_mask"])
        return self.no_image(read, inputs["has_image"]), None

    def get_config(self) -> dict[str, Any]:
        return {
            **keras.layers.Layer.get_config(self),
            "proposals": self.proposals,
            "features": self.features,
            "image_width": self.image_width,
            "projection": self.projection.units,
            "slots": self.slots,
            "heads": self.heads,
            "strength": self.strength,
            "weighted": self.pooling.weighted,
        }
