"""Datasets of generators, whose generators go with them."""

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf


def generated(batches: Callable[[], Iterator[Any]], signature: Any) -> tf.data.Dataset:
    """`tf.data.Dataset.from_generator`, but that what the generator reads is let go.

    TensorFlow keeps every generator as long as the process lives, and with it the corpus, the
    vectors and the model that it reads. Here it keeps one that holds nothing any more once the
    dataset, and what was made of it, are gone.

    Args:
        batches: gives a new iterator of batches each time that it is called.
        signature: of a batch.

    >>> numbers = generated(lambda: iter([1, 2]), tf.TensorSpec([], tf.int32)).prefetch(1)
    >>> [int(number) for number in numbers]
    [1, 2]
    """
    held = [batches]

    def read() -> Iterator[Any]:
        return held[0]()

    dataset = tf.data.Dataset.from_generator(read, output_signature=signature)
    weakref.finalize(dataset, held.clear)
    return dataset
