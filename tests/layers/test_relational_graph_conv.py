import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from spektral.layers import MessagePassing

from tfhashtag.layers.relational_graph_conv import RelationalGraphConv
from tfhashtag.layers.similarity_edges import similarity_edges
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
NODES = RNG.normal(size=(5, 3)).astype("float32")
WEIGHTS = RNG.uniform(0.2, 1, size=(5, 5, 2)).astype("float32")
WEIGHTS *= RNG.uniform(size=WEIGHTS.shape) < 0.5
WEIGHTS[3] = 0
for _i in range(5):
    WEIGHTS[_i, _i] = 0
NEIGHBOURS = RNG.normal(size=(3, 4, 3)).astype("float32")
NEIGHBOUR_WEIGHTS = WEIGHTS[:3, :4] + 0


def make(**kwargs):
    return RelationalGraphConv(units=4, **kwargs)


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract_with_neighbours(check):
    inputs = {"nodes": NODES[:3], "weights": NEIGHBOUR_WEIGHTS, "neighbours": NEIGHBOURS}

    def pad(inputs):
        nothing = np.zeros((3, 2, 2), "float32")
        return {
            "nodes": inputs["nodes"],
            "weights": np.concatenate([inputs["weights"], nothing], 1),
            "neighbours": np.concatenate([inputs["neighbours"], np.full((3, 2, 3), 9.0)], 1),
        }

    # differences around a weight of 0, which is no edge, have no meaning: all are edges here
    if check == "check_gradients":
        inputs["weights"] = inputs["weights"] + 0.1
    getattr(LayerContract(make, inputs, pad=pad), check)()


@pytest.mark.parametrize("check", sorted(set(LayerContract.CHECKS) - {"check_batch_of_one"}))
def test_contract_of_a_graph(check):
    # a graph is no batch of independent rows: all but one check
    inputs = {"nodes": NODES, "weights": WEIGHTS}
    if check == "check_gradients":
        inputs["weights"] = inputs["weights"] + 0.1
    getattr(LayerContract(make, inputs), check)()


def randomised(**kwargs):
    layer = RelationalGraphConv(units=4, **kwargs)
    layer.build((None, 3), (None, None, layer.relations))
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return layer


def loops(layer, nodes, weights, sigma, senders=None):
    """Equation (2) of Schlichtkrull et al. 2017 with c_{i,r} = |N_i^r|, and edge weights."""
    senders = nodes if senders is None else senders
    own = np.array(layer.self_kernel, "float64")
    kernels = [np.array(kernel, "float64") for kernel in layer.relation_kernels]
    rows = []
    for i, node in enumerate(nodes):
        row = np.zeros(4)
        for relation, kernel in enumerate(kernels):
            around = [j for j in range(len(senders)) if weights[i, j, relation] != 0]
            for j in around:
                for unit in range(4):
                    for c in range(3):
                        row[unit] += (
                            kernel[c, unit] * weights[i, j, relation] * senders[j][c] / len(around)
                        )
        for unit in range(4):
            for c in range(3):
                row[unit] += own[c, unit] * node[c]
        rows.append([sigma(x) for x in row])
    return np.array(rows)


