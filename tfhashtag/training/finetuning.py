"""Text encoders that are trained on: texts of a hashtag move together, others apart."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import scipy.sparse
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
from tfhashtag.encoders.text_encoder import TextEncoder
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.files import atomic_directory, check_new_folder, write_json
from tfhashtag.training.monitor import Groups, TrainingMonitor
from tfhashtag.training.trainer import Phase, Show, Trainer, deterministic

_WATCHED = "valid_accuracy"
_WARM_UP = 0.1  # of all steps
_NAME = -1  # in place of a message: the hashtag's name


@dataclasses.dataclass(frozen=True)
class Finetuning:
    """How an encoder is trained on.

    Attributes:
        epochs: passes over the train posts; the one that is best on valid is kept.
        batch: pairs a step; each has the others of its batch as negatives.
        learning_rate: the highest of AdamW; it rises over the first tenth and falls to 0.
        temperature: that similarities are divided by.
        names: share of pairs whose other side is the hashtag's name in place of another text.
        seed: of pairs and their order.

    Raises:
        ConfigError: a value is out of range.
    """

    epochs: int = 2
    batch: int = 64
    learning_rate: float = 2e-5
    temperature: float = 0.05
    names: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = {
            "epochs": (1, 1000),
            "batch": (2, 1 << 16),
            "learning_rate": (1e-12, 1.0),
            "temperature": (1e-4, 100.0),
            "names": (0.0, 1.0),
            "seed": (0, 1 << 31),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(
                    f"`{name}` must be from {least} to {most}, found {getattr(self, name)}."
                )


class PairDrawer:
    """Draws pairs of a text and another side: another text of one of its hashtags, or its name.

    Args:
        corpus: the posts.
        split: whose texts are the first sides; the others are of the train split alone.
        names: share of pairs with a name; all where a hashtag has no other text.

    Attributes:
        messages: int `[n]`, the texts that have a hashtag to be paired by.
    """

    def __init__(self, corpus: Corpus, split: Split, names: float) -> None:
        self.corpus, self.names = corpus, names
        self._tags_of = _tags_of_messages(corpus, split)
        train = self._tags_of if split == Split.TRAIN else _tags_of_messages(corpus, Split.TRAIN)
        self._train = train
        self._texts_of = Rows.from_pairs(train.values, train.row_of_value, len(corpus.hashtags))
        usable = self._texts_of.lengths[self._tags_of.values] > 0
        count = np.bincount(self._tags_of.row_of_value[usable], minlength=len(self._tags_of))
        self.messages = np.flatnonzero(count)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One pair for every message, in an order by lot.

        Returns:
            int `[n, 3]`: message, hashtag, and the other message or -1 for the hashtag's name.
        """
        pairs = np.empty((len(self.messages), 3), np.int64)
        for row, message in enumerate(rng.permutation(self.messages)):
            tags = self._tags_of[message]
            tags = tags[self._texts_of.lengths[tags] > 0]
            tag = tags[rng.integers(len(tags))]
            texts = self._texts_of[tag]
            other = texts[rng.integers(len(texts))]
            by_name = rng.random() < self.names or other == message
            pairs[row] = message, tag, _NAME if by_name else other
        return pairs

    def together(self, pairs: np.ndarray) -> np.ndarray:
        """Which first and other sides of a batch share a hashtag or a text, bool `[n, n]`.

        Such are no negatives of one another; the diagonal is the pairs themselves.
        """
        first = self._matrix(self._tags_of, pairs[:, 0])
        named = pairs[:, 2] == _NAME
        other = self._matrix(self._train, np.maximum(pairs[:, 2], 0)).toarray()
        other[named] = 0
        other[np.flatnonzero(named), pairs[named, 1]] = 1
        shared = np.asarray(first @ other.T) > 0
        return shared | (pairs[:, 0][:, None] == pairs[:, 2][None])

    def texts(self, pairs: np.ndarray) -> tuple[list[str], list[str]]:
        """Both sides as strings."""
        messages, names = self.corpus.messages, self.corpus.hashtags
        return (
            [messages[message] for message in pairs[:, 0]],
            [
                names[tag] if other == _NAME else messages[other]
                for tag, other in pairs[:, 1:].tolist()
            ],
        )

    def _matrix(self, tags: Rows, messages: np.ndarray) -> scipy.sparse.csr_matrix:
        rows = tags.take(messages)
        shape = (len(rows), len(self.corpus.hashtags))
        return scipy.sparse.csr_matrix(
            (np.ones(len(rows.values), np.float32), rows.values, rows.offsets), shape=shape
        )


