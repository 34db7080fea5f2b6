"""One graph of all relations, over several hops."""

from typing import Any

import numpy as np
from keras import ops

from tfhashtag.layers import AggregatedGraphConv
from tfhashtag.recommenders.phr.parts.post_graph import HAS, PostGraph
from tfhashtag.registration import public

_BLOCK = 1024  # train posts at a time in `spread`


@public
class AggregatedGraph(PostGraph):
    """The graph of TAGNet: `AggregatedGraphConv` over the strongest link of two posts.

    A post passes on what it received itself, so what train posts send is completed by `spread`,
    once all of them are there. Arguments, errors and inputs: those of `PostGraph`.
    """

    link_names = ("strongest link",)
    weights_shape = ()

    def __init__(self, units: int, thresholds: Any, activation: Any = "relu", **kwargs: Any):
        super().__init__(units, thresholds, activation, **kwargs)
        self.convolution = AggregatedGraphConv(
            units, activation=activation, dtype=self.dtype_policy, name="convolution"
        )

    def neighbour_weights(self, found: Any, inputs: Any) -> Any:
        """As in `PostGraph`, one column: float `[B, n, 1]`."""
        return self._joined(self._neighbour_edges(found, inputs))[..., None]

    def spread(self, catalogue: Any, neighbours: Any) -> Any:
        """As in `PostGraph`: a post passes on what it received itself."""
        neighbours = np.asarray(neighbours)
        blocks = []
        for start in range(0, len(neighbours), _BLOCK):  # [N, n, f] at once would be large
            rows = slice(start, start + _BLOCK)
            found, inputs = {}, {}
            for name in self.relations:
                has, near = np.asarray(catalogue[HAS[name]]), neighbours[rows]
                found[name], inputs[HAS[name]] = catalogue[name][rows], has[rows]
                inputs[f"neighbour_{name}"] = np.asarray(catalogue[name])[near]
                inputs[f"neighbour_{name}_mask"] = (near >= 0) & has[near]
            blocks.append(np.asarray(self._joined(self._neighbour_edges(found, inputs))))
        weights = np.concatenate([np.zeros((0, neighbours.shape[1]), np.float32), *blocks])
        messages = self.convolution.spread(catalogue["messages"], neighbours, weights)
        return {**catalogue, "messages": np.asarray(messages)}

    def _joined(self, edges: Any) -> Any:
        """The strongest link of two posts, none below 0."""
        return ops.maximum(ops.max(edges, axis=-1), 0)

    def _convolve(self, post: Any, edges: Any, hidden: Any) -> Any:
        return self.convolution(post, edges, hidden=hidden)
