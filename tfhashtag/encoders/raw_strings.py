"""Raw strings in the graph: messages with their `#hashtags` become texts and hashtag ids."""

from collections.abc import Sequence

import tensorflow as tf


def split_hashtags(strings: tf.Tensor) -> tuple[tf.Tensor, tf.RaggedTensor]:
    """Takes the words that begin with `#` out of each string.

    A message is encoded without its hashtags, as in training; the hashtags themselves are a
    signal of their own. A lone `#` stays in the text.

    Args:
        strings: string `[N]`.

    Returns:
        texts, string `[N]`, words joined by one space; hashtags, ragged string `[N, None]`
        without their `#`.

    Example:

    >>> texts, hashtags = split_hashtags(tf.constant(["good read #books #SciFi", ""]))
    >>> texts.numpy().tolist(), hashtags.to_list()
    ([b'good read', b''], [[b'books', b'SciFi'], []])
    """
    words = tf.strings.split(strings)
    tagged = tf.ragged.map_flat_values(tf.strings.regex_full_match, words, r"#.+")
    texts = tf.strings.reduce_join(tf.ragged.boolean_mask(words, ~tagged), axis=-1, separator=" ")
    hashtags = tf.ragged.boolean_mask(words, tagged)
    return texts, tf.ragged.map_flat_values(tf.strings.substr, hashtags, 1, -1)


def hashtag_table(hashtags: Sequence[str]) -> tf.lookup.StaticHashTable:
    """A table from hashtag to its index; -1 for one that is not in the list."""
    keys = tf.constant(list(hashtags) or [""], tf.string)
    values = tf.range(len(hashtags), dtype=tf.int32) if hashtags else tf.constant([-1], tf.int32)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
