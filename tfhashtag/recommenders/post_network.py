"""Networks over posts as recommenders: what PHR and MaCon share."""

import abc
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.encoders.vector_cache import Proposals
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.evaluation.post_metrics import CUTOFFS, evaluate_posts, rank_labels
from tfhashtag.files import write_json
from tfhashtag.layers import WordIds
from tfhashtag.losses import LabelCrossentropy
from tfhashtag.recommenders.epoch_posts import VALID_SHARE, EpochPosts, sample_of
from tfhashtag.recommenders.hashtag_names import NAMES, names_of, read_names, write_names
from tfhashtag.recommenders.post_recommender import PostRecommender
from tfhashtag.recommenders.post_settings import PostNetworkSettings
from tfhashtag.recommenders.sampled_labels import SampledLabels, among_some
from tfhashtag.recommenders.train_vocabulary import train_vocabulary
from tfhashtag.retrieval.choose_index import post_index
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex, digest_of_posts
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.post_search import PostIndex
from tfhashtag.tasks.posts.inputs import PostInputs, PostTables
from tfhashtag.tasks.posts.servable import PostsServable
from tfhashtag.training.checkpoint import load_state, save_state
from tfhashtag.training.generated import generated
from tfhashtag.training.monitor import Groups, TrainingMonitor
from tfhashtag.training.trainer import Phase, Show, Trainer, deterministic, weights_of

CUTOFF = 9  # the k of the F1 that the best epoch is chosen by
_WEIGHTS = "model.npz"
_WORDS = "words.json"
_INDEX = "similar_posts"
_BATCH = 500  # posts at a time outside training


