"""Plain rules to beat: popularity, the user's own hashtags, similar posts, and their sum."""

from typing import Protocol

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import ConfigError
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.post_search import PostIndex, PostQueries
from tfhashtag.tasks.posts.label_counts import LabelCounts
from tfhashtag.tasks.posts.labels import PostLabels


class PostScorer(Protocol):
    """Anything that scores every label for posts of a corpus."""

    def score(self, posts: np.ndarray) -> np.ndarray:
        """float32 `[n, L]`, higher is better, for the corpus posts int `[n]`."""
        ...


class PopularHashtags:
    """The same scores for every post: train posts with the label.

    Args:
        corpus: the posts.
        labels: the label space.
    """

    def __init__(self, corpus: Corpus, labels: PostLabels) -> None:
        self.counts = train_counts(corpus, labels)

    def score(self, posts: np.ndarray) -> np.ndarray:
        """float32 `[n, L]`."""
        return np.tile(self.counts.astype(np.float32), (len(posts), 1))


class OwnHashtags:
    """The user's own most frequent hashtags: train posts of the user with the label.

    The post itself never counts, and where there are timestamps only earlier posts do.

    Args:
        corpus: the posts.
        labels: the label space.
        by_popularity: whether equal counts are ordered by popularity: labels that the user never
            used then follow those that they did, most popular first.
    """

    def __init__(self, corpus: Corpus, labels: PostLabels, by_popularity: bool = True) -> None:
        self.corpus = corpus
        self.labels = labels
        counts = train_counts(corpus, labels)
        self.share = by_popularity * counts / (counts.max(initial=0) + 1.0)

    def score(self, posts: np.ndarray) -> np.ndarray:
        """float32 `[n, L]`: the count, plus less than 1 by popularity where asked for."""
        counts = LabelCounts.of_user_history(self.corpus, self.labels, posts)
        scores = counts.dense(np.arange(len(posts)), len(self.labels))
        return (scores + self.share).astype(np.float32)


class NearestPosts:
    """Labels of the most similar train posts of anybody, each post weighted by its cosine.

    Args:
        corpus: the posts.
        labels: the label space.
        text_vectors: float `[messages, g]`, row `i` embeds message `i`.
        visual: float `[posts, w]`, zeros for a post without image; or None.
        omega: share of visual similarity: 0 compares texts alone, 1 images alone.
        count: how many similar posts.
        index: in place of an `ExactPostIndex`.

    Raises:
        ConfigError: `count` below 1, or `omega` above 0 without images.
    """

    def __init__(
        self,
        corpus: Corpus,
        labels: PostLabels,
        text_vectors: np.ndarray,
        visual: np.ndarray | None = None,
        omega: float = 0.0,
        count: int = 20,
        index: PostIndex | None = None,
    ) -> None:
        if count < 1:
            raise ConfigError(f"`count` must be at least 1, found {count}.")
        if visual is None and omega > 0:
            raise ConfigError(
                f"`omega` is {omega}, but there are no `visual` vectors; set it to 0."
            )
        self.corpus = corpus
        self.labels = labels
        self.text_vectors = text_vectors
        self.visual = visual
        self.count = count
        self.index = index or ExactPostIndex(corpus, text_vectors, visual, omega)

    def score(self, posts: np.ndarray) -> np.ndarray:
        """float32 `[n, L]`; a similar post with a negative cosine counts nothing."""
        queries = PostQueries.of_corpus(self.corpus, posts, self.text_vectors, self.visual)
        similar, similarity = self.index.search(queries, self.count, "all")
        counts = LabelCounts.of_similar_posts(self.labels, similar, np.maximum(similarity, 0))
        return counts.dense(np.arange(len(posts)), len(self.labels))


class SumOfScorers:
    """The plain sum of the scores of several scorers, in their own units.

    The published rule "own and nearest" is `OwnHashtags(by_popularity=False)` and `NearestPosts`:
    a post of the user weighs 1, a similar post its cosine.

    Args:
        scorers: at least one.
    """

    def __init__(self, *scorers: PostScorer) -> None:
        if not scorers:
            raise ConfigError("`scorers` must hold at least one scorer.")
        self.scorers = scorers

    def score(self, posts: np.ndarray) -> np.ndarray:
        """float32 `[n, L]`."""
        total = self.scorers[0].score(posts)
        for scorer in self.scorers[1:]:
            total = total + scorer.score(posts)
        return total


def own_and_nearest(
    corpus: Corpus, labels: PostLabels, text_vectors: np.ndarray, count: int = 20
) -> SumOfScorers:
    """The hard baseline: the user's own counts plus the cosines of the nearest posts by text."""
    return SumOfScorers(
        OwnHashtags(corpus, labels, by_popularity=False),
        NearestPosts(corpus, labels, text_vectors, count=count),
    )


def train_counts(corpus: Corpus, labels: PostLabels) -> np.ndarray:
    """Train posts with each label, int64 `[L]`."""
    train = labels.rows.take(np.flatnonzero(corpus.split_of_post == Split.TRAIN))
    return np.bincount(train.values, minlength=len(labels))
