"""Rules for users: recommenders with nothing to train."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.recommenders.rules.settings import ScorerSettings
from tfhashtag.recommenders.rules.users import BertSimilarity, PopularityScorer, RandomScorer
from tfhashtag.recommenders.user_recommender import UserRecommender
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.monitor import TrainingMonitor


class ScorerRecommender(UserRecommender):
    """RANDOM, POPULAR and BERT-SIM of the engagement paper (EMNLP 2021, Section 4)."""

    Settings = ScorerSettings
    settings: ScorerSettings
    uses_tensorflow = False
    can_update = True

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """There is nothing to learn."""
        self._read(data)

    def score_episode(self, episode: Episode) -> np.ndarray:
        """Scores, float32, aligned with `episode.candidates.hashtags.values`."""
        by = self.settings.score_by
        if by == "random":
            return RandomScorer(self.settings.seed).score(episode)
        if by == "similarity":
            return BertSimilarity(self.vectors).score(episode)
        return PopularityScorer("train" if by == "train_posts" else "contexts").score(episode)

    def save(self, folder: str | os.PathLike) -> None:
        """There is nothing to write."""

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        self.fit(data)

    @classmethod
    def parts_of(cls, settings: Any) -> Sequence[str]:
        """Texts, where they are compared."""
        return ("texts",) if settings.score_by == "similarity" else ()
