"""The counts around a post, of the sides that take part."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from tfhashtag.layers import CountResidual
from tfhashtag.layers.picture_pooling import mean_of_pictures
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import public


@public
class ResidualPath(CountResidual):
    """`CountResidual` that reads nothing of a side that takes no part.

    Args:
        labels: int >= 1, L.
        width: int >= 1, g.
        image_width: int >= 1, a'; None: no pictures are read.
        sides: those that take part.
        signals: the sides that the S signals speak for, at least one.
        dropout, l2: of `CountResidual`.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        labels: int,
        width: int,
        image_width: int | None,
        sides: Sequence[str],
        signals: Sequence[str],
        dropout: float = 0.0,
        l2: float = 1e-5,
        **kwargs: Any,
    ) -> None:
        super().__init__(labels, dropout, l2, **kwargs)
        check_sizes(width=width, signals=len(signals))
        self.width, self.image_width = width, image_width
        self.sides, self.signals = tuple(sides), tuple(signals)

    def shapes(self) -> dict:
        """The arguments of `build`."""
        vectors = (None, self.width)
        return {
            "text_shape": vectors,
            "user_shape": vectors,
            "labels_shape": (None, None),
            "signals_shape": (None, None, len(self.signals)),
            "visual_shape": None if self.image_width is None else (None, self.image_width),
        }

    def read(self, inputs: Mapping) -> dict:
        """The arguments of `call`.

        Args:
            inputs: of `PhrModel`: `text` and `user_text`, float `[B, g]`; `count_labels`, int
                `[B, N]`; `count_signals`, float `[B, N, S]`; with pictures `proposals`, float
                `[B, P * m, a']`, `has_image`, bool `[B]`, and perhaps `image_mask`, bool `[B, P]`.

        Returns:
            `text`, `user`, `labels`, `signals`; with pictures `visual`, float `[B, a']`, the mean
            proposal, zeros where there is no picture.
        """

        def of_side(side: Any, values: Any) -> Any:
            return values if side in self.sides else ops.zeros_like(values)

        taken = np.array([side in self.sides for side in self.signals], "float32")
        signals = inputs["count_signals"]
        found = {
            "text": of_side("textual", inputs["text"]),
            "user": of_side("own", inputs["user_text"]),
            "labels": inputs["count_labels"],
            "signals": signals * ops.convert_to_tensor(taken, signals.dtype),
        }
        if self.image_width is not None:
            proposals = ops.cast(inputs["proposals"], self.compute_dtype)
            mean = mean_of_pictures(proposals, inputs.get("image_mask"))
            there = ops.cast(inputs["has_image"], "bool")[:, None]
            found["visual"] = ops.where(there, mean, ops.zeros_like(mean))
        return found
