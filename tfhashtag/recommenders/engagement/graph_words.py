"""Bags of words in the graph, equal to those of `tfhashtag.corpus.vocabulary`."""

import tensorflow as tf

from tfhashtag.corpus.vocabulary import Vocabulary
from tfhashtag.encoders.raw_strings import hashtag_table
from tfhashtag.layers.word_ids import words_of


class GraphBagOfWords:
    """Counts the vocabulary's words in sets of messages, from raw strings.

    Args:
        vocabulary: the words.

    Example:

    >>> bags = GraphBagOfWords(Vocabulary(["good", "read"]))
    >>> bags(tf.constant([["Good good", "a read"], ["", "none"]])).numpy().tolist()
    [[2.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.size = len(vocabulary)
        self.table = hashtag_table(vocabulary.words)

    def __call__(self, messages: tf.Tensor) -> tf.Tensor:
        """Strings `[..., M]` to counts, float32 `[..., V]`."""
        shape = tf.shape(messages)
        words = words_of(tf.reshape(messages, [-1]))
        ids = self.table.lookup(words.values)
        bag = words.value_rowids() // tf.cast(shape[-1], tf.int64)
        known = tf.where(ids >= 0)[:, 0]
        places = tf.stack([tf.gather(bag, known), tf.cast(tf.gather(ids, known), tf.int64)], -1)
        count = tf.cast(tf.size(messages) // tf.maximum(shape[-1], 1), tf.int64)
        bags = tf.scatter_nd(places, tf.ones_like(known, tf.float32), [count, self.size])
        return tf.reshape(bags, tf.concat([shape[:-1], [self.size]], 0))
