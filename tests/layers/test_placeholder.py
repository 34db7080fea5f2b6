import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.layers import Placeholder
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(3, 2, 4)).astype("float32")
PRESENT = np.array([True, False, True])


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: Placeholder(initializer="ones", **kw), {"values": VALUES, "present": PRESENT}
    )
    getattr(contract, check)()


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 4), (3, 2, 2, 2)])
def test_takes_the_learned_value_where_absent(shape):
    layer = Placeholder(initializer="random_normal")
    values = RNG.normal(size=shape).astype("float32")
    found = np.array(layer(values, PRESENT))
    assert layer.learned.shape == shape[1:]
    for row, present in enumerate(PRESENT):
        expected = values[row] if present else np.array(layer.learned)
        assert np.array_equal(found[row], expected)


def test_gradient_flows_from_absent_rows_alone_even_beside_nan():
    layer = Placeholder()
    values = VALUES.copy()
    values[1] = np.nan
    values = tf.Variable(values)
    factors = RNG.normal(size=VALUES.shape)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(values, PRESENT) * factors)
    of_values, of_learned = tape.gradient(loss, [values, layer.learned.value])
    np.testing.assert_allclose(of_learned, factors[1], rtol=1e-6)
    np.testing.assert_allclose(of_values, factors * PRESENT[:, None, None], rtol=1e-6)
