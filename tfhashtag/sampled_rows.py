"""Classes that compete in a step of training, where there are too many for all to do so."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_MEAN, _SQUARE, _TINY = 0.9, 0.999, 1e-7  # Adam's, as Keras has them


def competing_classes(
    truth: np.ndarray, count: int, number: int, rng: np.random.Generator, near: Any = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Classes that compete in a step: those of its examples, and a sample of the others.

    Each that was drawn stands for its share of those that were not, so that the sum of exponentials
    over the sample is that over all classes in the mean (Bengio and Senecal, 2008). Up to half of
    the sample comes out of `near`, which would be badly guessed from the few that chance brings.

    Args:
        truth: int, the classes of the examples.
        count: how many classes there are.
        number: how many compete; all, where there are no more. Where `truth` leaves no room, one
            more than it holds.
        rng: draws.
        near: int, classes that are likely for the examples.

    Returns:
        The classes, int `[number]`, rising, and for each the logarithm of how many it stands for.

    Example:

    >>> classes, shift = competing_classes(np.array([7, 2]), 100, 4, np.random.default_rng(0))
    >>> len(classes), {2, 7} <= set(classes.tolist())
    (4, True)
    >>> round(np.exp(shift).sum())  # all classes are spoken for
    100
    """
    if count <= number:
        return np.arange(count), np.zeros(count)
    others, around = np.ones(count, bool), np.zeros(count, bool)
    others[truth] = False
    around[np.asarray(near, np.int64)] = True
    around &= others
    present = np.flatnonzero(~others)
    room = min(max(number - len(present), 1), count - len(present))
    if room == 1:  # which one draw speaks for all others
        around[:] = False
    close, far = np.flatnonzero(around), np.flatnonzero(others & ~around)
    of_close = max(min(len(close), room // 2), room - len(far))
    classes, stands_for = [present], [np.ones(len(present))]
    for pool, wanted in ((close, of_close), (far, room - of_close)):
        classes.append(rng.choice(pool, wanted, replace=False, shuffle=False))
        stands_for.append(np.full(wanted, len(pool) / max(wanted, 1)))
    found = np.concatenate(classes)
    places = np.argsort(found)
    return found[places], np.log(np.concatenate(stands_for)[places])


class MovedRows:
    """Variables with a row a class, of which each step moves a few by AdamW.

    Only the rows of a step are read and written, and each counts the steps that it took part in: a
    step in which all take part moves them as `keras.optimizers.AdamW` does. Without moments it is
    plain gradient descent.

    Args:
        variables: `[classes, ...]`, all of as many rows.
        rate: the learning rate, from the number of the step.
        weight_decay: decoupled.
        moments: whether steps are scaled by moments of the gradients.

    Example:

    >>> table = tf.Variable([[1.0], [2.0], [3.0]])
    >>> rows = MovedRows([table], lambda step: 0.5, moments=False)
    >>> chosen = tf.constant([0, 2])
    >>> rows.move(chosen, rows.take(chosen), [tf.constant([[1.0], [2.0]])])
    >>> table.numpy().ravel().tolist()
    [0.5, 2.0, 2.0]
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        rate: Callable[[Any], Any],
        weight_decay: float = 0.0,
        moments: bool = True,
    ) -> None:
        self.tables = list(variables)
        self._rate, self._decay = rate, weight_decay
        self._steps = tf.Variable(0, name="steps")
        self._turns = tf.Variable(tf.zeros(self.tables[0].shape[:1]), name="turns")
        self._moments = [
            [tf.Variable(tf.zeros_like(table), name=name) for name in ("mean", "square")]
            for table in self.tables
            if moments
        ]

    @property
    def state(self) -> list[tf.Variable]:
        """What a checkpoint holds beside the variables themselves."""
        return [self._steps, self._turns, *(one for pair in self._moments for one in pair)]

    def take(self, classes: Any) -> list[tf.Tensor]:
        """The rows of each variable."""
        return [tf.gather(table, classes) for table in self.tables]

    def move(self, classes: Any, rows: Sequence[Any], gradients: Sequence[Any]) -> None:
        """One step along the gradients of the rows that `take` gave for distinct classes."""
        rate = self._rate(self._steps)
        turns = tf.gather(self._turns, classes) + 1
        size = rate * tf.sqrt(1 - tf.pow(_SQUARE, turns)) / (1 - tf.pow(_MEAN, turns))
        for place, (table, values, gradient) in enumerate(
            zip(self.tables, rows, gradients, strict=True)
        ):
            step = rate * gradient
            if self._moments:
                mean, square = self._moments[place]
                first = tf.gather(mean, classes) * _MEAN + gradient * (1 - _MEAN)
                second = tf.gather(square, classes) * _SQUARE
                second += gradient * gradient * (1 - _SQUARE)
                mean.scatter_update(tf.IndexedSlices(first, classes))
                square.scatter_update(tf.IndexedSlices(second, classes))
                wide = tf.reshape(size, [-1] + [1] * (len(values.shape) - 1))
                step = wide * first / (tf.sqrt(second) + _TINY)
            there = values * (1 - self._decay * rate) - step
            table.scatter_update(tf.IndexedSlices(there, classes))
        self._turns.scatter_update(tf.IndexedSlices(turns, classes))
        self._steps.assign_add(1)
