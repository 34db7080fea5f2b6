"""Posts learn from posts several steps away."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


@public
class AggregatedGraphConv(ConfiguredByArguments, keras.layers.Layer):
    r"""Aggregated graph convolution over posts, after TAGNet (TCSVT 2022).

    $$
    H' = \mathrm{act} \Big( \sum_{k=0}^{K} \hat A^k H W_k \Big), \quad
    \hat A = D^{-1/2} (A + I) D^{-1/2}, \quad D_{ii} = 1 + \sum_j A_{ij}
    $$

    Known of TAGNet, from its abstract: posts are nodes linked by similarity, and their features
    propagate "in a collective way". Inferred here: the formula above, the edge weights as they
    stand in A, a matrix \(W_k\) of its own a hop, no bias, and two hops.

    `layer(nodes, weights)` is for training, on the graph of a batch. For inference a post is linked
    to training posts only, and these not to it, so its answer does not depend on the rest of
    the batch nor changes theirs. All but the activation is linear, so what a training post passes
    on is stored as `hops` vectors of `units` values, however many posts stand behind it:

    1. `project`: \(H W_k\), \(k \geq 1\), for each training post, in batches of any size;
    2. `spread`: once, over the graph of all training posts, given as lists of neighbours;
    3. `combine`: a post with the stored messages of its neighbours.

    With \(G_k = H W_k\), \(M_{K-1} = G_K\) and \(M_{k-1} = G_k + \hat A M_k\), the sum above is
    \(G_0 + \hat A M_0\): stored are the rows of \(M_0\) to \(M_{K-1}\), each over
    \(\sqrt{D_{jj}}\). The result is that of the directed graph that holds the training posts and
    the post: `call` with weights 0 wherever a training post would receive from it.

    Input: `nodes`, float `[N, F]`; `weights` A, float >= 0, `[N, N]`, 0 for no edge, 0 on the
    diagonal; `[i, j]` is what i receives from j; `hidden`, bool `[N, N]` or None: where `[i, j]` is
    true, nothing of j reaches i, over however many posts. Output: float `[N, units]`.

    Args:
        units: int >= 1, width of the result.
        hops: int >= 1, K.
        activation: name of a Keras activation, or None.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `units` or `hops` is out of range, or an input is of the wrong shape.

    Example:

    >>> import numpy as np
    >>> nodes = np.eye(3, dtype="float32")
    >>> layer = AggregatedGraphConv(units=4)
    >>> layer(nodes, np.ones((3, 3), "float32") - np.eye(3, dtype="float32")).shape
    TensorShape([3, 4])
    >>> neighbours, weights = np.array([[1, 2], [0, -1], [0, -1]]), np.ones((3, 2), "float32")
    >>> stored = layer.spread(layer.project(nodes), neighbours, weights).numpy()
    >>> stored.shape
    (3, 2, 4)
    >>> query, found = np.ones((1, 3), "float32"), np.array([[0, 2]])
    >>> layer.combine(query, stored[found], np.ones((1, 2), "float32")).shape
    TensorShape([1, 4])
    """

    def __init__(self, units: int, hops: int = 2, activation: Any = "relu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(units=units, hops=hops)
        self.units = units
        self.hops = hops
        self.activation = keras.activations.get(activation)

    def build(self, nodes_shape: Any, weights_shape: Any) -> None:
        if len(nodes_shape) != 2 or nodes_shape[-1] is None:
            raise ValueError(
                f"`nodes` must be [posts, width] of known width, found shape {tuple(nodes_shape)}."
            )
        if len(weights_shape) != 2:
            raise ValueError(
                "`weights` must be [posts, posts]; of the edges of several relations pass one, "
                f"`edges[..., 0]`. Found shape {tuple(weights_shape)}."
            )
        self.kernels = [
            self.add_weight(shape=(nodes_shape[-1], self.units), name=f"hop_{k}_kernel")
            for k in range(self.hops + 1)
        ]

    def call(self, nodes: Any, weights: Any, hidden: Any = None) -> Any:
        roots = ops.sqrt(_degrees(weights))
        weights = ops.cast(_precise(weights) / (roots * ops.transpose(roots)), self.compute_dtype)
        loops = ops.cast(1 / ops.square(roots), self.compute_dtype)
        if hidden is not None:
            return self._without(nodes, weights, loops, ops.cast(hidden, "bool"))
        total = self._product(nodes, self.hops)
        for k in reversed(range(self.hops)):
            total = self._product(nodes, k) + loops * total + ops.matmul(weights, total)
        return self.activation(total)

    def _without(self, nodes: Any, weights: Any, loops: Any, hidden: Any) -> Any:
        one_hop = weights + ops.eye(ops.shape(weights)[0], dtype=self.compute_dtype) * loops
        total, power = self._product(nodes, 0), one_hop
        for k in range(1, self.hops + 1):
            reaching = ops.where(hidden, ops.zeros_like(power), power)
            total = total + ops.matmul(reaching, self._product(nodes, k))
            power = ops.matmul(one_hop, power) if k < self.hops else power
        return self.activation(total)

    def project(self, nodes: Any) -> Any:
        r"""\(G_1\) to \(G_K\) of posts: float `[..., F]` to `[..., hops, units]`."""
        return ops.stack([self._product(nodes, k + 1) for k in range(self.hops)], axis=-2)

    def spread(self, projected: Any, neighbours: Any, weights: Any) -> Any:
        """The messages of all training posts, from their graph.

        Args:
            projected: float `[N, hops, units]`, of `project`.
            neighbours: int `[N, n]`, rows of `projected` that a post receives from; -1 pads.
            weights: float >= 0, `[N, n]`; what stands beside a -1 does not count.

        Returns:
            Float `[N, hops, units]`, for `combine`.
        """
        real = ops.convert_to_tensor(neighbours) >= 0
        weights = _precise(weights)
        weights = ops.where(real, weights, ops.zeros_like(weights))
        neighbours = ops.where(real, neighbours, ops.zeros_like(neighbours))
        roots = ops.sqrt(_degrees(weights))
        projected = ops.cast(projected, weights.dtype)
        message = projected[:, -1]
        messages = [message / roots]
        for k in reversed(range(self.hops - 1)):
            above = message / roots
            received = ops.zeros_like(message)
            for slot in range(neighbours.shape[1]):  # [N, n, units] at once would be large
                sent = ops.take(above, neighbours[:, slot], axis=0)
                received = received + weights[:, slot, None] * sent
            message = projected[:, k] + (above + received) / roots
            messages.append(message / roots)
        return ops.cast(ops.stack(messages[::-1], axis=1), self.compute_dtype)

    def combine(self, nodes: Any, messages: Any, weights: Any) -> Any:
        """The result for posts that receive from training posts and send to none.

        Args:
            nodes: float `[B, F]`.
            messages: float `[B, n, hops, units]`, of `spread`; finite where the weight is 0, too.
            weights: float >= 0, `[B, n]`, 0 where there is no edge or no neighbour.

        Returns:
            Float `[B, units]`.
        """
        roots = ops.sqrt(_degrees(weights))
        weights = ops.cast(_precise(weights) / roots, self.compute_dtype)
        loops = ops.cast(1 / ops.square(roots), self.compute_dtype)
        received = ops.einsum("bn,bnku->bku", weights, ops.cast(messages, self.compute_dtype))
        total = self._product(nodes, self.hops)
        for k in reversed(range(self.hops)):
            total = self._product(nodes, k) + loops * total + received[:, k]
        return self.activation(total)

    def _product(self, nodes: Any, k: Any) -> Any:
        kernel = ops.cast(self.kernels[k], self.compute_dtype)
        return ops.matmul(ops.cast(nodes, self.compute_dtype), kernel)

    def compute_output_shape(self, nodes_shape: Any, weights_shape: Any) -> Any:
        """`[N, units]`."""
        return (nodes_shape[0], self.units)


def _precise(weights: Any) -> Any:
    weights = ops.convert_to_tensor(weights)
    return weights if weights.dtype == "float64" else ops.cast(weights, "float32")


def _degrees(weights: Any) -> Any:
    """1 and the weights of a post's edges: `[N, n]` to `[N, 1]`."""
    return 1 + ops.sum(_precise(weights), axis=1, keepdims=True)
