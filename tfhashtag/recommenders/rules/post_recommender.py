"""Rules for posts: recommenders with nothing to train."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.recommenders.post_recommender import PostRecommender
from tfhashtag.recommenders.rules.posts import (
    NearestPosts,
    OwnHashtags,
    PopularHashtags,
    PostScorer,
    own_and_nearest,
)
from tfhashtag.recommenders.rules.settings import PostRuleSettings
from tfhashtag.tasks.posts.picture_means import mean_proposals
from tfhashtag.training.monitor import TrainingMonitor


class PostRuleRecommender(PostRecommender):
    """Popularity, the user's own hashtags, and those of the nearest posts."""

    Settings = PostRuleSettings
    settings: PostRuleSettings
    uses_tensorflow = False
    can_update = True

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """There is nothing to learn.

        Raises:
            DataError: no hashtag has enough train posts.
        """
        self._read(data)

    def score_posts(self, posts: np.ndarray) -> np.ndarray:
        """Scores of every label, float32 `[n, L]`, for corpus posts of any split, int `[n]`."""
        return self._scorer.score(posts)

    def save(self, folder: str | os.PathLike) -> None:
        """There is nothing to write."""

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        self._read(data)

    @classmethod
    def parts_of(cls, settings: Any) -> Sequence[str]:
        """What is compared."""
        compared = {
            "nearest_text": ("texts",),
            "own_nearest": ("texts",),
            "nearest_image": ("texts", "images"),
        }
        return compared.get(settings.rank_by, ())

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        self._scorer = self._new_scorer(data)

    def _new_scorer(self, data: EncodedCorpus) -> PostScorer:
        by, count = self.settings.rank_by, self.settings.data.similar_posts
        if by == "popularity":
            return PopularHashtags(self.corpus, self.labels)
        if by == "own":
            return OwnHashtags(self.corpus, self.labels)
        texts = self._texts()
        if by == "own_nearest":
            return own_and_nearest(self.corpus, self.labels, texts, count)
        if by == "nearest_text":
            return NearestPosts(self.corpus, self.labels, texts, count=count)
        found = data.proposals
        visual = None if found is None else mean_proposals(found.vectors, found.rows_of_post)
        return NearestPosts(self.corpus, self.labels, texts, visual, omega=1.0, count=count)

    def _texts(self) -> np.ndarray:
        """Message vectors; those of messages without a visible character are zeros."""
        empty = self.corpus.blank
        if not empty.any():
            return self.vectors
        vectors = np.array(self.vectors, np.float32)
        vectors[empty] = 0
        return vectors
