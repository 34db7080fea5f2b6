"""How much each group of features carries of a score, in operations of TensorFlow."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

ORDERS = 64  # of the groups, each with its reverse
_AT_A_TIME = 8  # orders: a few MB of rows


class Contributions(NamedTuple):
    """Parts of scores.

    Attributes:
        baseline: float64 `[n]`, the score where nothing is said.
        score: float64 `[n]`.
        parts: float64 `[n, groups]`.
        errors: float64 `[n, groups]`, standard errors of the parts.
    """

    baseline: tf.Tensor
    score: tf.Tensor
    parts: tf.Tensor
    errors: tf.Tensor


def contributions(
    score: Callable[[tf.Tensor], tf.Tensor],
    start: Any,
    features: Any,
    groups: Sequence[Sequence[int]],
) -> Contributions:
    """Parts of a score that add up to it: what setting each group of features adds to it.

    Groups are set from `start` to `features` one after the other, in 64 orders and their reverses;
    a group's part is its mean effect. In each order the effects add up to the score less that of
    `start`, so the parts do so exactly; how they are shared out is an estimate of the Shapley
    values, with its standard error. The same operations answer in process and in an export.

    Args:
        score: from float32 `[m, F]` to a score a row.
        start: float `[F]`, where nothing is said.
        features: float `[n, F]`, one row a score that is explained.
        groups: columns that are set together, each column in one group.

    Example:

    >>> found = contributions(lambda x: x[:, 0] * 2 + x[:, 1], [0, 0], [[1, 1]], [[0], [1]])
    >>> found.score.numpy().tolist(), found.parts.numpy().tolist()
    ([3.0], [[2.0, 1.0]])
    """
    start, features = (tf.cast(tf.convert_to_tensor(v), tf.float32) for v in (start, features))
    count, blocks = len(groups), ORDERS // _AT_A_TIME
    rng = np.random.default_rng(0)
    places = np.stack([np.argsort(rng.permutation(count)) for _ in range(ORDERS)])
    # An order and its reverse beside each other; of each the place of every group.
    places = np.stack([places, count - 1 - places], axis=1).reshape(blocks, -1, count)
    group_of = np.zeros(sum(map(len, groups)), np.int64)
    for number, columns in enumerate(groups):
        group_of[list(columns)] = number
    of_groups = tf.constant(places, tf.int32)
    of_columns = tf.constant(places[..., group_of], tf.int32)

    def block(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        row, orders = features[at // blocks], at % blocks
        is_set = of_columns[orders][:, None] < tf.range(count + 1)[None, :, None]
        steps = tf.reshape(tf.where(is_set, row, start), [-1, len(group_of)])
        scores = tf.reshape(tf.cast(score(steps), tf.float64), [-1, count + 1])
        effects = tf.gather(scores[:, 1:] - scores[:, :-1], of_groups[orders], batch_dims=1)
        pairs = tf.reduce_mean(tf.reshape(effects, [-1, 2, count]), axis=1)
        return pairs, tf.stack([scores[0, 0], scores[0, -1]])

    specs = tf.TensorSpec([_AT_A_TIME, count], tf.float64), tf.TensorSpec([2], tf.float64)
    numbers = tf.range(tf.shape(features)[0] * blocks)
    effects, ends = tf.map_fn(block, numbers, fn_output_signature=specs, parallel_iterations=1)
    effects = tf.reshape(effects, [-1, ORDERS, count])
    ends = tf.reshape(ends, [-1, blocks, 2])[:, 0]
    parts = tf.reduce_mean(effects, axis=1)
    deviation = tf.reduce_sum(tf.square(effects - parts[:, None]), axis=1) / (ORDERS - 1)
    return Contributions(ends[:, 0], ends[:, 1], parts, tf.sqrt(deviation / ORDERS))


def largest_first(
    names: Sequence[str], words: Sequence[str], values: tf.Tensor, found: Contributions
) -> dict[str, tf.Tensor]:
    """What an `explain` signature says of signals: those with the largest parts first.

    Args:
        names: of the signals, one a group.
        words: the same for people.
        values: float `[n, groups]`, of the signals.
        found: their parts.

    Returns:
        `logit` and `baseline`, float32 `[n]`; `signals` and `words`, string, `values`, `parts` and
        `errors`, float32, all `[n, groups]`.
    """
    order = tf.argsort(-tf.abs(found.parts), axis=1, stable=True)

    def ordered(columns: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.gather(columns, order, batch_dims=1), tf.float32)

    return {
        "logit": tf.cast(found.score, tf.float32),
        "baseline": tf.cast(found.baseline, tf.float32),
        "signals": tf.gather(tf.constant(list(names)), order),
        "words": tf.gather(tf.constant(list(words)), order),
        "values": ordered(values),
        "parts": ordered(found.parts),
        "errors": ordered(found.errors),
    }
