"""Texts to word ids, in the graph."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.vocabulary import IDEOGRAPHS, SEPARATORS, split_words
from tfhashtag.layers.sublayers import check_sizes
from tfhashtag.registration import ConfiguredByArguments, public


def words_of(texts: tf.Tensor) -> tf.RaggedTensor:
    """The words of texts, split in the graph as `split_words` does outside it.

    Args:
        texts: string `[B]`, UTF-8.

    Returns:
        Ragged string `[B, None]`.

    Example:

    >>> [word.decode() for word in words_of(tf.constant(["Don't PANIC: 東京"])).values.numpy()]
    ["don't", 'panic', '東', '京']
    """
    texts = tf.strings.lower(texts)  # ASCII letters only, as there
    texts = tf.strings.regex_replace(texts, IDEOGRAPHS, r" \0 ")
    return tf.strings.split(tf.strings.regex_replace(texts, SEPARATORS, " "))


@public
class WordIds(ConfiguredByArguments, keras.layers.Layer):
    """Raw strings to word ids, for training and in an exported graph alike.

    Words are split as `tfhashtag.corpus.vocabulary.split_words` does. Id 0 pads; ids 1 to V are the
    words of the vocabulary, in their order; a word that is not among them falls into one of
    `oov_buckets` ids after them, by a 64-bit fingerprint that is the same on every machine. A text
    of more than `length` words is cut.

    The words are a part of the layer's configuration and of an exported SavedModel; the layer has
    no weights. Strings do not go through XLA: call it outside what is compiled.

    Input: `texts`, string `[B]`, UTF-8. Output: int32 `[B, length]`, padded at the end.

    Args:
        words: distinct words as `split_words` gives them, e.g. those of
            `Vocabulary.of_messages(texts, size)`.
        oov_buckets: int >= 1.
        length: int >= 1, ids a text.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, a word is twice in `words` or is none.

    Example:

    >>> layer = WordIds(["good", "read"], oov_buckets=1, length=4)
    >>> layer.encode(["A good, GOOD read!", ""]).tolist(), layer.vocabulary_size
    ([[3, 1, 1, 2], [0, 0, 0, 0]], 4)
    """

    def __init__(
        self, words: Sequence[str], oov_buckets: int = 1000, length: int = 40, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(oov_buckets=oov_buckets, length=length)
        seen: set[str] = set()
        for place, word in enumerate(words):
            if word in seen:
                raise ValueError(f"`words[{place}]` is {word!r} once more; words must be distinct.")
            if split_words(word) != [word]:
                raise ValueError(
                    f"`words[{place}]` is {word!r}, which no text can contain as one word; "
                    "take words from `split_words`."
                )
            seen.add(word)
        self.words = tuple(words)
        self.oov_buckets = oov_buckets
        self.length = length
        with tf.init_scope():  # the table outlives the graph in which the layer may be made
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(["", *words], tf.string),  # no text has the word ""
                    tf.range(1 + len(words), dtype=tf.int32),
                ),
                0,
            )
        self.built = True

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, 0 included."""
        return 1 + len(self.words) + self.oov_buckets

    def call(self, texts: Any) -> Any:
        words = words_of(texts)
        ids = self.table.lookup(words.values)
        bucket = tf.strings.to_hash_bucket_fast(words.values, self.oov_buckets)
        ids = tf.where(ids > 0, ids, tf.cast(bucket, tf.int32) + 1 + len(self.words))
        return words.with_values(ids).to_tensor(0, shape=(None, self.length))

    def encode(self, texts: Sequence[str], block: int = 8192) -> np.ndarray:
        """Ids of many texts, int32 `[N, length]`, block by block through the same graph."""
        found = [
            np.asarray(self(tf.constant(list(texts[start : start + block]), tf.string)))
            for start in range(0, len(texts), block)
        ]
        return np.concatenate(found) if found else np.zeros((0, self.length), np.int32)

    def compute_output_spec(self, texts: Any) -> Any:
        """int32 `[B, length]`."""
        return keras.KerasTensor((texts.shape[0], self.length), dtype="int32")
