"""Collaborative filtering with what a run asks of a model: to train, score and save."""

import os
import pathlib

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.evaluation import evaluate
from tfhashtag.recommenders.als.model import CollaborativeFilter
from tfhashtag.recommenders.als.settings import CollaborativeSettings
from tfhashtag.tasks.users.episode import Episode, evaluation_episode
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.progress import TrainingMonitor

_FACTORS = "factors.npz"


class CollaborativeRecommender:
    """Trains `CollaborativeFilter` on the train split and ranks candidates with it.

    It takes seconds: a run that was stopped starts again.

    Args:
        settings: the configuration.
        corpus: the posts.
        vectors: not read; there is no text in collaborative filtering.
        options: how to run.
    """

    def __init__(
        self,
        settings: CollaborativeSettings,
        corpus: Corpus,
        vectors: np.ndarray,
        options: TrainingOptions,
    ):
        training = settings.training
        self.settings = settings
        self.corpus = corpus
        self.options = options
        self.model = CollaborativeFilter(
            factors=training.factors,
            regularization=training.regularization,
            confidence=training.confidence,
            iterations=training.iterations,
            seed=settings.seed,
        )

    def fit(self, run) -> None:
        """Trains to the end.

        Raises:
            ConfigError: the package `implicit` is missing.
            DataError: the corpus has no train posts with hashtags.
        """
        monitor = TrainingMonitor(run, self.options.progress)
        monitor.say(f"factors of {len(self.corpus.users)} users")
        self.model.fit(self.corpus)
        valid = evaluation_episode(
            self.corpus, Split.VALID, minimum_contexts=self.settings.data.minimum_contexts
        )
        found = evaluate(valid.candidates, self.score(valid), seed=0)["averages"]["all"]
        monitor.report("factors", 0, 0, {"valid_MAP": found["MAP"]})

    def score(self, episode: Episode) -> np.ndarray:
        """Scores, float32, aligned with `episode.candidates.hashtags.values`."""
        return self.model.score(episode)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the factors into an empty folder."""
        self.model.save(pathlib.Path(folder) / _FACTORS)

    def load(self, folder: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: the file is missing, damaged or of another configuration.
        """
        self.model.load(pathlib.Path(folder) / _FACTORS)
