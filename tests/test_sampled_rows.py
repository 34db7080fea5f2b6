"""Which classes compete, and rows that are moved as Keras moves whole variables."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.sampled_rows import MovedRows, competing_classes


@given(st.data())
def test_all_classes_are_spoken_for_and_those_of_the_examples_by_themselves(data):
    count = data.draw(st.integers(1, 60))
    some = st.lists(st.integers(0, count - 1), max_size=30)
    truth, near, number = data.draw(some), data.draw(some), data.draw(st.integers(1, 70))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    classes, shift = competing_classes(np.array(truth, int), count, number, rng, near)
    assert np.all(np.diff(classes) > 0) and set(truth) <= set(classes.tolist())
    assert np.exp(shift).sum() == pytest.approx(count)
    assert not shift[np.isin(classes, truth)].any()
    if number > len(set(truth)):
        assert len(classes) == min(number, count)


def test_what_is_likely_is_drawn_first_and_the_sum_is_right_in_the_mean():
    rng = np.random.default_rng(0)
    values, near = np.exp(rng.normal(size=300)), np.arange(100, 130)
    values[near] *= 30
    sums, drawn = [], []
    for _ in range(400):
        classes, shift = competing_classes(np.array([5]), 300, 41, rng, near)
        sums.append((values[classes] * np.exp(shift)).sum())
        drawn.append(np.isin(classes, near).sum())
    assert set(drawn) == {20}  # half of the room
    assert np.mean(sums) == pytest.approx(values.sum(), rel=0.02)


@pytest.mark.parametrize("moments", [True, False])
def test_rows_move_as_by_the_optimizer_of_keras(moments):
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=4).astype("float32")]
    tables = [tf.Variable(values) for values in start]
    rows = MovedRows(tables, lambda step: 0.1, 0.3 if moments else 0.0, moments)
    ours, kept = tf.constant([0, 1, 3]), [0, 1, 3]
    theirs = [keras.Variable(values[kept]) for values in start]
    kind = keras.optimizers.AdamW if moments else keras.optimizers.SGD
    optimizer = kind(0.1, **({"weight_decay": 0.3} if moments else {}))
    optimizer.build(theirs)
    for _ in range(3):
        gradients = [rng.normal(size=values[kept].shape).astype("float32") for values in start]
        rows.move(ours, rows.take(ours), [tf.constant(values) for values in gradients])
        optimizer.apply([tf.constant(values) for values in gradients])
    for table, one, before in zip(tables, theirs, start, strict=True):
        np.testing.assert_allclose(table.numpy()[kept], np.asarray(one), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(table.numpy()[2], before[2])  # of a row that took no part
