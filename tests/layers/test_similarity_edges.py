import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers.similarity_edges import neighbour_edges, similarity_edges

RNG = np.random.default_rng(0)
FEATURES = np.abs(RNG.normal(size=(6, 3)))


def cosine(a, b):
    norms = sum(x * x for x in a) ** 0.5 * sum(x * x for x in b) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


def test_equals_plain_loops():
    found = similarity_edges(FEATURES, 0.7)
    assert found.shape == (6, 6)
    linked = 0
    for i in range(6):
        for j in range(6):
            sim = cosine(FEATURES[i], FEATURES[j])
            expected = sim if sim >= 0.7 and i != j else 0
            linked += expected > 0
            np.testing.assert_allclose(found[i, j], expected, atol=1e-9)
    assert 0 < linked < 30


def test_thresholds_are_inclusive():
    features = np.array([[1.0, 0, 0], [0.5, 0.5, np.sqrt(0.5)]])
    assert similarity_edges(features, 0.5)[0, 1] == 0.5
    assert similarity_edges(features, 0.500001)[0, 1] == 0


def test_posts_without_picture_or_text_have_no_edges():
    features = np.ones((4, 2))
    mask = np.array([True, False, True, True])
    np.testing.assert_allclose(similarity_edges(features, 0.6), 1 - np.eye(4), atol=1e-6)
    expected = (1 - np.eye(4)) * mask[:, None] * mask[None, :]
    np.testing.assert_allclose(similarity_edges(features, 0.6, mask), expected, atol=1e-6)
    features[1] = 0  # the cosine of a vector of zeros is 0
    np.testing.assert_allclose(similarity_edges(features, 0.6), expected, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_posts_does_not_matter(order):
    found = np.array(similarity_edges(FEATURES, 0.7))
    moved = similarity_edges(FEATURES[order], 0.7)
    np.testing.assert_allclose(found[order][:, order], moved, atol=1e-9)


def test_neighbours_get_the_same_edges_as_in_a_batch():
    whole = np.array(similarity_edges(FEATURES, 0.7))
    neighbours = np.array([[1, 3, 5], [0, 2, 4]])
    mask = np.array([[True, True, True], [True, False, True]])
    expected = np.stack([whole[i, neighbours[i]] for i in range(2)])
    found = neighbour_edges(FEATURES[:2], FEATURES[neighbours], 0.7)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    found = neighbour_edges(FEATURES[:2], FEATURES[neighbours], 0.7, mask)
    np.testing.assert_allclose(found, expected * mask, atol=1e-9)


def test_gradients_flow_along_edges_and_are_finite_at_zero():
    features = tf.Variable(np.array([[1.0, 0.1], [1, 0], [0, 1], [0, 0]]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(similarity_edges(features, 0.6))
    gradient = np.array(tape.gradient(loss, features))
    assert np.isfinite(gradient).all()
    assert gradient[0].any() and not gradient[2:].any()


def test_half_precision_is_compared_in_float32():
    assert similarity_edges(tf.cast(FEATURES, "float16"), 0.6).dtype == "float32"


def test_errors():
    with pytest.raises(ValueError, match="`threshold` must lie in"):
        similarity_edges(FEATURES, 1.5)
    with pytest.raises(ValueError, match="`threshold` must lie in"):
        neighbour_edges(FEATURES, FEATURES[:, None], -2)
