import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.export.blocks import by_length, in_blocks


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 7])
def test_blocks_together_are_the_whole(rows):
    values = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    sizes = []

    def function(given):
        tf.py_function(lambda count: sizes.append(int(count)), [tf.shape(given[0])[0]], [])
        return given[0] * given[1]

    found = tf.function(lambda x: in_blocks(function, [x, x + 1], 3, [2]), autograph=False)(values)
    np.testing.assert_array_equal(found, values * (values + 1))
    assert sum(sizes) == rows and max(sizes) <= 3


def test_texts_of_like_length_share_a_block_and_answers_keep_their_place():
    texts = ["long" * 9, "a", "", "longer" * 9, "bc", "def"]
    widest = []

    def encode(strings):
        lengths = tf.strings.length(strings)
        tf.py_function(lambda longest: widest.append(int(longest)), [tf.reduce_max(lengths)], [])
        return tf.cast(tf.stack([lengths, -lengths], axis=1), tf.float32)

    found = by_length(encode, tf.constant(texts), 2, 2)
    assert found.numpy()[:, 0].tolist() == [len(text) for text in texts]
    assert sorted(widest) == [1, 3, 54]