class PostNetworkRecommender(PostRecommender):
    """Trains a network on the train posts and ranks labels for posts with it.

    The batches of an epoch are a function of seed and epoch alone. After each epoch the valid posts
    are ranked; the weights with the best F1@9 are the result. Without valid posts the last epoch's
    are. A subclass gives `parts`, `Context` and `_new_model`.

    Attributes:
        Context: what an export finds around a post, made of the recommender.
        parts: those of `PostInputs` that the network reads.
        model: the network, from `fit` or `load` on, as all that follows.
        proposals: of the pictures; None without.
        words: the vocabulary, most frequent first.
        word_ids: texts to word ids, in the graph.
        tables: the frozen vectors, a row a message, hashtag or image.
    """

    trains_by_gradients = True
    settings: PostNetworkSettings
    Context: ClassVar[type]
    parts: tuple[str, ...]
    model: Any
    proposals: Proposals | None
    words: list[str]
    word_ids: WordIds
    tables: PostTables
    _index_table: InvertedTable | None
    _sampled: SampledLabels | None = None
    _epoch_inputs: tuple[int, PostInputs] | None = None

    @abc.abstractmethod
    def _new_model(self, labels: int) -> keras.Model:
        """The network of so many labels, with fresh weights."""

    @property
    def _image_width(self) -> int | None:
        """Of a proposal of a picture; None without pictures."""
        return None if self.proposals is None else int(self.proposals.vectors.shape[-1])

    @property
    def _vocabulary_size(self) -> int:
        """That of `WordIds`."""
        return 1 + len(self.words) + self.settings.data.oov_buckets

    def _competing(self) -> int:
        """How many labels compete in a step of the training."""
        return len(self.labels)

    @property
    def _needs_all_posts(self) -> bool:
        """Whether what is computed of a post depends on all train posts."""
        return False

    def _adapt(self, inputs: PostInputs, rows: np.ndarray) -> None:
        """Prepares a fresh network for train posts, rows of `inputs`, where it needs that."""

    def _more(self, inputs: PostInputs) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """What gives, by rows of `inputs`, what the network reads besides when it answers."""
        return lambda rows: {}

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.fit`.

        Raises:
            DataError: no hashtag has enough train posts, or no train post has a label.
            ConfigError: the configuration asks for images and there are none, or for a part of the
                train posts an epoch and for a graph of them all.
        """
        training = self.settings.training
        monitor = monitor or TrainingMonitor(show=self.options.progress)
        deterministic(self.settings.seed)
        self._read(data)
        self._set_names(names_of(data, monitor, "name an encoder"))
        turns = self._turns()
        if turns.some:
            monitor.say(f"{len(turns.of(0)):,} of {len(turns.posts):,} posts an epoch")
        monitor.say("looking for similar posts")
        valid_posts = self.labels.answerable(self._posts_of(Split.VALID))
        if turns.some:
            most = max(1, training.epoch_posts // VALID_SHARE)
            valid_posts = sample_of(valid_posts, most, self.settings.seed)
        valid = self._inputs(valid_posts) if len(valid_posts) else None
        phase = Phase(
            "posts",
            training.epochs,
            functools.partial(self._begin, None if monitor.resumes else turns),
            functools.partial(self._epoch, turns),
            None if valid is None else functools.partial(self._measured, valid),
            f"valid_F1@{CUTOFF}",
        )
        Trainer(monitor, training.patience).fit([phase])
        self._sampled = None  # with tables as large as the weights
        self._epoch_inputs = None

    def score_posts(self, posts: np.ndarray) -> np.ndarray:
        """Logits of every label, float32 `[n, L]`, for corpus posts of any split, int `[n]`."""
        return self._logits(self._inputs(posts))

    def servable(self: Any, k: int = 50) -> PostsServable:
        """See `Recommender.servable`."""
        context = self.Context(self)
        return PostsServable.of_labels(
            self.data, self.labels, self.word_ids, self.model, context, k
        )

    def inputs_of(self, posts: np.ndarray) -> tuple[PostInputs, dict[str, np.ndarray]]:
        """What `score` gives to the model for corpus posts, int `[n]`, as one batch."""
        inputs = self._inputs(np.asarray(posts))
        rows = np.arange(len(inputs))
        return inputs, inputs.batch(rows) | self._more(inputs)(rows)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights, words and vectors of hashtag names into an empty folder."""
        folder = pathlib.Path(folder)
        write_json(folder / _WORDS, {"words": self.words})
        write_names(folder / NAMES, self.tables.hashtags)
        if isinstance(self.index, InvertedPostIndex):
            self.index.index.table.write(folder / _INDEX)
        save_state(folder / _WEIGHTS, {"model": weights_of(self.model)}, {})

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        folder = pathlib.Path(folder)
        self._read(data)
        try:
            words = json.loads((folder / _WORDS).read_text(encoding="utf-8"))["words"]
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"{folder / _WORDS}: not readable: {error}. Train again."
            ) from error
        if words != self.words:
            raise ArtifactError(f"{folder / _WORDS}: the words are those of another corpus.")
        self._set_names(read_names(folder / NAMES, self.corpus, self.vectors.shape[1]))
        if (folder / _INDEX).exists():
            self._index_table = InvertedTable.read(folder / _INDEX, self._index_digest())
        load_state(folder / _WEIGHTS, {"model": weights_of(self.model)})

    @classmethod
    def parts_of(cls, settings: Any) -> Sequence[str]:
        """Texts and names, and images where the settings name an encoder of them."""
        images = () if settings.image_encoder == "none" else ("images",)
        return ("texts", "names", *images)

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        network, wanted = self.settings.network, self.settings.data
        self.proposals = data.proposals
        self.words = train_vocabulary(self.corpus, wanted.vocabulary_size).words
        self.word_ids = WordIds(self.words, wanted.oov_buckets, wanted.words)
        for made in ("_train_inputs", "index"):
            vars(self).pop(made, None)
        self._index_table = self._epoch_inputs = None
        found = None if data.proposals is None else data.proposals.vectors.shape
        if found is not None and found[1] != network.proposals:
            raise ConfigError(
                f"`network.proposals` is {network.proposals}, but the images of the corpus have "
                f"{found[1]} proposals; make them equal."
            )
        with self.options.scope():
            self.model = self._new_model(len(self.labels))
        model = self.model
        # Traced once, not once an epoch.
        self._compute_logits = tf.function(
            lambda batch: model(batch, training=False), reduce_retracing=True, autograph=False
        )

    def _set_names(self, names: np.ndarray) -> None:
        tokens, found = self.word_ids.encode(self.corpus.messages), self.proposals
        tokens = tokens.astype(np.min_scalar_type(self._vocabulary_size))
        pictures = () if found is None else (found.vectors, found.rows_of_post)
        self.tables = PostTables(tokens, self.vectors, names, *pictures)

    @functools.cached_property
    def _train_inputs(self) -> PostInputs:
        posts, most = self._posts_of(Split.TRAIN), self.settings.training.epoch_posts
        if 0 < most < len(posts) and not self._needs_all_posts:
            posts = self.labels.answerable(posts)  # the others would only be looked around
        return self._inputs(posts)

    def _turns(self) -> EpochPosts:
        """Which train posts an epoch learns from."""
        learned = self.labels.answerable(self._posts_of(Split.TRAIN))
        if len(learned) == 0:
            raise DataError(f"{self.corpus.name}: no train post has a label; nothing to learn.")
        most = self.settings.training.epoch_posts
        turns = EpochPosts(learned, most, self.settings.seed)
        if turns.some and self._needs_all_posts:
            raise ConfigError(
                f"`training.epoch_posts` is {most}, but a graph of posts needs all {len(learned)} "
                "train posts in every epoch: set it to 0, or `network.graph` to none."
            )
        return turns

    def _inputs_of_epoch(self, turns: EpochPosts, epoch: int) -> tuple[PostInputs, np.ndarray]:
        """Inputs of train posts, and the rows of those that an epoch learns from.

        Those of all are found once and kept, those of a part when its epoch comes.
        """
        if not turns.some:
            lengths = self.labels.rows.lengths[self._train_inputs.posts]
            return self._train_inputs, np.flatnonzero(lengths > 0)
        if self._epoch_inputs is None or self._epoch_inputs[0] != epoch:
            self._epoch_inputs = None  # not held beside those that follow
            self._epoch_inputs = epoch, self._inputs(turns.of(epoch))
        inputs = self._epoch_inputs[1]
        return inputs, np.arange(len(inputs))

    @functools.cached_property
    def index(self) -> PostIndex | None:
        """What finds similar posts, where the network reads any."""
        if not {"similar", "signals"} & set(self.parts):
            return None
        tables, data = self.tables, self.settings.data
        given = data, data.visual_share, self._index_table
        return post_index(self.corpus, tables.text, tables.visual(), *given)

    def _index_digest(self) -> str:
        data, tables = self.settings.data, self.tables
        wanted = data.visual_share, data.index_vectors
        return digest_of_posts(self.corpus, tables.text, tables.visual(), *wanted)

    def _inputs(self, posts: np.ndarray) -> PostInputs:
        data, parts = self.settings.data, self.parts
        return PostInputs(
            self.corpus, self.labels, self.tables, posts, data, parts=parts, index=self.index
        )

    def _begin(self, turns: EpochPosts | None) -> Groups:
        """Makes the optimizer; adapts a fresh network to train posts, where there are any."""
        with self.options.scope():
            optimizer = self._optimizer()
        competing = self._competing()
        state: Groups = {}
        self._sampled = None
        if competing < len(self.labels):
            twin, training = self._new_model(competing), self.settings.training
            self._sampled = SampledLabels(self.model, twin, optimizer, training)
            state = {"labels": self._sampled.state}
        else:
            with self.options.scope():
                optimizer.build(self.model.trainable_variables)
            self.options.compile(self.model, optimizer=optimizer, loss=LabelCrossentropy())
        if turns is not None:
            self._adapt(*self._inputs_of_epoch(turns, 0))
        return {"model": weights_of(self.model), "optimizer": optimizer.variables, **state}

    def _optimizer(self) -> keras.optimizers.Optimizer:
        training = self.settings.training
        if training.optimizer == "sgd":
            return keras.optimizers.SGD(training.learning_rate, name="sgd")
        return keras.optimizers.AdamW(
            training.learning_rate, weight_decay=training.weight_decay, name="adamw"
        )

    def _epoch(self, turns: EpochPosts, epoch: int, step: int, show: Show) -> dict[str, float]:
        batches = self._batches(*self._inputs_of_epoch(turns, epoch), epoch)
        with show(int(batches.cardinality()) // len(self.options.replicas[0])) as bar:
            if self._sampled is not None:
                loss = self._sampled.fit(batches, bar)
            else:
                loss = self.options.fit(self.model, batches, bar)["loss"]
        self._epoch_inputs = None
        return {"loss": loss}

    def _measured(self, valid: PostInputs) -> dict[str, float]:
        relevant, count = self.labels.rows.take(valid.posts), len(self.labels)
        ranked = [
            rank_labels(logits, max(CUTOFFS), posts=valid.posts[rows])
            for rows, logits in self._scored(valid)
        ]
        found = evaluate_posts(relevant, rankings=np.concatenate(ranked), label_count=count)
        names = (f"{name}@{CUTOFF}" for name in ("HitRate", "F1"))
        return {f"valid_{name}": found["metrics"][name] for name in names}

    def _logits(self, inputs: PostInputs) -> np.ndarray:
        nothing = np.zeros((0, len(self.labels)), np.float32)
        return np.concatenate([nothing, *(logits for _, logits in self._scored(inputs))])

    def _scored(self, inputs: PostInputs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Some rows after the others, and their logits, float32 `[B, L]`."""
        more = self._more(inputs)
        for rows in blocks(len(inputs)):
            batch = inputs.batch(rows) | more(rows)
            yield rows, np.asarray(self._compute_logits(batch), np.float32)

    def _batches(self, inputs: PostInputs, rows: np.ndarray, epoch: int) -> tf.data.Dataset:
        size = self.settings.training.batch_posts
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(rows)
        parts = [
            part
            for start in range(0, len(order), size)
            for part in self.options.shares(order[start : start + size])
        ]
        weighted = self.options.strategy != "none"
        labels, competing = len(self.labels), self._competing()

        def batches() -> Iterator[tuple[Any, ...]]:
            draws = np.random.default_rng([self.settings.seed, epoch, competing])
            for chosen, weight in parts:
                batch = inputs.batch(chosen), inputs.targets(chosen)
                weights = (np.full(len(chosen), weight, np.float32),) if weighted else ()
                if self._sampled is not None:
                    yield among_some(*batch, labels, competing, draws)
                else:
                    yield *batch, *weights

        first, targets, *more = next(batches())
        signature = (
            {name: _specification(name, values) for name, values in first.items()},
            _specification("count_labels", targets),
            *(_specification("", values) for values in more),
        )
        dataset = generated(batches, signature)
        return dataset.apply(tf.data.experimental.assert_cardinality(len(parts))).prefetch(2)


def blocks(count: int) -> Iterator[np.ndarray]:
    """Rows below `count` in the blocks that are computed at once."""
    for start in range(0, count, _BATCH):
        yield np.arange(start, min(start + _BATCH, count))


def _specification(name: str, values: np.ndarray) -> tf.TensorSpec:
    """Of any number of rows; lists of labels are as long as the batch needs."""
    free = 2 if name.startswith("count_") else 1
    return tf.TensorSpec([None] * free + list(values.shape[free:]), values.dtype)
