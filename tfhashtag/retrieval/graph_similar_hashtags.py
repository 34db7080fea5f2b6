"""The hashtags used most in similar posts, in the graph, as `similar_hashtags` finds them."""

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.retrieval.shared_tables import constant


class GraphSimilarHashtags:
    """The most used hashtags of train posts, traceable in a `tf.function`.

    Equal numbers are ordered as in `similar_hashtags`: by train posts with the hashtag, more first,
    then by name. The post that asks is no train post, so nothing is discounted.

    Args:
        corpus: the posts.
        train: int `[P]`, its train posts, rising.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    >>> most_used = GraphSimilarHashtags(corpus, train)
    >>> int(most_used(tf.constant([[3, -1]]), 20)[0, 0]) in corpus.hashtags_of_post(train[3])
    True
    """

    def __init__(self, corpus: Corpus, train: np.ndarray) -> None:
        posts, tagged = corpus.taggings()
        inside = corpus.split_of_post[posts] == Split.TRAIN
        posts, tagged = posts[inside], tagged[inside]
        used = np.bincount(tagged, minlength=len(corpus.hashtags))
        order = sorted(
            np.flatnonzero(used).tolist(), key=lambda tag: (-used[tag], corpus.hashtags[tag])
        )
        rank = np.full(len(corpus.hashtags), -1, np.int32)
        rank[order] = np.arange(len(order))
        splits = np.concatenate([[0], np.cumsum(np.bincount(posts, minlength=len(corpus))[train])])
        self.hashtags = np.array(order, np.int32)  # by rank
        self.hashtag_of_rank = constant("hashtag_of_rank", np.append(self.hashtags, np.int32(-1)))
        self.ranks = constant("ranks_of_posts", rank[tagged])
        self.splits = constant("rank_splits", splits.astype(np.int64))

    def trackables(self) -> list[tf.Variable]:
        """What the SavedModel must hold."""
        return [self.hashtag_of_rank, self.ranks, self.splits]

    def __call__(self, places: tf.Tensor, count: int) -> tf.Tensor:
        """Corpus hashtags, int32 `[B, count]`, -1 pads, most used first.

        Args:
            places: int32 `[B, k]`, places of train posts, -1 pads.
            count: columns of the result.
        """
        return tf.gather(self.hashtag_of_rank, self.best_ranks(places, count))

    def best_ranks(self, places: tf.Tensor, count: int) -> tf.Tensor:
        """The same as places in `hashtags`, int32; `len(hashtags)` pads."""
        rows, posts = real_pairs(places)
        posts_of = tf.RaggedTensor.from_row_splits(self.ranks, self.splits, validate=False)
        found = tf.gather(posts_of, posts)
        row = tf.gather(rows, found.value_rowids())
        size = tf.constant(max(len(self.hashtags), 1), tf.int64)
        # Numbers in one key: row, then most often first, then rank.
        key, _, times = tf.unique_with_counts(
            row * size + tf.cast(found.values, tf.int64), out_idx=tf.int64
        )
        width = tf.shape(places, tf.int64)[1] + 1
        key = tf.sort(((key // size) * width + (width - 1 - times)) * size + key % size)
        row, rank = key // (size * width), tf.cast(key % size, tf.int32)
        place = tf.range(tf.size(key, tf.int64)) - tf.searchsorted(row, row, out_type=tf.int64)
        kept = tf.where(place < count)[:, 0]
        where = tf.stack([tf.gather(row, kept), tf.gather(place, kept)], axis=-1)
        padding = tf.fill(tf.stack([tf.shape(places)[0], count]), len(self.hashtags))
        return tf.tensor_scatter_nd_update(padding, where, tf.gather(rank, kept))


def real_pairs(places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows, int64, and values of the entries of `[B, k]` that are no padding (-1)."""
    where = tf.where(places >= 0)
    return where[:, 0], tf.gather_nd(places, where)