@pytest.mark.parametrize(
    "activation, sigma",
    [
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("relu", lambda x: max(x, 0)),
        (None, lambda x: x),
    ],
)
@pytest.mark.parametrize("ones", [False, True])  # weights of 1: R-GCN as published
def test_equals_plain_loops(activation, sigma, ones):
    layer = randomised(activation=activation)
    weights = (WEIGHTS > 0).astype("float32") if ones else WEIGHTS
    found = layer(NODES, weights)
    np.testing.assert_allclose(found, loops(layer, NODES, weights, sigma), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("relations", [1, 2, 3])
def test_three_ways_give_one_result(relations):
    layer = randomised(relations=relations)
    weights = RNG.uniform(size=(5, 5, relations)).astype("float32")
    weights *= RNG.uniform(size=weights.shape) < 0.6
    whole = np.array(layer(NODES, weights))
    around = np.broadcast_to(NODES, (5, 5, 3))
    np.testing.assert_allclose(layer(NODES, weights, around), whole, atol=1e-6)
    stored = np.array(layer.project(NODES))
    assert stored.shape == (5, relations, 4)
    everything = np.broadcast_to(stored, (5, *stored.shape))
    np.testing.assert_allclose(layer.combine(NODES, everything, weights), whole, atol=1e-6)
    order = np.array([[4, 0, 2], [1, 3, 0]])  # a few neighbours of posts 1 and 3, any order
    some = np.stack([weights[1, order[0]], weights[3, order[1]]])
    fewer = np.zeros_like(weights)
    for post, row in ((1, 0), (3, 1)):
        fewer[post, order[row]] = weights[post, order[row]]
    found = layer.combine(NODES[[1, 3]], stored[order], some)
    np.testing.assert_allclose(found, np.array(layer(NODES, fewer))[[1, 3]], atol=1e-6)


def test_is_spektrals_message_passing():
    layer = randomised()
    assert isinstance(layer, MessagePassing)
    config = layer.get_config()
    assert (config["units"], config["relations"], config["activation"]) == (4, 2, "sigmoid")
    assert "aggregate" not in config


def test_a_post_without_edges_has_its_self_term_only():
    layer = randomised(activation=None)
    expected = NODES @ np.array(layer.self_kernel)
    found = np.array(layer(NODES, WEIGHTS))
    np.testing.assert_allclose(found[3], expected[3], atol=1e-6)
    assert not np.allclose(found[0], expected[0], atol=1e-2)
    none = np.zeros((5, 5, 2), "float32")
    np.testing.assert_allclose(layer(NODES, none), expected, atol=1e-6)
    np.testing.assert_allclose(layer(NODES, none[:, :4], np.ones((5, 4, 3))), expected, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(5)))
def test_renaming_posts_renames_results(order):
    layer = LAYER
    found = np.array(layer(NODES, WEIGHTS))
    moved = layer(NODES[order], WEIGHTS[order][:, order])
    np.testing.assert_allclose(found[order], moved, atol=1e-6)


LAYER = randomised()


class OnSimilarPosts(keras.Model):
    """A graph of the batch, built inside the step from features that are learned too."""

    def __init__(self):
        super().__init__()
        self.features = keras.layers.Dense(3)
        self.graph = RelationalGraphConv(units=2)

    def build(self, shape):
        self.features.build(shape)
        self.graph.build((None, 3), (None, None, 2))

    def call(self, inputs):
        features = self.features(inputs)
        edges = [similarity_edges(features, 0.3), similarity_edges(features[:, :2], 0.5)]
        return self.graph(features, tf.stack(edges, axis=-1))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_trains_in_fit_on_the_graph_of_the_batch(jit_compile):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 4)), rng.uniform(size=(10, 2))
    model = OnSimilarPosts()
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=jit_compile)
    losses = model.fit(x, y, batch_size=4, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


def test_a_graph_of_unknown_size_in_a_saved_model(tmp_path):
    model = OnSimilarPosts()
    x = RNG.normal(size=(6, 4)).astype("float32")
    expected = model(x)
    model.export(tmp_path, input_signature=[tf.TensorSpec((None, 4))], verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(loaded.serve(tf.constant(x)), expected, atol=1e-5)
    assert loaded.serve(tf.constant(x[:2])).shape == (2, 2)


def test_errors():
    with pytest.raises(ValueError, match="`nodes` must be"):
        make()(NODES[None], WEIGHTS)
    with pytest.raises(ValueError, match="`weights` must be \\[posts, neighbours, 3\\]"):
        make(relations=3)(NODES, WEIGHTS)
    with pytest.raises(ValueError, match="`neighbours` must be \\[posts, neighbours, 3\\]"):
        make()(NODES[:3], NEIGHBOUR_WEIGHTS, NEIGHBOURS[..., :2])
