import numpy as np
import pytest

from tfhashtag.layers import Standardizer
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(2, 3, 4)).astype("float32")
CHECKS = [name for name in LayerContract.CHECKS if name != "check_fit"]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    getattr(LayerContract(Standardizer, {"inputs": INPUTS}), check)()


def test_no_weight_is_trained():
    layer = Standardizer()
    layer.build((None, 4))
    assert layer.trainable_variables == []


def test_equals_plain_numpy():
    seen = RNG.normal(3.0, 7.0, size=(50, 4))
    seen[:, 2] = 5.0
    layer = Standardizer(clip=1.5)
    layer.adapt(seen)
    expected = np.clip(
        (INPUTS - seen.mean(0)) / np.where(seen.std(0) > 0, seen.std(0), 1), -1.5, 1.5
    )
    expected[..., 2] = 0
    np.testing.assert_allclose(layer(INPUTS), expected, rtol=1e-4, atol=1e-5)


def test_cuts_what_lies_far_outside():
    layer = Standardizer(clip=2.0)
    layer.adapt(np.array([[-1.0], [1.0]]))
    assert np.array(layer(np.array([[1e9], [-1e9]], "float32"))).tolist() == [[2.0], [-2.0]]
