"""From the node of a post to a logit for every label."""

from collections.abc import Mapping
from typing import Any

import keras

from tfhashtag.layers.sublayers import at_least_float32, check_sizes
from tfhashtag.recommenders.phr.parts.content_experts import ContentExperts
from tfhashtag.recommenders.phr.parts.label_vectors import LabelVectors
from tfhashtag.recommenders.phr.parts.residual_path import ResidualPath
from tfhashtag.registration import public, serialized_part


@public
class Head(keras.layers.Layer):
    """An MLP (thesis 2024, equation 20), and perhaps a residual path beside it.

    Beside a residual path the MLP starts by adding nothing.

    Args:
        labels: int >= 1, L.
        hidden: int >= 1, of the MLP.
        dropout: float in [0, 1), before the last layer.
        residual: the counts around a post, added to its logits; None: no part of the thesis's
            model.
        experts: in place of the hidden layer, of as many units; None: one hidden layer.
        vectors: what speaks for labels through their vectors, added to the logits; None: no part of
            the thesis's model.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: a size is out of range.
    """

    def __init__(
        self,
        labels: int,
        hidden: int = 512,
        dropout: float = 0.0,
        residual: ResidualPath | None = None,
        experts: ContentExperts | None = None,
        vectors: LabelVectors | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(labels=labels, hidden=hidden)
        policy = self.dtype_policy
        self.hidden, self.experts = hidden, experts
        self.hidden_dense: Any = None
        if experts is None:
            self.hidden_dense = keras.layers.Dense(
                hidden, activation="relu", dtype=policy, name="hidden"
            )
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        start = "glorot_uniform" if residual is None else "zeros"
        self.logits_dense = keras.layers.Dense(
            labels, kernel_initializer=start, dtype=policy, name="logits"
        )
        self.residual, self.vectors = residual, vectors

    def build(self, node_shape: Any) -> None:
        """Makes the weights, for rows of a known width, `[B, width]`."""
        hidden = (None, self.hidden)
        (self.experts or self.hidden_dense).build(node_shape)
        self.logits_dense.build(hidden)
        if self.residual is not None:
            self.residual.build(**self.residual.shapes())
        if self.vectors is not None:
            self.vectors.build(hidden)

    def call(
        self, node: Any, inputs: Mapping, guidance: Mapping | None = None, training: Any = False
    ) -> Any:
        """Logits, float32 at least, `[B, L]`, of nodes `[B, units]`.

        Args:
            node: what the graph gives.
            inputs: of `PhrModel`.
            guidance: of `LabelVectors`.
            training: whether dropout acts.
        """
        if self.experts is None:
            hidden = self.hidden_dense(node)
        else:
            hidden = self.experts(node, inputs, training=training)
        hidden = self.drop(hidden, training=training)
        logits = self.logits_dense(hidden)
        if self.vectors is not None:
            logits = logits + self.vectors(hidden, inputs, guidance or {})
        if self.residual is not None:
            logits = logits + self.residual(**self.residual.read(inputs), training=training)
        return at_least_float32(logits)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "labels": self.logits_dense.units,
            "hidden": self.hidden,
            "dropout": self.drop.rate,
            "residual": serialized_part(self.residual),
            "experts": serialized_part(self.experts),
            "vectors": serialized_part(self.vectors),
        }

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """A head from `get_config`."""
        made = {
            name: config.get(name) and keras.saving.deserialize_keras_object(config[name])
            for name in ("residual", "experts", "vectors")
        }
        return cls(**{**config, **made})
