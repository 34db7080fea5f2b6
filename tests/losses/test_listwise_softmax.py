import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.losses import ListwiseSoftmax

RNG = np.random.default_rng(0)
LABELS = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 0]], "float32")
LOGITS = RNG.normal(size=(3, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]], bool)


def test_equals_plain_loops():
    expected = []
    for row in range(3):
        y, x = LABELS[row][MASK[row]], LOGITS[row][MASK[row]] / 0.5
        if y.sum() > 0:
            expected.append(-sum(y / y.sum() * np.log(np.exp(x) / np.exp(x).sum())))
    found = ListwiseSoftmax(temperature=0.5)(LABELS, LOGITS, sample_weight=MASK)
    np.testing.assert_allclose(found, np.mean(expected), rtol=1e-5)


def test_padding_gets_no_gradient_and_all_is_finite():
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = ListwiseSoftmax()(LABELS, logits, sample_weight=MASK)
    gradient = np.array(tape.gradient(loss, logits))
    assert np.isfinite(gradient).all()
    assert (gradient[~MASK] == 0).all() and (gradient[1] == 0).all()
    assert (gradient[0, :3] != 0).all()


def test_no_list_with_a_positive_costs_nothing():
    assert float(ListwiseSoftmax()(LABELS * 0, LOGITS, sample_weight=MASK)) == 0


def test_config_round_trip():
    text = json.dumps(keras.saving.serialize_keras_object(ListwiseSoftmax(0.5)))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert again.temperature == 0.5


def test_refuses_a_temperature_of_zero():
    with pytest.raises(ValueError, match="`temperature`"):
        ListwiseSoftmax(0.0)
