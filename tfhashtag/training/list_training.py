"""Listwise training of networks over signals: batches of lists laid end to end."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.layers.standardizer import Standardizer
from tfhashtag.training.generated import generated
from tfhashtag.training.monitor import Groups, TrainingMonitor
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.trainer import Show

_ROWS = 512  # a batch has a multiple of so many rows


@dataclasses.dataclass(frozen=True)
class CandidateLists:
    """Features of candidates, list after list.

    Attributes:
        features: by the head that reads them, float32 or float16 `[candidates, F]`; what gives
            slices of them, an array or `StoredRows`.
        offsets: int64 `[lists + 1]`, where each list begins and ends.
        labels: float32 `[candidates]`, 1 for what is to stand above the rest of its list.
        keys: int64 `[candidates]`, what the candidates are, for whoever made the lists; or None.
    """

    features: Mapping[str, Any]
    offsets: np.ndarray
    labels: np.ndarray
    keys: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "CandidateLists":
        """Its first lists, with about `count` candidates; at least one list."""
        lists = max(int(np.searchsorted(self.offsets, count, "right")) - 1, 1)
        stop = int(self.offsets[lists])
        return CandidateLists(
            {name: values[:stop] for name, values in self.features.items()},
            self.offsets[: lists + 1],
            self.labels[:stop],
            None if self.keys is None else self.keys[:stop],
        )

    @property
    def usable(self) -> np.ndarray:
        """(first, last) of the lists that hold a positive and a negative, int64 `[n, 2]`."""
        first, last = self.offsets[:-1], self.offsets[1:]
        positives = np.concatenate([[0], np.cumsum(self.labels)])
        positives = positives[last] - positives[first]
        chosen = (positives > 0) & (positives < last - first)
        return np.stack([first[chosen], last[chosen]], axis=1)


NO_LISTS = CandidateLists({}, np.zeros(1, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclasses.dataclass(frozen=True)
class Head:
    """One ensemble of networks of a model.

    Attributes:
        standardizer: of its features, adapted to those of the training.
        member_logits: from features `[..., F]` to a logit of each member, `[..., members]`; takes
            `training`.
    """

    standardizer: Standardizer
    member_logits: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class ListSchedule:
    """How lists are gone through, and how AdamW moves.

    Attributes:
        lists: in a batch.
        epochs: over which the learning rate falls to 0 along a cosine.
        learning_rate, weight_decay: of AdamW.
    """

    lists: int
    epochs: int
    learning_rate: float
    weight_decay: float


class ListTraining:
    """Trains heads on lists, an epoch at a time; their losses are summed.

    Args:
        model: with fresh weights; or with trained ones, where it does not `adapt`.
        heads: its ensembles by the features that they read; the loss of the first is reported.
        parts: what is learned from.
        schedule: how it is optimised.
        seed: of the order of lists.
        options: how to run.
        adapt: take scales of features from the lists; else those of the weights stay.
    """

    def __init__(
        self,
        model: keras.Model,
        heads: Mapping[str, Head],
        parts: Sequence[CandidateLists],
        schedule: ListSchedule,
        seed: int,
        options: TrainingOptions,
        adapt: bool = True,
    ) -> None:
        self.model = model
        self.heads = heads
        self.parts = parts
        self.schedule = schedule
        self.seed = seed
        self.options = options
        for name, head in heads.items() if adapt else ():
            head.standardizer.adapt(*(part.features[name] for part in parts if len(part)))
        steps = sum(len(part.usable) for part in parts) // schedule.lists
        with options.scope():
            self.optimizer = keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(
                    schedule.learning_rate, max(steps, 1) * schedule.epochs
                ),
                weight_decay=schedule.weight_decay,
                name="adamw",  # stands in the checkpoint's keys
            )
            self.optimizer.build(model.trainable_variables)
            self._strategy = tf.distribute.get_strategy()
        self._compiled: dict[int, Callable[..., Any]] = {}

    @property
    def groups(self) -> Groups:
        """Its variables, as a checkpoint holds them."""
        return {"model": self.model.variables, "optimizer": self.optimizer.variables}

    def epoch(self, epoch: int, show: Show) -> dict[str, float]:
        """Goes through all lists once, in an order that depends on seed and epoch alone."""
        lists = np.concatenate(
            [
                np.pad(part.usable, [[0, 0], [1, 0]], constant_values=index)
                for index, part in enumerate(self.parts)
            ]
        )
        rng = np.random.default_rng([self.seed, epoch])
        lists = lists[rng.permutation(len(lists))]
        size = max(min(self.schedule.lists, len(lists)), 1)
        if size not in self._compiled:
            self._compiled = {size: self._step(size)}
        step, here = self._compiled[size], len(self.options.replicas[0])
        steps = len(lists) // size
        losses = []
        with show(steps) as bar:
            batches = iter(self._dataset(lists[: steps * size], size))
            for index in range(steps):
                parts = [next(batches) for _ in range(here)]
                losses.append(float(step(*self.options.distributed(parts))))
                bar.on_train_batch_end(index, {"loss": losses[-1]})
        return {"loss": float(np.mean(losses)) if losses else float("nan")}

    def _most(self, lists: int) -> int:
        """How many lists of a batch of `lists` one replica has at most."""
        return -(-lists // self.options.replicas[1])

    def _step(self, lists: int) -> Callable[..., Any]:
        """A function from one batch of `lists` lists to the mean loss."""
        model, heads, optimizer = self.model, self.heads, self.optimizer
        strategy = self._strategy
        most = self._most(lists)
        share = most * self.options.replicas[1] / lists  # over 1 where they do not divide

        def replica_step(*batch: tf.Tensor) -> tf.Tensor:
            *features, labels, rows = batch
            with tf.GradientTape() as tape:
                losses = [
                    _list_loss(head.member_logits(values, training=True), labels, rows, most)
                    for head, values in zip(heads.values(), features, strict=True)
                ]
                # The optimizer sums over replicas.
                total = tf.add_n(losses) * (share / self.options.replicas[1])
            gradients = tape.gradient(total, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return losses[0] * share

        @tf.function(reduce_retracing=True, autograph=False, jit_compile=self.options.xla)
        def step(*batch: Any) -> tf.Tensor:
            losses = strategy.run(replica_step, args=batch)
            return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

        return step

    def _dataset(self, lists: np.ndarray, size: int) -> tf.data.Dataset:
        """Batches of `size` lists in the given order, the next ones made while one is used.

        Of each there is what every replica of this process computes.
        """
        most, (here, _) = self._most(size), self.options.replicas
        first, names = self.parts[0], list(self.heads)
        kinds = tuple(
            tf.TensorSpec([None, *values.shape[1:]], values.dtype)
            for values in (*(first.features[name] for name in names), first.labels)
        )

        def batches() -> Iterator[tuple[np.ndarray, ...]]:
            for start in range(0, len(lists), size):
                for replica in here:
                    chosen = lists[start : start + size][replica * most : (replica + 1) * most]
                    yield _batch(self.parts, names, chosen, most)

        return generated(batches, (*kinds, tf.TensorSpec([None], tf.int32))).prefetch(2)


_RATE = 0.3  # of the learning rate of the training, where it is gone on with


def go_on(
    model: keras.Model,
    heads: Mapping[str, Head],
    parts: Sequence[CandidateLists],
    schedule: ListSchedule,
    seed: int,
    options: TrainingOptions,
) -> None:
    """Trains trained heads on, an epoch over all lists, with a third of the learning rate.

    Args:
        model, heads, seed, options: as in `ListTraining`.
        parts: new lists, and old ones that are seen again.
        schedule: of the training.
    """
    rate = _RATE * schedule.learning_rate
    once = dataclasses.replace(schedule, epochs=1, learning_rate=rate)
    monitor = TrainingMonitor(show=options.progress)
    training = ListTraining(model, heads, parts, once, seed, options, adapt=False)
    training.epoch(0, functools.partial(monitor.epoch, "update", 0, 1))


def _batch(
    data: Sequence[CandidateLists], names: Sequence[str], chosen: np.ndarray, most: int
) -> tuple[np.ndarray, ...]:
    """Features of every head, labels and list numbers of at most `most` lists laid end to end.

    Filled up with rows of a list after the last one, so that there are few shapes to compile for.
    """
    rows = np.repeat(np.arange(len(chosen), dtype=np.int32), chosen[:, 2] - chosen[:, 1])
    filling = -len(rows) % _ROWS or (0 if len(rows) else _ROWS)

    def joined(values: list[np.ndarray]) -> np.ndarray:
        filler = np.zeros((filling, *values[0].shape[1:]), values[0].dtype)
        found = [values[part][first:last] for part, first, last in chosen]
        return np.concatenate([*found, filler])

    return (
        *(joined([part.features[name] for part in data]) for name in names),
        joined([part.labels for part in data]),
        np.concatenate([rows, np.full(filling, most, np.int32)]),
    )


def _list_loss(logits: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor, lists: int) -> tf.Tensor:
    """Listwise softmax over `lists` lists laid end to end, mean over lists and members.

    What belongs to list number `lists` is filling; a list without rows counts 0.
    """
    logits = tf.cast(logits, tf.float32)
    highest = tf.stop_gradient(tf.math.unsorted_segment_max(logits, rows, lists + 1))
    logits = logits - tf.gather(highest, rows)
    total = tf.math.unsorted_segment_sum(tf.exp(logits), rows, lists + 1)
    # Without filling the last list is empty; its total is 0 and its logarithm of no use.
    normalizer = tf.math.log(tf.maximum(total, 1e-30))
    log_likelihood = labels[:, None] * (logits - tf.gather(normalizer, rows))
    positives = tf.math.unsorted_segment_sum(labels, rows, lists + 1)[:lists]
    likelihoods = tf.math.unsorted_segment_sum(log_likelihood, rows, lists + 1)[:lists]
    return -tf.reduce_mean(tf.math.divide_no_nan(likelihoods, positives[:, None]))
