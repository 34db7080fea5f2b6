import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers import PersonalizedTopicAttention
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
USER = RNG.normal(size=(2, 6)).astype("float32")
CONTEXTS = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
TOPICS = RNG.normal(size=(2, 3, 7)).astype("float32")
MASK = np.arange(4) < np.array([[4, 2, 0], [1, 4, 3]])[..., None]
SCORES = ("topic_bilinear", "bilinear", "additive")


def pad(inputs):
    contexts, mask = inputs["contexts"], inputs["contexts_mask"]
    nans = np.full((2, 3, 2, 5), np.nan, "float32")
    return {
        **inputs,
        "contexts": np.concatenate([contexts, nans], axis=2),
        "contexts_mask": np.concatenate([mask, np.zeros((2, 3, 2), bool)], axis=2),
    }


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(score, check):
    contract = LayerContract(
        lambda **kw: PersonalizedTopicAttention(units=4, score=score, **kw),
        {"user": USER, "contexts": CONTEXTS, "topics": TOPICS, "contexts_mask": MASK},
        pad=pad,
        unpad=lambda outputs: (outputs[0], outputs[1][..., :4]),
        untrained=("bias",) if score == "bilinear" else (),  # one constant for all messages
    )
    getattr(contract, check)()


def by_loops(layer, user, contexts, topics, mask):
    weights = {
        w.path.rpartition("/")[0].rpartition("/")[2] + "/" + w.name: np.array(w, "float64")
        for w in layer.weights
    }
    query = weights["query/kernel"]
    users, hashtags, messages, width = contexts.shape
    attention = np.zeros((users, hashtags, messages))
    embeddings = np.zeros((users, hashtags, width))
    for b in range(users):
        for c in range(hashtags):
            scores = {}
            for m in range(messages):
                if not mask[b, c, m]:
                    continue
                message = np.concatenate([contexts[b, c, m], topics[b, c]]).astype("float64")
                if layer.score == "bilinear":
                    scores[m] = user[b] @ query @ message + float(layer.bias)
                    continue
                key_matrix = np.concatenate(
                    [weights["message_key/kernel"], weights["topic_key/kernel"]]
                )
                key = message @ key_matrix + weights["message_key/bias"]
                if layer.score == "topic_bilinear":
                    scores[m] = (user[b] @ query) @ np.tanh(key)
                else:
                    scores[m] = np.array(layer.vector) @ np.tanh(user[b] @ query + key)
            total = sum(np.exp(s) for s in scores.values())
            for m, s in scores.items():
                attention[b, c, m] = np.exp(s) / total
                embeddings[b, c] += attention[b, c, m] * contexts[b, c, m]
    return embeddings, attention


@pytest.mark.parametrize("score", SCORES)
def test_equals_plain_loops(score):
    layer = PersonalizedTopicAttention(units=4, score=score)
    layer(USER, CONTEXTS, TOPICS, contexts_mask=MASK)
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    found = layer(USER, CONTEXTS, TOPICS, contexts_mask=MASK)
    expected = by_loops(layer, USER, CONTEXTS, TOPICS, MASK)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_two_users_attend_differently_to_the_same_contexts(score):
    layer = PersonalizedTopicAttention(units=4, score=score)
    same = np.repeat(CONTEXTS[:1], 2, axis=0), np.repeat(TOPICS[:1], 2, axis=0)
    attention = np.array(layer(USER, *same)[1])
    assert np.abs(attention[0] - attention[1]).max() > 1e-3


@pytest.mark.parametrize(
    "score, matters", [("topic_bilinear", True), ("bilinear", False), ("additive", True)]
)
def test_topics_matter_and_get_a_gradient_except_for_the_literal_bilinear(score, matters):
    layer = PersonalizedTopicAttention(units=4, score=score)
    topics = tf.Variable(TOPICS)
    with tf.GradientTape() as tape:
        embeddings, attention = layer(USER, CONTEXTS, topics)
        loss = tf.reduce_sum(embeddings * RNG.normal(size=embeddings.shape))
    gradient = np.abs(tape.gradient(loss, topics)).max()
    change = np.abs(np.array(layer(USER, CONTEXTS, TOPICS[:, ::-1])[1]) - attention).max()
    assert (gradient > 1e-3) == (change > 1e-3) == matters
    if not matters:
        assert gradient < 1e-6 and change < 1e-6


def test_padding_has_weight_exactly_zero_and_no_context_is_a_zero_vector():
    layer = PersonalizedTopicAttention(units=4)
    embeddings, attention = (np.array(x) for x in layer(USER, CONTEXTS, TOPICS, contexts_mask=MASK))
    assert (attention[~MASK] == 0).all()
    assert (embeddings[0, 2] == 0).all()
    sums = attention.sum(axis=-1)
    np.testing.assert_allclose(sums[MASK.any(axis=-1)], 1, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_masks_do_not_overflow(policy):
    layer = PersonalizedTopicAttention(units=4, dtype=policy)
    large = CONTEXTS * 100
    outputs = layer(USER * 100, large, TOPICS, contexts_mask=MASK)
    assert all(np.isfinite(np.array(x, "float32")).all() for x in outputs)


def test_without_topics():
    layer = PersonalizedTopicAttention(units=4)
    embeddings, _ = layer(USER, CONTEXTS, contexts_mask=MASK)
    assert embeddings.shape == (2, 3, 5)
    assert "topic_key" not in {w.path.split("/")[-2] for w in layer.weights}


LAYERS = {score: PersonalizedTopicAttention(units=4, score=score) for score in SCORES}


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(SCORES),
    st.permutations(range(4)),
    st.permutations(range(3)),
    st.integers(0, 2**20),
)
def test_order_of_contexts_and_of_candidates_does_not_matter(score, messages, hashtags, seed):
    layer = LAYERS[score]
    rng = np.random.default_rng(seed)
    mask = rng.random((2, 3, 4)) < 0.6
    embeddings, attention = (np.array(x) for x in layer(USER, CONTEXTS, TOPICS, contexts_mask=mask))
    moved, weights = layer(
        USER,
        CONTEXTS[:, hashtags][:, :, messages],
        TOPICS[:, hashtags],
        contexts_mask=mask[:, hashtags][:, :, messages],
    )
    np.testing.assert_allclose(moved, embeddings[:, hashtags], atol=1e-6)
    np.testing.assert_allclose(weights, attention[:, hashtags][:, :, messages], atol=1e-6)


def test_the_mean_weighs_messages_alike_for_everyone():
    rng = np.random.default_rng(3)
    contexts = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    mask = np.arange(4) < np.array([4, 2, 0])[None, :, None] + np.zeros((2, 1, 1))
    layer = PersonalizedTopicAttention(units=6, score="mean")
    user = rng.normal(size=(2, 7)).astype("float32")
    topics = rng.normal(size=(2, 3, 2)).astype("float32")
    found, weights = (np.array(x) for x in layer(user, contexts, topics, contexts_mask=mask))
    assert not layer.weights and layer.get_config()["score"] == "mean"
    for row in range(2):
        np.testing.assert_allclose(found[row, 0], sum(contexts[row, 0]) / 4, atol=1e-6)
        np.testing.assert_allclose(found[row, 1], sum(contexts[row, 1, :2]) / 2, atol=1e-6)
        assert not found[row, 2].any() and not weights[row, 2].any()
        np.testing.assert_allclose(weights[row, 1], [0.5, 0.5, 0, 0], atol=1e-6)
    shared = layer.scores(layer.queries(user), layer.keys(contexts[0], topics[0]))
    assert shared.shape == (2, 3, 4)  # candidates that all users share
