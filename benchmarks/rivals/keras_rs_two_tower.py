"""Keras RS: two towers, in-batch softmax with its sampling correction and without double hits."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import collections
import re

import keras
import keras_rs
import numpy as np
from shared import Job

WORDS, LONGEST = 10_000, 50


def word_ids(texts):
    """The most frequent known words of each text, int `[n, LONGEST]`, 0 pads."""
    counts = [collections.Counter(re.findall(r"\w+", text.lower())) for text in texts]
    known = collections.Counter(word for count in counts for word in count)
    number = {word: n for n, (word, _) in enumerate(known.most_common(WORDS), start=1)}
    rows = np.zeros((len(texts), LONGEST), np.int32)
    for row, count in zip(rows, counts, strict=True):
        best = [number[word] for word, _ in count.most_common() if word in number][:LONGEST]
        row[: len(best)] = best
    return rows


class Tower(keras.layers.Layer):
    """An embedding of its own, and where asked for the mean of those of words."""

    def __init__(self, count, width, words, dropout):
        super().__init__()
        self.own = keras.layers.Embedding(count, width)
        self.dropout = keras.layers.Dropout(dropout)
        self.read = words is not None
        if self.read:
            self.words = keras_rs.layers.EmbedReduce(WORDS + 1, width, combiner="mean")
            self.table = keras.ops.convert_to_tensor(words)

    def call(self, ids, training=False):
        """Vectors of ids, float `[n, width]`."""
        found = self.dropout(self.own(ids), training=training)
        if self.read:
            words = keras.ops.take(self.table, ids, axis=0)
            weights = keras.ops.cast(words > 0, "float32") + 1e-6
            found = found + self.words(words, weights)
        return found


class TwoTowers(keras.Model):
    """Users and hashtags whose dot product is high where one uses the other."""

    def __init__(self, users, hashtags, shares, width, dropout):
        super().__init__()
        self.user, self.hashtag = (
            Tower(len(ids), width, words, dropout) for ids, words in (users, hashtags)
        )
        self.shares = keras.ops.convert_to_tensor(shares)
        self.correct = keras_rs.layers.SamplingProbabilityCorrection()
        self.remove = keras_rs.layers.RemoveAccidentalHits()

    def call(self, pairs, training=False):
        """Logits of each user with each hashtag of a batch of pairs."""
        user, tag = pairs[:, 0], pairs[:, 1]
        logits = keras.ops.matmul(
            self.user(user, training=training),
            keras.ops.transpose(self.hashtag(tag, training=training)),
        )
        logits = self.correct(logits, keras.ops.take(self.shares, tag))
        return self.remove(logits, keras.ops.eye(keras.ops.shape(pairs)[0]), tag)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """In-batch softmax: the hashtag of a user's own pair is right."""
        labels = keras.ops.eye(keras.ops.shape(y_pred)[0])
        return keras.ops.mean(
            keras.losses.categorical_crossentropy(labels, y_pred, from_logits=True)
        )


job = Job()
settings = job.settings
keras.utils.set_random_seed(job.seed)
of_user, of_tag = job.texts()
words = word_ids(of_user + of_tag) if settings["words"] else None
split = len(job.users)
shares = np.bincount(job.taggings[:, 1], minlength=len(job.hashtags)) / len(job.taggings)
model = TwoTowers(
    (job.users, None if words is None else words[:split]),
    (job.hashtags, None if words is None else words[split:]),
    shares.clip(min=1e-9).astype("float32"),
    settings["width"],
    settings["dropout"],
)
model.compile(optimizer=keras.optimizers.Adam(settings["learning_rate"]))
model.fit(
    job.taggings.astype("int32"),
    np.zeros(len(job.taggings)),
    batch_size=1024,
    epochs=settings["epochs"],
    verbose=0,
)
job.lap("fit")


def vectors(tower, count):
    """What a tower says of all."""
    parts = [
        keras.ops.convert_to_numpy(tower(np.arange(at, min(at + 1024, count))))
        for at in range(0, count, 1024)
    ]
    return np.concatenate(parts)


users, tags = job.asked.T
of_users, of_tags = vectors(model.user, len(job.users)), vectors(model.hashtag, len(job.hashtags))
job.write(np.sum(of_users[users] * of_tags[tags], axis=1))
