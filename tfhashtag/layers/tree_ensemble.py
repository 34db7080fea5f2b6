"""Boosted trees as two products a tree, so that they run wherever networks do."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfhashtag.blocks import in_blocks
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public

_NEVER = 1e9  # steps to a leaf that does not exist
_AT_ONCE = 1 << 19  # leaves of as many rows as are asked at once: they stay in the cache


class Tree(NamedTuple):
    """A binary tree: from a node it goes left where the feature is at most the threshold.

    Attributes:
        features: int `[nodes]`, the feature that each node looks at.
        thresholds: float `[nodes]`.
        left, right: int `[nodes]`, the node that follows; `-1 - leaf` for a leaf.
        values: float `[leaves]`, one more than nodes.
    """

    features: list[int]
    thresholds: list[float]
    left: list[int]
    right: list[int]
    values: list[float]


@public
class TreeEnsemble(ConfiguredByArguments, keras.layers.Layer):
    r"""The sum of decision trees, each with at most `leaves` leaves; no optimizer moves them.

    All nodes of a tree are asked at once, \(d_n = +1\) where the way goes right, \(-1\) where it
    goes left. A row ends in a leaf if every node on its way says so: with \(P_{nl} = \pm 1\) for a
    node on the way to leaf \(l\), else 0, that is where \(\sum_n d_n P_{nl}\) is the length of the
    way. There is no loop and no branch, and a row costs a product of nodes and leaves a tree.

    Features are compared in 32 bits whatever the policy, since a threshold may lie between values
    that fewer bits would make one. Input: float `[..., F]`. Output: float `[...]`, 0 before
    `assign_trees`.

    Args:
        trees: int >= 0, at most so many.
        leaves: int >= 2, of a tree at most.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or trees do not fit.

    Example:

    >>> layer = TreeEnsemble(trees=1, leaves=2)
    >>> layer.build((None, 3))
    >>> layer.assign_trees([Tree([2], [0.5], [-1], [-2], [7.0, 9.0])])
    >>> layer(np.array([[0, 0, 0.5], [0, 0, 0.6]], "float32")).numpy().tolist()
    [7.0, 9.0]
    """

    def __init__(self, trees: int = 100, leaves: int = 16, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        check_sizes(0, trees=trees)
        check_sizes(2, leaves=leaves)
        self.trees = trees
        self.leaves = leaves

    def build(self, inputs_shape: Any) -> None:
        nodes = self.leaves - 1

        def weight(
            name: str, shape: tuple[int, ...], start: float = 0, dtype: str = "float32"
        ) -> Any:
            return self.add_weight(
                shape=(self.trees, *shape),
                initializer=keras.initializers.Constant(start),
                dtype=dtype,
                trainable=False,
                autocast=False,
                name=name,
            )

        self.columns = weight("columns", (nodes,), dtype="int32")
        self.thresholds = weight("thresholds", (nodes,))
        self.paths = weight("paths", (nodes, self.leaves))
        self.steps = weight("steps", (self.leaves, 1), _NEVER)
        self.values = weight("values", (self.leaves, 1))

    def assign_trees(self, trees: Sequence[Tree]) -> None:
        """Puts trees in place; what is left of `trees` is empty.

        Args:
            trees: of at most `leaves` leaves each.

        Raises:
            ValueError: there are more, or larger ones.
        """
        largest = max((len(tree.values) for tree in trees), default=0)
        if len(trees) > self.trees or largest > self.leaves:
            raise ValueError(
                f"found {len(trees)} trees with up to {largest} leaves; the layer holds "
                f"{self.trees} with {self.leaves}."
            )
        names = ("columns", "thresholds", "paths", "steps", "values")
        found = {name: np.zeros(getattr(self, name).shape, np.float32) for name in names}
        found["steps"][:] = _NEVER
        for at, tree in enumerate(trees):
            count = len(tree.features)
            found["columns"][at, :count] = tree.features
            found["thresholds"][at, :count] = _not_above(tree.thresholds)
            found["values"][at, : count + 1, 0] = tree.values
            ways: list[tuple[int, dict[int, int]]] = [(0 if count else -1, {})]
            while ways:
                node, way = ways.pop()
                if node < 0:
                    leaf = -1 - node
                    found["steps"][at, leaf] = len(way)
                    for step, side in way.items():
                        found["paths"][at, step, leaf] = side
                else:
                    ways.append((int(tree.left[node]), {**way, node: -1}))
                    ways.append((int(tree.right[node]), {**way, node: 1}))
        for name, value in found.items():
            getattr(self, name).assign(value)

    def call(self, inputs: Any) -> Any:
        """Sum of the values of the leaves."""
        if self.trees == 0:
            return ops.cast(ops.zeros_like(inputs[..., 0]), self.compute_dtype)
        shape = ops.shape(inputs)
        rows = ops.reshape(ops.cast(inputs, "float32"), (-1, shape[-1]))
        paths = ops.transpose(self.paths, (0, 2, 1))
        # The product of +-1 is the length of the way where that of 0 and 1 is its turns to the
        # right, whose number is half of the length and of the sum of the way's +-1.
        turns = (self.steps + ops.sum(paths, axis=2, keepdims=True)) / 2

        def sums(some: Any) -> Any:
            # A tree's nodes as rows: columns of the features lie behind one another in memory.
            asked = ops.take(ops.transpose(some), ops.reshape(self.columns, (-1,)), axis=0)
            asked = ops.reshape(asked, (self.trees, self.leaves - 1, -1))
            rights = ops.cast(asked > self.thresholds[..., None], "float32")
            # 1 in the leaf where a row ends; elsewhere turns are missing.
            ended = ops.relu(ops.matmul(paths, rights) - (turns - 1))
            return ops.sum(ended * self.values, axis=(0, 1))

        size, count = max(1, _AT_ONCE // (self.trees * self.leaves)), rows.shape[0]
        if count is None:
            found = in_blocks(lambda some: sums(some[0]), [rows], size, tf.TensorSpec([None]))
        elif count <= size:
            found = sums(rows)
        else:  # XLA takes no loop whose blocks differ in size
            blocks = ops.pad(rows, [[0, -count % size], [0, 0]])
            blocks = ops.reshape(blocks, (-1, size, shape[-1]))
            found = ops.reshape(ops.map(sums, blocks), (-1,))[:count]
        return ops.cast(ops.reshape(found, shape[:-1]), self.compute_dtype)

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        """`[...]`."""
        return tuple(inputs_shape[:-1])


def _not_above(thresholds: Sequence[float]) -> np.ndarray:
    """The next numbers of 32 bits that are not above: no value of 32 bits changes its side."""
    given = np.asarray(thresholds, np.float64)
    found = given.astype(np.float32)
    return np.where(found > given, np.nextafter(found, np.float32(-np.inf)), found)
