"""A few small layers, of which a gate says how far each counts."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


@public
class MixtureOfExperts(ConfiguredByArguments, keras.layers.Layer):
    r"""A gate over a few experts (Jacobs et al. 1991; outlook of the thesis, 2024, chapter 5).

    $$
    y = \sum_{e=1}^E \alpha_e \, \sigma(W_e x + b_e), \quad \alpha = \mathrm{softmax}(G z + c)
    $$

    Every expert reads `inputs` \(x\); the gate reads `kind` \(z\), what kind of content it is. All
    experts are computed: E is small. With `balance` above 0 a loss keeps the gate from giving all
    to one expert: `balance` times the squared coefficient of variation of
    \(\sum_B \alpha\) over the experts (Shazeer et al. 2017, equation 7).

    Input: `inputs`, float `[B, d]`; `kind`, float `[B, z]`. Output: float `[B, units]`. The softmax
    runs in float32 at least.

    Args:
        experts: int >= 1, E.
        units: int >= 1, width of the output.
        activation: of an expert.
        balance: float >= 0.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or a width is not known.

    Example:

    >>> import numpy as np
    >>> layer = MixtureOfExperts(experts=3, units=4)
    >>> layer(np.ones((2, 5), "float32"), np.ones((2, 2), "float32")).shape
    TensorShape([2, 4])
    """

    def __init__(
        self,
        experts: int,
        units: int,
        activation: Any = "relu",
        balance: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(experts=experts, units=units)
        if not 0 <= balance < float("inf"):
            raise ValueError(f"`balance` must be a number of at least 0, found {balance!r}.")
        self.experts, self.units, self.balance = experts, units, float(balance)
        self.activation = keras.activations.get(activation)

    def build(self, inputs_shape: Any, kind_shape: Any) -> None:
        for name, shape in (("inputs", inputs_shape), ("kind", kind_shape)):
            if len(shape) != 2 or shape[-1] is None:
                raise ValueError(
                    f"`{name}` must be [batch, width] of known width, found shape {tuple(shape)}."
                )
        self.kernel = self.add_weight(
            shape=(self.experts, inputs_shape[-1], self.units), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.experts, self.units), initializer="zeros", name="bias"
        )
        self.gate_kernel = self.add_weight(shape=(kind_shape[-1], self.experts), name="gate_kernel")
        self.gate_bias = self.add_weight(
            shape=(self.experts,), initializer="zeros", name="gate_bias"
        )

    def call(self, inputs: Any, kind: Any, training: Any = False) -> Any:
        weights = self.weights_of(kind)
        if training and self.balance > 0:
            load = ops.sum(weights, axis=0)
            self.add_loss(self.balance * ops.var(load) / ops.square(ops.mean(load)))
        found = ops.einsum("bd,edu->beu", inputs, ops.cast(self.kernel, inputs.dtype))
        found = self.activation(found + ops.cast(self.bias, found.dtype))
        return ops.einsum("be,beu->bu", ops.cast(weights, found.dtype), found)

    def weights_of(self, kind: Any) -> Any:
        """What the gate gives each expert, float `[B, E]`; `kind` float `[B, z]`."""
        scores = ops.matmul(kind, ops.cast(self.gate_kernel, kind.dtype))
        scores = scores + ops.cast(self.gate_bias, scores.dtype)
        if scores.dtype != "float64":
            scores = ops.cast(scores, "float32")
        # Not `ops.softmax`, which warns of a single expert.
        powers = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        return powers / ops.sum(powers, axis=-1, keepdims=True)

    def compute_output_shape(self, inputs_shape: Any, kind_shape: Any = None) -> Any:
        """`[B, units]`."""
        return (inputs_shape[0], self.units)
