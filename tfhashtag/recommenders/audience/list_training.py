"""Listwise training of the audience model: batches of lists laid end to end."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.recommenders.audience.model import AudienceModel
from tfhashtag.recommenders.audience.scoring import CandidateFeatures
from tfhashtag.recommenders.audience.settings import AudienceTraining
from tfhashtag.training.monitor import Groups
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.trainer import Show

_ROWS = 512  # a batch has a multiple of so many rows


class ListTraining:
    """Trains a fresh model on the lists of some episodes, an epoch at a time.

    Args:
        model: with fresh weights; its standardisers are adapted to the features.
        parts: the features of each episode.
        training: how it is optimised.
        seed: of the order of lists.
        options: how to run.
    """

    def __init__(
        self,
        model: AudienceModel,
        parts: Sequence[CandidateFeatures],
        training: AudienceTraining,
        seed: int,
        options: TrainingOptions,
    ) -> None:
        self.model = model
        self.parts = parts
        self.training = training
        self.seed = seed
        self.options = options
        model.standardizer.adapt(np.concatenate([part.features for part in parts]))
        model.content_standardizer.adapt(np.concatenate([part.content for part in parts]))
        steps = sum(len(usable_lists(part)) for part in parts) // training.batch_users
        with options.scope():
            self.optimizer = keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(
                    training.learning_rate, max(steps, 1) * training.epochs
                ),
                weight_decay=training.weight_decay,
                name="adamw",  # stands in the checkpoint's keys
            )
            self.optimizer.build(model.trainable_variables)
            self._strategy = tf.distribute.get_strategy()
        self._compiled: tuple[int, Callable[..., Any]] | None = None

    @property
    def groups(self) -> Groups:
        """Its variables, as a checkpoint holds them."""
        return {"model": self.model.variables, "optimizer": self.optimizer.variables}

    def epoch(self, epoch: int, show: Show) -> dict[str, float]:
        """Goes through all lists once, in an order that depends on seed and epoch alone."""
        replicas = self._strategy.num_replicas_in_sync
        lists = np.concatenate(
            [
                np.pad(usable_lists(part), [[0, 0], [1, 0]], constant_values=index)
                for index, part in enumerate(self.parts)
            ]
        )
        rng = np.random.default_rng([self.seed, epoch])
        lists = lists[rng.permutation(len(lists))]
        size = max(min(self.training.batch_users, len(lists)) // replicas, 1)
        if self._compiled is None or self._compiled[0] != size:
            self._compiled = size, self._step(size)
        step = self._compiled[1]
        steps = len(lists) // (size * replicas)
        losses = []
        with show(steps) as bar:
            batches = iter(_dataset(self.parts, lists[: steps * size * replicas], size))
            for index in range(steps):
                losses.append(
                    float(step(*self._distributed([next(batches) for _ in range(replicas)])))
                )
                bar.on_train_batch_end(index, {"loss": losses[-1]})
        return {"loss": float(np.mean(losses)) if losses else float("nan")}

    def _distributed(self, parts: list[tuple[tf.Tensor, ...]]) -> tuple[Any, ...]:
        """A batch for each replica."""
        if len(parts) == 1:
            return parts[0]
        return tuple(
            self._strategy.experimental_distribute_values_from_function(
                lambda context, field=field: parts[context.replica_id_in_sync_group][field]
            )
            for field in range(len(parts[0]))
        )

    def _step(self, lists: int) -> Callable[..., Any]:
        """A function from one batch of `lists` lists a replica to the mean loss."""
        model, optimizer, strategy = self.model, self.optimizer, self._strategy
        replicas = strategy.num_replicas_in_sync

        def replica_step(
            features: tf.Tensor, content: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor
        ) -> tf.Tensor:
            with tf.GradientTape() as tape:
                logits = model.member_logits(features, training=True)
                loss = _list_loss(logits, labels, rows, lists)
                logits = model.content_member_logits(content, training=True)
                # The optimizer sums over replicas.
                total = (loss + _list_loss(logits, labels, rows, lists)) / replicas
            gradients = tape.gradient(total, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return loss

        @tf.function(reduce_retracing=True, autograph=False, jit_compile=self.options.xla)
        def step(*batch: Any) -> tf.Tensor:
            losses = strategy.run(replica_step, args=batch)
            return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

        return step


def usable_lists(part: CandidateFeatures) -> np.ndarray:
    """(first, last) of the lists that hold a positive and a negative, int64 `[n, 2]`."""
    first, last = part.offsets[:-1], part.offsets[1:]
    positives = np.concatenate([[0], np.cumsum(part.labels)])
    positives = positives[last] - positives[first]
    usable = (positives > 0) & (positives < last - first)
    return np.stack([first[usable], last[usable]], axis=1)


def _dataset(data: Sequence[CandidateFeatures], lists: np.ndarray, size: int) -> tf.data.Dataset:
    """Batches of `size` lists in the given order, the next ones made while one is trained on."""
    first = data[0]
    kinds = (
        tf.TensorSpec([None, *first.features.shape[1:]], first.features.dtype),
        tf.TensorSpec([None, *first.content.shape[1:]], first.content.dtype),
        tf.TensorSpec([None], first.labels.dtype),
        tf.TensorSpec([None], tf.int32),
    )

    def batches() -> Iterator[tuple[np.ndarray, ...]]:
        for start in range(0, len(lists), size):
            yield _batch(data, lists[start : start + size])

    return tf.data.Dataset.from_generator(batches, output_signature=kinds).prefetch(2)


def _batch(data: Sequence[CandidateFeatures], chosen: np.ndarray) -> tuple[np.ndarray, ...]:
    """Features, content, labels and list numbers of lists laid end to end.

    Filled up with rows of a list after the last one, so that there are few shapes to compile for.
    """
    rows = np.repeat(np.arange(len(chosen), dtype=np.int32), chosen[:, 2] - chosen[:, 1])
    filling = -len(rows) % _ROWS

    def joined(field: str) -> np.ndarray:
        values = [getattr(data[part], field)[first:last] for part, first, last in chosen]
        values.append(np.zeros((filling, *values[0].shape[1:]), values[0].dtype))
        return np.concatenate(values)

    rows = np.concatenate([rows, np.full(filling, len(chosen), np.int32)])
    return joined("features"), joined("content"), joined("labels"), rows


def _list_loss(logits: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor, lists: int) -> tf.Tensor:
    """Listwise softmax over `lists` lists laid end to end, mean over lists and members.

    What belongs to list number `lists` is filling.
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
    return -tf.reduce_mean(likelihoods / positives[:, None])
