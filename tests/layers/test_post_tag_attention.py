import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers import PostTagAttention
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
POSTS = RNG.normal(size=(4, 3, 5)).astype("float32")
HASHTAGS = RNG.normal(size=(4, 6, 5)).astype("float32")
POSTS_MASK = np.arange(3) < np.array([3, 2, 0, 3])[:, None]
HASHTAGS_MASK = np.arange(6) < np.array([6, 4, 2, 0])[:, None]
INPUTS = {
    "posts": POSTS,
    "hashtags": HASHTAGS,
    "posts_mask": POSTS_MASK,
    "hashtags_mask": HASHTAGS_MASK,
}


def pad(inputs):
    nans = np.full((4, 2, 5), np.nan, "float32")
    return {
        **inputs,
        "hashtags": np.concatenate([inputs["hashtags"], nans], axis=1),
        "hashtags_mask": np.concatenate([inputs["hashtags_mask"], np.zeros((4, 2), bool)], axis=1),
    }


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(PostTagAttention, INPUTS, pad=pad)
    getattr(contract, check)()


def made(seed=1):
    rng = np.random.default_rng(seed)
    layer = PostTagAttention()
    layer(**INPUTS)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def by_loops(layer, posts, hashtags, posts_mask, hashtags_mask):
    """Equation 14 in its own letters and orientation; masked rows are taken out beforehand."""
    w_h = np.array(layer.correlation_dense.kernel, "float64")
    w_e = np.array(layer.post_dense.kernel, "float64").T
    w_h2 = np.array(layer.hashtag_dense.kernel, "float64").T
    w_f = np.array(layer.score_dense.kernel, "float64").T
    b_f = np.array(layer.bias, "float64")
    batch, k, width = posts.shape
    vectors, attention = np.zeros((batch, width)), np.zeros((batch, k))
    for b in range(batch):
        places = [j for j in range(k) if posts_mask[b, j]]
        if not places:
            vectors[b] = np.array(layer.no_posts.learned)
            continue
        em = posts[b, places].astype("float64")
        eh = hashtags[b][hashtags_mask[b]].astype("float64")
        q = np.tanh(em @ w_h @ eh.T)
        assert q.shape == (len(em), len(eh))
        f = np.tanh(w_e @ em.T + (w_h2 @ eh.T) @ q.T)
        score = (w_f @ f)[0] + b_f[places]
        pi = np.exp(score) / np.exp(score).sum()
        for place, weight, post in zip(places, pi, em, strict=True):
            attention[b, place] = weight
            vectors[b] += weight * post
    return vectors, attention


def test_equals_plain_loops():
    layer = made()
    found = layer(**INPUTS)
    vectors, attention = by_loops(layer, *INPUTS.values())
    np.testing.assert_allclose(found["vector"], vectors, atol=1e-5)
    np.testing.assert_allclose(found["attention"], attention, atol=1e-5)
    assert layer.bias.shape == (3,)


def test_masks():
    layer = made()
    posts, hashtags = POSTS.copy(), HASHTAGS.copy()
    posts[~POSTS_MASK], hashtags[~HASHTAGS_MASK] = np.nan, np.inf
    found = layer(posts, hashtags, posts_mask=POSTS_MASK, hashtags_mask=HASHTAGS_MASK)
    whole = layer(**INPUTS)
    for name in ("vector", "attention"):
        assert np.array_equal(found[name], whole[name])
    attention = np.array(found["attention"])
    assert (attention[~POSTS_MASK] == 0).all()
    np.testing.assert_allclose(attention.sum(axis=-1), [1, 1, 0, 1], atol=1e-6)
    assert np.array_equal(found["vector"][2], layer.no_posts.learned)


def test_absent_masks_mean_that_all_are_real():
    layer = made()
    ones = {"posts_mask": np.ones((4, 3), bool), "hashtags_mask": np.ones((4, 6), bool)}
    left, right = layer(POSTS, HASHTAGS), layer(POSTS, HASHTAGS, **ones)
    assert np.array_equal(left["vector"], right["vector"])


def test_hashtags_guide_the_weights():
    layer = made()
    full = np.ones((4, 6), bool)
    left = layer(POSTS, HASHTAGS, hashtags_mask=full)["attention"]
    right = layer(POSTS, HASHTAGS, hashtags_mask=~full)["attention"]
    assert np.abs(np.array(left) - right).max() > 1e-3


def test_gradients_are_finite_beside_nan_padding():
    layer = made()
    posts = POSTS.copy()
    posts[~POSTS_MASK] = np.nan
    posts = tf.Variable(posts)
    with tf.GradientTape() as tape:
        found = layer(posts, HASHTAGS, posts_mask=POSTS_MASK, hashtags_mask=HASHTAGS_MASK)
        loss = tf.reduce_sum(found["vector"] ** 2)
    gradients = tape.gradient(loss, [posts, *(w.value for w in layer.trainable_variables)])
    assert all(np.isfinite(np.array(g)).all() for g in gradients)
    assert (np.array(gradients[0])[~POSTS_MASK] == 0).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_masks_do_not_overflow(policy):
    found = PostTagAttention(dtype=policy)(
        POSTS * 100, HASHTAGS * 100, posts_mask=POSTS_MASK, hashtags_mask=HASHTAGS_MASK
    )
    assert all(np.isfinite(np.array(x, "float32")).all() for x in found.values())


LAYER = made(2)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(3)), st.permutations(range(6)), st.integers(0, 2**20))
def test_order_of_hashtags_never_matters_and_of_posts_only_through_the_bias(posts, tags, seed):
    rng = np.random.default_rng(seed)
    post_mask, tag_mask = rng.random((4, 3)) < 0.6, rng.random((4, 6)) < 0.6
    bias = rng.normal(size=3)
    LAYER.bias.assign(bias)
    found = LAYER(POSTS, HASHTAGS, posts_mask=post_mask, hashtags_mask=tag_mask)
    LAYER.bias.assign(bias[posts])
    moved = LAYER(
        POSTS[:, posts],
        HASHTAGS[:, tags],
        posts_mask=post_mask[:, posts],
        hashtags_mask=tag_mask[:, tags],
    )
    np.testing.assert_allclose(moved["vector"], found["vector"], atol=1e-5)
    np.testing.assert_allclose(
        moved["attention"], np.array(found["attention"])[:, posts], atol=1e-5
    )
