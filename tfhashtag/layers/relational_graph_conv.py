"""Posts learn from posts that look or read alike."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops
from spektral.layers import MessagePassing

from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


@public
class RelationalGraphConv(ConfiguredByArguments, MessagePassing):
    r"""Relational graph convolution over posts (thesis 2024, equation 19; R-GCN 2017, equation 2).

    $$
    r_i' = \sigma \Big( \sum_{\alpha} \sum_{\beta \in N_i^\alpha}
        \frac{1}{\tau_{i,\alpha}} W_\alpha A_{i,\beta}^\alpha r_\beta + W_0 r_i \Big)
    $$

    \(\alpha\) runs over the relations, each with a matrix of its own; \(A_{i,\beta}^\alpha\) is
    the weight of the edge, as `similarity_edges` makes it (with weights of 1 this is the published
    R-GCN); \(\tau_{i,\alpha} = \max(1, |N_i^\alpha|)\), the number of edges that are not 0. An
    edge from a post to itself is none of this layer's making: \(W_0\) is the self term.

    Two ways to call it, one result:

    - **the graph of a batch**, for training: `layer(nodes, weights)` with weights `[N, N, R]`
      between the posts of the batch, built inside the training step from their pooled features;
    - **retrieved neighbours**, for inference: `layer(nodes, weights, neighbours)` with the features
      of each post's own neighbours `[B, n, F]` and weights `[B, n, R]`. A post's answer then does
      not depend on the rest of the batch.

    A message \(W_\alpha r_\beta\) is linear and belongs to its sender alone: `project` computes
    the messages of a catalogue of posts once, to be stored as `[posts, R, units]`, and `combine`
    takes those of a post's neighbours in place of their features.

    It is one step of Spektral's `MessagePassing` on a sparse adjacency, in which each post sends
    one message a relation. Weights and messages are contracted in one matrix product, not edge by
    edge: in a batch most pairs can be linked, and a message an edge would not fit.

    Input: `nodes`, float `[N, F]`, posts flattened; `weights`, float `[N, N, R]` or `[N, n, R]`, 0
    for no edge; entry `[i, j, a]` belongs to the message from j to i; `neighbours`, float
    `[N, n, F]` or None. Output: float `[N, units]`.

    Args:
        units: int >= 1, width of the result.
        relations: int >= 1, R.
        activation: sigma: `"sigmoid"` as in the thesis, `"relu"`, None, or another of Keras.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `units` or `relations` is out of range, or an input is of the wrong shape.

    Example:

    >>> import numpy as np
    >>> nodes = np.array([[1, 0], [0, 1], [1, 1]], "float32")
    >>> layer = RelationalGraphConv(units=4, relations=2)
    >>> layer(nodes, np.ones((3, 3, 2), "float32")).shape
    TensorShape([3, 4])
    >>> stored = layer.project(nodes)  # once, for all posts of a catalogue
    >>> stored.shape
    TensorShape([3, 2, 4])
    >>> query, found = np.ones((1, 2), "float32"), np.array([[0, 2]])
    >>> layer.combine(query, stored.numpy()[found], np.ones((1, 2, 2), "float32")).shape
    TensorShape([1, 4])
    """

    def __init__(
        self, units: int, relations: int = 2, activation: Any = "sigmoid", **kwargs: Any
    ) -> None:
        check_sizes(units=units, relations=relations)
        super().__init__(**kwargs)
        self.units = units
        self.relations = relations
        self.activation = keras.activations.get(activation)

    def build(self, nodes_shape: Any, weights_shape: Any, neighbours_shape: Any = None) -> None:
        if len(nodes_shape) != 2 or nodes_shape[-1] is None:
            raise ValueError(
                f"`nodes` must be [posts, width] of known width, found shape {tuple(nodes_shape)}."
            )
        if len(weights_shape) != 3 or weights_shape[-1] != self.relations:
            raise ValueError(
                f"`weights` must be [posts, neighbours, {self.relations}], found shape "
                f"{tuple(weights_shape)}."
            )
        if neighbours_shape is not None and (
            len(neighbours_shape) != 3 or neighbours_shape[-1] != nodes_shape[-1]
        ):
            raise ValueError(
                f"`neighbours` must be [posts, neighbours, {nodes_shape[-1]}], found shape "
                f"{tuple(neighbours_shape)}."
            )
        shape = (nodes_shape[-1], self.units)
        self.self_kernel = self.add_weight(shape=shape, name="self_kernel")
        self.relation_kernels = [
            self.add_weight(shape=shape, name=f"relation_{i}_kernel") for i in range(self.relations)
        ]
        self.built = True

    def call(self, nodes: Any, weights: Any, neighbours: Any = None) -> Any:
        if neighbours is not None:
            return self.combine(nodes, self.project(neighbours), weights)
        # Sender j * R + a is post j under relation a: both reshapes only rename axes.
        messages = ops.reshape(self.project(nodes), (-1, self.units))
        weights = ops.reshape(_mean_weights(weights), (ops.shape(nodes)[0], -1))
        edges = tf.sparse.from_dense(ops.transpose(weights))
        return self.propagate(messages, edges, nodes=nodes)

    def project(self, nodes: Any) -> Any:
        r"""The messages \(W_\alpha r\) of posts: float `[..., F]` to `[..., R, units]`."""
        nodes = ops.cast(nodes, self.compute_dtype)
        kernels = [ops.cast(kernel, self.compute_dtype) for kernel in self.relation_kernels]
        return ops.stack([ops.matmul(nodes, kernel) for kernel in kernels], axis=-2)

    def combine(self, nodes: Any, messages: Any, weights: Any) -> Any:
        """The result for posts whose neighbours' messages are at hand.

        Args:
            nodes: float `[B, F]`.
            messages: float `[B, n, R, units]`, of `project`; finite where the weight is 0, too.
            weights: float `[B, n, R]`, 0 where there is no edge or no neighbour.

        Returns:
            Float `[B, units]`, what `call` gives.
        """
        messages = ops.cast(messages, self.compute_dtype)
        weights = ops.cast(_mean_weights(weights), self.compute_dtype)
        return self.update(ops.einsum("bnr,bnru->bu", weights, messages), nodes=nodes)

    def message(self, x: Any, **kwargs: Any) -> Any:
        """Of `MessagePassing`: what senders send, here the same to all."""
        return x

    def aggregate(self, messages: Any, a: Any = None, **kwargs: Any) -> Any:
        """Of `MessagePassing`: the weighted sum at each receiver; `a` is senders x receivers."""
        return tf.matmul(tf.sparse.to_dense(a), messages, transpose_a=True)

    def update(self, embeddings: Any, nodes: Any = None, **kwargs: Any) -> Any:
        """Of `MessagePassing`: adds the self term and applies sigma."""
        nodes = ops.cast(nodes, self.compute_dtype)
        own = ops.matmul(nodes, ops.cast(self.self_kernel, self.compute_dtype))
        return self.activation(embeddings + own)

    def compute_output_shape(
        self, nodes_shape: Any, weights_shape: Any, neighbours_shape: Any = None
    ) -> Any:
        """`[N, units]`."""
        return (nodes_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["aggregate"]
        return config


def _mean_weights(weights: Any) -> Any:
    """Each weight over tau, the number of edges of its receiver and relation."""
    weights = ops.convert_to_tensor(weights)
    edges = ops.sum(ops.cast(weights != 0, "float32"), axis=1, keepdims=True)
    return weights / ops.cast(ops.maximum(edges, 1.0), weights.dtype)
