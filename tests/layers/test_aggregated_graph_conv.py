import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers.aggregated_graph_conv import AggregatedGraphConv
from tfhashtag.layers.similarity_edges import similarity_edges
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
NODES = RNG.normal(size=(6, 3)).astype("float32")
WEIGHTS = RNG.uniform(0.2, 1, size=(6, 6)) * (RNG.uniform(size=(6, 6)) < 0.4)
WEIGHTS = np.triu(WEIGHTS, 1).astype("float32")
WEIGHTS = WEIGHTS + WEIGHTS.T
WEIGHTS[4] = WEIGHTS[:, 4] = 0
# a graph is no batch of independent rows
CHECKS = [name for name in LayerContract.CHECKS if name != "check_batch_of_one"]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: AggregatedGraphConv(units=4, **kw), {"nodes": NODES, "weights": WEIGHTS}
    )
    getattr(contract, check)()


def randomised(**kwargs):
    layer = AggregatedGraphConv(units=4, **kwargs)
    layer.build((None, 3), (None, None))
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return layer


def loops(layer, nodes, weights):
    """The formula before the activation, with the powers of the matrix written out."""
    n = len(nodes)
    degrees = [1 + sum(float(weights[i, j]) for j in range(n)) for i in range(n)]
    normal = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            edge = float(weights[i, j]) + (i == j)
            normal[i, j] = edge / (degrees[i] * degrees[j]) ** 0.5
    total, power = np.zeros((n, 4)), np.eye(n)
    for kernel in layer.kernels:
        total += power @ nodes.astype("float64") @ np.array(kernel, "float64")
        power = power @ normal
    return total


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_equals_plain_loops(hops):
    layer = randomised(hops=hops, activation=None)
    expected = loops(layer, NODES, WEIGHTS)
    np.testing.assert_allclose(layer(NODES, WEIGHTS), expected, rtol=1e-5, atol=1e-5)
    layer.activation = keras.activations.relu
    np.testing.assert_allclose(layer(NODES, WEIGHTS), np.maximum(expected, 0), rtol=1e-5, atol=1e-5)


def lists(weights):
    """Neighbours and weights by rows, padded with -1, for a matrix."""
    rows = [[j for j in range(len(weights)) if weights[i, j]] for i in range(len(weights))]
    width = max(len(row) for row in rows) + 1
    neighbours = np.full((len(rows), width), -1)
    values = np.full((len(rows), width), 7.0, "float32")  # beside -1: must not count
    for i, row in enumerate(rows):
        neighbours[i, : len(row)] = row
        values[i, : len(row)] = weights[i, row]
    return neighbours, values


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_stored_messages_give_what_the_directed_graph_gives(hops):
    layer = randomised(hops=hops)
    queries = RNG.normal(size=(3, 3)).astype("float32")
    links = np.array([[0.5, 0, 0.9, 0, 0.3, 0], [0, 0, 0, 0, 0, 0], [0, 1, 0.2, 0.4, 0, 0.8]])
    stored = np.array(layer.spread(layer.project(NODES), *lists(WEIGHTS)))
    assert stored.shape == (6, hops, 4)
    neighbours = np.array([[4, 0, 2, -1], [1, -1, -1, -1], [5, 1, 3, 2]])
    weights = np.take_along_axis(links, np.maximum(neighbours, 0), axis=1) * (neighbours >= 0)
    found = layer.combine(queries, stored[neighbours], weights)
    for query in range(3):
        graph = np.zeros((7, 7))
        graph[:6, :6] = WEIGHTS
        graph[6, :6] = links[query]  # receives, and sends to none
        nodes = np.concatenate([NODES, queries[query : query + 1]])
        expected = np.maximum(loops(layer, nodes, graph)[6], 0)
        np.testing.assert_allclose(found[query], expected, rtol=1e-5, atol=1e-5)
        called = layer(nodes, graph.astype("float32"))
        np.testing.assert_allclose(called[6], expected, rtol=1e-5, atol=1e-5)
        # the training posts do not notice the query
        np.testing.assert_allclose(called[:6], layer(NODES, WEIGHTS), rtol=1e-5, atol=1e-5)
        alone = layer.combine(
            queries[query : query + 1], stored[neighbours][query : query + 1],
            weights[query : query + 1],
        )  # fmt: skip
        np.testing.assert_allclose(alone[0], found[query], atol=1e-6)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_what_is_hidden_arrives_over_no_path(hops):
    layer = randomised(hops=hops, activation=None)
    nothing = np.zeros((6, 6), bool)
    np.testing.assert_allclose(
        layer(NODES, WEIGHTS, hidden=nothing), layer(NODES, WEIGHTS), rtol=1e-5, atol=1e-5
    )
    hidden = nothing.copy()
    hidden[0, 2] = True
    other = NODES.copy()
    other[2] += 1
    left, right = (np.array(layer(x, WEIGHTS, hidden=hidden)) for x in (NODES, other))
    np.testing.assert_allclose(left[0], right[0], atol=1e-6)
    open_left, open_right = (np.array(layer(x, WEIGHTS)) for x in (NODES, other))
    np.testing.assert_allclose(left[1:], open_left[1:], rtol=1e-5, atol=1e-5)
    if hops > 1:
        assert not np.allclose(open_left[0], open_right[0], atol=1e-4)


def test_a_post_without_edges_has_its_own_terms_only():
    layer = randomised(activation=None)
    own = sum(NODES @ np.array(kernel) for kernel in layer.kernels)
    np.testing.assert_allclose(layer(NODES, WEIGHTS)[4], own[4], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer(NODES, np.zeros((6, 6))), own, rtol=1e-5, atol=1e-5)
    nothing = layer.combine(NODES, np.ones((6, 2, 2, 4)), np.zeros((6, 2)))
    np.testing.assert_allclose(nothing, own, rtol=1e-5, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)))
def test_renaming_posts_renames_results(order):
    found = np.array(LAYER(NODES, WEIGHTS))
    moved = LAYER(NODES[order], WEIGHTS[order][:, order])
    np.testing.assert_allclose(found[order], moved, atol=1e-5)


LAYER = randomised()


class OnSimilarPictures(keras.Model):
    def __init__(self):
        super().__init__()
        self.graph = AggregatedGraphConv(units=2)

    def build(self, shape):
        self.graph.build(shape, (None, None))

    def call(self, inputs):
        return self.graph(inputs, similarity_edges(inputs, 0.3))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_trains_in_fit_on_the_graph_of_the_batch(jit_compile):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 4)), rng.uniform(size=(10, 2))
    model = OnSimilarPictures()
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=jit_compile)
    losses = model.fit(x, y, batch_size=4, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


def test_errors():
    with pytest.raises(ValueError, match="`nodes` must be"):
        randomised().build((None, None, 3), (None, None))
    with pytest.raises(ValueError, match="`weights` must be \\[posts, posts\\]"):
        AggregatedGraphConv(units=2)(NODES, WEIGHTS[..., None])
