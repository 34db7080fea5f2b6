"""The published engagement model as a recommender: trains, ranks, saves."""

import functools
import os
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.explain.explanation import Explanation
from tfhashtag.recommenders.engagement.compose import compose
from tfhashtag.recommenders.engagement.explanation import explain_engagement
from tfhashtag.recommenders.engagement.model import EngagementModel
from tfhashtag.recommenders.engagement.pipeline import (
    context_rows,
    history_rows,
    topic_batches,
    training_batches,
)
from tfhashtag.recommenders.engagement.scoring import score_candidates
from tfhashtag.recommenders.engagement.servable import engagement_servable
from tfhashtag.recommenders.engagement.settings import EngagementSettings
from tfhashtag.recommenders.engagement.similarity_start import start_from_similarity
from tfhashtag.recommenders.engagement.topic_documents import topic_documents
from tfhashtag.recommenders.engagement.topic_start import start_from_clusters
from tfhashtag.recommenders.train_vocabulary import train_vocabulary
from tfhashtag.recommenders.user_recommender import (
    UserRecommender,
    mean_average_precision,
)
from tfhashtag.tasks.users.episode import Episode, imitated_future, leave_out_episode, redraw
from tfhashtag.tasks.users.servable import UsersServable
from tfhashtag.training.checkpoint import load_state, save_state
from tfhashtag.training.monitor import Groups, TrainingMonitor
from tfhashtag.training.options import Shares, TrainingOptions
from tfhashtag.training.trainer import Phase, Show, Trainer, deterministic, weights_of

_WEIGHTS = "model.npz"
_VOCABULARY = "vocabulary.json"
_CUTS = (0.6, 0.85)  # of imitated futures: what fraction of a user's posts is known
_JITTER = 0.1
_WHOLE = TrainingOptions().shares
_TOPICS = "topics"  # the phase that trains the topic model alone


class EngagementRecommender(UserRecommender):
    """Trains `EngagementModel` in three phases and ranks candidates with it.

    After each epoch of the last two phases the valid split is ranked; the weights of the best epoch
    are the result.

    Attributes:
        model: the network, from `fit` or `load` on.
        vocabulary, words: of the topic model, and the words of each message.
        scale: what `vectors` are multiplied by before the model reads them.
    """

    Settings = EngagementSettings
    trains_by_gradients = True
    settings: EngagementSettings
    model: EngagementModel
    vocabulary: Vocabulary
    words: MessageWords
    scale: float

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.fit`.

        Raises:
            DataError: the corpus has no pair of user and hashtag to learn from.
        """
        monitor = monitor or TrainingMonitor(show=self.options.progress)
        deterministic(self.settings.seed)
        self._read(data)
        self._set_vocabulary(train_vocabulary(self.corpus, self.settings.data.vocabulary_size))
        valid = self.valid_episode(self.settings.data.minimum_contexts)
        if not monitor.resumes:
            self._start()

        def measured() -> dict[str, float]:
            return {
                "valid_MAP": mean_average_precision(valid.candidates, self.score_episode(valid))
            }

        training = self.settings.training
        phases = [
            Phase(
                name,
                epochs,
                functools.partial(self._begin, name),
                functools.partial(self._epoch, name),
                None if name == _TOPICS else measured,
                "valid_MAP",
            )
            for name, epochs in training.epochs
            if epochs
        ]
        Trainer(monitor, training.patience).fit(phases)

    def score_episode(self, episode: Episode) -> np.ndarray:
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

    def servable(self, k: int = 50) -> UsersServable:
        """See `Recommender.servable`."""
        return engagement_servable(self, k)

    def explain(
        self, query: str, hashtag: str | None = None, *, split: str = "test", **more: Any
    ) -> Explanation:
        """See `explain_engagement`."""
        return explain_engagement(self, query, hashtag, split, **more)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights and vocabulary into an empty folder."""
        folder = pathlib.Path(folder)
        self.vocabulary.save(folder / _VOCABULARY)
        save_state(folder / _WEIGHTS, {"model": weights_of(self.model)}, {})

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        folder = pathlib.Path(folder)
        self._read(data)
        self._set_vocabulary(Vocabulary.load(folder / _VOCABULARY))
        load_state(folder / _WEIGHTS, {"model": weights_of(self.model)})

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        # Unit root mean square a component, whatever the encoder's scale: with vectors of length
        # one, components of 0.05 would leave the first epochs without a gradient to speak of.
        mean = np.mean(np.square(self.vectors, dtype=np.float64))
        self.scale = float(1 / max(np.sqrt(mean), 1e-6))
        self.vectors = (np.asarray(self.vectors) * np.float32(self.scale)).astype(np.float32)
        vars(self).pop("_train_episode", None)

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

    def _begin(self, phase: str) -> Groups:
        """Makes the optimizer of a phase."""
        training = self.settings.training
        self.model.set_phase(phase)
        with self.options.scope():
            optimizer = keras.optimizers.Adam(
                (phase == _TOPICS and training.topic_learning_rate) or training.learning_rate,
                name="adam",  # else Keras counts on, and a checkpoint knows it by another name
            )
            optimizer.build(self.model.trainable_variables)
        self.options.compile(self.model, optimizer=optimizer)
        return {"model": weights_of(self.model), "optimizer": optimizer.variables}

    def _start(self) -> None:
        """Sets the weights that do not start at random."""
        if self.model.topic_model is not None:
            self._start_topics(self.model.topic_model)
        if self.settings.network.start == "similarity":
            users = np.arange(len(self.corpus.users))
            history = history_rows(self._train_episode, users, self.settings.data.history_length)
            batch = next(iter(self._pairs(0)))
            start_from_similarity(self.model, history, batch, seed=self.settings.seed)

    def _start_topics(self, topic_model: Any) -> None:
        corpus, settings = self.corpus, self.settings
        if settings.network.topic_start == "clusters":
            documents, _ = topic_documents(corpus, self.words, settings.data.minimum_contexts)
            start_from_clusters(topic_model, documents, settings.seed)
        else:
            train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
            bags = self.words.bags(np.unique(corpus.message_of_post[train])[None, None, :])
            topic_model.start_from_counts(bags.reshape(-1))

    def _epoch(self, phase: str, epoch: int, step: int, show: Show) -> dict[str, float]:
        settings, data = self.settings, self.settings.data
        if phase == _TOPICS:
            batches = topic_batches(
                self._train_episode,
                self.words,
                batch_hashtags=settings.training.batch_users,
                contexts_length=data.contexts_length,
                seed=settings.seed,
                epoch=step,
                shares=self.options.shares,
            )
        else:
            batches = self._pairs(step, self.options.shares)
        with show(int(batches.cardinality()) // len(self.options.replicas[0])) as bar:
            return self.options.fit(self.model, batches, bar)

    def _pairs(self, step: int, shares: Shares = _WHOLE) -> tf.data.Dataset:
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
                hide_own=data.exclude_own,
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
            shares=shares,
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
