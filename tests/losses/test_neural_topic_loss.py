import json

import keras
import numpy as np

from tfhashtag.losses import NeuralTopicLoss

RNG = np.random.default_rng(0)


def test_equals_equation_9_by_loops():
    bag = RNG.poisson(1.0, (3, 6)).astype("float64")
    mean, log_sigma = RNG.normal(size=(2, 3, 4))
    logits = RNG.normal(size=(3, 6))
    weights = np.array([1.0, 0.0, 1.0])
    expected = []
    for n in (0, 2):
        kl = sum(
            0.5 * (mean[n, k] ** 2 + np.exp(log_sigma[n, k]) ** 2 - 1) - log_sigma[n, k]
            for k in range(4)
        )
        probabilities = np.exp(logits[n]) / np.exp(logits[n]).sum()
        expected.append(kl - sum(bag[n, v] * np.log(probabilities[v]) for v in range(6)))
    outputs = {"mean": mean, "log_sigma": log_sigma, "logits": logits}
    found = NeuralTopicLoss()(bag, outputs, sample_weight=weights)
    np.testing.assert_allclose(found, np.mean(expected), rtol=1e-5)


def test_divergence_is_zero_at_the_prior_and_positive_elsewhere():
    assert float(NeuralTopicLoss.kl(np.zeros(5), np.zeros(5))) == 0
    assert float(NeuralTopicLoss.kl(np.zeros(5), np.full(5, 0.3))) > 0
    assert float(NeuralTopicLoss.kl(np.full(5, 0.3), np.zeros(5))) > 0


def test_an_empty_bag_costs_only_the_divergence():
    assert float(NeuralTopicLoss.nll(np.zeros(6), RNG.normal(size=6))) == 0


def test_config_round_trip():
    text = json.dumps(keras.saving.serialize_keras_object(NeuralTopicLoss()))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert again.get_config() == NeuralTopicLoss().get_config()
