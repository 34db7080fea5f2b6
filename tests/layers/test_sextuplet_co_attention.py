import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.layers.co_attention import CoAttention
from tfhashtag.layers.sextuplet_co_attention import (
    ALL_SIX,
    SIDES,
    TRIPLET,
    SextupletCoAttention,
)
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
INPUTS = {side: RNG.normal(size=(2, 3, 2)).astype("float32") for side in SIDES}


def pairs_without(side):
    return tuple(pair for pair in ALL_SIX if side not in pair)


@pytest.mark.parametrize("check", ["check_config", "check_shapes"])
def test_contract(check):
    getattr(LayerContract(SextupletCoAttention, INPUTS), check)()


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract_without_a_side(check):
    """Three pairs, each of which is the same layer, in place of six."""
    given = {name: INPUTS[name] for name in ("textual", "own", "others")}
    contract = LayerContract(
        lambda **kw: SextupletCoAttention(pairs=pairs_without("visual"), **kw), given
    )
    getattr(contract, check)()


def randomised(layer, inputs):
    layer(**inputs)
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return layer


def loops(left, right, kernel, vector, bias):
    """Equations (15) and (16) by rows: sides [m, f]."""
    m, f = left.shape
    r = np.zeros((m, m * f))
    for j in range(m):
        for column in range(m * f):
            total = 0.0
            for i in range(f):
                total += kernel[i, column] * left[j, i] + kernel[f + i, column] * right[j, i]
            r[j, column] = np.tanh(total)
    pi = np.exp([r[j] @ vector + bias[j] for j in range(m)])
    pi /= pi.sum()
    out = np.zeros((m, f))
    for p in range(m):
        for i in range(f):
            out[p, i] = sum(pi[j] * r[j, p * f + i] for j in range(m))
    return out, pi


def test_is_the_sum_over_the_pairs_of_the_thesis():
    layer = randomised(SextupletCoAttention(), INPUTS)
    found = layer(**INPUTS)
    v, t, u, o = (INPUTS[side].astype("float64") for side in SIDES)
    for post in range(2):
        expected, attention = np.zeros((3, 2)), []
        order = ((t, v), (u, v), (o, v), (u, t), (o, t), (o, u))
        for (first, second), pair in zip(order, layer.co_attentions, strict=True):
            k1, v1, b1, k2, v2, b2 = (np.array(w, "float64") for w in pair.weights)
            one, pi1 = loops(first[post], second[post], k1, v1, b1)
            two, pi2 = loops(one, second[post], k2, v2, b2)
            expected += one + two
            attention.append([pi1, pi2])
        np.testing.assert_allclose(found["post"][post], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["attention"][post], attention, rtol=1e-4, atol=1e-6)


def test_pairs_are_those_of_the_thesis_and_have_weights_of_their_own():
    assert {frozenset(pair) for pair in ALL_SIX} == {
        frozenset({a, b}) for a in SIDES for b in SIDES if a != b
    }
    layer = randomised(SextupletCoAttention(), INPUTS)
    assert len({id(w) for w in layer.weights}) == 6 * 6
    names = [c.name for c in layer.co_attentions]
    assert names == [f"{first}_{second}" for first, second in ALL_SIX]


@pytest.mark.parametrize("side", SIDES)
def test_without_a_side(side):
    pairs = pairs_without(side)
    assert len(pairs) == 3
    given = {name: None if name == side else value for name, value in INPUTS.items()}
    layer = randomised(SextupletCoAttention(pairs=pairs), given)
    result = layer(**given)
    assert result["attention"].shape == (2, 3, 2, 3)
    other = {**INPUTS, side: INPUTS[side] + 5}  # given after all: no influence
    np.testing.assert_allclose(layer(**other)["post"], result["post"], atol=1e-6)


def test_a_functional_model_without_the_visual_side():
    inputs = {name: keras.Input((3, 2), name=name) for name in ("textual", "own", "others")}
    layer = SextupletCoAttention(pairs=pairs_without("visual"))
    model = keras.Model(inputs, layer(None, **inputs)["post"])
    model.compile("sgd", "mse", jit_compile=False)
    values = {name: INPUTS[name] for name in inputs}
    model.fit(values, np.zeros((2, 3, 2)), verbose=0)
    expected = layer(None, **values)["post"]
    np.testing.assert_allclose(model.predict(values, verbose=0), expected, atol=1e-6)


def test_the_triplet_of_tagnet_leaves_the_other_posts_out():
    given = {name: INPUTS[name] for name in ("visual", "textual", "own")}
    layer = randomised(SextupletCoAttention(pairs=TRIPLET), given)
    found = layer(**given)
    total = 0
    for first, second in (("own", "visual"), ("textual", "visual"), ("own", "textual")):
        alone = CoAttention()
        alone.build((2, 3, 2), (2, 3, 2))
        pair = next(c for c in layer.co_attentions if c.name == f"{first}_{second}")
        for weight, source in zip(alone.weights, pair.weights, strict=True):
            weight.assign(source)
        total = total + alone(given[first], given[second])["vector"]
    np.testing.assert_allclose(found["post"], total, atol=1e-6)


def test_one_post_alone_or_in_another_order():
    layer = randomised(SextupletCoAttention(), INPUTS)
    whole = layer(**INPUTS)
    moved = layer(**{name: value[::-1] for name, value in INPUTS.items()})
    for name, value in whole.items():
        np.testing.assert_allclose(tf.reverse(value, [0]), moved[name], atol=1e-6)
        alone = layer(**{side: x[1:] for side, x in INPUTS.items()})[name]
        np.testing.assert_allclose(alone, value[1:], atol=1e-6)


def test_a_missing_side():
    with pytest.raises(ValueError, match="`others` must be given"):
        SextupletCoAttention()(INPUTS["visual"], INPUTS["textual"], INPUTS["own"])
