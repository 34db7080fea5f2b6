"""Training of a network over posts on a sample of the labels in each step."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.losses import LabelCrossentropy
from tfhashtag.recommenders.post_settings import PostTraining
from tfhashtag.sampled_rows import MovedRows, competing_classes

if TYPE_CHECKING:
    from tfhashtag.training.monitor import EpochProgress

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]
_LABELS = ("count_labels",)  # inputs that hold labels
_LOSS = LabelCrossentropy()


class SampledLabels:
    """Moves the weights of some labels in each step, so that a step does not grow with all of them.

    Among the labels that compete the network is its twin: the same network of so many labels. The
    twin is called with the network's own weights; where a weight has a row or column a label, with
    those of the labels that compete. While an epoch lasts these stand in tables, a label a row, of
    which each step reads and writes a few rows. A label's penalties count in its own steps.

    Args:
        model: the network.
        twin: the same of fewer labels.
        optimizer: moves all other weights.
        training: how steps are made.
    """

    def __init__(
        self,
        model: keras.Model,
        twin: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        training: PostTraining,
    ) -> None:
        self._twin, self._optimizer = twin, optimizer
        self._trainable, self._fixed = model.trainable_variables, model.non_trainable_variables
        pairs = zip(
            self._trainable + self._fixed,
            twin.trainable_variables + twin.non_trainable_variables,
            strict=True,
        )
        self._axis = {
            id(one): int(np.flatnonzero(np.not_equal(one.shape, other.shape))[0])
            for one, other in pairs
            if one.shape != other.shape
        }
        self._shared = [one for one in self._trainable if id(one) not in self._axis]
        self._of_labels = [one for one in self._trainable if id(one) in self._axis]
        self._of_labels_fixed = [one for one in self._fixed if id(one) in self._axis]
        self._tables = {
            id(one): tf.Variable(np.zeros_like(self._by_label(one)))
            for one in [*self._of_labels, *self._of_labels_fixed]
        }
        moments = training.optimizer == "adam"
        rate, decay = training.learning_rate, training.weight_decay if moments else 0.0
        self._rows = MovedRows(
            [self._tables[id(one)] for one in self._of_labels], lambda step: rate, decay, moments
        )
        optimizer.build(self._shared)
        self._mean_loss = keras.metrics.Mean()
        self.step = tf.function(self._move, reduce_retracing=True, autograph=False)

    @property
    def state(self) -> list[tf.Variable]:
        """What a checkpoint holds besides the variables of network and optimizer."""
        return self._rows.state

    def _by_label(self, variable: keras.Variable) -> np.ndarray:
        """The values of a weight of labels, a label a row."""
        return np.moveaxis(np.asarray(variable), self._axis[id(variable)], 0)

    def fit(self, batches: Iterable[tuple[Any, ...]], bar: "EpochProgress") -> float:
        """Trains one epoch, and gives its mean loss.

        Args:
            batches: what `among_some` gives.
            bar: shows the progress.
        """
        for one in [*self._of_labels, *self._of_labels_fixed]:
            self._tables[id(one)].assign(self._by_label(one))
        self._mean_loss.reset_state()
        for index, batch in enumerate(batches):
            self.step(*batch)
            bar.on_train_batch_end(index)
        for one in self._of_labels:
            one.assign(np.moveaxis(self._tables[id(one)].numpy(), 0, self._axis[id(one)]))
        return float(self._mean_loss.result())

    def _move(self, inputs: Mapping, targets: Any, classes: Any, shift: Any) -> None:
        rows = self._rows.take(classes)
        of_labels = dict(zip(map(id, self._of_labels), rows, strict=True))
        of_labels |= {
            id(one): tf.gather(self._tables[id(one)], classes) for one in self._of_labels_fixed
        }

        def value_of(one: Any) -> Any:
            if id(one) not in of_labels:
                return tf.convert_to_tensor(one.value)
            return keras.ops.moveaxis(of_labels[id(one)], 0, self._axis[id(one)])

        with tf.GradientTape() as tape:
            tape.watch(rows)
            trained, fixed = map(value_of, self._trainable), list(map(value_of, self._fixed))
            logits, after, penalties = self._twin.stateless_call(
                list(trained), fixed, inputs, training=True, return_losses=True
            )
            loss = tf.add_n([_LOSS(targets, logits + shift), *penalties])
        shared = [one.value for one in self._shared]
        of_shared, of_rows = tape.gradient(loss, [shared, rows])
        self._optimizer.apply(of_shared, self._shared)
        self._rows.move(classes, rows, of_rows)
        for one, before, now in zip(self._fixed, fixed, after, strict=True):
            if now is not before:
                one.assign(now)
        self._mean_loss.update_state(loss, sample_weight=tf.shape(targets)[0])


def among_some(
    inputs: dict[str, np.ndarray],
    targets: np.ndarray,
    labels: int,
    number: int,
    rng: np.random.Generator,
) -> Batch:
    """A batch in which labels are places among those that compete; the others are padding.

    Args:
        inputs: of the network.
        targets: int `[B, T]`, labels, -1 pads.
        labels: how many there are.
        number: how many compete.
        rng: draws.

    Returns:
        Inputs, targets, the labels that compete, int32 `[number]`, and the logarithm of how many
        labels each of them stands for, float32 `[number]`.
    """
    around = [inputs[name][inputs[name] >= 0] for name in _LABELS if name in inputs]
    near = np.concatenate([np.zeros(0, np.int32), *around])
    classes, shift = competing_classes(targets[targets >= 0], labels, number, rng, near)
    place = np.full(labels + 1, -1, np.int32)  # the last is that of padding
    place[classes] = np.arange(len(classes))
    inputs = inputs | {name: place[inputs[name]] for name in _LABELS if name in inputs}
    return inputs, place[targets], classes.astype(np.int32), shift.astype(np.float32)
