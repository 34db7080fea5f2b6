"""Which search finds similar posts: the exact one, or an inverted file."""

from typing import Literal, Protocol

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.k_means import Builder
from tfhashtag.retrieval.post_search import PostIndex
from tfhashtag.vector_codes import CodeType

EXACT_POSTS = 50_000  # train posts up to which "auto" searches exactly


class IndexWishes(Protocol):
    """What settings say of the index."""

    @property
    def index(self) -> Literal["auto", "exact", "inverted"]:
        """Which search; `"auto"` is exact up to 50,000 train posts."""

    @property
    def index_recall(self) -> float:
        """What an inverted file must find of the 10 most similar posts by others."""

    @property
    def index_vectors(self) -> CodeType:
        """The type of the vectors in an inverted file."""

    @property
    def index_builder(self) -> Builder:
        """What finds its cells."""


def is_inverted(corpus: Corpus, wishes: IndexWishes) -> bool:
    """Whether the posts of a corpus are searched by an inverted file."""
    if wishes.index == "auto":
        return int(np.sum(corpus.split_of_post == Split.TRAIN)) > EXACT_POSTS
    return wishes.index == "inverted"


def post_index(
    corpus: Corpus,
    text_vectors: np.ndarray,
    visual: np.ndarray | None,
    wishes: IndexWishes,
    omega: float,
    table: InvertedTable | None = None,
) -> PostIndex:
    """The index that the settings wish for.

    Args:
        corpus: the posts.
        text_vectors: float `[messages, g]`.
        visual: float `[posts, w]`, or None.
        wishes: see `SearchData`.
        omega: share of visual similarity.
        table: rows of an inverted file that was built before; not taken where they are of other
            posts than the train posts of `corpus`, as at another moment.

    Raises:
        ConfigError, DataError, ArtifactError: from the index.
    """
    if not is_inverted(corpus, wishes):
        return ExactPostIndex(corpus, text_vectors, visual, omega)
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    if table is not None and not np.array_equal(np.sort(table.ids), train):
        table = None
    return InvertedPostIndex(
        corpus,
        text_vectors,
        visual,
        omega,
        recall=wishes.index_recall,
        dtype=wishes.index_vectors,
        builder=wishes.index_builder,
        table=table,
    )
