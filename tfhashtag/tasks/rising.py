"""What rises, as a table in an exported model."""

import datetime
from typing import Any

import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.trends import rising
from tfhashtag.errors import DataError

_COLUMNS = {
    "now": tf.int32,
    "before": tf.float32,
    "users": tf.int32,
    "ratio": tf.float32,
    "low": tf.float32,
    "high": tf.float32,
}


class RisingHashtags(tf.Module):
    """Answers the signature `trending` by what `tfhashtag trending` says of the same posts.

    Args:
        corpus: the posts; where there is nothing to compare, nothing rises.

    Attributes:
        limits: sentences for the model card.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> table = RisingHashtags(synthetic_corpus(posts=2000, users=50, seed=0))
    >>> table(tf.constant(2))["users"].shape
    TensorShape([2])
    """

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(name="rising_hashtags")
        try:
            found = rising(corpus)
        except DataError:  # no use now, or none before: a corpus of a moment
            found = []
        names = [name for name, _ in found]
        self.names = tf.Variable(names, trainable=False, dtype=tf.string, name="rising")
        self.columns = {
            name: tf.Variable([said[name] for _, said in found], False, dtype=dtype, name=name)
            for name, dtype in _COLUMNS.items()
        }
        self.limits = (f"`trending` tells what rose up to {_end_of(corpus)}, as of the export.",)

    def __call__(self, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The first `k` of them, fewer where there are fewer."""
        k = tf.clip_by_value(k, 0, tf.shape(self.names)[0])
        return {
            "hashtags": self.names[:k],
            **{name: column[:k] for name, column in self.columns.items()},
        }

    def trackables(self) -> list[Any]:
        """What the SavedModel must hold."""
        return [self.names, *self.columns.values()]


def _end_of(corpus: Corpus) -> str:
    if corpus.timestamps is None or not len(corpus.timestamps):
        return "the newest post"
    moment = datetime.datetime.fromtimestamp(int(corpus.timestamps.max()), datetime.UTC)
    return f"{moment:%Y-%m-%d}"
