"""The hashtags that a post model can predict, and which of them each post has."""

import dataclasses

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError, DataError


@dataclasses.dataclass(frozen=True)
class PostLabels:
    """The label space: label `l` is the corpus hashtag `hashtags[l]`.

    Attributes:
        hashtags: int32 `[L]`, corpus hashtag indices, rising.
        rows: for every post of the corpus, of any split, the labels that it has (int32, in the
            order of the post's hashtags). Hashtags outside the label space are left out.

    Raises:
        DataError: the hashtags do not rise, or a row holds what is no label.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> labels = PostLabels.of_corpus(corpus, minimum_posts=2)
    >>> len(labels.rows) == len(corpus), len(labels) <= len(corpus.hashtags)
    (True, True)
    """

    hashtags: np.ndarray
    rows: Rows

    def __post_init__(self) -> None:
        hashtags = np.asarray(self.hashtags, dtype=np.int32)
        object.__setattr__(self, "hashtags", hashtags)
        if hashtags.ndim != 1 or np.any(np.diff(hashtags) <= 0):
            raise DataError("`hashtags` must be corpus hashtag indices that rise; sort them.")
        values = self.rows.values
        if len(values) and not (values.min() >= 0 and values.max() < len(hashtags)):
            raise DataError(
                f"`rows` must hold labels from 0 to {len(hashtags) - 1}, found "
                f"{values.min()} to {values.max()}."
            )

    @classmethod
    def of_corpus(cls, corpus: Corpus, minimum_posts: int = 5) -> "PostLabels":
        """The hashtags of at least `minimum_posts` train posts.

        Args:
            corpus: the posts.
            minimum_posts: int, at least 1. Posts of other splits are not counted.

        Raises:
            ConfigError: `minimum_posts` is below 1.
            DataError: no hashtag has so many train posts.
        """
        if minimum_posts < 1:
            raise ConfigError(f"`minimum_posts` must be at least 1, found {minimum_posts}.")
        posts, hashtags = corpus.taggings()
        train = corpus.split_of_post[posts] == Split.TRAIN
        counts = np.bincount(hashtags[train], minlength=len(corpus.hashtags))
        kept = np.flatnonzero(counts >= minimum_posts).astype(np.int32)
        if len(kept) == 0:
            raise DataError(
                f"`minimum_posts` is {minimum_posts}, but no hashtag of the corpus "
                f"{corpus.name!r} has more than {counts.max(initial=0)} train posts; lower it."
            )
        label_of_hashtag = np.full(len(corpus.hashtags), -1, np.int32)
        label_of_hashtag[kept] = np.arange(len(kept))
        labels = label_of_hashtag[hashtags]
        inside = labels >= 0
        return cls(kept, Rows.from_pairs(posts[inside], labels[inside], len(corpus)))

    def __len__(self) -> int:
        """Number of labels."""
        return len(self.hashtags)

    def answerable(self, posts: np.ndarray) -> np.ndarray:
        """Those of the given posts that have at least one label, in the given order."""
        posts = np.asarray(posts)
        return posts[self.rows.lengths[posts] > 0]
