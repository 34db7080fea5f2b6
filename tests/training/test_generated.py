"""Datasets of generators."""

import gc
import weakref

import tensorflow as tf

from tfhashtag.training.generated import generated


class Numbers:
    def batches(self):
        yield from (1.0, 2.0)


def test_what_a_generator_reads_lives_as_long_as_what_is_made_of_its_dataset():
    numbers = Numbers()
    alive = weakref.ref(numbers)
    made = generated(numbers.batches, tf.TensorSpec([], tf.float32))
    made = made.apply(tf.data.experimental.assert_cardinality(2)).prefetch(2)
    del numbers
    iterator = iter(made)
    gc.collect()
    assert [float(number) for number in made] == [1, 2] == [float(number) for number in iterator]
    del made
    gc.collect()
    assert alive()
    del iterator
    gc.collect()
    assert alive() is None
