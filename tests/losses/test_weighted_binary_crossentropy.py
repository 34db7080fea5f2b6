import json

import keras
import numpy as np
import pytest

from tfhashtag.losses import WeightedBinaryCrossentropy


def test_equals_equation_8_by_loops():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 2, (4, 5)).astype("float32"), rng.normal(size=(4, 5))
    mask = rng.random((4, 5)) < 0.7
    expected = []
    for y, x, m in zip(labels.ravel(), logits.ravel(), mask.ravel(), strict=True):
        if m:
            p = 1 / (1 + np.exp(-x))
            expected.append(-(100 * y * np.log(p) + (1 - y) * np.log(1 - p)))
    found = WeightedBinaryCrossentropy(100.0)(labels, logits, sample_weight=mask)
    np.testing.assert_allclose(found, np.mean(expected), rtol=1e-5)


def test_extreme_logits_stay_finite():
    loss = WeightedBinaryCrossentropy(2.0, reduction="none")
    values = np.array(loss(np.array([1.0, 0.0]), np.array([-1e4, 1e4])))
    np.testing.assert_allclose(values, [2e4, 1e4])


def test_config_round_trip():
    loss = WeightedBinaryCrossentropy(7.0)
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert again.get_config() == loss.get_config() and again.positive_weight == 7.0


def test_refuses_a_weight_of_zero():
    with pytest.raises(ValueError, match="`positive_weight`"):
        WeightedBinaryCrossentropy(0.0)
