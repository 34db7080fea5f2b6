import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers import CountResidual, count_residual
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
TEXT = RNG.normal(size=(4, 3)).astype("float32")
USER = RNG.normal(size=(4, 3)).astype("float32")
LABELS = np.array([[0, 5, 2], [4, -1, -1], [-1, -1, -1], [-1, 3, 0]])
SIGNALS = RNG.uniform(size=(4, 3, 2)).astype("float32")
INPUTS = {"text": TEXT, "user": USER, "labels": LABELS, "signals": SIGNALS}


def pad(inputs):
    return {
        **inputs,
        "labels": np.concatenate([inputs["labels"], np.full((4, 2), -1)], axis=1),
        "signals": np.concatenate([inputs["signals"], np.full((4, 2, 2), 7, "float32")], axis=1),
    }


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(lambda **kw: CountResidual(6, **kw), INPUTS, pad)
    getattr(contract, check)()


def made(seed=1, **changes):
    rng = np.random.default_rng(seed)
    layer = CountResidual(6, **changes)
    layer(**INPUTS)
    for weight in layer.weights:
        if weight.dtype == "float32":
            weight.assign(rng.uniform(0.5, 2, size=weight.shape))
    return layer


def unit(vector):
    length = np.sqrt(sum(float(x) ** 2 for x in vector))
    return np.array(vector, "float64") / length if length else np.zeros(len(vector))


def by_loops(layer, text, user, labels, signals):
    """The equation; the vectors t and u are scaled by a constant before W."""
    kernel, bias = (np.array(x, "float64") for x in layer.classifier.weights)
    weight, scale = np.array(layer.weight, "float64"), np.array(layer.scale, "float64")
    names = np.array(layer.names, "float64")
    logits = np.zeros((len(text), layer.labels))
    for i in range(len(text)):
        t, u = unit(text[i]), unit(user[i])
        both = np.concatenate([t, u]) * np.sqrt(len(t)) / 4
        for label in range(layer.labels):
            logits[i, label] = bias[label] + both @ kernel[:, label]
            logits[i, label] += weight[-1] / scale[-1] * (t @ names[:, label])
        for place, label in enumerate(labels[i]):
            if label >= 0:
                logits[i, label] += sum(
                    weight[s] * signals[i, place, s] / scale[s] for s in range(2)
                )
    return logits


def test_equals_plain_loops():
    layer = made()
    nothing = {**INPUTS, "text": TEXT * [[1], [0], [1], [1]], "user": USER * [[0], [0], [1], [1]]}
    for inputs in (INPUTS, nothing):
        expected = by_loops(layer, *inputs.values())
        np.testing.assert_allclose(layer(**inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("block", [4, 8192])  # labels at a time
def test_measured_before_training(block, monkeypatch):
    monkeypatch.setattr(count_residual, "_BLOCK", block)
    layer = CountResidual(6)
    layer(**INPUTS)
    rng = np.random.default_rng(3)
    counts, names = np.array([5, 0, 3, 9, 1, 2]), rng.normal(size=(6, 3)) * 7
    signals = rng.uniform(size=(20, 2)) * [1, 100]
    signals[:5] = 0
    layer.adapt(counts, names, TEXT, signals)
    bias = np.array(layer.classifier.bias)
    np.testing.assert_array_equal(np.argsort(bias), np.argsort(counts))
    assert abs(bias.mean()) < 1e-6
    np.testing.assert_allclose(np.linalg.norm(np.array(layer.names), axis=0), 1, atol=1e-6)
    cosines = [unit(t) @ unit(n) for t in TEXT for n in names]
    expected = [np.sqrt(np.mean(signals[5:, s] ** 2)) for s in range(2)]
    expected.append(np.sqrt(np.mean(np.square(cosines))))
    np.testing.assert_allclose(layer.scale, expected, rtol=1e-5)


def test_signals_that_are_never_there_keep_their_scale():
    layer = CountResidual(6)
    layer(**INPUTS)
    layer.adapt(np.ones(6), np.ones((6, 3)), TEXT, np.zeros((0, 2)))
    np.testing.assert_allclose(np.array(layer.scale)[:2], 1)


LAYER = made(2)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(3)))
def test_order_of_labels_does_not_matter(order):
    found = LAYER(TEXT, USER, LABELS[:, order], SIGNALS[:, order])
    np.testing.assert_allclose(found, LAYER(**INPUTS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_length_of_vectors_does_not_matter(factor):
    found = LAYER(TEXT * factor, USER / factor, LABELS, SIGNALS)
    np.testing.assert_allclose(found, LAYER(**INPUTS), rtol=1e-4, atol=1e-4)


def test_the_penalty_is_a_loss():
    layer = made(l2=0.5)
    squares = keras.ops.sum(keras.ops.square(layer.classifier.kernel))
    np.testing.assert_allclose(sum(layer.losses), 0.5 * squares, rtol=1e-5)
    assert not made().losses


PICTURES = RNG.normal(size=(4, 5)).astype("float32") * [[1], [0], [1], [1]]
WITH_PICTURES = {**INPUTS, "visual": PICTURES}


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract_with_pictures(check):
    contract = LayerContract(lambda **kw: CountResidual(6, **kw), WITH_PICTURES, pad)
    getattr(contract, check)()


def test_pictures_equal_plain_loops():
    layer = CountResidual(6)
    layer(**WITH_PICTURES)
    rng = np.random.default_rng(4)
    for weight in layer.weights:
        if weight.dtype == "float32":
            weight.assign(rng.uniform(0.5, 2, size=weight.shape))
    names = np.ones((6, 3))
    layer.adapt(np.ones(6), names, TEXT, np.ones((3, 2)), PICTURES)
    mean = (PICTURES[0] + PICTURES[2] + PICTURES[3]) / 3  # the second post has no picture
    kernel = np.array(layer.visual_classifier.kernel, "float64")
    expected = by_loops(layer, *INPUTS.values())
    for i in (0, 2, 3):
        expected[i] += 0.6 * np.sqrt(3) / 4 * unit(PICTURES[i] - mean) @ kernel
    np.testing.assert_allclose(layer(**WITH_PICTURES), expected, rtol=1e-5, atol=1e-5)


def test_without_pictures_there_is_nothing_to_learn_of_them():
    layer = made()
    assert layer.visual_classifier is None
    assert not any("visual" in weight.path for weight in layer.weights)
