import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.losses import LabelCrossentropy

RNG = np.random.default_rng(0)
LABELS = np.array([[1, 0, -1], [-1, -1, -1], [3, -1, -1], [0, 1, 3]])
LOGITS = RNG.normal(size=(4, 4)).astype("float32")


def by_loops(labels, logits):
    total = 0.0
    for row, z in zip(labels, logits.astype("float64"), strict=True):
        shares = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        total += sum(-np.log(shares[label]) for label in row if label >= 0)
    return total / len(labels)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 6), st.integers(1, 7))
def test_equals_plain_loops(seed, width, count):
    rng = np.random.default_rng(seed)
    labels, logits = rng.integers(-1, count, (3, width)), rng.normal(size=(3, count)) * 5
    found = LabelCrossentropy()(labels, logits.astype("float32"))
    np.testing.assert_allclose(found, by_loops(labels, logits), rtol=1e-4, atol=1e-5)


def test_the_gradient_is_the_softmax_less_the_labels():
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = LabelCrossentropy()(LABELS, logits)
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    expected = np.zeros_like(LOGITS)
    for row, labels in enumerate(LABELS):
        for label in labels[labels >= 0]:
            expected[row] += shares[row]
            expected[row, label] -= 1
    np.testing.assert_allclose(tape.gradient(loss, logits), expected / 4, atol=1e-6)


def test_padding_counts_nothing():
    padded = np.concatenate([LABELS, np.full((4, 3), -1)], axis=1)
    assert float(LabelCrossentropy()(padded, LOGITS)) == float(LabelCrossentropy()(LABELS, LOGITS))
    assert float(LabelCrossentropy()(LABELS[1:2], LOGITS[1:2])) == 0


def test_large_logits_stay_finite():
    found = float(LabelCrossentropy()(np.array([[0]]), np.float32([[-1e4, 1e4]])))
    assert found == pytest.approx(2e4)


def test_many_labels_keep_their_places():
    """Labels pass through float32 on their way; all of a large label space must survive it."""
    logits = np.zeros((1, 300_001), "float32")
    logits[0, 299_999] = 50
    loss = LabelCrossentropy()
    assert float(loss(np.array([[299_999]]), logits)) == pytest.approx(0, abs=1e-5)
    assert float(loss(np.array([[300_000]]), logits)) == pytest.approx(50, rel=1e-5)


def test_config_round_trip():
    text = json.dumps(keras.saving.serialize_keras_object(LabelCrossentropy(name="posts")))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert (type(again), again.name) == (LabelCrossentropy, "posts")


@pytest.mark.parametrize("policy, jit", [("float32", True), ("mixed_float16", False)])
def test_trains(policy, jit):
    keras.utils.set_random_seed(0)
    out = keras.layers.Dense(4, dtype=policy)
    model = keras.Sequential(
        [keras.Input((4,)), out, keras.layers.Activation("linear", dtype="float32")]
    )
    model.compile(keras.optimizers.Adam(0.1), LabelCrossentropy(), jit_compile=jit)
    losses = model.fit(LOGITS, LABELS, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
