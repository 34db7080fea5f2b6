"""Which pictures of a post a servable reads: those that are there, the first of them."""

import types

import tensorflow as tf

from tfhashtag.tasks.posts.servable import PostsServable


def reader(pictures):
    made = object.__new__(PostsServable)
    made.proposals, made.pictures, made.images = (1, 2), pictures, types.SimpleNamespace(size=1)

    def encode(names):
        valid = ~tf.strings.regex_full_match(names, "(broken)?")
        length = tf.cast(tf.strings.length(names), tf.float32)
        return tf.where(valid, length, 0.0)[:, None, None] * tf.ones([1, 1, 2]), valid

    made._encode = encode
    return made


def test_what_is_no_picture_takes_no_place():
    rows = [["", "broken", "a", "bb", "ccc"], ["bb", "", "bb", "", ""], [""] * 5]
    proposals, there = reader(2)._seen(tf.constant(rows))
    assert proposals[..., 0].numpy().tolist() == [[1, 2], [2, 2], [0, 0]]
    assert there.numpy().tolist() == [[True, True], [True, True], [False, False]]
    given = tf.constant([[0.0, 0.0, 1.0, 2.0, 3.0], [2.0, 0.0, 2.0, 0.0, 0.0], [0.0] * 5])
    found = reader(2)._given(given[..., None] * tf.ones([2]))
    for mine, expected in zip(found, (proposals, there), strict=True):
        assert mine.numpy().tolist() == expected.numpy().tolist()


def test_columns_that_are_empty_everywhere_are_not_worked_on():
    for images in (tf.fill([3, 8], ""), tf.fill([3, 0], "")):
        proposals, there = reader(8)._seen(images)
        assert proposals.shape == (3, 1, 2) and not there.numpy().any()
    assert reader(8)._seen(tf.fill([0, 4], ""))[0].shape == (0, 1, 2)
    assert reader(8)._seen(tf.constant([["a", ""], ["", "b"]]))[1].shape == (2, 1)
