"""Several small networks that score side by side, in one product a layer."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_dropout, check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


@public
class ScorerEnsemble(ConfiguredByArguments, keras.layers.Layer):
    r"""`members` perceptrons with a linear shortcut, each from features to one logit.

    $$
    s_k(x) = w_k \cdot \mathrm{ReLU}(W_k^{(2)} \, \mathrm{ReLU}(W_k^{(1)} x + b_k^{(1)})
             + b_k^{(2)}) + a_k \cdot x
    $$

    for any number of hidden layers. Members differ in their initial weights and in their dropout.
    A ranking wants no bias in the last layer.

    Input: float `[..., F]`. Output: the logits of the members, float `[..., members]`; their mean
    is the logit of the ensemble.

    Args:
        members: int >= 1.
        hidden: widths of the hidden layers, at least one.
        dropout: float in [0, 1), after each hidden layer, in training.
        seed: int, of the initial weights and of the dropout.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> import numpy as np
    >>> layer = ScorerEnsemble(members=3, hidden=(8, 4))
    >>> layer(np.ones((2, 5, 7), "float32")).shape
    TensorShape([2, 5, 3])
    """

    def __init__(
        self,
        members: int = 4,
        hidden: Sequence[int] = (64, 32),
        dropout: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(members=members)
        if not hidden or any(not isinstance(width, int) or width < 1 for width in hidden):
            raise ValueError(f"`hidden` must hold integers of at least 1, found {hidden!r}.")
        check_dropout(dropout)
        self.members = members
        self.hidden = tuple(hidden)
        self.dropout = dropout
        self.seed = seed

    def build(self, inputs_shape: Any) -> None:
        width = self.features = inputs_shape[-1]
        self.kernels, self.biases = [], []
        for index, units in enumerate(self.hidden):
            limit = (6.0 / (width + units)) ** 0.5
            self.kernels.append(
                self.add_weight(
                    shape=(self.members, width, units),
                    initializer=keras.initializers.RandomUniform(
                        -limit, limit, seed=self.seed * 31 + index
                    ),
                    name=f"kernel_{index}",
                )
            )
            self.biases.append(
                self.add_weight(
                    shape=(self.members, 1, units), initializer="zeros", name=f"bias_{index}"
                )
            )
            width = units
        limit = (6.0 / (width + 1)) ** 0.5
        self.logit_kernel = self.add_weight(
            shape=(self.members, width, 1),
            initializer=keras.initializers.RandomUniform(-limit, limit, seed=self.seed * 31 + 17),
            name="logit",
        )
        limit = (6.0 / (self.features + 1)) ** 0.5
        self.shortcut = self.add_weight(
            shape=(self.features, self.members),
            initializer=keras.initializers.RandomUniform(-limit, limit, seed=self.seed * 31 + 23),
            name="shortcut",
        )
        self.drop = keras.layers.Dropout(
            self.dropout, seed=self.seed, dtype=self.dtype_policy, name="drop"
        )

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Logits of every member."""
        shape = ops.shape(inputs)
        flat = ops.reshape(inputs, (-1, self.features))
        hidden = flat[None]
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            hidden = self.drop(ops.relu(ops.matmul(hidden, kernel) + bias), training=training)
        logits = ops.transpose(ops.matmul(hidden, self.logit_kernel)[..., 0])
        logits = logits + ops.matmul(flat, self.shortcut)
        return ops.reshape(logits, (*shape[:-1], self.members))

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        """`[..., members]`."""
        return (*inputs_shape[:-1], self.members)
