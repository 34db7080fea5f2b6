"""LambdaMART over features of words as a recommender."""

import os
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer, write_text
from tfhashtag.recommenders.lambdamart.settings import LambdaMartSettings
from tfhashtag.recommenders.lambdamart.word_features import (
    FEATURES,
    PairDocuments,
    word_counts,
    word_features,
)
from tfhashtag.recommenders.lambdamart.word_vectors import LdaVectors, TfidfVectors
from tfhashtag.recommenders.train_vocabulary import train_vocabulary
from tfhashtag.recommenders.user_recommender import (
    UserRecommender,
    imitated_futures,
    mean_average_precision,
    nothing_to_learn,
)
from tfhashtag.settings import RecommenderSettings
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.lightgbm_library import common_settings, load_lightgbm
from tfhashtag.training.monitor import TrainingMonitor

_TREES = "trees.txt"
_VECTORS = "word_vectors.npz"
_VOCABULARY = "vocabulary.json"
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)

_Lists = tuple[np.ndarray, np.ndarray, np.ndarray]  # features, labels, sizes of lists


class LambdaMartRecommender(UserRecommender):
    """LDA and TF-IDF of the engagement paper (EMNLP 2021, Section 4): boosted trees that rank.

    Topics or word weights come from the train split: the histories of its users and the contexts of
    its hashtags, a document each. Trees by LightGBM, with LambdaMART's gradients (Burges, 2010),
    read `word_features` of user and hashtag. They are trained on futures imitated inside the train
    split and stop where the valid split is ranked best. A run that was stopped starts again.
    """

    Settings = LambdaMartSettings
    settings: LambdaMartSettings
    uses_tensorflow = False
    word_vectors: LdaVectors | TfidfVectors

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.fit`.

        Raises:
            ConfigError: scikit-learn is missing, or LightGBM cannot be loaded.
            DataError: no imitated future has a list to learn from.
        """
        settings = self.settings
        monitor = monitor or TrainingMonitor(show=self.options.progress)
        self._read(data)
        self._set_vocabulary(train_vocabulary(self.corpus, settings.data.vocabulary_size))
        monitor.say(f"{settings.data.features} of the words of the train split")
        valid = self.valid_episode(settings.data.minimum_contexts)
        self.word_vectors.fit(self._train_documents(valid))
        parts = self._futures(monitor)
        if len(parts[2]) == 0:
            raise nothing_to_learn(self.corpus, settings.data.minimum_contexts)
        self._trees = self._grown(monitor, parts, _usable_lists(valid, self._features(valid)))
        found = mean_average_precision(valid.candidates, self.score_episode(valid))
        trees = float(self._trees.best_iteration)
        monitor.report("trees", 0, 0, {"trees": trees, "valid_MAP": found})

    def _futures(self, monitor: TrainingMonitor) -> _Lists:
        """What is learned from: the lists of each imitated future."""
        training = self.settings.training
        episodes = imitated_futures(
            self.corpus,
            training.futures,
            training.jitter,
            self.settings.seed,
            self.settings.data.minimum_contexts,
        )
        parts = []
        for index, episode in enumerate(episodes):
            monitor.say(f"features of imitated future {index + 1} of {len(training.futures)}")
            parts.append(_usable_lists(episode, self._features(episode)))
        features, labels, sizes = (np.concatenate(part) for part in zip(*parts, strict=True))
        return features, labels, sizes

    def _grown(self, monitor: TrainingMonitor, train: _Lists, valid: _Lists) -> Any:
        """The trees, as many as rank the valid lists best."""
        lightgbm, training = load_lightgbm(), self.settings.training
        features, labels, sizes = train
        dataset = lightgbm.Dataset(features, labels, group=sizes, feature_name=list(FEATURES))
        features, labels, sizes = valid
        sets = [dataset.create_valid(features, labels, group=sizes)] if len(sizes) else []
        callbacks: list[Any] = []
        if sets:
            callbacks.append(lightgbm.early_stopping(training.patience, verbose=False))
        with monitor.epoch("trees", 0, 1, training.trees) as bar:
            callbacks.append(lambda state: bar.on_train_batch_end(state.iteration))
            return lightgbm.train(
                {
                    "objective": "lambdarank",
                    "metric": "map",
                    "eval_at": [int(max(sizes, default=1))],
                    "num_leaves": training.leaves,
                    "min_data_in_leaf": training.leaf_pairs,
                    "learning_rate": training.learning_rate,
                    "seed": self.settings.seed,
                    **common_settings(len(train[1])),
                },
                dataset,
                training.trees,
                valid_sets=sets,
                callbacks=callbacks,
            )

    def score_episode(self, episode: Episode) -> np.ndarray:
        """Scores, float32, aligned with `episode.candidates.hashtags.values`."""
        if len(episode.candidates.labels) == 0:
            return np.zeros(0, np.float32)
        return self._trees.predict(self._features(episode)).astype(np.float32)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes trees, word vectors and vocabulary into an empty folder."""
        folder = pathlib.Path(folder)
        self.vocabulary.save(folder / _VOCABULARY)
        with atomic_writer(folder / _VECTORS, "wb") as file:
            np.savez(file, allow_pickle=False, **self.word_vectors.arrays())
        write_text(
            folder / _TREES, self._trees.model_to_string(num_iteration=self._trees.best_iteration)
        )

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`.

        Raises:
            ConfigError: scikit-learn is missing, or LightGBM cannot be loaded.
        """
        lightgbm, folder = load_lightgbm(), pathlib.Path(folder)
        self._read(data)
        self._set_vocabulary(Vocabulary.load(folder / _VOCABULARY))
        path = folder / _VECTORS
        try:
            with np.load(path, allow_pickle=False) as file:
                self.word_vectors.restore({name: file[name] for name in file.files})
            path = folder / _TREES
            self._trees = lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))
        except (*_UNREADABLE, lightgbm.basic.LightGBMError) as error:
            raise ArtifactError(f"{path}: not readable: {error}. Train again.") from error
        if self._trees.feature_name() != list(FEATURES):
            raise ArtifactError(
                f"{path}: found trees over {self._trees.feature_name()}, expected "
                f"{list(FEATURES)}; they are of another version. Train again."
            )

    @classmethod
    def parts_of(cls, settings: RecommenderSettings) -> Sequence[str]:
        """No vectors."""
        return ()

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        wanted = self.settings.data
        self.word_vectors = TfidfVectors()
        if wanted.features == "lda":
            self.word_vectors = LdaVectors(wanted.topics, wanted.topic_passes, self.settings.seed)

    def _set_vocabulary(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.words = MessageWords.of_messages(vocabulary, self.corpus.messages)

    def _train_documents(self, valid: Episode) -> scipy.sparse.csr_matrix:
        """Histories of all users and contexts of hashtags with enough of them, of train alone."""
        known = Rows.from_pairs(
            valid.contexts.row_of_value[~valid.future],
            valid.contexts.values[~valid.future],
            len(self.corpus.hashtags),
        )
        enough = np.flatnonzero(known.lengths >= self.settings.data.minimum_contexts).tolist()
        users = np.flatnonzero(valid.history.lengths).tolist()
        documents = [valid.history[user] for user in users] + [known[tag] for tag in enough]
        return word_counts(valid, Rows.from_lists(documents), self.words)

    def _features(self, episode: Episode) -> np.ndarray:
        documents = PairDocuments.of_episode(episode, self.words, self.settings.data.history_length)
        return word_features(documents, self.word_vectors)


def _usable_lists(episode: Episode, features: np.ndarray) -> _Lists:
    """Features, labels and list sizes of the lists that hold a positive and a negative."""
    lists = episode.candidates
    row, lengths = lists.hashtags.row_of_value, lists.hashtags.lengths
    positives = np.bincount(row, lists.labels, minlength=len(lengths))
    usable = (positives > 0) & (positives < lengths)
    return features[usable[row]], lists.labels[usable[row]], lengths[usable]
