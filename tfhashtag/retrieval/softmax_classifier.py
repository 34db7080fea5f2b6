"""A linear classifier of vectors into hashtags, as a table that is made of what is known."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.rows import Rows
from tfhashtag.retrieval.hashtag_tables import RowSource
from tfhashtag.sampled_rows import MovedRows, competing_classes

_BATCH = 512
_EPOCHS, _LEAST_STEPS = 6, 100
_MOST_STEPS = 300  # beyond, each vector is seen less often, but once
_LEARNING_RATE, _WEIGHT_DECAY = 0.05, 0.01
_DROPOUT = 0.2  # of the inputs
_CLASSES = 4096  # that compete in a step, at most


def softmax_classifier(
    vectors: RowSource, rows: np.ndarray, groups: np.ndarray, count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression; a vector of several groups belongs to them in equal parts.

    A few epochs of AdamW from weights of zero and a bias of the groups' frequencies, with dropout
    of the inputs: six, and above 25,000 vectors fewer, but one. Above 4,096 groups those of a
    step's vectors compete with a sample of the others, each of which stands for its share of them
    (Bengio and Senecal, 2008), and those that compete are moved alone, so that a step does not
    grow with the groups.

    Args:
        vectors: float32 `[n, d]`, gathered by batches.
        rows, groups: int `[p]`, the (vector, group) pairs; vectors without a group take no part.
        count: how many groups there are.
        seed: of the order, the dropout and the samples.

    Returns:
        weights float32 `[d, count]` and bias float32 `[count]`: `x @ weights + bias` is the log
        probability of each group but for a constant of `x`.

    Example:

    >>> vectors = np.eye(2, dtype="float32")
    >>> weights, bias = softmax_classifier(vectors, np.array([0, 1]), np.array([0, 1]), 2)
    >>> (vectors @ weights + bias).argmax(axis=1).tolist()
    [0, 1]
    """
    sizes = np.bincount(groups, minlength=count)
    frequency = np.log((sizes + 0.5) / max(sizes.sum(), 1)).astype(np.float32)
    width = vectors.shape[1]
    of_vector = Rows.from_pairs(rows, groups, vectors.shape[0])
    taken = np.flatnonzero(of_vector.lengths)
    if not len(taken):
        return np.zeros((width, count), np.float32), frequency
    rng = np.random.default_rng(seed)
    batch = min(_BATCH, len(taken))
    steps = len(taken) // batch
    epochs = max(min(_EPOCHS, _MOST_STEPS // steps), math.ceil(_LEAST_STEPS / steps), 1)
    fit = _Fit(width, frequency, epochs * steps)
    for _ in range(epochs):
        shuffled = rng.permutation(len(taken))
        for start in range(0, len(taken) - batch + 1, batch):
            chosen = taken[shuffled[start : start + batch]]
            inputs = vectors[chosen] * (rng.random((batch, width)) >= _DROPOUT)
            truth = of_vector.take(chosen)
            row = truth.row_of_value
            share = (1 / truth.lengths)[row]
            competing = competing_classes(truth.values, count, _CLASSES, rng)
            fit.step(inputs / (1 - _DROPOUT), row, truth.values, share, *competing)
    return fit.weights.numpy().T.copy(), fit.bias.numpy()


class _Fit:
    """Weights and how they move.

    Args:
        width: of the vectors.
        frequency: where the bias starts, float32 `[groups]`.
        steps: over which the learning rate falls to 0.
    """

    def __init__(self, width: int, frequency: np.ndarray, steps: int) -> None:
        with tf.init_scope():
            self.weights = tf.Variable(tf.zeros([len(frequency), width]), name="weights")
            self.bias = tf.Variable(frequency, name="bias")
            rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)
            variables = [self.weights, self.bias]
            if len(frequency) > _CLASSES:
                self.rows = MovedRows(variables, rate, _WEIGHT_DECAY)
                move = self._move_some
            else:
                self.optimizer = keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY)
                self.optimizer.build(variables)
                move = self._move
        numbers, places = tf.TensorSpec([None]), tf.TensorSpec([None], tf.int32)
        inputs, pairs = tf.TensorSpec([None, width]), tf.TensorSpec([None, 2], tf.int32)
        of_a_batch = [inputs, pairs, numbers, places, numbers]
        self._step = tf.function(move, of_a_batch, autograph=False)

    def step(
        self,
        inputs: np.ndarray,
        row: np.ndarray,
        truth: np.ndarray,
        share: np.ndarray,
        classes: np.ndarray,
        stands_for: np.ndarray,
    ) -> None:
        """Moves along the gradient of the cross entropy of pairs (`row`, `truth`) by `share`."""
        place = np.searchsorted(classes, truth)
        self._step(
            tf.constant(inputs, tf.float32),
            tf.constant(np.stack([row, place], axis=1), tf.int32),
            tf.constant(share, tf.float32),
            tf.constant(classes, tf.int32),
            tf.constant(stands_for, tf.float32),
        )

    def _move(self, inputs: Any, pairs: Any, share: Any, classes: Any, stands_for: Any) -> None:
        variables = [self.weights, self.bias]
        with tf.GradientTape() as tape:
            rows = [tf.gather(tf.convert_to_tensor(v), classes) for v in variables]
            loss = _loss(inputs, pairs, share, rows, stands_for)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        self.optimizer.apply(gradients, variables)

    def _move_some(
        self, inputs: Any, pairs: Any, share: Any, classes: Any, stands_for: Any
    ) -> None:
        rows = self.rows.take(classes)
        with tf.GradientTape() as tape:
            tape.watch(rows)
            loss = _loss(inputs, pairs, share, rows, stands_for)
        self.rows.move(classes, rows, tape.gradient(loss, rows))


def _loss(inputs: Any, pairs: Any, share: Any, rows: Any, stands_for: Any) -> tf.Tensor:
    """Cross entropy of pairs (vector, place among the competing groups) by `share`, a vector."""
    weights, bias = rows
    logits = tf.matmul(inputs, weights, transpose_b=True) + bias
    normalizer = tf.reduce_logsumexp(logits + stands_for, axis=1)
    scores = tf.gather_nd(logits, pairs) - tf.gather(normalizer, pairs[:, 0])
    return -tf.reduce_sum(share * scores) / tf.cast(tf.shape(inputs)[0], tf.float32)
