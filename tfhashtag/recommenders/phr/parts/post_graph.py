"""What the graphs of posts have in common: which posts are linked, and how strongly."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfhashtag.layers import neighbour_edges, similarity_edges
from tfhashtag.registration import ConfiguredByArguments

HAS = {"visual": "has_image", "textual": "has_text"}
RELATIONS = tuple(HAS)


class PostGraph(ConfiguredByArguments, keras.layers.Layer):
    """Mixes a post with posts that look or read alike (thesis 2024, equations 17 to 19).

    With `neighbour_messages` among the inputs the graph of a post is that of its own stored
    neighbours, and its answer does not depend on the rest of the batch; without them it is that of
    the batch, as in training.

    Args:
        units: int >= 1, width of a node.
        thresholds: the relations, `visual`, `textual` or both, and the cosine from which on each
            links two posts: theta and lambda.
        activation: sigma.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: there is no relation, an unknown one, or a threshold outside [-1, 1].
    """

    def __init__(
        self, units: int, thresholds: Mapping[str, float], activation: Any, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not thresholds or not set(thresholds) <= set(RELATIONS):
            raise ValueError(
                f"`thresholds` must be of {' and '.join(RELATIONS)} or one of them, found "
                f"{list(thresholds)}."
            )
        for name, value in thresholds.items():
            if not -1 <= value <= 1:
                raise ValueError(f"`{name}` threshold must lie in [-1, 1], found {value!r}.")
        self.relations = tuple(name for name in RELATIONS if name in thresholds)
        self.thresholds = {name: float(thresholds[name]) for name in self.relations}
        self.units, self.activation = units, activation

    def build(self, node_shape: Any) -> None:
        """Makes the weights, for rows of a known width, `[B, width]`."""
        self.convolution.build(node_shape, (None, None, *self.weights_shape))

    @property
    def link_names(self) -> tuple[str, ...]:
        """What each column of `neighbour_weights` is called."""
        return self.relations

    def call(self, found: Mapping, inputs: Mapping, hidden: Any = None) -> Any:
        """Nodes, float `[B, units]`.

        Args:
            found: of `PhrModel.represent`: `post`, and the pooled features of the relations.
            inputs: of `PhrModel`.
            hidden: bool `[B, B]` or None: where `[i, j]` is true, nothing of j may reach i; for
                the graph of a batch.
        """
        if "neighbour_messages" not in inputs:
            edges = [
                similarity_edges(found[name], self.thresholds[name], inputs.get(HAS[name]))
                for name in self.relations
            ]
            return self._convolve(found["post"], self._joined(ops.stack(edges, axis=-1)), hidden)
        edges = self._joined(self._neighbour_edges(found, inputs))
        return self.convolution.combine(found["post"], inputs["neighbour_messages"], edges)

    def neighbour_weights(self, found: Mapping, inputs: Mapping) -> Any:
        """Weights of the edges from posts to their neighbours, 0 where there is none.

        Args:
            found: of `PhrModel.represent`.
            inputs: with the parts that begin with `neighbour_`.

        Returns:
            Float `[B, n, links]`, a column for each of `link_names`.
        """
        return self._neighbour_edges(found, inputs)

    def project(self, post: Any) -> Any:
        """What posts send of their own, float `[B, R, units]`, R relations or hops."""
        return self.convolution.project(post)

    def spread(self, catalogue: Mapping, neighbours: Any) -> dict:
        """The catalogue of all train posts as their neighbours leave it; call it once.

        Args:
            catalogue: of `PhrModel.catalogue`, its parts put together: a row a train post.
            neighbours: int `[N, n]`, the rows that each train post is linked to where they are
                similar enough; -1 pads.

        Returns:
            The catalogue with the `messages` that `neighbour_messages` are taken from.
        """
        return dict(catalogue)

    def _neighbour_edges(self, found: Any, inputs: Any) -> Any:
        edges = []
        for name in self.relations:
            has = ops.cast(inputs[HAS[name]], "bool")[:, None]
            mask = ops.logical_and(ops.cast(inputs[f"neighbour_{name}_mask"], "bool"), has)
            neighbours, threshold = inputs[f"neighbour_{name}"], self.thresholds[name]
            edges.append(neighbour_edges(found[name], neighbours, threshold, mask))
        return ops.stack(edges, axis=-1)
