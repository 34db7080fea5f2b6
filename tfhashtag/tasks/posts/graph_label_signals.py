"""Signals of labels in the graph, as `label_signals` finds them: one method each."""

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.rows import Rows
from tfhashtag.encoders.raw_strings import HashtagIndex
from tfhashtag.layers.word_ids import words_of
from tfhashtag.retrieval.graph_similar_hashtags import real_pairs
from tfhashtag.retrieval.shared_tables import constant
from tfhashtag.tasks.posts.label_signals import NAME_WORDS, SIGNALS, TEMPERATURE


class GraphLabelSignals:
    """`label_signals` of posts that are asked at a moment after all train posts, for all labels.

    Args:
        labels_of_posts: P rows of labels, one a train post.
        users: int32 `[P]`, users 0 to U - 1, each with a post.
        names: the hashtag of each label.

    Example:

    >>> posts = Rows.from_lists([[0], [0, 1], [1]])
    >>> signals = GraphLabelSignals(posts, np.array([0, 0, 1]), ["vote", "football"])
    >>> np.float64(signals.own(tf.constant([0, -1]))).round(2).tolist()  # log(1 + c)
    [[1.1, 0.69], [0.0, 0.0]]
    """

    def __init__(self, labels_of_posts: Rows, users: np.ndarray, names: list[str]) -> None:
        self.labels = len(names)
        self.values = constant("labels_of_posts", labels_of_posts.values)
        self.splits = constant("label_splits", labels_of_posts.offsets)
        people = int(users.max(initial=-1)) + 1
        pairs = users[labels_of_posts.row_of_value].astype(np.int64) * self.labels
        pairs, times = np.unique(pairs + labels_of_posts.values, return_counts=True)
        of_user = Rows.from_pairs(pairs // self.labels, pairs % self.labels, people + 1)
        # The row after the last user belongs to everybody without posts.
        self.user_labels = constant("labels_of_users", of_user.values)
        self.user_counts = constant("label_counts_of_users", times.astype(np.float32))
        self.user_splits = constant("user_splits", of_user.offsets)
        posts = np.bincount(users, minlength=people + 1)
        self.user_posts = constant("posts_of_users", np.maximum(posts, 1).astype(np.float32))
        self.people = people
        self.names = HashtagIndex(names)

    def trackables(self) -> list:
        """What the SavedModel must hold."""
        return [
            self.values,
            self.splits,
            self.user_labels,
            self.user_counts,
            self.user_splits,
            self.user_posts,
            self.names,
        ]

    def __call__(
        self,
        texts: tf.Tensor,
        users: tf.Tensor,
        own: tf.Tensor,
        own_similarity: tf.Tensor,
        others: tf.Tensor,
        others_similarity: tf.Tensor,
    ) -> tf.Tensor:
        """Signals of every label, float32 `[B, L, 5]`, in the order of `SIGNALS`.

        Args:
            texts: string `[B]`.
            users: int32 `[B]`, -1 for somebody without train posts.
            own, own_similarity: places `[B, n]` of the user's most similar train posts, -1 pads,
                and similarities.
            others, others_similarity: the same of others.
        """
        found = {
            "own": self.own(users),
            "own_share": self.own_share(users),
            "own_similar": self.own_similar(own, own_similarity),
            "others_similar": self.others_similar(others, others_similarity),
            "named": self.named(texts),
        }
        return tf.stack([found[name] for name in SIGNALS], axis=-1)

    def own(self, users: tf.Tensor) -> tf.Tensor:
        """`own`: log(1 + train posts of the user with the label)."""
        return tf.math.log1p(self._counts(users))

    def own_share(self, users: tf.Tensor) -> tf.Tensor:
        """`own_share`: the root of the share of the user's train posts with the label."""
        posts = tf.gather(self.user_posts, self._row(users))
        return tf.sqrt(self._counts(users) / posts[:, None])

    def own_similar(self, places: tf.Tensor, similarity: tf.Tensor) -> tf.Tensor:
        """`own_similar`: log(1 + similarities, at least 0, of the user's posts with the label)."""
        return tf.math.log1p(self._sums(places, tf.maximum(similarity, 0.0)))

    def others_similar(self, places: tf.Tensor, similarity: tf.Tensor) -> tf.Tensor:
        """`others_similar`: log(1 + 10 times the share of the label in others' similar posts)."""
        weights = tf.exp((similarity - similarity[:, :1]) / TEMPERATURE)
        weights = tf.where(places >= 0, weights, 0.0)
        weights /= tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1e-30)
        return tf.math.log1p(10 * self._sums(places, weights))

    def named(self, texts: tf.Tensor) -> tf.Tensor:
        """`named`: 1 where consecutive words of the text make up the hashtag."""
        spans = tf.strings.ngrams(words_of(texts), list(range(1, NAME_WORDS + 1)), separator="")
        labels = self.names.of_keys(spans.values)
        kept = tf.where(labels >= 0)[:, 0]
        rows, labels = tf.gather(spans.value_rowids(), kept), tf.gather(labels, kept)
        counts = self._dense(rows, labels, tf.ones_like(labels, tf.float32), tf.shape(texts)[0])
        return tf.minimum(counts, 1.0)

    def _row(self, users: tf.Tensor) -> tf.Tensor:
        return tf.where(users >= 0, users, self.people)

    def _counts(self, users: tf.Tensor) -> tf.Tensor:
        """Train posts of each user with each label, float32 `[B, L]`."""
        rows = self._row(users)
        splits = self.user_splits
        labels = tf.gather(tf.RaggedTensor.from_row_splits(self.user_labels, splits, False), rows)
        counts = tf.gather(tf.RaggedTensor.from_row_splits(self.user_counts, splits, False), rows)
        return self._dense(labels.value_rowids(), labels.values, counts.values, tf.shape(users)[0])

    def _sums(self, places: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Sum of the weights of the posts with each label, float32 `[B, L]`."""
        rows, posts = real_pairs(places)
        weights = tf.boolean_mask(weights, places >= 0)
        found = tf.gather(tf.RaggedTensor.from_row_splits(self.values, self.splits, False), posts)
        pair = found.value_rowids()
        return self._dense(
            tf.gather(rows, pair), found.values, tf.gather(weights, pair), tf.shape(places)[0]
        )

    def _dense(
        self, rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, count: tf.Tensor
    ) -> tf.Tensor:
        places = tf.cast(rows, tf.int64) * self.labels + tf.cast(labels, tf.int64)
        sums = tf.math.unsorted_segment_sum(weights, places, tf.cast(count, tf.int64) * self.labels)
        return tf.reshape(sums, [-1, self.labels])
