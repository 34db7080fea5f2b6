"""The hashtags used most in similar posts."""

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import ConfigError

_BLOCK = 1 << 14


def similar_hashtags(
    corpus: Corpus, posts: np.ndarray, similar: np.ndarray, count: int = 10
) -> np.ndarray:
    """The hashtags that most of a post's similar posts have, most used first.

    The thesis (2024) takes the gamma (nu) most used of the k (mu) posts. Equal numbers are ordered
    by train posts with the hashtag, more first, the post itself never counted; then by name. Any
    hashtag of the corpus may come up, also one outside the label space.

    Args:
        corpus: the posts.
        posts: int `[n]`, the posts that `similar` belongs to.
        similar: int `[n, k]` from `find_similar_posts`; -1 pads.
        count: int, columns of the result, at least 1: gamma or nu.

    Returns:
        int32 `[n, count]`, corpus hashtag indices; -1 pads.

    Raises:
        ConfigError: `count` below 1.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> similar_hashtags(corpus, np.array([0]), np.array([[5, -1]]), 20)[0, 0] in (
    ...     corpus.hashtags_of_post(5))
    True
    """
    if count < 1:
        raise ConfigError(f"`count` must be at least 1, found {count}.")
    posts, similar = np.asarray(posts), np.asarray(similar)
    tagged_posts, tagged = corpus.taggings()
    train = corpus.split_of_post == Split.TRAIN
    used = np.bincount(tagged[train[tagged_posts]], minlength=len(corpus.hashtags))
    by_name = np.empty(len(corpus.hashtags), np.int64)
    by_name[sorted(range(len(corpus.hashtags)), key=corpus.hashtags.__getitem__)] = np.arange(
        len(corpus.hashtags)
    )
    found = np.full((len(posts), count), -1, np.int32)
    width = max(len(corpus.hashtags), 1)
    for start in range(0, len(posts), _BLOCK):
        block, own = similar[start : start + _BLOCK], posts[start : start + _BLOCK]
        row, column = np.nonzero(block >= 0)
        pair, tags = _tags(corpus, block[row, column])
        keys, times = np.unique(row[pair] * width + tags, return_counts=True)
        row, tags = keys // width, keys % width
        # The post's own hashtags must not show in the order of its inputs.
        own_row, own_tags = _tags(corpus, own)
        counted_itself = np.isin(keys, (own_row * width + own_tags)[train[own][own_row]])
        order = np.lexsort((by_name[tags], counted_itself - used[tags], -times, row))
        row = row[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        kept = place < count
        found[start + row[kept], place[kept]] = tags[order][kept]
    return found


def _tags(corpus: Corpus, posts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(place in `posts`, hashtag) of every hashtag of the given posts, int64."""
    starts = corpus.hashtag_offsets[posts]
    lengths = corpus.hashtag_offsets[np.asarray(posts) + 1] - starts
    place = np.repeat(np.arange(len(posts)), lengths)
    within = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return place, corpus.hashtag_values[starts[place] + within].astype(np.int64)
