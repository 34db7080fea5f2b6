"""The published engagement model with all that it needs around it: to train, score and save."""

import functools
import os
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.evaluation import evaluate
from tfhashtag.recommenders.engagement.compose import compose
from tfhashtag.recommenders.engagement.pipeline import (
    context_rows,
    history_rows,
    topic_batches,
    training_batches,
)
from tfhashtag.recommenders.engagement.scoring import score_candidates
from tfhashtag.recommenders.engagement.settings import EngagementSettings
from tfhashtag.recommenders.engagement.similarity_start import start_from_similarity
from tfhashtag.recommenders.engagement.topic_documents import topic_documents
from tfhashtag.recommenders.engagement.topic_start import start_from_clusters
from tfhashtag.tasks.users.episode import (
    Episode,
    evaluation_episode,
    imitated_future,
    leave_out_episode,
    redraw,
)
from tfhashtag.training.checkpoint import load_state, read_meta, save_state
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.progress import TrainingMonitor

_WEIGHTS = "model.npz"
_VOCABULARY = "vocabulary.json"
_CUTS = (0.6, 0.85)  # of imitated futures: what fraction of a user's posts is known
_JITTER = 0.1


class EngagementRecommender:
    """Trains `EngagementModel` in three phases and ranks candidates with it.

    An epoch is the unit of everything: its batches are a function of seed and epoch alone, and the
    checkpoint after it holds every variable, the optimizer's too, so that a resumed training gives
    the result of an uninterrupted one to the last digit. After each epoch of the last two phases
    the valid split is ranked; the weights of the best epoch are the result.

    Args:
        settings: the configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, frozen message embeddings; the model reads them
            multiplied by `scale`.
        options: how to run.
    """

    def __init__(
        self,
        settings: EngagementSettings,
        corpus: Corpus,
        vectors: np.ndarray,
        options: TrainingOptions,
    ):
        self.settings = settings
        self.corpus = corpus
        # Unit root mean square a component, whatever the encoder's scale: with vectors of length
        # one, components of 0.05 would leave the first epochs without a gradient to speak of.
        self.scale = float(1 / max(np.sqrt(np.mean(np.square(vectors, dtype=np.float64))), 1e-6))
        self.vectors = (np.asarray(vectors) * np.float32(self.scale)).astype(np.float32)
        self.options = options
        train = np.unique(corpus.message_of_post[corpus.split_of_post == Split.TRAIN])
        self._set_vocabulary(
            Vocabulary.of_messages(
                (corpus.messages[message] for message in train), settings.data.vocabulary_size
            )
        )

    def fit(self, run) -> None:
        """Trains to the end, from the run's checkpoint where there is one.

        Raises:
            DataError: the corpus has no pair of user and hashtag to learn from.
        """
        settings, training = self.settings, self.settings.training
        valid = evaluation_episode(
            self.corpus, Split.VALID, minimum_contexts=settings.data.minimum_contexts
        )
        monitor = TrainingMonitor(run, self.options.progress)
        epochs = dict(training.epochs)
        state: dict[str, Any] = {"phase": 0, "epoch": 0, "best": -1.0, "since": 0}
        best_path = run.folder / "checkpoints" / "best.npz"
        resumed = run.checkpoint.is_file()
        names = [name for name, count in epochs.items() if count]
        if resumed:
            state = read_meta(run.checkpoint)
            monitor.say(f"resumed: {names[state['phase']]}, {state['epoch']} epochs done")
        else:
            self._start()
        for phase in range(state["phase"], len(names)):
            name, limit = names[phase], epochs[names[phase]]
            self.model.set_phase(name)
            with self.options.scope():
                optimizer = keras.optimizers.Adam(
                    (name == "topics" and training.topic_learning_rate) or training.learning_rate,
                    name="adam",  # else Keras counts on, and a checkpoint knows it by another name
                )
                optimizer.build(self.model.trainable_variables)
            self.options.compile(self.model, optimizer=optimizer)
            groups = {"model": self._variables, "optimizer": optimizer.variables}
            if resumed:
                load_state(run.checkpoint, groups)
                resumed = False
            elif phase > state["phase"]:
                state = {"phase": phase, "epoch": 0, "best": state["best"], "since": 0}
            stop = False
            while state["epoch"] < limit and not stop:
                epoch = state["epoch"]
                step = sum(epochs[other] for other in names[:phase]) + epoch
                figures = self._epoch(monitor, name, epoch, limit, step)
                if name != "topics":
                    metrics = evaluate(valid.candidates, self.score(valid), seed=0)
                    figures["valid_MAP"] = metrics["averages"]["all"]["MAP"]
                    better = figures["valid_MAP"] > state["best"]
                    if better:
                        state["best"] = figures["valid_MAP"]
                        save_state(best_path, {"model": self._variables}, {})
                    state["since"] = 0 if better else state["since"] + 1
                    stop = bool(training.patience) and state["since"] >= training.patience
                state["epoch"] = limit if stop else epoch + 1
                monitor.checkpoint(groups, state, name, epoch, step, figures)
        if best_path.is_file():
            load_state(best_path, {"model": self._variables})

    def score(self, episode: Episode) -> np.ndarray:
        """Logits, float32, aligned with `episode.candidates.hashtags.values`."""
        data = self.settings.data
        return score_candidates(
            self.model,
            episode,
            self.words,
            history_length=data.history_length,
            contexts_length=data.contexts_of_ranked,
            seed=self.settings.seed,
        )

    def contexts(self, episode: Episode, hashtags: np.ndarray) -> np.ndarray:
        """Message rows of each hashtag's contexts, int32 `[n, M]`, -1 pads."""
        return context_rows(
            episode, hashtags, self.settings.data.contexts_of_ranked, self.settings.seed
        )

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights, model arguments and vocabulary into an empty folder."""
        folder = pathlib.Path(folder)
        self.vocabulary.save(folder / _VOCABULARY)
        save_state(folder / _WEIGHTS, {"model": self._variables}, {})

    def load(self, folder: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: a file is missing, damaged or of another configuration.
        """
        folder = pathlib.Path(folder)
        self._set_vocabulary(Vocabulary.load(folder / _VOCABULARY))
        load_state(folder / _WEIGHTS, {"model": self._variables})

    @property
    def _variables(self) -> list:
        """Weights and states of random generators, without the running figures of `fit`."""
        figures = {id(variable) for variable in self.model.metrics_variables}
        return [variable for variable in self.model.variables if id(variable) not in figures]

    def _set_vocabulary(self, vocabulary: Vocabulary) -> None:
        settings = self.settings
        self.vocabulary = vocabulary
        self.words = MessageWords.of_messages(vocabulary, self.corpus.messages)
        with self.options.scope():
            self.model = compose(
                settings.network,
                int(self.vectors.shape[1]),
                max(len(vocabulary), 1),
                positive_weight=settings.training.positive_weight,
                topic_weight=settings.training.topic_weight,
                seed=settings.seed,
                cudnn=not self.options.xla,  # which XLA cannot compile
                dtype=self.options.dtype_policy,
                name="engagement",  # stands in the checkpoint's keys
            )
        self.model.message_vectors = self.vectors

    def _start(self) -> None:
        """Sets the weights that do not start at random."""
        if self.model.topic_model is not None:
            self._start_topics(self.model.topic_model)
        if self.settings.network.start == "similarity":
            users = np.arange(len(self.corpus.users))
            history = history_rows(self._train_episode, users, self.settings.data.history_length)
            batch = next(iter(self._pairs(0)))
            start_from_similarity(self.model, history, batch, seed=self.settings.seed)

    def _start_topics(self, topic_model) -> None:
        corpus, settings = self.corpus, self.settings
        if settings.network.topic_start == "clusters":
            documents, _ = topic_documents(corpus, self.words, settings.data.minimum_contexts)
            start_from_clusters(topic_model, documents, settings.seed)
        else:
            train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
            bags = self.words.bags(np.unique(corpus.message_of_post[train])[None, None, :])
            topic_model.start_from_counts(bags.reshape(-1))

    def _epoch(self, monitor, phase: str, epoch: int, limit: int, step: int) -> dict[str, float]:
        settings, data = self.settings, self.settings.data
        if phase == "topics":
            batches = topic_batches(
                self._train_episode,
                self.words,
                batch_hashtags=settings.training.batch_users,
                contexts_length=data.contexts_length,
                seed=settings.seed,
                epoch=step,
            )
        else:
            batches = self._pairs(step)
        with monitor.epoch(phase, epoch, limit, int(batches.cardinality())) as bar:
            history = self.model.fit(
                batches, epochs=1, shuffle=False, verbose=0, callbacks=[bar]
            ).history
        return {name: float(values[-1]) for name, values in history.items()}

    def _pairs(self, step: int) -> tf.data.Dataset:
        """The batches of users with candidates of an epoch, counted over all phases."""
        settings, data = self.settings, self.settings.data
        seed = settings.seed * 10_007 + step
        if settings.training.examples == "leave_out":
            episode = redraw(self._train_episode, data.negatives, seed=seed)
        else:
            episode = imitated_future(
                self.corpus,
                float(np.random.default_rng([seed, 5]).uniform(*_CUTS)),
                jitter=_JITTER,
                seed=seed,
                minimum_contexts=data.minimum_contexts,
                negatives=data.negatives,
            )
        return training_batches(
            episode,
            self.words if self.model.topic_model is not None else None,
            batch_users=settings.training.batch_users,
            history_length=data.history_length,
            contexts_length=data.contexts_length,
            negatives=data.negatives,
            seed=settings.seed,
            epoch=step,
        )

    @functools.cached_property
    def _train_episode(self) -> Episode:
        data = self.settings.data
        return leave_out_episode(
            self.corpus,
            data.negatives,
            self.settings.seed,
            data.minimum_contexts,
            hide_own=data.exclude_own,
        )
