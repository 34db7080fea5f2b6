import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers.similarity_edges import neighbour_edges, similarity_edges

RNG = np.random.default_rng(0)
VISUAL = np.abs(RNG.normal(size=(6, 3)))
TEXTUAL = np.abs(RNG.normal(size=(6, 4)))


def cosine(a, b):
    norms = sum(x * x for x in a) ** 0.5 * sum(x * x for x in b) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


def test_equals_plain_loops():
    found = similarity_edges(VISUAL, TEXTUAL, 0.7, 0.8)
    assert found.shape == (6, 6, 2)
    linked = 0
    for i in range(6):
        for j in range(6):
            for relation, features, threshold in ((0, VISUAL, 0.7), (1, TEXTUAL, 0.8)):
                sim = cosine(features[i], features[j])
                expected = sim if sim >= threshold and i != j else 0
                linked += expected > 0
                np.testing.assert_allclose(found[i, j, relation], expected, atol=1e-9)
    assert 0 < linked < 60


def test_thresholds_are_inclusive():
    visual = np.array([[1.0, 0, 0], [0.5, 0.5, np.sqrt(0.5)]])
    assert similarity_edges(visual, None, visual_threshold=0.5)[0, 1, 0] == 0.5
    assert similarity_edges(visual, None, visual_threshold=0.500001)[0, 1, 0] == 0


def test_a_relation_can_be_left_out():
    both = similarity_edges(VISUAL, TEXTUAL, 0.7, 0.8)
    np.testing.assert_array_equal(similarity_edges(VISUAL, None, 0.7)[..., 0], both[..., 0])
    only = similarity_edges(None, TEXTUAL, textual_threshold=0.8)
    np.testing.assert_array_equal(only[..., 0], both[..., 1])


def test_posts_without_picture_or_text_have_no_edges_of_that_kind():
    visual, textual = np.ones((4, 2)), np.ones((4, 2))
    mask = np.array([True, False, True, True])
    found = np.array(similarity_edges(visual, textual, visual_mask=mask))
    np.testing.assert_allclose(found[..., 1], 1 - np.eye(4), atol=1e-6)
    expected = (1 - np.eye(4)) * mask[:, None] * mask[None, :]
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-6)
    visual[1] = 0  # the cosine of a vector of zeros is 0
    np.testing.assert_allclose(similarity_edges(visual, None)[..., 0], expected, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_posts_does_not_matter(order):
    found = np.array(similarity_edges(VISUAL, TEXTUAL, 0.7, 0.8))
    moved = similarity_edges(VISUAL[order], TEXTUAL[order], 0.7, 0.8)
    np.testing.assert_allclose(found[order][:, order], moved, atol=1e-9)


def test_neighbours_get_the_same_edges_as_in_a_batch():
    whole = np.array(similarity_edges(VISUAL, TEXTUAL, 0.7, 0.8))
    neighbours = np.array([[1, 3, 5], [0, 2, 4]])
    mask = np.array([[True, True, True], [True, False, True]])
    found = neighbour_edges(
        VISUAL[:2], TEXTUAL[:2], VISUAL[neighbours], TEXTUAL[neighbours], 0.7, 0.8,
        neighbour_visual_mask=mask,
    )  # fmt: skip
    expected = np.stack([whole[i, neighbours[i]] for i in range(2)])
    expected[..., 0] *= mask
    np.testing.assert_allclose(found, expected, atol=1e-9)
    alone = neighbour_edges(
        VISUAL[1:2], None, VISUAL[neighbours[1:]], None, 0.7, neighbour_visual_mask=mask[1:]
    )
    np.testing.assert_allclose(alone[..., 0], expected[1:, :, 0], atol=1e-9)


def test_gradients_flow_along_edges_and_are_finite_at_zero():
    features = tf.Variable(np.array([[1.0, 0.1], [1, 0], [0, 1], [0, 0]]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(similarity_edges(features, None))
    gradient = np.array(tape.gradient(loss, features))
    assert np.isfinite(gradient).all()
    assert gradient[0].any() and not gradient[2:].any()


def test_half_precision_is_compared_in_float32():
    found = similarity_edges(tf.cast(VISUAL, "float16"), None)
    assert found.dtype == "float32"


def test_errors():
    with pytest.raises(ValueError, match="found None for both"):
        similarity_edges(None, None)
    with pytest.raises(ValueError, match="`textual_threshold` must lie in"):
        similarity_edges(VISUAL, TEXTUAL, textual_threshold=1.5)
    with pytest.raises(ValueError, match="`neighbour_visual` must be given both"):
        neighbour_edges(VISUAL, None, None, None)
