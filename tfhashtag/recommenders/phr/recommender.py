"""A post model with all that it needs around it: to train, score and save."""

import functools
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.vocabulary import Vocabulary
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.evaluation.post_metrics import evaluate_posts
from tfhashtag.files import write_json
from tfhashtag.layers import WordIds
from tfhashtag.losses import LabelCrossentropy
from tfhashtag.recommenders.hashtag_names import as_stored, embed_names, read_names, write_names
from tfhashtag.recommenders.phr.compose import compose
from tfhashtag.recommenders.phr.settings import PhrSettings
from tfhashtag.recommenders.post_settings import PostNetworkSettings
from tfhashtag.recommenders.rules.posts import train_counts
from tfhashtag.tasks.posts.inputs import PostInputs, PostTables
from tfhashtag.tasks.posts.label_signals import SIDES_OF_SIGNALS
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.training.checkpoint import load_state, save_state
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.progress import TrainingMonitor

CUTOFF = 9  # the k of the F1 that the best epoch is chosen by
_WEIGHTS = "model.npz"
_WORDS = "words.json"
_NAMES = "hashtag_names.npy"
_BATCH = 500  # posts at a time outside training


class PostRecommender:
    """Trains `PhrModel` or `MaconModel` on the train posts and ranks labels for posts with it.

    The batches of an epoch are a function of seed and epoch alone, and the checkpoint after it
    holds every variable, so that a resumed training gives the result of an uninterrupted one.
    After each epoch the valid posts are ranked; the weights with the best F1@9 are the result.
    Without valid posts the last epoch's are.

    At inference a post's graph holds the train posts that were retrieved for it, whose messages are
    computed once for given weights: an answer does not depend on what else is asked.

    Args:
        settings: the configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, frozen embeddings of messages.
        options: how to run.
        proposals: image proposals of the corpus, as `load_proposals` gives them, or None.
        names: float32 `[hashtags, width]`, vectors of the hashtags' names; None has them embedded
            by the configured text encoder when training starts.

    Raises:
        DataError: no hashtag has enough train posts.
        ConfigError: the configuration asks for images and there are none.
    """

    def __init__(
        self,
        settings: PostNetworkSettings,
        corpus: Corpus,
        vectors: np.ndarray,
        options: TrainingOptions,
        proposals=None,
        names: np.ndarray | None = None,
    ):
        self.settings = settings
        self.corpus = corpus
        self.vectors = vectors
        self.options = options
        self.proposals = proposals
        self.names = None if names is None else as_stored(names)
        self.labels = PostLabels.of_corpus(corpus, settings.data.minimum_posts)
        train = np.unique(corpus.message_of_post[corpus.split_of_post == Split.TRAIN])
        self.words = Vocabulary.of_messages(
            (corpus.messages[message] for message in train), settings.data.vocabulary_size
        ).words
        self.model = self._new_model()

    def fit(self, run) -> None:
        """Trains to the end, from the run's checkpoint where there is one.

        Raises:
            DataError: no train post has a label.
        """
        training = self.settings.training
        monitor = TrainingMonitor(run, self.options.progress)
        if self.names is None:
            monitor.say(f"embedding {len(self.corpus.hashtags)} hashtag names")
            self.names = embed_names(self.corpus, self.settings.text_encoder, "name an encoder")
        monitor.say("looking for similar posts")
        rows = np.flatnonzero(self.labels.rows.lengths[self._train_inputs.posts] > 0)
        if len(rows) == 0:
            raise DataError(f"{self.corpus.name}: no train post has a label; nothing to learn.")
        valid_posts = self.labels.answerable(
            np.flatnonzero(self.corpus.split_of_post == Split.VALID)
        )
        valid = self._inputs(valid_posts) if len(valid_posts) else None
        with self.options.scope():
            optimizer = self._optimizer()
            optimizer.build(self.model.trainable_variables)
        self.options.compile(self.model, optimizer=optimizer, loss=LabelCrossentropy())
        groups = {"model": self.model.variables, "optimizer": optimizer.variables}
        state: dict[str, Any] = {"epoch": 0, "best": -1.0, "since": 0}
        best_path = run.folder / "checkpoints" / "best.npz"
        if run.checkpoint.is_file():
            state = load_state(run.checkpoint, groups)
            monitor.say(f"resumed: {state['epoch']} epochs done")
        elif getattr(self.model, "residual", None) is not None:
            self._adapt_residual(rows)
        while state["epoch"] < training.epochs:
            epoch = state["epoch"]
            batches = self._batches(rows, epoch)
            with monitor.epoch("posts", epoch, training.epochs, int(batches.cardinality())) as bar:
                history = self.model.fit(
                    batches, epochs=1, shuffle=False, verbose=0, callbacks=[bar]
                ).history
            figures = {"loss": float(history["loss"][-1])}
            stop = False
            if valid is not None:
                metrics = evaluate_posts(
                    self.labels.rows.take(valid.posts), self._logits(valid), posts=valid.posts
                )["metrics"]
                figures |= {
                    f"valid_{name}@{CUTOFF}": metrics[f"{name}@{CUTOFF}"]
                    for name in ("HitRate", "F1")
                }
                better = figures[f"valid_F1@{CUTOFF}"] > state["best"]
                if better:
                    state["best"] = figures[f"valid_F1@{CUTOFF}"]
                    save_state(best_path, {"model": self._weights}, {})
                state["since"] = 0 if better else state["since"] + 1
                stop = bool(training.patience) and state["since"] >= training.patience
            state["epoch"] = training.epochs if stop else epoch + 1
            monitor.checkpoint(groups, state, "posts", epoch, epoch, figures)
        if best_path.is_file():
            load_state(best_path, {"model": self._weights})

    def score(self, posts: np.ndarray) -> np.ndarray:
        """Logits of every label, float32 `[n, L]`, for corpus posts of any split, int `[n]`."""
        return self._logits(self._inputs(np.asarray(posts)))

    def inputs_of(self, posts: np.ndarray) -> tuple[PostInputs, dict[str, np.ndarray]]:
        """What `score` gives to the model for corpus posts, int `[n]`, as one batch."""
        inputs, catalogue = self._inputs(np.asarray(posts)), self.catalogue()
        rows = np.arange(len(inputs))
        batch = inputs.batch(rows)
        if catalogue:
            batch |= self._neighbour_inputs(inputs, rows, catalogue)
        return inputs, batch

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights, words and vectors of hashtag names into an empty folder."""
        folder = pathlib.Path(folder)
        write_json(folder / _WORDS, {"words": self.words})
        write_names(folder / _NAMES, self.tables.hashtags)
        save_state(folder / _WEIGHTS, {"model": self._weights}, {})

    def load(self, folder: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: a file is missing, damaged or of another configuration.
        """
        folder = pathlib.Path(folder)
        try:
            words = json.loads((folder / _WORDS).read_text(encoding="utf-8"))["words"]
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"{folder / _WORDS}: not readable: {error}. Train again."
            ) from error
        if words != self.words:
            raise ArtifactError(f"{folder / _WORDS}: the words are those of another corpus.")
        self.names = read_names(folder / _NAMES, self.corpus, self.vectors.shape[1])
        load_state(folder / _WEIGHTS, {"model": self._weights})

    @functools.cached_property
    def tables(self) -> PostTables:
        """The frozen vectors, a row a message, hashtag or image.

        Raises:
            ArtifactError: neither `fit` nor `load` came before.
        """
        if self.names is None:
            raise ArtifactError("the model has no hashtag names; call `fit` or `load` first.")
        tokens = self.word_ids.encode(self.corpus.messages)
        if self.proposals is None:
            return PostTables(tokens, self.vectors, self.names)
        found = self.proposals
        return PostTables(tokens, self.vectors, self.names, found.vectors, found.row_of_post)

    @functools.cached_property
    def word_ids(self) -> WordIds:
        """Texts to word ids, in the graph."""
        data = self.settings.data
        return WordIds(self.words, data.oov_buckets, data.words)

    @functools.cached_property
    def parts(self) -> tuple[str, ...]:
        """The parts of `PostInputs` that the model reads."""
        if not isinstance(self.settings, PhrSettings):
            return ("history",)
        network = self.settings.network
        parts = ["similar"]
        if network.own_side == "hashtags":
            parts.append("used")
        if network.residual:
            parts.append("signals")
        return tuple(parts)

    def catalogue(self) -> dict[str, np.ndarray]:
        """What train posts send in the graph, a row a train post; empty without a graph."""
        if not getattr(self.model, "linked", False):
            return {}
        inputs = self._train_inputs
        parts = [
            keras.tree.map_structure(np.asarray, self._compute_catalogue(inputs.batch(rows)))
            for rows in _blocks(len(inputs))
        ]
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        found["has_image"] = self._has_image(inputs.posts)
        found["has_text"] = inputs.has_text(np.arange(len(inputs)))
        place = self._train_place
        neighbours = inputs.neighbours()
        return self.model.spread(found, np.where(neighbours >= 0, place[neighbours], -1))

    # Traced once, not once an epoch.
    @functools.cached_property
    def _compute_catalogue(self):
        return tf.function(self.model.catalogue, reduce_retracing=True)

    @functools.cached_property
    def _compute_logits(self):
        return tf.function(lambda batch: self.model(batch, training=False), reduce_retracing=True)

    def _adapt_residual(self, rows: np.ndarray) -> None:
        sample = np.random.default_rng(self.settings.seed).permutation(rows)[:2000]
        batch = self._train_inputs.batch(sample)
        read = self.model.residual.read(batch)
        self.model.residual.adapt(
            train_counts(self.corpus, self.labels),
            self.tables.hashtags[self.labels.hashtags],
            read["text"],
            np.asarray(read["signals"])[batch["count_labels"] >= 0],
            read.get("visual"),
        )

    @functools.cached_property
    def _train_inputs(self) -> PostInputs:
        return self._inputs(np.flatnonzero(self.corpus.split_of_post == Split.TRAIN))

    @functools.cached_property
    def _train_place(self) -> np.ndarray:
        """Place of each corpus post among the train posts, -1 for others."""
        place = np.full(len(self.corpus), -1, np.int32)
        train = np.flatnonzero(self.corpus.split_of_post == Split.TRAIN)
        place[train] = np.arange(len(train))
        return place

    @property
    def _weights(self) -> list:
        """Weights and states of random generators, without the running figures of `fit`."""
        figures = {id(variable) for variable in self.model.metrics_variables}
        return [variable for variable in self.model.variables if id(variable) not in figures]

    def _inputs(self, posts: np.ndarray) -> PostInputs:
        return PostInputs(
            self.corpus, self.labels, self.tables, posts, self.settings.data, parts=self.parts
        )

    def _has_image(self, posts: np.ndarray) -> np.ndarray:
        if self.tables.proposal_row is None:
            return np.zeros(len(posts), bool)
        return self.tables.proposal_row[posts] >= 0

    def _logits(self, inputs: PostInputs) -> np.ndarray:
        catalogue = self.catalogue()
        parts = []
        for rows in _blocks(len(inputs)):
            batch = inputs.batch(rows)
            if catalogue:
                batch |= self._neighbour_inputs(inputs, rows, catalogue)
            parts.append(np.asarray(self._compute_logits(batch), np.float32))
        return np.concatenate([np.zeros((0, len(self.labels)), np.float32), *parts])

    def _neighbour_inputs(self, inputs: PostInputs, rows, catalogue) -> dict[str, np.ndarray]:
        found = inputs.neighbours()[rows]
        place = np.where(found >= 0, self._train_place[found], -1)
        real = place >= 0
        batch = {"neighbour_messages": catalogue["messages"][place]}
        for relation, has in (("visual", "has_image"), ("textual", "has_text")):
            if relation in catalogue:
                own = (
                    self._has_image(inputs.posts[rows])
                    if relation == "visual"
                    else inputs.has_text(rows)
                )
                batch[f"neighbour_{relation}"] = catalogue[relation][place]
                batch[f"neighbour_{relation}_mask"] = real & catalogue[has][place] & own[:, None]
        return batch

    def _batches(self, rows: np.ndarray, epoch: int) -> tf.data.Dataset:
        inputs, size = self._train_inputs, self.settings.training.batch_posts
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(rows)
        starts = range(0, len(order), size)

        def batches() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
            for start in starts:
                chosen = order[start : start + size]
                yield inputs.batch(chosen), inputs.targets(chosen)

        first, targets = next(batches())
        signature = (
            {name: _specification(name, values) for name, values in first.items()},
            _specification("count_labels", targets),
        )
        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return dataset.apply(tf.data.experimental.assert_cardinality(len(starts))).prefetch(2)

    def _optimizer(self) -> keras.optimizers.Optimizer:
        training = self.settings.training
        if training.optimizer == "sgd":
            return keras.optimizers.SGD(training.learning_rate, name="sgd")
        return keras.optimizers.AdamW(
            training.learning_rate, weight_decay=training.weight_decay, name="adamw"
        )

    def _new_model(self) -> keras.Model:
        settings, network, data = self.settings, self.settings.network, self.settings.data
        image_width = None if self.proposals is None else int(self.proposals.vectors.shape[-1])
        if self.proposals is not None and self.proposals.vectors.shape[1] != network.proposals:
            raise ConfigError(
                f"`network.proposals` is {network.proposals}, but the images of the corpus have "
                f"{self.proposals.vectors.shape[1]} proposals; make them equal."
            )
        words = 1 + len(self.words) + data.oov_buckets
        common: dict[str, Any] = {"dtype": self.options.dtype_policy, "name": settings.model}
        with self.options.scope():
            if isinstance(settings, PhrSettings):
                width = int(self.vectors.shape[1])
                return compose(
                    settings.network,
                    data,
                    len(self.labels),
                    width,
                    image_width,
                    words,
                    SIDES_OF_SIGNALS,
                    **common,
                )
            from tfhashtag.recommenders.macon.model import MaconModel

            return MaconModel(
                len(self.labels), image_width, words, **common, **network.model_dump()
            )


def _blocks(count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, _BATCH):
        yield np.arange(start, min(start + _BATCH, count))


def _specification(name: str, values: np.ndarray) -> tf.TensorSpec:
    """Of any number of rows; lists of labels are as long as the batch needs."""
    free = 2 if name.startswith("count_") else 1
    return tf.TensorSpec([None] * free + list(values.shape[free:]), values.dtype)
