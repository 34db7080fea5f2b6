import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.layers import EngagementHead, PersonalizedTopicAttention, UserEncoder
from tfhashtag.losses import ListwiseSoftmax, NeuralTopicLoss
from tfhashtag.recommenders.engagement.catalogue import score_catalogue
from tfhashtag.recommenders.engagement.compose import compose
from tfhashtag.recommenders.engagement.model import EngagementModel
from tfhashtag.recommenders.engagement.settings import EngagementNetwork

D, V, K = 6, 9, 3
SIZES = {"topics": K, "topic_hidden": 5, "hidden": 4}
OF_LOSS = ("positive_weight", "topic_weight", "dtype")
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(20, D)).astype("float32")


def batch(users=3, candidates=4, messages=5, history=6, seed=1):
    rng = np.random.default_rng(seed)

    def rows(*shape):
        lengths = rng.integers(0, shape[-1] + 1, size=shape[:-1])
        found = rng.integers(0, 20, size=shape)
        return np.where(np.arange(shape[-1]) < lengths[..., None], found, -1).astype("int32")

    mask = np.arange(candidates) < rng.integers(1, candidates + 1, size=(users, 1))
    return {
        "history": rows(users, history),
        "contexts": rows(users, candidates, messages),
        "bag_of_words": rng.poisson(0.5, (users, candidates, V)).astype("float32"),
        "candidate_mask": mask,
    }


def labels(users=3, candidates=4, seed=2):
    return (np.random.default_rng(seed).random((users, candidates)) < 0.4).astype("float32")


def made(seed=0, **changes):
    keras.utils.set_random_seed(seed)
    others = {name: changes.pop(name) for name in OF_LOSS if name in changes}
    model = compose(EngagementNetwork(**{**SIZES, **changes}), D, V, seed=seed, **others)
    model.message_vectors = TABLE
    return model


def arrays(outputs):
    return {name: np.array(value, "float64") for name, value in outputs.items()}


@pytest.mark.parametrize("topics", [None, K])
@pytest.mark.parametrize("attention", ["topic_bilinear", "bilinear", "additive"])
def test_names_and_shapes(topics, attention):
    outputs = made(topics=topics, attention=attention)(batch())
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    expected = {"logits": (3, 4), "attention": (3, 4, 5)}
    if topics:
        expected |= {"topics": (3, 4, K), "topic_kl": (3, 4), "topic_nll": (3, 4)}
    assert shapes == expected
    assert all(np.isfinite(v).all() for v in arrays(outputs).values())


def test_config_round_trip_through_json():
    model = made(attention="additive", topic_weight=0.5)
    text = json.dumps(keras.saving.serialize_keras_object(model))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert again.get_config() == model.get_config()


def test_saved_model_gives_the_same_and_does_not_hold_the_table(tmp_path):
    model = made()
    assert all(v.shape != TABLE.shape for v in model.variables)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.message_vectors is None
    loaded.message_vectors = TABLE
    for name, value in arrays(model(batch())).items():
        assert np.array_equal(arrays(loaded(batch()))[name], value), name
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert TABLE.tobytes() not in file.read("model.weights.h5")


def test_rows_without_a_table_are_refused():
    model = compose(EngagementNetwork(**SIZES), D, V)
    with pytest.raises(ValueError, match="`message_vectors` is not set"):
        model(batch())


def test_a_table_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"must be \[messages, 6\], found shape \(3, 5\)"):
        made().message_vectors = np.zeros((3, 5))


def test_each_user_is_encoded_once_however_many_candidates(monkeypatch):
    model, shapes = made(), []
    call = model.user_encoder.call

    def recorded(history, **kwargs):
        shapes.append(tuple(history.shape))
        return call(history, **kwargs)

    monkeypatch.setattr(model.user_encoder, "call", recorded)
    for candidates in (1, 4, 50):
        model(batch(candidates=candidates))
    assert shapes == [(3, 6, D)] * 3


def test_batch_equals_single_and_order_does_not_matter():
    model, x = made(), batch()
    whole = arrays(model(x))
    for user in range(3):
        alone = arrays(model({k: v[user : user + 1] for k, v in x.items()}))
        np.testing.assert_allclose(alone["logits"], whole["logits"][user : user + 1], atol=1e-6)
    order = [2, 0, 3, 1]
    moved = {k: v[:, order] if k != "history" else v for k, v in x.items()}
    np.testing.assert_allclose(arrays(model(moved))["logits"], whole["logits"][:, order], atol=1e-6)


