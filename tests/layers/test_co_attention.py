import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers.co_attention import CoAttention
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
FIRST = RNG.normal(size=(3, 4, 2)).astype("float32")
SECOND = RNG.normal(size=(3, 4, 2)).astype("float32")


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: CoAttention(block=2, **kw), {"first": FIRST, "second": SECOND}
    )
    getattr(contract, check)()


def randomised(layer, proposals, width, seed=1):
    layer.build((None, proposals, width), (None, proposals, width))
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def one_equation(left, right, w_left, w_right, w_r, b):
    """Equation (15) or (16) as printed: sides [f, m], weights [mf, f], [mf] and [m]."""
    f, m = left.shape
    r = np.zeros((m * f, m))
    for j in range(m):
        for row in range(m * f):
            r[row, j] = np.tanh(
                sum(w_left[row, i] * left[i, j] + w_right[row, i] * right[i, j] for i in range(f))
            )
    logits = [sum(w_r[row] * r[row, j] for row in range(m * f)) + b[j] for j in range(m)]
    exps = [np.exp(x - max(logits)) for x in logits]
    pi = [x / sum(exps) for x in exps]
    total = [sum(pi[j] * r[row, j] for j in range(m)) for row in range(m * f)]
    matrix = np.zeros((f, m))
    for position, value in enumerate(total):  # column by column
        matrix[position % f, position // f] = value
    return matrix, pi


def test_equals_plain_loops():
    layer = randomised(CoAttention(block=2), 4, 2)
    found = layer(FIRST, SECOND)
    k1, v1, b1, k2, v2, b2 = (np.array(w, "float64") for w in layer.weights)
    for post in range(3):
        text, image = FIRST[post].T.astype("float64"), SECOND[post].T.astype("float64")
        it, pi1 = one_equation(text, image, k1[:2].T, k1[2:].T, v1, b1)
        iv, pi2 = one_equation(it, image, k2[:2].T, k2[2:].T, v2, b2)
        np.testing.assert_allclose(found["vector"][post], (it + iv).T, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["attention"][post], [pi1, pi2], rtol=1e-4, atol=1e-6)


def plain(weights, first, second):
    """The same in whole-batch operations that TensorFlow differentiates by itself."""
    kernel1, vector1, bias1, kernel2, vector2, bias2 = weights

    def step(a, b, kernel, vector, bias):
        r = tf.tanh(tf.concat([a, b], -1) @ kernel)
        pi = tf.nn.softmax(tf.linalg.matvec(r, vector) + bias)
        return tf.reshape(tf.einsum("bm,bmx->bx", pi, r), tf.shape(a)), pi

    it, pi1 = step(first, second, kernel1, vector1, bias1)
    iv, pi2 = step(it, second, kernel2, vector2, bias2)
    return it + iv, tf.stack([pi1, pi2], 1)


@settings(max_examples=8, deadline=None)
@given(
    batch=st.integers(1, 7), block=st.none() | st.integers(1, 8), proposals=st.integers(1, 5),
    width=st.integers(1, 4), graph=st.booleans(),
)  # fmt: skip
def test_blocks_change_neither_values_nor_gradients(batch, block, proposals, width, graph):
    rng = np.random.default_rng(batch)
    layer = randomised(CoAttention(block=block, dtype="float64"), proposals, width)
    first, second = (tf.constant(rng.normal(size=(batch, proposals, width))) for _ in range(2))
    weights = [w.value for w in layer.weights]

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch([first, second])
            vector, attention = function()
            loss = tf.reduce_sum(vector**3) + tf.reduce_sum(attention**2)
        return [vector, attention, *tape.gradient(loss, [first, second, *weights])]

    def ours():
        return gradients(lambda: layer(first, second).values())

    found = (tf.function(ours) if graph else ours)()
    for left, right in zip(found, gradients(lambda: plain(weights, first, second)), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-11)


def test_an_unknown_batch_size_and_an_empty_batch():
    layer = randomised(CoAttention(block=2), 4, 2)

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 2))] * 2)
    def both(first, second):
        with tf.GradientTape() as tape:
            tape.watch(first)
            result = layer(first, second)
            loss = tf.reduce_sum(result["vector"])
        return result["vector"], tape.gradient(loss, first)

    whole, gradient = both(FIRST, SECOND)
    for post in range(3):
        alone, own = both(FIRST[post : post + 1], SECOND[post : post + 1])
        np.testing.assert_allclose(alone[0], whole[post], atol=1e-6)
        np.testing.assert_allclose(own[0], gradient[post], atol=1e-5)
    assert both(FIRST[:0], SECOND[:0])[0].shape == (0, 4, 2)


def test_the_order_of_posts_does_not_matter():
    layer = randomised(CoAttention(block=2), 4, 2)
    order = [2, 0, 1]
    found, moved = layer(FIRST, SECOND), layer(FIRST[order], SECOND[order])
    for name, value in found.items():
        np.testing.assert_allclose(np.array(value)[order], moved[name], atol=1e-6)


def test_attention_sums_to_one_and_sides_are_not_exchangeable():
    layer = randomised(CoAttention(), 4, 2)
    result = layer(FIRST, SECOND)
    np.testing.assert_allclose(np.sum(result["attention"], axis=-1), 1, atol=1e-6)
    assert np.abs(result["vector"]).max() <= 2
    assert not np.allclose(result["vector"], layer(SECOND, FIRST)["vector"], atol=1e-3)


def test_errors():
    with pytest.raises(ValueError, match="`block` must be None or an integer of at least 1"):
        CoAttention(block=0)
    with pytest.raises(ValueError, match="`first` must be \\[batch, proposals, width\\]"):
        CoAttention()(FIRST[0], SECOND[0])
    with pytest.raises(ValueError, match="`second` must be of the shape of `first`"):
        CoAttention()(FIRST, SECOND[:, :3])
    with pytest.raises(ValueError, match="known proposals and width"):
        CoAttention()(keras.Input((None, 2)), keras.Input((None, 2)))
