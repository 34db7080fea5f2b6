import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers import UserHabit
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
POST = RNG.normal(size=(4, 3)).astype("float32")
HISTORY = RNG.normal(size=(4, 5, 3)).astype("float32")
HASHTAGS = RNG.normal(size=(4, 5, 2)).astype("float32")
MASK = np.arange(5) >= np.array([0, 3, 5, 4])[:, None]  # the newest stand last
INPUTS = {"post": POST, "history": HISTORY, "hashtags": HASHTAGS, "history_mask": MASK}


def pad(inputs):
    fill = {"history": np.nan, "hashtags": np.inf, "history_mask": False}
    return {
        name: value
        if name == "post"
        else np.concatenate([np.full_like(value[:, :2], fill[name]), value], axis=1)
        for name, value in inputs.items()
    }


def unpad(outputs):
    return {"vector": outputs["vector"], "attention": outputs["attention"][:, -5:]}


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(lambda **kw: UserHabit(4, **kw), INPUTS, pad, unpad)
    getattr(contract, check)()


def made(seed=1):
    rng = np.random.default_rng(seed)
    layer = UserHabit(units=4)
    layer(**INPUTS)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def test_equals_plain_loops():
    layer = made()
    w, b = (np.array(x, "float64") for x in layer.score_dense.weights)
    w_h, b_h = (np.array(x, "float64") for x in layer.output_dense.weights)
    found = layer(**INPUTS)
    for row in range(4):
        z = [
            np.concatenate([HISTORY[row, i] * POST[row], HASHTAGS[row, i]]).astype("float64")
            for i in range(5)
            if MASK[row, i]
        ]
        if z:
            powers = [np.exp(np.tanh(one @ w[:, 0] + b[0])) for one in z]
            mixed = sum(p / sum(powers) * one for p, one in zip(powers, z, strict=True))
            expected = mixed @ w_h + b_h
        else:
            expected = np.array(layer.no_history.learned)
        np.testing.assert_allclose(found["vector"][row], expected, atol=1e-5)
        attention = np.array(found["attention"][row])
        assert (attention[~MASK[row]] == 0).all()
        np.testing.assert_allclose(attention.sum(), float(bool(z)), atol=1e-6)


LAYER = made(2)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(5)))
def test_order_of_history_does_not_matter(order):
    found = LAYER(**INPUTS)
    moved = LAYER(POST, HISTORY[:, order], HASHTAGS[:, order], history_mask=MASK[:, order])
    np.testing.assert_allclose(moved["vector"], found["vector"], atol=1e-5)


def test_absent_mask_means_that_all_are_real():
    whole = LAYER(POST, HISTORY, HASHTAGS, history_mask=np.ones_like(MASK))
    assert np.array_equal(LAYER(POST, HISTORY, HASHTAGS)["vector"], whole["vector"])