def test_padding_of_history_contexts_and_candidates_changes_nothing():
    model, x, y = made(), batch(), labels()
    padded = {
        "history": np.pad(x["history"], ((0, 0), (0, 3)), constant_values=-1),
        "contexts": np.pad(x["contexts"], ((0, 0), (0, 2), (0, 3)), constant_values=-1),
        "bag_of_words": np.pad(x["bag_of_words"], ((0, 0), (0, 2), (0, 0))),
        "candidate_mask": np.pad(x["candidate_mask"], ((0, 0), (0, 2))),
    }
    before, after = model(x), model(padded)
    np.testing.assert_allclose(after["logits"][:, :4], before["logits"], atol=1e-6)
    short = model.compute_loss(x, y, before)
    long = model.compute_loss(padded, np.pad(y, ((0, 0), (0, 2)), constant_values=1), after)
    np.testing.assert_allclose(long, short, rtol=1e-5)


def test_loss_is_equation_10_by_loops():
    model, x, y = made(positive_weight=7.0, topic_weight=0.3), batch(), labels()
    outputs = arrays(model(x))
    engagement, topics = [], []
    for u, h in zip(*np.nonzero(x["candidate_mask"]), strict=True):
        p = 1 / (1 + np.exp(-outputs["logits"][u, h]))
        engagement.append(-(7 * y[u, h] * np.log(p) + (1 - y[u, h]) * np.log(1 - p)))
        one = model.topic_model(x["bag_of_words"][u, h][None])
        topics.append(float(NeuralTopicLoss()(x["bag_of_words"][u, h][None], one)))
    found = model.compute_loss(x, y, model(x))
    np.testing.assert_allclose(found, np.mean(engagement) + 0.3 * np.mean(topics), rtol=1e-5)


@pytest.mark.parametrize(
    "phase, trained, reported",
    [
        ("topics", {"topic_model"}, {"loss", "topic_kl", "topic_nll"}),
        (
            "warmup",
            {"user_encoder", "topic_attention", "head"},
            {"loss", "engagement_loss"},
        ),
        (
            "joint",
            {"user_encoder", "topic_model", "topic_attention", "head"},
            {"loss", "engagement_loss", "topic_kl", "topic_nll"},
        ),
    ],
)
def test_a_phase_trains_and_reports_its_part(phase, trained, reported):
    model = made()
    model.set_phase(phase)
    model.compile(optimizer=keras.optimizers.SGD(0.1), jit_compile=False)
    parts = ("user_encoder", "topic_model", "topic_attention", "head")
    before = {name: getattr(model, name).get_weights() for name in parts}
    results = model.fit(tf.data.Dataset.from_tensors((batch(), labels())), verbose=0).history
    assert set(results) == reported
    assert all(np.isfinite(value).all() for value in results.values())
    for name in parts:
        weights = [w for w in getattr(model, name).weights if "seed" not in w.name]
        old = [
            w
            for w, v in zip(before[name], getattr(model, name).weights, strict=True)
            if "seed" not in v.name
        ]
        moved = [not np.array_equal(w, o) for w, o in zip(weights, old, strict=True)]
        assert any(moved) == (name in trained), name


def test_the_topic_phase_needs_bags_alone():
    model = made()
    model.set_phase("topics")
    model.compile(optimizer="adam", jit_compile=False)
    x = {"bag_of_words": batch()["bag_of_words"][:, :1], "candidate_mask": np.ones((3, 1), bool)}
    results = model.train_on_batch(x, np.zeros((3, 1)), return_dict=True)
    assert np.isclose(results["loss"], results["topic_kl"] + results["topic_nll"], rtol=1e-5)


def test_refuses_a_phase_that_is_none():
    with pytest.raises(ValueError, match="topics, warmup, joint"):
        made().set_phase("all")
    with pytest.raises(ValueError, match="no `topic_model`"):
        made(topics=None).set_phase("topics")


def parts():
    return UserEncoder(4), PersonalizedTopicAttention(4), EngagementHead(4)


def test_refuses_bad_arguments():
    with pytest.raises(ValueError, match="`message_width`"):
        EngagementModel(0, *parts())
    with pytest.raises(ValueError, match="`topic_weight`"):
        EngagementModel(D, *parts(), topic_weight=-1.0)


