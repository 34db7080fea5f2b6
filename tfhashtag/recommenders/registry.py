"""From a configuration to the trainable, scorable model that it names."""

from typing import Protocol

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.settings import PostSettings, Settings
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.options import TrainingOptions


class Recommender(Protocol):
    """What training, evaluation, recommendation and export ask of a model."""

    def fit(self, run) -> None:
        """Trains to the end, from the run's checkpoint where there is one."""

    def score(self, episode: Episode) -> np.ndarray:
        """Logits, float32, aligned with `episode.candidates.hashtags.values`."""

    def save(self, folder) -> None:
        """Writes the trained model's files into an empty folder."""

    def load(self, folder) -> None:
        """Reads what `save` wrote."""


def build_recommender(
    settings: Settings,
    corpus: Corpus,
    vectors: np.ndarray,
    options: TrainingOptions | None = None,
    names: np.ndarray | None = None,
) -> Recommender:
    """The recommender that `settings.model` names, with fresh weights.

    Args:
        settings: a validated configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, row `i` embeds message `i` of the corpus.
        options: how training will run.
        names: vectors of the hashtags' names, float32 `[hashtags, width]`; None: a model that
            reads them embeds them itself.
    """
    options = options or TrainingOptions()
    if settings.model == "engagement":
        from tfhashtag.recommenders.engagement.recommender import EngagementRecommender

        return EngagementRecommender(settings, corpus, vectors, options)
    if settings.model == "audience":
        from tfhashtag.recommenders.audience.recommender import AudienceRecommender

        return AudienceRecommender(settings, corpus, vectors, options, names)
    if settings.model == "scorer":
        from tfhashtag.recommenders.rules.recommender import ScorerRecommender

        return ScorerRecommender(settings, corpus, vectors, options)
    if settings.model == "collaborative":
        from tfhashtag.recommenders.als.recommender import CollaborativeRecommender

        return CollaborativeRecommender(settings, corpus, vectors, options)
    if settings.model == "lambdamart":
        from tfhashtag.recommenders.lambdamart.recommender import LambdaMartRecommender

        return LambdaMartRecommender(settings, corpus, vectors, options)
    raise AssertionError(settings.model)  # the schema knows no other name


def build_post_recommender(
    settings: PostSettings,
    corpus: Corpus,
    vectors: np.ndarray,
    options: TrainingOptions | None = None,
    proposals=None,
    names: np.ndarray | None = None,
):
    """The recommender of posts that `settings.model` names, with fresh weights.

    Args:
        settings: a validated configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, row `i` embeds message `i` of the corpus.
        options: how training will run.
        proposals: image proposals of the corpus, or None without images.
        names: as for `build_recommender`.
    """
    from tfhashtag.recommenders.phr.recommender import PostRecommender

    options = options or TrainingOptions()
    return PostRecommender(settings, corpus, vectors, options, proposals, names)
