"""Raw strings in the graph: messages with their `#hashtags` become texts and hashtag ids."""

import hashlib
from collections.abc import Sequence

import tensorflow as tf

MOST_BYTES = 1 << 16


def split_hashtags(strings: tf.Tensor) -> tuple[tf.Tensor, tf.RaggedTensor]:
    """Takes the words that begin with `#` out of each string.

    A message is encoded without its hashtags, as in training; the hashtags themselves are a
    signal of their own. A lone `#` stays in the text. Of a string longer than `MOST_BYTES` the
    rest is left out; no encoder reads so far.

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
    count = tf.size(strings, tf.int64)
    split = tf.strings.split(tf.strings.substr(strings, 0, MOST_BYTES))
    # Not `tf.ragged.boolean_mask`, which makes every string as long as the longest.
    words, row = split.values, split.value_rowids()
    tagged = tf.strings.regex_full_match(words, r"#.+")
    texts = tf.strings.unsorted_segment_join(words[~tagged], row[~tagged], count, " ")
    hashtags = tf.strings.substr(words[tagged], 1, -1)
    return texts, tf.RaggedTensor.from_value_rowids(hashtags, row[tagged], count, validate=False)


class UserTable(tf.Module):
    """Places of users, of whose names it holds keyed hashes alone.

    Who has the table can ask about a name and can read none. Two of 10^6 users meet by chance once
    in ten million tables.

    Args:
        users: distinct names, none of them empty.

    Example:

    >>> table = UserTable(["ann", "bob"])
    >>> table.lookup(tf.constant(["bob", "", "zoe"])).numpy().tolist()
    [1, -1, -1]
    """

    def __init__(self, users: Sequence[str]) -> None:
        super().__init__()
        digest = hashlib.sha256("\n".join(users).encode()).digest()
        self._key = [int.from_bytes(digest[start : start + 7], "big") for start in (0, 7)]
        keys = self._hashes(tf.constant(list(users) or [""], tf.string))
        places = tf.range(len(users), dtype=tf.int32) if users else tf.constant([-1], tf.int32)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, places), -1
        )

    def lookup(self, users: tf.Tensor) -> tf.Tensor:
        """Their places, int32 of the same shape; -1 for somebody else."""
        return self.table.lookup(self._hashes(users))

    def _hashes(self, users: tf.Tensor) -> tf.Tensor:
        return tf.strings.to_hash_bucket_strong(users, 2**63 - 1, self._key)


def hashtag_table(hashtags: Sequence[str]) -> tf.lookup.StaticHashTable:
    """A table from hashtag to its index; -1 for one that is not in the list."""
    keys = tf.constant(list(hashtags) or [""], tf.string)
    values = tf.range(len(hashtags), dtype=tf.int32) if hashtags else tf.constant([-1], tf.int32)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
