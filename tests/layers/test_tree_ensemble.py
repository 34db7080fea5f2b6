import numpy as np
import pytest
import tensorflow as tf

import tfhashtag.layers.tree_ensemble as module
from tfhashtag.layers import Tree, TreeEnsemble
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(2, 3, 4)).astype("float32")
# Two of different shapes, and one that is a single leaf.
TREES = [
    Tree([1, 0, 3], [0.1, -0.3, 0.2], [1, -1, -3], [2, -2, -4], [1.0, 2.0, 4.0, 8.0]),
    Tree([2, 2], [0.4, -0.4], [1, -1], [-3, -2], [16.0, 32.0, 64.0]),
    Tree([], [], [], [], [128.0]),
]


def walked(tree, row):
    """From node to node, as trees are told."""
    node = 0 if tree.features else -1
    while node >= 0:
        left = float(row[tree.features[node]]) <= tree.thresholds[node]  # in 64 bits, as grown
        node = (tree.left if left else tree.right)[node]
    return tree.values[-1 - node]


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    getattr(
        LayerContract(lambda **kw: TreeEnsemble(trees=2, leaves=3, **kw), {"inputs": INPUTS}), check
    )()


def test_equals_a_walk_through_each_tree(monkeypatch):
    layer = TreeEnsemble(trees=4, leaves=5)  # more room than is needed
    layer.build(INPUTS.shape)
    assert np.all(np.array(layer(INPUTS)) == 0)
    layer.assign_trees(TREES)
    monkeypatch.setattr(module, "_AT_ONCE", 20 * 7)  # 7 rows at once
    rows = RNG.normal(size=(50, 4)).astype("float32")
    rows[0] = 0.1, -0.3, 0.4, 0.2  # the numbers of 32 bits beside the thresholds
    rows[1], rows[2] = np.nextafter(rows[0], -9), np.nextafter(rows[0], 9)
    wanted = [sum(walked(tree, row) for tree in TREES) for row in rows]
    np.testing.assert_allclose(layer(rows), wanted)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, 4])])
    for count in (50, 1, 0):  # as a graph that does not know how many, and as one that does
        np.testing.assert_allclose(graph(rows[:count]), wanted[:count])
        np.testing.assert_allclose(tf.function(layer)(rows[:count]), wanted[:count])
    np.testing.assert_allclose(tf.function(layer, jit_compile=True)(rows), wanted)
    assert len(set(wanted)) > 6
    layer.assign_trees(TREES[:1])
    np.testing.assert_allclose(layer(rows), [walked(TREES[0], row) for row in rows])


def test_what_does_not_fit_is_refused():
    layer = TreeEnsemble(trees=2, leaves=3)
    layer.build(INPUTS.shape)
    for trees in (TREES, TREES[:1]):
        with pytest.raises(ValueError, match="the layer holds 2 with 3"):
            layer.assign_trees(trees)
    for arguments in ({"trees": -1}, {"leaves": 1}):
        with pytest.raises(ValueError, match="must be an integer"):
            TreeEnsemble(**arguments)
