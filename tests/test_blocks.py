import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.blocks import in_blocks


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 7])
def test_blocks_together_are_the_whole(rows):
    values = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    spec, sizes = tf.TensorSpec([None, 2]), []

    def function(given):
        tf.py_function(lambda count: sizes.append(int(count)), [tf.shape(given[0])[0]], [])
        return given[0] * given[1]

    found = tf.function(lambda x: in_blocks(function, [x, x + 1], 3, spec), autograph=False)(values)
    np.testing.assert_array_equal(found, values * (values + 1))
    assert sum(sizes) == rows and max(sizes) <= 3
