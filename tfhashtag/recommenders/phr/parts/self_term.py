"""No graph: a post alone."""

from typing import Any

import keras

from tfhashtag.registration import public


@public
class SelfTerm(keras.layers.Layer):
    r"""\(\sigma(W_0 r_i)\), what is left of equation 19 (thesis 2024) without neighbours.

    Args:
        units: int >= 1, width of the node.
        activation: sigma.
        **kwargs: of `keras.layers.Layer`.
    """

    relations = ()
    link_names = ()

    def __init__(self, units: int, activation: Any = "sigmoid", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(
            units, activation=activation, use_bias=False, dtype=self.dtype_policy, name="dense"
        )

    def build(self, node_shape: Any) -> None:
        """Makes the weights, for rows of a known width, `[B, width]`."""
        self.dense.build(node_shape)

    def call(self, found: Any, inputs: Any = None, hidden: Any = None) -> Any:
        """The node, float `[B, units]`; only `found["post"]` is read."""
        return self.dense(found["post"])

    def get_config(self) -> dict[str, Any]:
        dense = self.dense.get_config()
        config = super().get_config()
        return {**config, "units": dense["units"], "activation": dense["activation"]}
