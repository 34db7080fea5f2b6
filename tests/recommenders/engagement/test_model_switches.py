"""Baselines and ablations of the published model: the same parts, switched."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.vocabulary import Vocabulary
from tfhashtag.recommenders.engagement.catalogue import score_catalogue
from tfhashtag.recommenders.engagement.compose import compose
from tfhashtag.recommenders.engagement.servable import EngagementServingHead
from tfhashtag.recommenders.engagement.settings import EngagementNetwork

D, V, K, UNITS = 6, 9, 3, 4
SYSTEMS = {
    "mlp": {"user": "mean", "attention": "mean", "topics": None},
    "lstm": {"user": "lstm", "attention": "mean", "topics": None},
    "lstm_att": {"user": "lstm_attention", "attention": "mean", "topics": None},
    "topics": {"user": "lstm_attention", "attention": "mean", "topics": K},
}
OTHERS = {
    "published": {"user": "lstm_attention", "attention": "topic_bilinear", "topics": K},
    "additive": {"user": "lstm", "attention": "additive", "topics": None},
}
TABLE = np.random.default_rng(0).normal(size=(20, D)).astype("float32")
HISTORY = np.array([[3, 1, 4, -1], [5, 9, -1, -1], [-1, -1, -1, -1]], "int32")
CONTEXTS = np.array([[0, 1, 2], [3, -1, -1], [-1, -1, -1]], "int32")
BAGS = np.random.default_rng(1).poisson(0.7, (3, V)).astype("float32")


def made(name, topic_weight=1e-4, **changes):
    keras.utils.set_random_seed(0)
    network = EngagementNetwork(
        topic_hidden=5, hidden=UNITS, **{**(SYSTEMS | OTHERS)[name], **changes}
    )
    model = compose(network, D, V, topic_weight=topic_weight, seed=0)
    model.message_vectors = TABLE
    return model


def inputs(users=slice(None), candidates=slice(None), history=HISTORY):
    history = history[users]
    shared = (CONTEXTS[candidates], BAGS[candidates])
    contexts, bags = (np.repeat(part[None], len(history), axis=0) for part in shared)
    return {"history": history, "contexts": contexts, "bag_of_words": bags}


def logits(model, *args, **kwargs):
    return np.array(model(inputs(*args, **kwargs))["logits"])


@pytest.mark.parametrize("name", SYSTEMS)
def test_batch_equals_single_and_the_catalogue(name):
    model = made(name, head_hidden=7)
    together = logits(model)
    assert together.shape == (3, 3)
    for user in range(3):
        for candidate in range(3):
            alone = logits(model, slice(user, user + 1), slice(candidate, candidate + 1))
            np.testing.assert_allclose(together[user, candidate], alone[0, 0], atol=1e-5)
    vectors, mask = model.vectors_of(HISTORY)
    users = model.encode_user(vectors, mask)
    assert users.shape == (3, model.user_width)
    topics = model.encode_hashtags(BAGS)
    topics = None if topics is None else np.array(topics)
    np.testing.assert_allclose(
        score_catalogue(model, np.array(users), CONTEXTS, topics), together, atol=1e-5
    )


@pytest.mark.parametrize("name", [*SYSTEMS, *OTHERS])
def test_served_scores_are_those_of_the_model(name):
    """Of the catalogue as an export keeps it, and of contexts that a request brings."""
    model = made(name, head_hidden=7)
    vocabulary = Vocabulary([f"w{number}" for number in range(V)])
    head = EngagementServingHead(model, vocabulary, CONTEXTS, TABLE, BAGS, scale=2.0)
    vectors, mask = model.vectors_of(HISTORY)
    state = head.user_state(vectors / 2, mask, None)
    places, scores = head.ranked(state, 2)
    assert np.array(places).tolist() == [[0, 1, 2]] * 3
    np.testing.assert_allclose(scores, logits(model), atol=1e-5)
    words = [
        " ".join(f"w{word}" for word in np.repeat(np.arange(V), bag.astype(int))) for bag in BAGS
    ]
    texts = [[[text, "", ""] for text in words]] * 3
    contexts, real = model.vectors_of(np.repeat(CONTEXTS[None], 3, axis=0))
    brought, _ = head.context_logits(state, tf.constant(texts), contexts / 2, real)
    np.testing.assert_allclose(brought, logits(model), atol=1e-5)


@pytest.mark.parametrize("name", SYSTEMS)
def test_config_and_weights_survive_saving(name, tmp_path):
    model = made(name, head_hidden=7)
    text = json.dumps(keras.saving.serialize_keras_object(model))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert again.get_config() == model.get_config()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.message_vectors = TABLE
    assert np.array_equal(logits(loaded), logits(model))


def test_logits_by_loops():
    """ReLU(W_1 [mean of contexts; z] + W_2 r_u + b), with r_u by the encoder that has own tests."""
    for name in SYSTEMS:
        model = made(name)
        users = np.array(model.encode_user(*model.vectors_of(HISTORY)))
        first, (second, bias) = model.head.hashtag_dense.kernel, model.head.user_dense.weights
        out, offset = (np.array(w, "float64") for w in model.head.logit_dense.weights)
        topics = None if model.topic_model is None else np.array(model.encode_hashtags(BAGS))
        found = logits(model)
        for candidate, rows in enumerate(CONTEXTS):
            real = [row for row in rows if row >= 0]
            hashtag = sum(TABLE[row] for row in real) / max(len(real), 1) + np.zeros(D)
            if topics is not None:
                hashtag = np.concatenate([hashtag, topics[candidate] if real else np.zeros(K)])
            for user in range(3):
                hidden = hashtag @ np.array(first) + users[user] @ np.array(second)
                expected = np.maximum(hidden + np.array(bias), 0) @ out + offset
                np.testing.assert_allclose(found[user, candidate], expected[0], atol=1e-5)


def test_what_each_system_reads():
    other = HISTORY.copy()
    other[0, :3] = other[0, [2, 0, 1]]
    for name in SYSTEMS:
        moved = np.abs(logits(made(name), history=other) - logits(made(name)))
        assert moved[1:].max() == 0
        assert (moved[0].max() < 1e-6) == (name == "mlp"), name  # order matters to an LSTM alone
    model, changed = made("topics"), inputs()
    changed["bag_of_words"] = 3 * changed["bag_of_words"][:, ::-1]
    before, after = logits(model), np.array(model(changed)["logits"])
    assert np.abs(before - after)[:, :2].max() > 1e-4
    np.testing.assert_allclose(before[:, 2], after[:, 2])  # no message, nothing beside it
    # Nobody's attention: every message weighs the same, for all users.
    weights = np.array(model(inputs())["attention"])
    np.testing.assert_allclose(weights[:, 0], np.full((3, 3), 1 / 3), atol=1e-6)
    np.testing.assert_allclose(weights[:, 1], [[1, 0, 0]] * 3, atol=1e-6)
    assert not weights[:, 2].any()


def test_joint_training_reaches_the_topics_through_the_concatenation():
    model = made("topics", topic_weight=0.0)
    model.compile(optimizer=keras.optimizers.SGD(0.1), jit_compile=False)
    before = [np.array(w) for w in model.topic_model.trainable_weights]
    model.train_on_batch(inputs(), np.eye(3, dtype="float32"))
    after = [np.array(w) for w in model.topic_model.trainable_weights]
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))
