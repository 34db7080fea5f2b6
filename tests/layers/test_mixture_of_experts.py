import math

import numpy as np
import pytest

from tfhashtag.layers import MixtureOfExperts, PictureTextAgreement
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
X, KIND = (RNG.normal(size=(3, size)).astype("float32") for size in (5, 2))
TEXT, VISUAL = (RNG.normal(size=(4, size)).astype("float32") for size in (5, 6))
HAS_TEXT, HAS_IMAGE = np.array([True, True, False, True]), np.array([True, True, True, False])
BOTH = {"text": TEXT, "visual": VISUAL, "has_text": HAS_TEXT, "has_image": HAS_IMAGE}


@pytest.mark.parametrize("check", LayerContract.CHECKS)
@pytest.mark.parametrize("layer", ["experts", "agreement"])
def test_contract(layer, check):
    if layer == "experts":
        inputs = {"inputs": X, "kind": KIND}
        contract = LayerContract(lambda **kw: MixtureOfExperts(3, 4, "tanh", **kw), inputs)
    else:
        contract = LayerContract(lambda **kw: PictureTextAgreement(3, weight=0.0, **kw), BOTH)
    getattr(contract, check)()


def test_experts_against_loops():
    layer = MixtureOfExperts(3, 4)
    layer(X, KIND)
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    kernel, bias, gate, shift = (np.array(weight, "float64") for weight in layer.weights)
    expected = np.zeros((3, 4))
    for b in range(3):
        powers = [
            math.exp(sum(KIND[b, i] * gate[i, e] for i in range(2)) + shift[e]) for e in range(3)
        ]
        for e in range(3):
            for u in range(4):
                value = sum(X[b, d] * kernel[e, d, u] for d in range(5)) + bias[e, u]
                expected[b, u] += powers[e] / sum(powers) * max(value, 0)
    np.testing.assert_allclose(layer(X, KIND), expected, rtol=1e-5)


def test_balance_is_a_loss_of_training_alone():
    layer = MixtureOfExperts(2, 4, balance=0.5)
    layer(X, KIND)
    layer.gate_kernel.assign(np.zeros((2, 2)))
    layer.gate_bias.assign([np.log(3.0), 0])  # shares 3/4 and 1/4: mean 1/2, deviation 1/4
    layer(X, KIND)
    assert not layer.losses
    layer(X, KIND, training=True)
    assert float(layer.losses[0]) == pytest.approx(0.5 * (1 / 4) ** 2 / (1 / 2) ** 2)


def test_agreement_against_loops():
    layer = PictureTextAgreement(3, weight=0.2, temperature=0.5)
    found = layer(**BOTH, training=True)
    unit = []
    for values, kernel in ((TEXT, layer.text_kernel), (VISUAL, layer.visual_kernel)):
        made = values @ np.array(kernel)
        unit.append(made / np.linalg.norm(made, axis=1, keepdims=True))
    cosines = np.sum(unit[0] * unit[1], axis=1)
    np.testing.assert_allclose(found["agreement"], np.where([1, 1, 0, 0], cosines, 0), atol=1e-5)
    scores = (unit[0][:2] @ unit[1][:2].T) / 0.5  # the two posts that have both
    losses = [
        -math.log(math.exp(table[row, row]) / sum(map(math.exp, table[row])))
        for table in (scores, scores.T)
        for row in range(2)
    ]
    assert float(layer.losses[0]) == pytest.approx(0.2 * np.mean(losses), rel=1e-4)
    dirty = {**BOTH, "text": np.where(HAS_TEXT[:, None], TEXT, np.nan)}
    np.testing.assert_array_equal(layer(**dirty)["agreement"], layer(**BOTH)["agreement"])
    assert not np.any(layer(**BOTH)["text"][2]) and not np.any(layer(**BOTH)["visual"][3])
