import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.encoders.by_length import by_length
from tfhashtag.encoders.text_encoder import TextEncoder


class Lengths(TextEncoder):
    """Vectors of a text: its length, a token a character, and minus that; keeps what it was fed."""

    width = 2

    def __init__(self, skips_padding=False):
        self.skips_padding = skips_padding
        self.blocks = []

    def read(self, strings):
        return tf.strings.unicode_decode(strings, "UTF-8"), tf.strings.length(strings)

    def vectors(self, messages):
        lengths = tf.cast(messages.row_lengths(), tf.float32)
        tf.py_function(lambda values: self.blocks.append(values.numpy().tolist()), [lengths], [])
        return tf.stack([lengths, -lengths], axis=1)

    def trackables(self):
        return []

    def _block_vectors(self, messages, batch_tokens):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("lengths", "blocks"),
    [
        ([9, 5, 30, 20, 8], [[30, 20], [9, 8, 5]]),  # 10 tokens of padding, 31 with the next
        ([9, 30, 17], [[30, 17], [9]]),  # 13 are fewer than a block costs
        ([600, 600, 500, 5], [[600], [600], [500], [5]]),
    ],
)
def test_texts_of_like_length_share_a_block_where_padding_is_computed(lengths, blocks):
    assert blocks_of(lengths, skips_padding=False) == blocks


@pytest.mark.parametrize("skips_padding", [False, True])
@pytest.mark.parametrize(
    ("lengths", "blocks"),
    [
        ([], [[]]),
        ([0, 0], [[0, 0]]),
        ([7], [[7]]),
        ([64] * 20, [[64] * 8, [64] * 8, [64] * 4]),  # 512 tokens are enough
    ],
)
def test_a_block_has_few_tokens(lengths, blocks, skips_padding):
    assert blocks_of(lengths, skips_padding) == blocks


def test_long_and_short_texts_share_a_block_where_padding_costs_nothing():
    assert blocks_of([600, 250, 5, 1], skips_padding=True) == [[600], [250, 5], [1]]


def test_an_estimate_of_any_size_is_a_block_of_its_own():
    class Huge(Lengths):
        def read(self, strings):
            messages, lengths = super().read(strings)
            return messages, lengths * 2**29

    encoder = Huge(skips_padding=True)
    by_length(encoder, tf.constant(["bb"] * 4))  # products beyond 2^31 would look small
    assert encoder.blocks == [[2]] * 4


def blocks_of(lengths, skips_padding):
    encoder = Lengths(skips_padding)
    texts = tf.constant(["x" * length for length in lengths], tf.string)
    found = tf.function(lambda texts: by_length(encoder, texts), autograph=False)(texts)
    assert found.shape[1] == 2
    assert found.numpy().tolist() == [[length, -length] for length in lengths]
    return sorted(encoder.blocks, reverse=True)


def test_every_text_keeps_its_place():
    lengths = np.random.default_rng(0).integers(0, 100, 300)
    encoder = Lengths()
    found = by_length(encoder, tf.constant(["x" * length for length in lengths]))
    np.testing.assert_array_equal(found[:, 0], lengths)
    for block in encoder.blocks:
        assert len(block) * max(block) - sum(block) <= 16
    assert len(encoder.blocks) < 60
