"""What the recommenders of posts have in common."""

import abc

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError
from tfhashtag.recommenders.base import Recommender
from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.tasks import POSTS, PostQueries, Queries
from tfhashtag.tasks.posts.labels import PostLabels


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
