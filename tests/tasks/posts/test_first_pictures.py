"""Which pictures of a post a servable reads: those that are there, the first of them."""

import json
import types

import numpy as np
import tensorflow as tf

from tfhashtag.runs.recommendation import _rows
from tfhashtag.tasks.posts.servable import PostsServable
from tfhashtag.tasks.posts.task import POSTS


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


def test_lists_of_pictures_of_a_data_frame_and_of_csv(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b,c.png"]
    for path in paths:
        path.write_bytes(path.name.encode())
    names = [str(path) for path in paths]
    file = tmp_path / "posts.csv"
    cell = json.dumps(names).replace('"', '""')
    file.write_text(f'text,images\ntea,"{cell}"\ntea,{names[0]}\n')
    rows = [fields for _, fields in _rows(file)]
    expected = (b"a.png", b"b,c.png")
    assert POSTS.read_query(rows[0], "row 1").images == expected
    assert POSTS.read_query(rows[1], "row 2").images == expected[:1]
    cell = np.array(names, object)
    assert POSTS.read_query({"images": cell}, "row 1").images == expected
