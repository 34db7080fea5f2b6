import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.layers import NeuralTopicModel
from tfhashtag.losses import NeuralTopicLoss
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
BAG = RNG.poisson(0.7, size=(3, 8)).astype("float32")
BAG[2] = 0


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5, seed=1, **kw),
        {"bag_of_words": BAG},
    )
    getattr(contract, check)()


def test_equals_plain_loops():
    model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5)
    outputs = {k: np.array(v) for k, v in model(BAG).items()}
    for dense in (model.encoder_dense, model.mean_dense, model.log_sigma_dense):
        dense.bias.assign(RNG.normal(size=dense.bias.shape))
    outputs = {k: np.array(v) for k, v in model(BAG).items()}
    (we, be), (wm, bm), (ws, bs), (wd, bd) = (
        [np.array(w, "float64") for w in getattr(model, f"{name}_dense").weights]
        for name in ("encoder", "mean", "log_sigma", "decoder")
    )
    losses = np.array(NeuralTopicLoss(reduction="none")(BAG, outputs))
    for n in range(3):
        encoded = [max(0.0, sum(BAG[n, v] * we[v, j] for v in range(8)) + be[j]) for j in range(5)]
        mean = [sum(encoded[j] * wm[j, k] for j in range(5)) + bm[k] for k in range(3)]
        log_sigma = [sum(encoded[j] * ws[j, k] for j in range(5)) + bs[k] for k in range(3)]
        theta = np.exp(mean) / sum(np.exp(m) for m in mean)
        logits = [sum(theta[k] * wd[k, v] for k in range(3)) + bd[v] for v in range(8)]
        for name, expected in (
            ("z", mean),
            ("mean", mean),
            ("log_sigma", log_sigma),
            ("theta", theta),
            ("logits", logits),
        ):
            np.testing.assert_allclose(outputs[name][n], expected, atol=1e-5, err_msg=name)
        predicted = np.exp(logits) / sum(np.exp(x) for x in logits)
        loss = -sum(BAG[n, v] * np.log(predicted[v]) for v in range(8))
        for m, s in zip(mean, log_sigma, strict=True):
            loss += 0.5 * (m**2 + np.exp(s) ** 2 - 1) - s
        np.testing.assert_allclose(losses[n], loss, rtol=1e-5)


def test_topic_words_are_distributions_of_the_decoders_weights():
    model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5)
    model(BAG)
    words = np.array(model.topic_words())
    kernel = np.array(model.decoder_dense.kernel, "float64")
    for k in range(3):
        np.testing.assert_allclose(words[k], np.exp(kernel[k]) / np.exp(kernel[k]).sum(), rtol=1e-5)


def test_starting_from_counts_predicts_the_frequencies():
    model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5)
    model(BAG)
    model.decoder_dense.kernel.assign(np.zeros((3, 8)))
    model.start_from_counts(BAG.sum(axis=0))
    logits = np.array(model(BAG)["logits"], "float64")
    found = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = (BAG.sum(axis=0) + 1) / (BAG.sum() + 8)
    np.testing.assert_allclose(found, np.repeat(expected[None], 3, axis=0), rtol=1e-5)


def test_topic_words_with_frequencies_are_what_a_document_of_one_topic_expects():
    model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5)
    model(BAG)
    model.start_from_counts(BAG.sum(axis=0))
    pure = np.array(model.decoder_dense(np.eye(3, dtype="float32")), "float64")
    expected = np.exp(pure) / np.exp(pure).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.topic_words(frequencies=True), expected, rtol=1e-5)


def test_starting_from_topics_predicts_their_words():
    model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5)
    model(BAG)
    counts = RNG.poisson(20, size=(3, 8)).astype("float32")
    model.start_from_topics(counts, sharpness=1.0, smoothing=50.0)
    share = (counts.sum(axis=0) + 1) / (counts.sum() + 8)
    expected = (counts + 50 * share) / (counts.sum(axis=1, keepdims=True) + 50)
    found = np.array(model.topic_words(frequencies=True))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    model.start_from_topics(counts, sharpness=2.0, smoothing=50.0)
    sharper = expected**2 / share
    sharper /= sharper.sum(axis=1, keepdims=True)
    found = np.array(model.topic_words(frequencies=True))
    np.testing.assert_allclose(found, sharper, rtol=1e-4)
    with pytest.raises(ValueError, match=r"`counts` must be \[3, 8\]"):
        model.start_from_topics(counts[:2])


def test_finds_planted_topics():
    """Three topics with ten words of their own each: bags of one topic get one mixture."""
    rng = np.random.default_rng(0)
    topic = np.arange(150) % 3
    bags = np.zeros((150, 30), "float32")
    for bag, t in zip(bags, topic, strict=True):
        np.add.at(bag, t * 10 + rng.integers(0, 10, 40), 1)
    keras.utils.set_random_seed(0)
    model = NeuralTopicModel(vocabulary_size=30, topics=3, hidden=16, seed=0)
    model(bags)
    optimizer, loss = keras.optimizers.Adam(0.02), NeuralTopicLoss()

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(bags, model(bags, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_weights), model.trainable_weights)

    optimizer.build(model.trainable_weights)
    for _ in range(400):
        step()
    found = np.argmax(model(bags)["theta"], axis=1)
    assert len({(t, f) for t, f in zip(topic, found, strict=True)}) == 3
    assert len(set(found)) == 3
    words = np.array(model.topic_words())
    for t in range(3):
        assert set(np.argsort(-words[found[t]])[:10]) == set(range(t * 10, t * 10 + 10))


def test_noise_in_training_only_and_as_large_as_sigma():
    model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5, seed=3)
    many = np.repeat(BAG[:1], 4000, axis=0)
    outputs = {k: np.array(v) for k, v in model(many, training=True).items()}
    noise = (outputs["z"] - outputs["mean"]) / np.exp(outputs["log_sigma"])
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05
    still = model(many, training=False)
    assert np.array_equal(still["z"], still["mean"])


def test_same_seed_same_noise():
    values = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5, seed=3)
        values.append(np.array(model(BAG, training=True)["z"]))
    assert np.array_equal(*values)


def test_a_huge_bag_stays_finite():
    model = NeuralTopicModel(vocabulary_size=8, topics=3, hidden=5, seed=3)
    outputs = model(BAG * 1e6, training=True)
    assert all(np.isfinite(np.array(v)).all() for v in outputs.values())