# The gradient of the listwise loss by itself: `losses/test_listwise_softmax` has the fast twin.
@pytest.mark.parametrize(
    "loss", [None, pytest.param(ListwiseSoftmax(), marks=pytest.mark.slow)], ids=["BCE", "list"]
)
def test_learns_who_likes_what(loss):
    """Users and hashtags have one of three tastes; a user tags the hashtags of the same taste."""
    rng = np.random.default_rng(0)
    tastes = np.repeat(np.eye(3, D), 8, axis=0)  # messages 8t .. 8t+7 have taste t
    model = made(positive_weight=2.0, user="mean")  # LSTMs: `layers/test_user_encoder`
    model.engagement_loss = loss or model.engagement_loss
    model.message_vectors = tastes + rng.normal(scale=0.05, size=tastes.shape)
    user_taste = np.arange(24) % 3
    hashtag_taste = np.tile(np.arange(3), (24, 1))
    x = {
        "history": user_taste[:, None] * 8 + rng.integers(0, 8, (24, 4)),
        "contexts": hashtag_taste[..., None] * 8 + rng.integers(0, 8, (24, 3, 5)),
        "bag_of_words": np.eye(V, dtype="float32")[hashtag_taste],
        "candidate_mask": np.ones((24, 3), bool),
    }
    y = (user_taste[:, None] == hashtag_taste).astype("float32")
    model.compile(optimizer=keras.optimizers.Adam(0.03), jit_compile=False)
    model.fit(tf.data.Dataset.from_tensors((x, y)).repeat(80), verbose=0)
    assert (np.argmax(model(x)["logits"], axis=1) == user_taste).all()


def test_same_seed_same_weights_and_xla_agrees():
    def losses(jit_compile):
        model = made(seed=5, dropout=0.0, user="mean")  # LSTMs: `layers/test_user_encoder`
        model.set_phase("warmup")
        model.compile(optimizer=keras.optimizers.SGD(0.01), jit_compile=jit_compile)
        data = tf.data.Dataset.from_tensors((batch(), labels())).repeat(3)
        return model.fit(data, verbose=0).history["loss"][0]

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-4)
    first, second = (made(seed=5).get_weights() for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_mixed_precision_trains_on_finite_float32_logits(policy):
    model = made(dtype=policy)
    assert model(batch())["logits"].dtype == tf.float32
    exact = arrays(made()(batch()))["logits"]
    np.testing.assert_allclose(arrays(model(batch()))["logits"], exact, atol=0.05)
    model.compile(optimizer="adam", run_eagerly=True)  # traced it takes seconds
    losses = model.fit(
        tf.data.Dataset.from_tensors((batch(), labels())).repeat(3), verbose=0
    ).history
    assert np.isfinite(losses["loss"]).all()


def test_a_replaced_table_is_used_by_functions_that_were_compiled_before():
    model = made()
    model.compile(optimizer="adam", jit_compile=False)
    first = model.predict(batch(), verbose=0)["logits"]
    model.message_vectors = -TABLE
    second = model.predict(batch(), verbose=0)["logits"]
    assert not np.allclose(first, second)


def test_vectors_and_rows_give_the_same_logits():
    model, x = made(), batch()
    user = model.encode_user(*model.vectors_of(x["history"]))
    contexts, mask = model.vectors_of(x["contexts"])
    logits, attention = model.score_vectors(
        user, contexts, mask, model.encode_hashtags(x["bag_of_words"])
    )
    outputs = model(x)
    np.testing.assert_allclose(logits, outputs["logits"], atol=1e-6)
    np.testing.assert_allclose(attention, outputs["attention"], atol=1e-6)


@pytest.mark.parametrize(
    "topics, attention, policy",
    [
        (None, "bilinear", "float32"),
        (K, "topic_bilinear", "float32"),
        (K, "bilinear", "float32"),
        (K, "additive", "float32"),
        (K, "topic_bilinear", "mixed_bfloat16"),
    ],
)
def test_catalogue_equals_scoring_each_user_alone(topics, attention, policy):
    model = made(topics=topics, attention=attention, dtype=policy)
    x = batch(users=5, candidates=7)
    contexts = x["contexts"][0].copy()
    contexts[5] = contexts[2] = -1
    contexts[2, 0] = 3
    bags = x["bag_of_words"][0]
    exclude = np.array([[0, 1, 0], [3, 1, 2], [3, 6, 4], [4, 0, 1]])
    seen = np.repeat(contexts[None], 5, axis=0)
    assert (seen[tuple(exclude.T)] >= 0).any()
    seen[tuple(exclude.T)] = -1
    rows = {**x, "contexts": seen, "bag_of_words": np.repeat(bags[None], 5, axis=0)}
    user = model.encode_user(*model.vectors_of(x["history"]))
    found = score_catalogue(
        model,
        user,
        contexts,
        model.encode_hashtags(bags),
        exclude=exclude,
        block_users=2,
        block_hashtags=3,
    )
    atol = 1e-5 if policy == "float32" else 0.05
    np.testing.assert_allclose(found, model(rows)["logits"], atol=atol)
