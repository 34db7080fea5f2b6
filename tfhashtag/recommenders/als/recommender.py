"""Collaborative filtering as a recommender."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.recommenders.als.model import CollaborativeFilter
from tfhashtag.recommenders.als.settings import CollaborativeSettings
from tfhashtag.recommenders.user_recommender import UserRecommender, mean_average_precision
from tfhashtag.settings import RecommenderSettings
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.monitor import TrainingMonitor

_FACTORS = "factors.npz"


class CollaborativeRecommender(UserRecommender):
    """Trains `CollaborativeFilter` on the train taggings; reads no text.

    It takes seconds: a run that was stopped starts again.
    """

    Settings = CollaborativeSettings
    settings: CollaborativeSettings
    uses_tensorflow = False
    model: CollaborativeFilter

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.fit`.

        Raises:
            ConfigError: the package `implicit` is missing.
            DataError: the corpus has no train posts with hashtags.
        """
        monitor = monitor or TrainingMonitor(show=self.options.progress)
        self._read(data)
        monitor.say(f"factors of {len(self.corpus.users)} users")
        self.model.fit(self.corpus)
        valid = self.valid_episode(self.settings.data.minimum_contexts)
        found = mean_average_precision(valid.candidates, self.score_episode(valid))
        monitor.report("factors", 0, 0, {"valid_MAP": found})

    def score_episode(self, episode: Episode) -> np.ndarray:
        """Scores, float32, aligned with `episode.candidates.hashtags.values`."""
        return self.model.score(episode)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the factors into an empty folder."""
        self.model.save(pathlib.Path(folder) / _FACTORS)

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        self._read(data)
        self.model.load(pathlib.Path(folder) / _FACTORS)

    @classmethod
    def parts_of(cls, settings: RecommenderSettings) -> Sequence[str]:
        """No vectors."""
        return ()

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        self.model = CollaborativeFilter(
            **self.settings.training.model_dump(), seed=self.settings.seed
        )
