import numpy as np
import pytest

from tfhashtag.layers import ScorerEnsemble
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(2, 3, 4)).astype("float32")


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: ScorerEnsemble(members=2, hidden=(5, 3), **kw), {"inputs": INPUTS}
    )
    getattr(contract, check)()


def test_equals_plain_loops():
    layer = ScorerEnsemble(members=3, hidden=(5, 2))
    layer.build(INPUTS.shape)
    for weight in layer.trainable_variables:
        weight.assign(RNG.normal(size=weight.shape))
    found = np.array(layer(INPUTS))
    first, second = (np.array(kernel) for kernel in layer.kernels)
    for u in range(2):
        for h in range(3):
            for k in range(3):
                x = INPUTS[u, h]
                hidden = np.maximum(0, x @ first[k] + np.array(layer.biases[0])[k, 0])
                hidden = np.maximum(0, hidden @ second[k] + np.array(layer.biases[1])[k, 0])
                logit = hidden @ np.array(layer.logit_kernel)[k, :, 0]
                logit += x @ np.array(layer.shortcut)[:, k]
                np.testing.assert_allclose(found[u, h, k], logit, rtol=1e-3, atol=1e-4)


def test_members_start_differently_and_by_seed():
    logits = np.array(ScorerEnsemble(members=3, hidden=(5,), seed=1)(INPUTS))
    assert not np.allclose(logits[..., 0], logits[..., 1])
    assert np.array_equal(logits, ScorerEnsemble(members=3, hidden=(5,), seed=1)(INPUTS))
    assert not np.allclose(logits, ScorerEnsemble(members=3, hidden=(5,), seed=2)(INPUTS))