def contrastive_loss(
    first: tf.Tensor, other: tf.Tensor, together: tf.Tensor, temperature: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """InfoNCE in both directions, without false negatives (van den Oord et al., 2018, (4)).

    Args:
        first, other: float32 `[n, d]`, the two sides of each pair.
        together: bool `[n, n]`, which belong together though they are no pair.
        temperature: that cosines are divided by.

    Returns:
        The loss, and the share of pairs whose other side is nearest to the first of all that do
        not belong to it: scalars.

    Example:

    >>> sides = tf.eye(2)
    >>> loss, accuracy = contrastive_loss(sides, sides, tf.eye(2) > 0, 1.0)
    >>> round(float(loss), 4), float(accuracy)  # log(1 + 1 / e)
    (0.3133, 1.0)
    """
    first = tf.math.l2_normalize(first, axis=1)
    other = tf.math.l2_normalize(other, axis=1)
    logits = tf.matmul(first, other, transpose_b=True) / temperature
    pair = tf.eye(tf.shape(logits)[0], dtype=tf.bool)
    logits = tf.where(together & ~pair, logits.dtype.min / 2, logits)
    right = tf.linalg.diag_part(logits)
    loss = (tf.reduce_logsumexp(logits, axis=0) + tf.reduce_logsumexp(logits, axis=1)) / 2 - right
    accuracy = tf.reduce_mean(tf.cast(right >= tf.reduce_max(logits, axis=1), tf.float32))
    return tf.reduce_mean(loss), accuracy


def finetune(
    corpus: Corpus,
    encoder: TextEncoder,
    out: str | os.PathLike,
    how: Finetuning | None = None,
    *,
    progress: bool = True,
    resume: bool = False,
) -> dict[str, float]:
    """Trains an encoder on, on the texts and hashtags of a corpus, and writes it as a folder.

    Pairs are a train text and another train text, or the name, of one of its hashtags. What is
    best is chosen on pairs of valid texts with train texts; the test split is not looked at.

    Args:
        corpus: the posts.
        encoder: of a checkpoint; it is changed in place.
        out: folder to make, which every command takes as a text encoder.
        how: sizes and rates.
        progress: show a progress bar.
        resume: go on with what was stopped.

    Returns:
        The watched figure before and after: `before`, `after`.

    Raises:
        ConfigError: the encoder is no checkpoint, whose weights could be trained.
        DataError: no train text has a hashtag to be paired by.
        ArtifactError: `out` exists, or something was stopped there.
    """
    how = how or Finetuning()
    out = pathlib.Path(out)
    work = out.with_name(f".{out.name}.finetuning")
    if not isinstance(encoder, BackboneTextEncoder) or encoder.save is None:
        raise ConfigError(
            f"text encoder `{encoder.name}` has no weights that can be trained on; take `minilm`, "
            "`mpnet`, a KerasHub preset or a folder of a checkpoint."
        )
    check_new_folder(out)
    if work.exists() and not resume:
        raise ArtifactError(
            f"{work}: is what an earlier call left when it was stopped. Go on with it by `resume`, "
            "or delete it."
        )
    deterministic(how.seed)
    work.mkdir(parents=True, exist_ok=True)
    job = _Job(corpus, encoder, how)
    monitor = TrainingMonitor(work, show=progress)
    before = job.measure()[_WATCHED]
    monitor.say(f"{_WATCHED} {before:.4f} before")
    Trainer(monitor).fit([Phase("pairs", how.epochs, job.begin, job.epoch, job.measure, _WATCHED)])
    after = job.measure()[_WATCHED]
    about = {
        "text_encoder": encoder.name,
        "corpus": corpus.name,
        "data_digest": corpus.digest,
        **dataclasses.asdict(how),
        "before": before,
        "after": after,
    }
    with atomic_directory(out) as folder:
        encoder.save(folder)
        write_json(folder / "finetuning.json", about)
    shutil.rmtree(work)
    return {"before": before, "after": after}


class _Job:
    """The parts of the training loop."""

    def __init__(self, corpus: Corpus, encoder: BackboneTextEncoder, how: Finetuning) -> None:
        self.encoder, self.how = encoder, how
        self.train = PairDrawer(corpus, Split.TRAIN, how.names)
        if len(self.train.messages) < 2:
            raise DataError(
                f"{corpus.name}: {len(self.train.messages)} train texts have a hashtag; two are "
                "needed to be held apart."
            )
        valid = PairDrawer(corpus, Split.VALID, how.names)
        # Without valid posts the train pairs of a draw of their own are looked at.
        self.valid = valid if len(valid.messages) > 1 else self.train
        self.valid_pairs = self.valid.draw(np.random.default_rng([how.seed, 1 << 30]))
        encoder.backbone.trainable = True
        self.variables = encoder.backbone.trainable_variables
        encoder.backbone.trainable = False
        self.steps = max(len(self.train.messages) // how.batch, 1)
        ragged = tf.RaggedTensorSpec([None, None], tf.int32, 1)
        signature = [ragged, ragged, tf.TensorSpec([None, None], tf.bool)]
        self._measured = tf.function(self._loss, input_signature=signature)
        self._trained = tf.function(self._step, input_signature=signature)

    def begin(self) -> Groups:
        """Optimizer and weights."""
        steps = self.steps * self.how.epochs
        warm_up = max(int(_WARM_UP * steps), 1)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(steps - warm_up, 1),
            warmup_target=self.how.learning_rate,
            warmup_steps=warm_up,
        )
        self.optimizer = keras.optimizers.AdamW(
            rate, weight_decay=0.01, global_clipnorm=1.0, name="adamw"
        )
        self.optimizer.build(self.variables)
        return {"model": self.encoder.backbone.variables, "optimizer": self.optimizer.variables}

    def epoch(self, epoch: int, step: int, show: Show) -> dict[str, float]:
        """One pair for each train text."""
        pairs = self.train.draw(np.random.default_rng([self.how.seed, epoch]))
        losses = []
        with show(self.steps) as bar:
            for number, batch in enumerate(self._batches(self.train, pairs)):
                losses.append(float(self._trained(*batch)))
                bar.on_train_batch_end(number, {"loss": losses[-1]})
        return {"loss": float(np.mean(losses))}

    def measure(self) -> dict[str, float]:
        """Loss and accuracy of the valid pairs, the same each time."""
        found = [self._measured(*batch) for batch in self._batches(self.valid, self.valid_pairs)]
        loss, accuracy = np.mean([[float(value) for value in pair] for pair in found], axis=0)
        return {"valid_loss": float(loss), _WATCHED: float(accuracy)}

    def _batches(self, drawer: PairDrawer, pairs: np.ndarray) -> Iterator[tuple[Any, ...]]:
        size = min(self.how.batch, len(pairs))
        for start in range(0, len(pairs) - size + 1, size):
            chosen = pairs[start : start + size]
            first, other = (self.encoder.read(side)[0] for side in drawer.texts(chosen))
            yield first, other, tf.constant(drawer.together(chosen))

    def _loss(self, first: Any, other: Any, together: Any) -> tuple[tf.Tensor, tf.Tensor]:
        first, other = self.encoder.vectors(first), self.encoder.vectors(other)
        return contrastive_loss(first, other, together, self.how.temperature)

    def _step(self, first: Any, other: Any, together: Any) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in self.variables])
            loss, _ = self._loss(first, other, together)
        gradients = tape.gradient(loss, [variable.value for variable in self.variables])
        moved = [
            (gradient if gradient is not None else tf.zeros_like(variable.value))
            for gradient, variable in zip(gradients, self.variables, strict=True)
        ]
        self.optimizer.apply(moved, self.variables)
        return loss


def _tags_of_messages(corpus: Corpus, split: Split) -> Rows:
    """A row a message: the hashtags that posts of the split with this text have."""
    posts = np.flatnonzero(corpus.split_of_post == split)
    tags = Rows(corpus.hashtag_offsets, corpus.hashtag_values).take(posts)
    messages = corpus.message_of_post[posts][tags.row_of_value]
    row, tag = np.unique(np.stack([messages, tags.values]), axis=1)
    return Rows.from_pairs(row, tag, len(corpus.messages))
