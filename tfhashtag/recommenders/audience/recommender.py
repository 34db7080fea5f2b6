"""The recommended engagement model with all that it needs around it: to train, score and save."""

import os
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.recommenders.audience.audience import Audience, audience_of, names_from_messages
from tfhashtag.recommenders.audience.model import AudienceModel
from tfhashtag.recommenders.audience.scoring import (
    CandidateFeatures,
    candidate_features,
    score_audience,
)
from tfhashtag.recommenders.audience.settings import AudienceSettings
from tfhashtag.recommenders.hashtag_names import as_stored, embed_names, read_names, write_names
from tfhashtag.tasks.users.episode import Episode, evaluation_episode, imitated_future
from tfhashtag.training.checkpoint import load_state, read_meta, save_state
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.progress import TrainingMonitor

_WEIGHTS = "model.npz"
_NAMES = "hashtag_names.npy"
_ROWS = 512  # a batch has a multiple of so many rows


class AudienceRecommender:
    """Trains `AudienceModel` on imitated futures and ranks candidates with it.

    Two phases. `futures` trains on futures cut out of the train split and ranks the valid split
    after each epoch, which is what settings are chosen by. `refit` starts anew, with the valid
    split as one more future, and there is nothing left to stop by: it has as many epochs as the
    settings say, or with `patience` as many as `futures` had at its best valid MAP. Without
    `refit` the first phase's last epoch is the result.

    The batches of an epoch are a function of seed and epoch alone, and a checkpoint holds every
    variable, so that a resumed training gives the result of an uninterrupted one.

    Args:
        settings: the configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, frozen message embeddings.
        options: how to run.
        names: float32 `[hashtags, width]`, vectors of the hashtags' names; None has them embedded
            by the configured text encoder when training starts. Not read where the settings take
            the messages instead.
    """

    def __init__(
        self,
        settings: AudienceSettings,
        corpus: Corpus,
        vectors: np.ndarray,
        options: TrainingOptions,
        names: np.ndarray | None = None,
    ):
        self.settings = settings
        self.corpus = corpus
        self.vectors = np.asarray(vectors, np.float32)
        self.options = options
        self.names = None if names is None else as_stored(names)
        self._compiled: tuple | None = None
        self._new_model()

    def fit(self, run) -> None:
        """Trains to the end, from the run's checkpoint where there is one.

        Raises:
            DataError: no imitated future has a list to learn from.
        """
        monitor = TrainingMonitor(run, self.options.progress)
        training = self.settings.training
        if self.names is None and self.settings.data.hashtag_names == "encoder":
            monitor.say(f"embedding {len(self.corpus.hashtags)} hashtag names")
            self.names = embed_names(
                self.corpus,
                self.settings.text_encoder,
                "set `data.hashtag_names` to `messages`, or name an encoder",
            )
        parts = self._parts(monitor)
        valid = self._valid()
        valid_part = self._features(valid)
        phases = [("futures", parts)]
        if training.refit:
            phases.append(("refit", [*parts, valid_part]))
        state: dict[str, Any] = {"phase": 0, "epoch": 0, "valid": []}
        resumed = run.checkpoint.is_file()
        if resumed:
            state = read_meta(run.checkpoint)
            monitor.say(f"resumed: {phases[state['phase']][0]}, {state['epoch']} epochs done")
        for phase in range(state["phase"], len(phases)):
            name, data = phases[phase]
            self._new_model()
            self.model.standardizer.adapt(np.concatenate([part.features for part in data]))
            self.model.content_standardizer.adapt(np.concatenate([part.content for part in data]))
            steps = sum(len(_lists(part)) for part in data) // training.batch_users
            optimizer = self._optimizer(max(steps, 1) * training.epochs)
            groups = {"model": self.model.variables, "optimizer": optimizer.variables}
            if resumed:
                load_state(run.checkpoint, groups)
                resumed = False
            elif phase > state["phase"]:
                state = {"phase": phase, "epoch": 0, "valid": state["valid"]}
            valid_values = list(state["valid"])
            epoch = state["epoch"]
            while epoch < self._epochs(name, valid_values):
                figures = self._epoch(monitor, optimizer, name, epoch, data)
                if name == "futures":
                    for key, scores in self._logits(valid_part).items():
                        found = evaluate(valid.candidates, scores, seed=0)["averages"]["all"]
                        figures[f"valid_{key}MAP"] = found["MAP"]
                    valid_values.append(figures["valid_MAP"])
                state = {"phase": phase, "epoch": epoch + 1, "valid": valid_values}
                step = phase * training.epochs + epoch
                monitor.checkpoint(groups, state, name, epoch, step, figures)
                epoch += 1
        logits = [self._logits(part) for part in phases[-1][1]]
        self.model.calibrate(
            np.concatenate([found[""] for found in logits]),
            np.concatenate([found["content_"] for found in logits]),
            np.concatenate([part.labels for part in phases[-1][1]]),
        )

    def score(self, episode: Episode) -> np.ndarray:
        """Logits, float32, aligned with `episode.candidates.hashtags.values`."""
        if len(episode.candidates.labels) == 0:
            return np.zeros(0, np.float32)
        return score_audience(
            self.model,
            episode,
            self.audience(episode),
            self.vectors,
            history_length=self.settings.data.history_length,
        )

    def audience(self, episode: Episode) -> Audience:
        """The constants of an episode, as this model reads them.

        Raises:
            ArtifactError: neither `fit` nor `load` came before.
        """
        data = self.settings.data
        names = self.names
        if data.hashtag_names == "messages":
            names = names_from_messages(episode, self.vectors)
        elif names is None:
            raise ArtifactError("the model has no hashtag names; call `fit` or `load` first.")
        return audience_of(
            episode,
            self.vectors,
            names,
            history_length=data.history_length,
            taste_width=data.taste_width,
        )

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights and hashtag names into an empty folder."""
        folder = pathlib.Path(folder)
        if self.settings.data.hashtag_names == "encoder" and self.names is not None:
            write_names(folder / _NAMES, self.names)
        save_state(folder / _WEIGHTS, {"model": self.model.variables}, {})

    def load(self, folder: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: a file is missing, damaged or of another configuration.
        """
        if self.settings.data.hashtag_names == "encoder":
            self.names = read_names(
                pathlib.Path(folder) / _NAMES, self.corpus, self.vectors.shape[1]
            )
        load_state(pathlib.Path(folder) / _WEIGHTS, {"model": self.model.variables})

    def _new_model(self) -> None:
        network = self.settings.network
        with self.options.scope():
            self.model = AudienceModel(
                members=network.members,
                hidden=network.hidden,
                dropout=network.dropout,
                seed=self.settings.seed,
                dtype=self.options.dtype_policy,
                name="audience",  # stands in the checkpoint's keys
            )

    def _parts(self, monitor: TrainingMonitor) -> list[CandidateFeatures]:
        """What is learned from: the features of each imitated future."""
        parts = []
        for index, episode in enumerate(self._futures()):
            total = len(self.settings.training.futures)
            monitor.say(f"signals of imitated future {index + 1} of {total}")
            parts.append(self._features(episode))
        if not any(len(_lists(part)) for part in parts):
            raise DataError(
                f"{self.corpus.name}: no imitated future has a user with a positive and a negative "
                "candidate; the corpus is too small to train on, or lower `minimum_contexts`."
            )
        return parts

    def _futures(self):
        data = self.settings.data
        for index, (cut, until) in enumerate(self.settings.training.futures):
            yield imitated_future(
                self.corpus,
                cut,
                until=until,
                jitter=self.settings.training.jitter,
                seed=self.settings.seed * 101 + index,
                minimum_contexts=data.minimum_contexts,
            )

    def _valid(self) -> Episode:
        return evaluation_episode(
            self.corpus, Split.VALID, minimum_contexts=self.settings.data.minimum_contexts
        )

    def _features(self, episode: Episode) -> CandidateFeatures:
        if len(episode.catalogue) == 0 or len(episode.candidates.labels) == 0:
            empty = np.zeros((0, 0), np.float32)
            return CandidateFeatures(empty, empty, np.zeros(1, np.int64), np.zeros(0, np.float32))
        return candidate_features(
            episode,
            self.audience(episode),
            self.vectors,
            history_length=self.settings.data.history_length,
        )

    def _optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        training = self.settings.training
        with self.options.scope():
            optimizer = keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(training.learning_rate, steps),
                weight_decay=training.weight_decay,
                name="adamw",  # stands in the checkpoint's keys
            )
            optimizer.build(self.model.trainable_variables)
        return optimizer

    def _step(self, optimizer, strategy, lists: int):
        """A function from one batch of `lists` lists a replica to the mean loss."""
        model, replicas = self.model, strategy.num_replicas_in_sync

        def replica_step(features, content, labels, rows):
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
        def step(*batch):
            losses = strategy.run(replica_step, args=batch)
            return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

        return step

    def _epochs(self, name: str, valid_values: list[float]) -> int:
        """How many epochs a phase has, as far as `futures` has told by its valid MAP yet."""
        training = self.settings.training
        if not training.patience:
            return training.epochs
        best = int(np.argmax(valid_values)) + 1 if valid_values else 0
        return best if name == "refit" else min(training.epochs, best + training.patience)

    def _epoch(self, monitor, optimizer, name, epoch, data) -> dict[str, float]:
        training = self.settings.training
        with self.options.scope():
            strategy = tf.distribute.get_strategy()
        replicas = strategy.num_replicas_in_sync
        lists = np.concatenate(
            [
                np.pad(_lists(part), [[0, 0], [1, 0]], constant_values=index)
                for index, part in enumerate(data)
            ]
        )
        rng = np.random.default_rng([self.settings.seed, epoch])
        lists = lists[rng.permutation(len(lists))]
        size = max(min(training.batch_users, len(lists)) // replicas, 1)
        if self._compiled is None or self._compiled[0] != (id(optimizer), size):
            self._compiled = ((id(optimizer), size), self._step(optimizer, strategy, size))
        step = self._compiled[1]
        steps = len(lists) // (size * replicas)
        losses = []
        with monitor.epoch(name, epoch, training.epochs, steps) as bar:
            batches = iter(_dataset(data, lists[: steps * size * replicas], size))
            for index in range(steps):
                parts = [next(batches) for _ in range(replicas)]
                batch = parts[0]
                if replicas > 1:
                    batch = tuple(
                        strategy.experimental_distribute_values_from_function(
                            lambda context, field=field, parts=parts: parts[
                                context.replica_id_in_sync_group
                            ][field]
                        )
                        for field in range(len(batch))
                    )
                losses.append(float(step(*batch)))
                bar.on_train_batch_end(index, {"loss": losses[-1]})
        return {"loss": float(np.mean(losses)) if losses else float("nan")}

    def _logits(self, part: CandidateFeatures) -> dict[str, np.ndarray]:
        found: dict[str, list] = {"": [], "content_": []}
        for start in range(0, len(part.labels), 65536):
            stop = start + 65536
            found[""].append(self.model(part.features[start:stop], training=False))
            found["content_"].append(
                self.model.content_logits(part.content[start:stop], training=False)
            )
        return {
            key: np.concatenate([np.zeros(0, np.float32), *(np.asarray(v) for v in values)])
            for key, values in found.items()
        }


def _lists(part: CandidateFeatures) -> np.ndarray:
    """(first, last) of the lists that hold a positive and a negative, int64 `[n, 2]`."""
    first, last = part.offsets[:-1], part.offsets[1:]
    positives = np.concatenate([[0], np.cumsum(part.labels)])
    positives = positives[last] - positives[first]
    usable = (positives > 0) & (positives < last - first)
    return np.stack([first[usable], last[usable]], axis=1)


def _dataset(data: list[CandidateFeatures], lists: np.ndarray, size: int) -> tf.data.Dataset:
    """Batches of `size` lists in the given order, the next ones made while one is trained on."""
    first = data[0]
    kinds = (
        tf.TensorSpec([None, *first.features.shape[1:]], first.features.dtype),
        tf.TensorSpec([None, *first.content.shape[1:]], first.content.dtype),
        tf.TensorSpec([None], first.labels.dtype),
        tf.TensorSpec([None], tf.int32),
    )

    def batches():
        for start in range(0, len(lists), size):
            yield _batch(data, lists[start : start + size])

    return tf.data.Dataset.from_generator(batches, output_signature=kinds).prefetch(2)


def _batch(data: list[CandidateFeatures], chosen: np.ndarray) -> tuple[np.ndarray, ...]:
    """Features, content, labels and list numbers of lists laid end to end.

    Filled up with rows of a list after the last one, so that there are few shapes to compile for.
    """
    rows = np.repeat(np.arange(len(chosen), dtype=np.int32), chosen[:, 2] - chosen[:, 1])
    filling = -len(rows) % _ROWS

    def joined(field):
        values = [getattr(data[part], field)[first:last] for part, first, last in chosen]
        values.append(np.zeros((filling, *values[0].shape[1:]), values[0].dtype))
        return np.concatenate(values)

    rows = np.concatenate([rows, np.full(filling, len(chosen), np.int32)])
    return joined("features"), joined("content"), joined("labels"), rows


def _list_loss(logits, labels, rows, lists):
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
