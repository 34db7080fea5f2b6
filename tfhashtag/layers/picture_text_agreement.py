"""How far picture and text of a post say the same."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


@public
class PictureTextAgreement(ConfiguredByArguments, keras.layers.Layer):
    r"""The cosine of picture and text in a learned shared space (DeViSE, Frome et al. 2013).

    $$
    a = \cos(W_T t, W_V v)
    $$

    Nothing says which posts agree. In training a loss makes the projections put picture and text of
    one post nearer to each other than those of different posts of the batch: the symmetric
    contrastive one of CLIP (Radford et al. 2021) at a temperature, times `weight`.

    Input: `text` t, float `[B, g]`; `visual` v, float `[B, a]`; `has_text` and `has_image`, bool
    `[B]`. Output: a dictionary of `agreement`, float `[B]` from -1 to 1, 0 where one of both is
    missing; `text` and `visual`, float `[B, units]`, the projections to length 1, zeros for what is
    missing.

    Args:
        units: int >= 1, width of the shared space.
        weight: float >= 0, of the contrastive loss.
        temperature: float > 0.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or a width is not known.

    Example:

    >>> import numpy as np
    >>> there = np.array([True, False])
    >>> text, visual = np.ones((2, 3), "float32"), np.ones((2, 5), "float32")
    >>> found = PictureTextAgreement(units=4)(text, visual, there, there)
    >>> found["agreement"].shape, float(found["agreement"][1])
    (TensorShape([2]), 0.0)
    """

    def __init__(
        self, units: int = 16, weight: float = 0.1, temperature: float = 0.07, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(units=units)
        if not 0 <= weight < float("inf") or not 0 < temperature < float("inf"):
            raise ValueError(
                "`weight` must be a number of at least 0 and `temperature` one above 0, found "
                f"{weight!r} and {temperature!r}."
            )
        self.units, self.weight, self.temperature = units, float(weight), float(temperature)

    def build(
        self, text_shape: Any, visual_shape: Any, has_text_shape: Any, has_image_shape: Any
    ) -> None:
        for name, shape in (("text", text_shape), ("visual", visual_shape)):
            if len(shape) != 2 or shape[-1] is None:
                raise ValueError(
                    f"`{name}` must be [batch, width] of known width, found shape {tuple(shape)}."
                )
            kernel = self.add_weight(shape=(shape[-1], self.units), name=f"{name}_kernel")
            setattr(self, f"{name}_kernel", kernel)

    def call(
        self, text: Any, visual: Any, has_text: Any, has_image: Any, training: Any = False
    ) -> Any:
        text = self._projected(text, self.text_kernel, has_text)
        visual = self._projected(visual, self.visual_kernel, has_image)
        if training and self.weight > 0:
            both = ops.logical_and(ops.cast(has_text, "bool"), ops.cast(has_image, "bool"))
            self.add_loss(self.weight * self.contrast(text, visual, both))
        return {"agreement": ops.sum(text * visual, axis=-1), "text": text, "visual": visual}

    def contrast(self, text: Any, visual: Any, both: Any) -> Any:
        """The contrastive loss of projections, a scalar; `both`: the posts that take part."""
        scores = ops.cast(ops.matmul(text, ops.transpose(visual)), "float32") / self.temperature
        scores = ops.where(both[:, None] & both[None], scores, -1e9)
        count = ops.maximum(ops.sum(ops.cast(both, "float32")), 1.0)
        total = 0.0
        for turned in (scores, ops.transpose(scores)):
            losses = ops.logsumexp(turned, axis=-1) - ops.diagonal(turned)
            total += ops.sum(ops.where(both, losses, 0.0)) / count
        return total / 2

    def _projected(self, values: Any, kernel: Any, there: Any) -> Any:
        there = ops.cast(there, "bool")[:, None]
        values = ops.where(there, values, ops.zeros_like(values))
        found = ops.matmul(values, ops.cast(kernel, values.dtype))
        lengths = ops.sqrt(ops.maximum(ops.sum(found * found, axis=-1, keepdims=True), 1e-6))
        return found / lengths

    def compute_output_shape(
        self, text_shape: Any, visual_shape: Any, has_text_shape: Any, has_image_shape: Any
    ) -> Any:
        """`agreement` `[B]`, `text` and `visual` `[B, units]`."""
        shape = (text_shape[0], self.units)
        return {"agreement": shape[:1], "text": shape, "visual": shape}
