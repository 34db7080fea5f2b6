import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers import ParallelCoAttention
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
WORDS = RNG.normal(size=(5, 4, 3)).astype("float32")
IMAGE = RNG.normal(size=(5, 6, 3)).astype("float32")
WORDS_MASK = np.arange(4) < np.array([4, 2, 3, 0, 0])[:, None]
IMAGE_MASK = np.array([True, True, False, True, False])[:, None] & np.ones((5, 6), bool)
INPUTS = {"words": WORDS, "image": IMAGE, "words_mask": WORDS_MASK, "image_mask": IMAGE_MASK}
TEXT_ONLY = {"words": WORDS, "words_mask": WORDS_MASK}


def pad(inputs):
    nans, off = np.full((5, 2, 3), np.nan, "float32"), np.zeros((5, 2), bool)
    return {
        name: np.concatenate([value, off if name.endswith("mask") else nans], axis=1)
        for name, value in inputs.items()
    }


def unpad(outputs):
    widths = {"words_attention": 4, "image_attention": 6, "vector": 3}
    return {name: value[:, : widths[name]] for name, value in outputs.items()}


@pytest.mark.parametrize("inputs", [INPUTS, TEXT_ONLY], ids=["both", "text"])
@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check, inputs):
    contract = LayerContract(lambda **kw: ParallelCoAttention(5, **kw), inputs, pad, unpad)
    getattr(contract, check)()


def made(inputs=INPUTS, seed=1):
    rng = np.random.default_rng(seed)
    layer = ParallelCoAttention(units=5)
    layer(**inputs)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def softmax(x):
    return np.exp(x) / np.exp(x).sum() if len(x) else x


def by_loops(layer, words, image, words_mask, image_mask):
    """The equations, one post at a time, on what is real of it alone."""
    kernels = {w.name: np.array(w, "float64") for w in layer.weights}
    w_q, w_v = kernels["query_kernel"], kernels["image_kernel"]
    vectors = []
    for b in range(len(words)):
        u = words[b][words_mask[b]].astype("float64")
        p = image[b][image_mask[b]].astype("float64")
        if len(u) + len(p) == 0:
            vectors.append(kernels["learned"])
            continue
        c = np.array(
            [
                [u[i] @ kernels["affinity_kernel"] @ p[j] for j in range(len(p))]
                for i in range(len(u))
            ]
        ).reshape(len(u), len(p))
        h_v = [
            np.tanh(p[j] @ w_v + sum(c[i, j] * (u[i] @ w_q) for i in range(len(u))))
            for j in range(len(p))
        ]
        h_q = [
            np.tanh(u[i] @ w_q + sum(c[i, j] * (p[j] @ w_v) for j in range(len(p))))
            for i in range(len(u))
        ]
        a_v = softmax(np.array([h @ kernels["image_score"][:, 0] for h in h_v]))
        a_q = softmax(np.array([h @ kernels["query_score"][:, 0] for h in h_q]))
        vectors.append(
            sum((a * x for a, x in zip(a_q, u, strict=True)), np.zeros(3))
            + sum((a * x for a, x in zip(a_v, p, strict=True)), np.zeros(3))
        )
    return np.array(vectors)


def test_equals_plain_loops():
    layer = made()
    np.testing.assert_allclose(
        layer(**INPUTS)["vector"], by_loops(layer, *INPUTS.values()), atol=1e-5
    )


def test_text_alone_is_a_post_without_image():
    layer, alone = made(), made(TEXT_ONLY)
    assert len(alone.weights) == 3
    by_name = {weight.name: weight for weight in layer.weights}
    for weight in alone.weights:
        weight.assign(by_name[weight.name])
    found = layer(WORDS, IMAGE, words_mask=WORDS_MASK, image_mask=np.zeros((5, 6), bool))
    np.testing.assert_allclose(alone(**TEXT_ONLY)["vector"], found["vector"], atol=1e-6)
    assert not np.array(found["image_attention"]).any()


def test_masks():
    layer = made()
    found = layer(**INPUTS)
    for name, mask in (("words_attention", WORDS_MASK), ("image_attention", IMAGE_MASK)):
        weights = np.array(found[name])
        assert (weights[~mask] == 0).all()
        np.testing.assert_allclose(weights.sum(axis=1), mask.any(axis=1), atol=1e-6)
    words, image = WORDS.copy(), IMAGE.copy()
    words[~WORDS_MASK], image[~IMAGE_MASK] = np.nan, np.inf
    dirty = layer(words, image, words_mask=WORDS_MASK, image_mask=IMAGE_MASK)
    for name, value in found.items():
        assert np.array_equal(value, dirty[name])
    assert np.array_equal(found["vector"][4], layer.nothing.learned)


def test_gradients_are_finite_beside_nan():
    layer, words = made(), WORDS.copy()
    words[~WORDS_MASK] = np.nan
    words = tf.Variable(words)
    with tf.GradientTape() as tape:
        found = layer(words, IMAGE, words_mask=WORDS_MASK, image_mask=IMAGE_MASK)
        loss = tf.reduce_sum(found["vector"] ** 2)
    gradients = tape.gradient(loss, [words, *(w.value for w in layer.trainable_variables)])
    assert all(np.isfinite(np.array(g)).all() for g in gradients)
    assert (np.array(gradients[0])[~WORDS_MASK] == 0).all()


LAYER = made(seed=2)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), st.permutations(range(6)), st.integers(0, 2**20))
def test_order_of_words_and_of_proposals_moves_the_weights_only(words, cells, seed):
    rng = np.random.default_rng(seed)
    word_mask, cell_mask = rng.random((5, 4)) < 0.6, rng.random((5, 6)) < 0.6
    found = LAYER(WORDS, IMAGE, words_mask=word_mask, image_mask=cell_mask)
    moved = LAYER(
        WORDS[:, words],
        IMAGE[:, cells],
        words_mask=word_mask[:, words],
        image_mask=cell_mask[:, cells],
    )
    np.testing.assert_allclose(moved["vector"], found["vector"], atol=2e-5)
    for name, order in (("words_attention", words), ("image_attention", cells)):
        np.testing.assert_allclose(moved[name], np.array(found[name])[:, order], atol=2e-5)


def test_errors():
    with pytest.raises(ValueError, match="always or never"):
        made()(WORDS)
    with pytest.raises(ValueError, match="always or never"):
        made(TEXT_ONLY)(WORDS, IMAGE)
