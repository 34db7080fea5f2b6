"""What the recommenders of posts have in common."""

import abc
import dataclasses

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError
from tfhashtag.recommenders.base import Recommender
from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.tasks import POSTS, PostQueries, Queries
from tfhashtag.tasks.base import Ranking
from tfhashtag.tasks.posts.labels import PostLabels

SCORES = 1 << 25  # of posts and labels that are held at once: 128 MiB


class PostRecommender(Recommender):
    """Ranks a space of labels for posts; a subclass gives `score_posts`.

    Attributes:
        labels: the hashtags that are ranked, from `fit` or `load` on.
    """

    task = POSTS
    settings: PostSettings
    labels: PostLabels

    def score(self, queries: Queries) -> np.ndarray:
        """See `Recommender.score`."""
        if not isinstance(queries, PostQueries):
            raise TypeError(f"`queries` must be of posts, found {type(queries).__name__}.")
        if self.data is None:
            raise ArtifactError("nothing is learned yet; call `fit` or `load` first.")
        return self.score_posts(np.asarray(queries.posts))

    def rank(self, queries: Queries, k: int | None = None) -> Ranking:
        """See `Recommender.rank`; some posts at a time, of which the best hashtags are kept."""
        step = max(1, SCORES // max(len(self.labels), 1)) if self.data else len(queries)
        if len(queries) <= step:
            return super().rank(queries, k)
        parts = [
            super(PostRecommender, self).rank(queries.take(rows), k)
            for rows in np.split(np.arange(len(queries)), range(step, len(queries), step))
        ]
        lists = [part.lists for part in parts]
        joined = Candidates(
            np.concatenate([one.users for one in lists]),
            Rows.joined([one.hashtags for one in lists]),
            np.concatenate([one.labels for one in lists]),
        )
        scores = np.concatenate([part.scores for part in parts])
        return dataclasses.replace(parts[0], lists=joined, scores=scores)

    @abc.abstractmethod
    def score_posts(self, posts: np.ndarray) -> np.ndarray:
        """Scores of every label, float32 `[n, L]`, for corpus posts of any split, int `[n]`."""

    def _read(self, data: EncodedCorpus) -> None:
        """Takes the corpus that is learned from, and makes what has its sizes.

        Raises:
            DataError: no hashtag has enough train posts.
        """
        super()._read(data)
        self.labels = PostLabels.of_corpus(data.corpus, self.settings.data.minimum_posts)

    def _posts_of(self, split: Split) -> np.ndarray:
        """The posts of a split, int `[n]`."""
        return np.flatnonzero(self.corpus.split_of_post == split)
