import numpy as np
import pytest

from tfhashtag.recommenders.engagement.compose import compose
from tfhashtag.recommenders.engagement.settings import EngagementNetwork
from tfhashtag.recommenders.engagement.similarity_start import start_from_similarity

WIDTH = 12


@pytest.fixture(scope="module")
def vectors():
    """Messages around six directions, 20 each, of components of unit root mean square."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, WIDTH)) * 2
    values = np.repeat(centres, 20, axis=0) + 0.5 * rng.normal(size=(120, WIDTH))
    return (values / np.sqrt(np.mean(values**2))).astype("float32")


def users_and_batch(rng, users=60):
    """Each user writes about one direction; the candidates are the six directions."""
    taste = rng.integers(0, 6, users)
    history = 20 * taste[:, None] + rng.integers(0, 10, (users, 5))
    history[rng.random((users, 5)) < 0.2] = -1
    history = -np.sort(-history, axis=1)  # padding stands at the end
    contexts = 20 * np.arange(6)[None, :, None] + rng.integers(10, 20, (users, 6, 4))
    labels = (np.arange(6) == taste[:, None]).astype("float32")
    return {"history": history, "contexts": contexts}, labels


@pytest.mark.parametrize(
    "switches",
    [
        {"attention": "topic_bilinear"},
        {"attention": "additive"},
        {"attention": "mean"},
        {"attention": "mean", "user": "lstm_attention"},
        {"attention": "mean", "user": "mean"},
    ],
    ids=["full", "additive", "lstm", "lstm_att", "mlp"],
)
def test_untrained_model_prefers_what_is_close(vectors, switches):
    inputs, labels = users_and_batch(np.random.default_rng(1))
    model = compose(EngagementNetwork(topics=None, hidden=24, **switches), WIDTH)
    model.message_vectors = vectors
    start_from_similarity(model, inputs["history"], (inputs, labels))
    fresh, labels = users_and_batch(np.random.default_rng(2))
    logits = np.asarray(model(fresh)["logits"])
    some = (fresh["history"] >= 0).any(axis=1)
    assert np.mean(logits.argmax(1)[some] == labels.argmax(1)[some]) > 0.9
    untouched = compose(EngagementNetwork(topics=None, hidden=24, **switches), WIDTH, seed=0)
    untouched.message_vectors = vectors
    random = np.asarray(untouched(fresh)["logits"])
    assert np.mean(random.argmax(1)[some] == labels.argmax(1)[some]) < 0.6


def test_logits_start_at_the_base_rate(vectors):
    inputs, labels = users_and_batch(np.random.default_rng(1))
    model = compose(EngagementNetwork(topics=None, hidden=24), WIDTH, positive_weight=100.0)
    model.message_vectors = vectors
    start_from_similarity(model, inputs["history"], (inputs, labels))
    chances = 1 / (1 + np.exp(-np.asarray(model(inputs)["logits"], "float64")))
    weights = np.where(labels > 0, 100.0, 1.0)
    # where the loss has no slope in the offset, the weighted means agree
    assert np.sum(weights * chances) == pytest.approx(np.sum(weights * labels), rel=1e-3)


def test_same_seed_same_weights(vectors):
    inputs, labels = users_and_batch(np.random.default_rng(1))
    weights = []
    for _ in range(2):
        model = compose(EngagementNetwork(topics=None, hidden=8), WIDTH)
        model.message_vectors = vectors
        start_from_similarity(model, inputs["history"], (inputs, labels), seed=3)
        weights.append(np.asarray(model.head.hashtag_dense.kernel))
    np.testing.assert_array_equal(*weights)


def test_bad_arguments(vectors):
    inputs, labels = users_and_batch(np.random.default_rng(1))
    model = compose(EngagementNetwork(topics=None, hidden=3), WIDTH)
    model.message_vectors = vectors
    with pytest.raises(ValueError, match="at least 4 hidden units, found 3"):
        start_from_similarity(model, inputs["history"], (inputs, labels))
    model = compose(EngagementNetwork(topics=None, hidden=4), WIDTH)
    model.message_vectors = vectors
    with pytest.raises(ValueError, match="`ridge` must be positive"):
        start_from_similarity(model, inputs["history"], (inputs, labels), ridge=0)
