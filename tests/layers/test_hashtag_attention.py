import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers import HashtagAttention
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
HASHTAGS = RNG.normal(size=(4, 2, 5, 3)).astype("float32")
MASK = np.arange(5) < np.array([[5, 2], [0, 1], [0, 0], [3, 4]])[..., None]
INPUTS = {"hashtags": HASHTAGS, "hashtags_mask": MASK}


def pad(inputs):
    nans, off = np.full((4, 2, 3, 3), np.nan, "float32"), np.zeros((4, 2, 3), bool)
    return {
        "hashtags": np.concatenate([inputs["hashtags"], nans], axis=2),
        "hashtags_mask": np.concatenate([inputs["hashtags_mask"], off], axis=2),
    }


def unpad(outputs):
    return {"vector": outputs["vector"], "attention": outputs["attention"][..., :5]}


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(lambda **kw: HashtagAttention(4, **kw), INPUTS, pad, unpad)
    getattr(contract, check)()


def made(seed=1):
    rng = np.random.default_rng(seed)
    layer = HashtagAttention(units=4)
    layer(**INPUTS)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def test_equals_plain_loops():
    layer = made()
    w, b = (np.array(x, "float64") for x in layer.inner_dense.weights)
    u = np.array(layer.score_dense.kernel, "float64")[:, 0]
    found = layer(**INPUTS)
    for place in np.ndindex(4, 2):
        real = HASHTAGS[place][MASK[place]].astype("float64")
        vector = np.zeros(3)
        if len(real):
            scores = [sum(u[d] * np.tanh(w[:, d] @ e + b[d]) for d in range(4)) for e in real]
            for score, e in zip(scores, real, strict=True):
                vector += np.exp(score) / sum(np.exp(s) for s in scores) * e
        else:
            vector = np.array(layer.no_hashtags.learned)
        np.testing.assert_allclose(np.array(found["vector"])[place], vector, atol=1e-5)
        attention = np.array(found["attention"])[place]
        assert (attention[~MASK[place]] == 0).all()
        np.testing.assert_allclose(attention.sum(), float(len(real) > 0), atol=1e-6)


def test_padding_with_large_scores_gets_no_weight():
    """The released code of MaCon gives it nearly all."""
    layer = made()
    hashtags = np.where(MASK[..., None], HASHTAGS, np.float32(1e4))
    found = layer(hashtags, hashtags_mask=MASK)
    np.testing.assert_array_equal(found["vector"], layer(**INPUTS)["vector"])


LAYER = made(2)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(5)))
def test_order_does_not_matter(order):
    found = LAYER(**INPUTS)
    moved = LAYER(HASHTAGS[:, :, order], hashtags_mask=MASK[:, :, order])
    np.testing.assert_allclose(moved["vector"], found["vector"], atol=1e-5)


def test_absent_mask_means_that_all_are_real():
    layer = made()
    whole = layer(HASHTAGS, hashtags_mask=np.ones_like(MASK))
    assert np.array_equal(layer(HASHTAGS)["vector"], whole["vector"])
