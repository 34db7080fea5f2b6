"""Similar posts of posts: by the same user and by others."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.post_search import PostIndex, PostQueries

_BLOCK = 1 << 16  # posts at a time


@dataclasses.dataclass(frozen=True)
class SimilarPosts:
    """The train posts most similar to each of n posts, most similar first; -1 pads.

    Attributes:
        own: int32 `[n, k]`, corpus posts of the same user.
        own_similarity: float32 `[n, k]` in [-1, 1], 0 at the padding.
        others: int32 `[n, mu]`, corpus posts of other users.
        others_similarity: float32 `[n, mu]`, as above.
    """

    own: np.ndarray
    own_similarity: np.ndarray
    others: np.ndarray
    others_similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.own)

    @classmethod
    def joined(cls, parts: Sequence["SimilarPosts"]) -> "SimilarPosts":
        """Those of some posts, then those of others."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def first(self, k: int, mu: int) -> "SimilarPosts":
        """Of the own the first `k`, of others' the first `mu`, in arrays of their own."""
        own, others = (self.own, self.own_similarity), (self.others, self.others_similarity)
        kept = [*(one[:, :k].copy() for one in own), *(one[:, :mu].copy() for one in others)]
        return SimilarPosts(*kept)


def find_similar_posts(
    corpus: Corpus,
    posts: np.ndarray,
    text_vectors: np.ndarray,
    visual: np.ndarray | None = None,
    omega: float = 0.5,
    k: int = 5,
    mu: int = 10,
    index: PostIndex | None = None,
) -> SimilarPosts:
    """The k most similar posts of the same user and the mu most similar of others.

    Thesis (2024), equation (13). Only train posts are found, never the post itself, and where the
    corpus has timestamps only posts that are strictly earlier.

    Args:
        corpus: the posts.
        posts: int `[n]`, of any split.
        text_vectors: float `[messages, g]`, row `i` embeds message `i`.
        visual: float `[posts of the corpus, w]`, zeros for a post without image; or None.
        omega: share of visual similarity, in [0, 1]; how posts that lack a text or an image are
            compared says `ExactPostIndex`.
        k, mu: how many to find, at least 1.
        index: in place of an `ExactPostIndex` over the corpus.

    Raises:
        ConfigError, DataError: from the index.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> vectors = np.random.default_rng(0).normal(size=(len(corpus.messages), 16))
    >>> found = find_similar_posts(corpus, np.arange(3), vectors, k=2, mu=4)
    >>> found.own.shape, found.others.shape
    ((3, 2), (3, 4))
    >>> bool((corpus.user_of_post[found.others] != corpus.user_of_post[:3, None]).all())
    True
    """
    index = index or ExactPostIndex(corpus, text_vectors, visual, omega)
    posts = np.asarray(posts)
    found = [
        np.full((len(posts), count), fill, kind)
        for count in (k, mu)
        for fill, kind in ((-1, np.int32), (0, np.float32))
    ]
    by_user = np.argsort(corpus.user_of_post[posts], kind="stable")  # own posts are near then
    for start in range(0, len(posts), _BLOCK):
        rows = by_user[start : start + _BLOCK]
        queries = PostQueries.of_corpus(corpus, posts[rows], text_vectors, visual)
        answers = *index.search(queries, k, "own"), *index.search(queries, mu, "others")
        for whole, part in zip(found, answers, strict=True):
            whole[rows] = part
    return SimilarPosts(*found)
