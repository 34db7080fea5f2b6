"""LambdaMART over features of words, with all that it needs around it: to train, score and save."""

import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.files import atomic_writer
from tfhashtag.recommenders.lambdamart.settings import LambdaMartSettings
from tfhashtag.recommenders.lambdamart.word_features import (
    FEATURES,
    PairDocuments,
    word_counts,
    word_features,
)
from tfhashtag.recommenders.lambdamart.word_vectors import LdaVectors, TfidfVectors
from tfhashtag.tasks.users.episode import Episode, evaluation_episode, imitated_future
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.progress import TrainingMonitor

_TREES = "trees.txt"
_VECTORS = "word_vectors.npz"
_VOCABULARY = "vocabulary.json"
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class LambdaMartRecommender:
    """LDA and TF-IDF of the engagement paper (EMNLP 2021, Section 4): boosted trees that rank.

    Topics or word weights come from the train split: the histories of its users and the contexts of
    its hashtags, a document each. Trees by LightGBM, with LambdaMART's gradients (Burges, 2010),
    read `word_features` of user and hashtag. They are trained on futures imitated inside the train
    split and stop where the valid split is ranked best. A run that was stopped starts again.

    Args:
        settings: the configuration.
        corpus: the posts.
        vectors: not read; the words alone count here.
        options: how to run.
    """

    def __init__(
        self,
        settings: LambdaMartSettings,
        corpus: Corpus,
        vectors: np.ndarray,
        options: TrainingOptions,
    ):
        self.settings = settings
        self.corpus = corpus
        self.options = options
        train = np.unique(corpus.message_of_post[corpus.split_of_post == Split.TRAIN])
        self._set_vocabulary(
            Vocabulary.of_messages(
                (corpus.messages[message] for message in train), settings.data.vocabulary_size
            )
        )
        data = settings.data
        self.word_vectors: LdaVectors | TfidfVectors = (
            LdaVectors(data.topics, data.topic_passes, settings.seed)
            if data.features == "lda"
            else TfidfVectors()
        )
        self._trees: Any = None

    def fit(self, run) -> None:
        """Trains to the end.

        Raises:
            ConfigError: scikit-learn or LightGBM is missing.
            DataError: no imitated future has a list to learn from.
        """
        lightgbm = _lightgbm()
        settings, training = self.settings, self.settings.training
        monitor = TrainingMonitor(run, self.options.progress)
        monitor.say(f"{settings.data.features} of the words of the train split")
        valid = evaluation_episode(
            self.corpus, Split.VALID, minimum_contexts=settings.data.minimum_contexts
        )
        self.word_vectors.fit(self._train_documents(valid))
        parts = []
        for index, (cut, until) in enumerate(training.futures):
            monitor.say(f"features of imitated future {index + 1} of {len(training.futures)}")
            episode = imitated_future(
                self.corpus,
                cut,
                until=until,
                jitter=training.jitter,
                seed=settings.seed * 101 + index,
                minimum_contexts=settings.data.minimum_contexts,
            )
            parts.append(_usable_lists(episode, self._features(episode)))
        features, labels, sizes = (np.concatenate(part) for part in zip(*parts, strict=True))
        if len(sizes) == 0:
            raise DataError(
                f"{self.corpus.name}: no imitated future has a user with a positive and a negative "
                "candidate; the corpus is too small to train on, or lower `minimum_contexts`."
            )
        names = list(FEATURES)
        dataset = lightgbm.Dataset(features, labels, group=sizes, feature_name=names)
        features, labels, sizes = _usable_lists(valid, self._features(valid))
        sets = [dataset.create_valid(features, labels, group=sizes)] if len(sizes) else []
        callbacks = []
        if sets:
            callbacks.append(lightgbm.early_stopping(training.patience, verbose=False))
        with monitor.epoch("trees", 0, 1, training.trees) as bar:
            callbacks.append(lambda state: bar.on_train_batch_end(state.iteration))
            self._trees = lightgbm.train(
                {
                    "objective": "lambdarank",
                    "metric": "map",
                    "eval_at": [int(max(sizes, default=1))],
                    "num_leaves": training.leaves,
                    "min_data_in_leaf": training.leaf_pairs,
                    "learning_rate": training.learning_rate,
                    "seed": settings.seed,
                    "deterministic": True,
                    "force_row_wise": True,
                    "verbosity": -1,
                },
                dataset,
                training.trees,
                valid_sets=sets,
                callbacks=callbacks,
            )
        found = evaluate(valid.candidates, self.score(valid), seed=0)["averages"]["all"]
        monitor.report(
            "trees", 0, 0, {"trees": float(self._trees.best_iteration), "valid_MAP": found["MAP"]}
        )

    def score(self, episode: Episode) -> np.ndarray:
        """Scores, float32, aligned with `episode.candidates.hashtags.values`.

        Raises:
            ArtifactError: neither `fit` nor `load` came before.
        """
        if self._trees is None:
            raise ArtifactError("there are no trees yet; call `fit` or `load` first.")
        if len(episode.candidates.labels) == 0:
            return np.zeros(0, np.float32)
        return self._trees.predict(self._features(episode)).astype(np.float32)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes trees, word vectors and vocabulary into an empty folder."""
        folder = pathlib.Path(folder)
        self.vocabulary.save(folder / _VOCABULARY)
        with atomic_writer(folder / _VECTORS, "wb") as file:
            np.savez(file, allow_pickle=False, **self.word_vectors.arrays())
        with atomic_writer(folder / _TREES) as file:
            file.write(self._trees.model_to_string(num_iteration=self._trees.best_iteration))

    def load(self, folder: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: a file is missing, damaged or of another configuration.
            ConfigError: scikit-learn or LightGBM is missing.
        """
        folder = pathlib.Path(folder)
        lightgbm = _lightgbm()
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

    def _set_vocabulary(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.words = MessageWords.of_messages(vocabulary, self.corpus.messages)

    def _train_documents(self, valid: Episode):
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


def _usable_lists(episode: Episode, features: np.ndarray) -> tuple[np.ndarray, ...]:
    """Features, labels and list sizes of the lists that hold a positive and a negative."""
    lists = episode.candidates
    row, lengths = lists.hashtags.row_of_value, lists.hashtags.lengths
    positives = np.bincount(row, lists.labels, minlength=len(lengths))
    usable = (positives > 0) & (positives < lengths)
    return features[usable[row]], lists.labels[usable[row]], lengths[usable]


def _lightgbm():
    try:
        import lightgbm
    except ImportError as error:
        raise ConfigError(
            "LambdaMART needs lightgbm; install it with `pip install 'tfhashtag[baselines]'`."
        ) from error
    return lightgbm
