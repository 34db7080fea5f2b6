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


@pytest.mark.parametrize(
    ("count", "blocks"), [(0, [0]), (7, [7]), (19, [8, 8, 3]), (300, [32] * 9)]
)
def test_texts_of_like_length_share_a_block_and_answers_keep_their_place(count, blocks):
    texts = ["x" * length for length in np.random.default_rng(0).permutation(count)]
    seen = []

    def encode(strings):
        lengths = tf.strings.length(strings)
        tf.py_function(lambda values: seen.append(values.numpy().tolist()), [lengths], [])
        return tf.cast(tf.stack([lengths, -lengths], axis=1), tf.float32)

    found = by_length(encode, tf.constant(texts, tf.string), 2)
    assert found.numpy()[:, 0].tolist() == [len(text) for text in texts]
    assert sorted(np.concatenate(seen)) == list(range(count))
    for block in filter(None, seen):  # no length of another block's lies between its own
        assert max(block) - min(block) == len(block) - 1
    assert sorted(map(len, seen), reverse=True)[: len(blocks)] == blocks
