"""A linear classifier of vectors into hashtags, as a table that is made of what is known."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.rows import Rows

_BATCH = 512
_EPOCHS, _LEAST_STEPS = 6, 100
_LEARNING_RATE, _WEIGHT_DECAY = 0.05, 0.01
_DROPOUT = 0.2  # of the inputs
_CLASSES = 4096  # that compete in a step, at most


def softmax_classifier(
    vectors: np.ndarray, rows: np.ndarray, groups: np.ndarray, count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression; a vector of several groups belongs to them in equal parts.

    A few epochs of AdamW from weights of zero and a bias of the groups' frequencies, with dropout
    of the inputs. Where there are many groups those of a step's vectors compete with a sample of
    the others, each of which stands for its share of them (Bengio and Senecal, 2008), so that the
    products of a step do not grow with them; moving the weights does.

    Args:
        vectors: float32 `[n, d]`.
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
    of_vector = Rows.from_pairs(rows, groups, len(vectors))
    taken = np.flatnonzero(of_vector.lengths)
    if not len(taken):
        return np.zeros((vectors.shape[1], count), np.float32), frequency
    rng = np.random.default_rng(seed)
    batch = min(_BATCH, len(taken))
    epochs = max(_EPOCHS, math.ceil(_LEAST_STEPS / (len(taken) // batch)))
    fit = _Fit(vectors.shape[1], frequency, epochs * (len(taken) // batch))
    for _ in range(epochs):
        shuffled = rng.permutation(len(taken))
        for start in range(0, len(taken) - batch + 1, batch):
            chosen = taken[shuffled[start : start + batch]]
            inputs = vectors[chosen] * (rng.random((batch, vectors.shape[1])) >= _DROPOUT)
            truth = of_vector.take(chosen)
            row = truth.row_of_value
            share = (1 / truth.lengths)[row]
            competing = _competing(truth.values, count, rng)
            fit.step(inputs / (1 - _DROPOUT), row, truth.values, share, *competing)
    return fit.weights.numpy().T.copy(), fit.bias.numpy()


def _competing(
    truth: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Groups of a step, rising, and the logarithm of how many each of them stands for."""
    if count <= _CLASSES:
        return np.arange(count), np.zeros(count)
    present = np.unique(truth)
    absent = np.setdiff1d(np.arange(count), present, assume_unique=True)
    number = min(max(_CLASSES - len(present), 1), len(absent))
    drawn = rng.choice(absent, number, replace=False, shuffle=False)
    classes = np.concatenate([present, drawn])
    stands_for = np.repeat([1.0, len(absent) / max(number, 1)], [len(present), len(drawn)])
    places = np.argsort(classes)
    return classes[places], np.log(stands_for[places])


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
            self.optimizer = keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY)
            self.optimizer.build([self.weights, self.bias])
        self._step = tf.function(self._move, autograph=False, reduce_retracing=True)

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
            weights, bias = (tf.gather(tf.convert_to_tensor(v), classes) for v in variables)
            logits = tf.matmul(inputs, weights, transpose_b=True) + bias
            normalizer = tf.reduce_logsumexp(logits + stands_for, axis=1)
            scores = tf.gather_nd(logits, pairs) - tf.gather(normalizer, pairs[:, 0])
            rows = tf.cast(tf.shape(inputs)[0], tf.float32)
            loss = -tf.reduce_sum(share * scores) / rows
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        self.optimizer.apply(gradients, variables)
