"""A graph with a matrix of weights for each relation."""

from typing import Any

from keras import ops

from tfhashtag.layers import RelationalGraphConv
from tfhashtag.recommenders.phr.parts.post_graph import PostGraph
from tfhashtag.registration import public


@public
class RelationalGraph(PostGraph):
    """The graph of the thesis: `RelationalGraphConv` over one relation or both (PHR-TR, PHR-VR).

    Arguments, errors and inputs: those of `PostGraph`.
    """

    def __init__(self, units: int, thresholds: Any, activation: Any = "sigmoid", **kwargs: Any):
        super().__init__(units, thresholds, activation, **kwargs)
        self.weights_shape = (len(self.relations),)
        self.convolution = RelationalGraphConv(
            units, len(self.relations), activation, dtype=self.dtype_policy, name="convolution"
        )

    def _joined(self, edges: Any) -> Any:
        return edges

    def _convolve(self, post: Any, edges: Any, hidden: Any) -> Any:
        if hidden is not None:
            edges = ops.where(hidden[..., None], ops.zeros_like(edges), edges)
        return self.convolution(post, edges)
