import numpy as np
import pytest

from tfhashtag.layers import Segments
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(2, 5)).astype("float32")


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: Segments(proposals=3, features=4, **kw), {"vectors": VECTORS}
    )
    getattr(contract, check)()


def test_equals_plain_loops():
    layer = Segments(proposals=3, features=4)
    layer(VECTORS)
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    found = np.array(layer(VECTORS))
    kernel, bias = (np.array(w) for w in layer.segment_dense.weights)
    scale, offset = (np.array(w) for w in layer.expand_dense.weights)
    for b in range(2):
        for i in range(4):
            x = sum(VECTORS[b, d] * kernel[d, i] for d in range(5)) + bias[i]
            for j in range(3):
                assert found[b, j, i] == pytest.approx(scale[0, j] * x + offset[j], abs=1e-5)


def test_one_map_serves_all_segments():
    layer = Segments(proposals=3, features=4)
    layer(VECTORS)
    assert [w.shape for w in layer.expand_dense.weights] == [(1, 3), (3,)]
    kernel = np.array(layer.segment_dense.kernel)
    kernel[:, 1] = kernel[:, 0]
    layer.segment_dense.kernel.assign(kernel)
    found = np.array(layer(VECTORS))
    assert np.array_equal(found[:, :, 0], found[:, :, 1])
    assert not np.allclose(found[:, :, 0], found[:, :, 2])
