"""Similar posts by an inverted file: nearly the exact answers, at a small part of the cost."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.texts import Texts
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.memory import let_go
from tfhashtag.retrieval.inverted_file import InvertedFile
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.k_means import Builder
from tfhashtag.retrieval.post_search import (
    PostQueries,
    Whose,
    check_search,
    joined_vectors,
    widths_of,
)
from tfhashtag.retrieval.vector_search import VectorQueries
from tfhashtag.vector_codes import CodeType

RECALL_AT = 10  # the k of the recall that probes are chosen by
_MEASURED = 512  # posts that it is measured on
_BLOCK = 1 << 16  # posts at a time


class InvertedPostIndex:
    """Train posts by similarity, as `ExactPostIndex`, found in the cells of an `InvertedFile`.

    What may be found (own or others' posts, earlier ones, never the post itself) holds exactly, and
    own posts are found exactly. Of others' the share that `recall` says is found.

    Args:
        corpus: the posts; those of `Split.TRAIN` can be found.
        text_vectors: float `[messages, g]`, row `i` embeds message `i`; may be memory-mapped.
        visual: float `[posts, w]`, zeros for a post without image; or None without images.
        omega: share of visual similarity, in [0, 1].
        recall: of the 10 most similar posts by others, that the number of probes is chosen by.
        dtype: of the vectors in the index.
        builder: of the cells, see `k_means`.
        table: rows that were built before for the same arguments, see `digest_of_posts`; or to
            which the posts that came since were added, see `with_fresh_posts`.

    Attributes:
        index: the `InvertedFile`; its rows are named by corpus posts, their groups are users.
        digest: of what it was made from.

    Raises:
        ConfigError: `omega` or `recall` is out of range, or there is no train post.
        DataError: vectors that do not fit the corpus or are not finite.
        ArtifactError: `table` is of other posts or vectors.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=200, users=8, seed=0)
    >>> vectors = np.random.default_rng(0).normal(size=(len(corpus.messages), 16))
    >>> index = InvertedPostIndex(corpus, vectors, recall=0.8)
    >>> queries = PostQueries.of_corpus(corpus, np.array([150, 160]), vectors)
    >>> index.search(queries, 5, "others")[0].shape, index.recall["at"]
    ((2, 5), 10)
    """

    def __init__(
        self,
        corpus: Corpus,
        text_vectors: np.ndarray,
        visual: np.ndarray | None = None,
        omega: float = 0.5,
        *,
        recall: float = 0.95,
        dtype: CodeType = "float16",
        builder: Builder = "numpy",
        table: InvertedTable | None = None,
    ) -> None:
        if not 0 <= omega <= 1:
            raise ConfigError(f"`omega` must be in [0, 1], found {omega}.")
        train = np.flatnonzero(corpus.split_of_post == Split.TRAIN).astype(np.int32)
        if len(train) < 2:
            raise ConfigError(f"{corpus.name}: an index needs two train posts, found {len(train)}.")
        self.omega, self._timed = omega, corpus.timestamps is not None
        source = _JoinedRows(corpus, train, text_vectors, visual)
        self._widths = source.widths
        self.digest = digest_of_posts(corpus, text_vectors, visual, omega, dtype)
        if table is None:
            known = _known_of(corpus, train)
            table = InvertedTable.build(
                source, train, **known, dtype=dtype, builder=builder, digest=self.digest
            )
        elif table.digest != self.digest:
            raise ArtifactError(
                f"{corpus.name}: the index is of other vectors ({table.digest[:12]}), expected "
                f"those of {self.digest[:12]}. Build it again for this corpus."
            )
        if table.recall is not None:
            self.index = InvertedFile(table)
            return
        chosen = np.random.default_rng(0).permutation(train)[:_MEASURED]
        asked = self._asked(PostQueries.of_corpus(corpus, chosen, text_vectors, visual))[0]
        file = InvertedFile(table)
        self.index = file.choose_probes(asked, RECALL_AT, recall, "others")

    @property
    def recall(self) -> dict[str, float]:
        """What was measured of others' posts: `target`, `found`, `at` (10), `queries`."""
        return self.index.recall or {}

    def told(self, what: str = "Similar posts") -> str:
        """The recall in a sentence, for a model card."""
        recall, index = self.recall, self.index
        return (
            f"{what} by others are found by an inverted file of {len(index.table)} posts, "
            f"which looks into {index.probes} of {index.table.cells} cells: "
            f"recall@{recall['at']} {recall['found']:.3f} against the exact search, asked were "
            f"{recall['target']:.2f}, on {recall['queries']} posts held out. The user's own are "
            "found exactly."
        )

    def search(
        self, queries: PostQueries, count: int, whose: Whose
    ) -> tuple[np.ndarray, np.ndarray]:
        """The most similar train posts of each query, as `PostIndex.search` says.

        Raises:
            ConfigError: `count` below 1 or another word for `whose`.
            DataError: vectors of other widths than the index's, or not finite.
        """
        check_search(queries, count, whose, self._widths)
        posts = np.full((len(queries), count), -1, np.int32)
        similarity = np.zeros((len(queries), count), np.float32)
        for start in range(0, len(queries), _BLOCK):
            part = queries.take(np.arange(start, min(start + _BLOCK, len(queries))))
            asked, comparable = self._asked(part)
            if whose == "own":
                rows = np.argsort(part.users, kind="stable")
            else:
                rows = np.flatnonzero(comparable)
                if asked.before is None:
                    # Queries of the same cells one after the other are larger products.
                    near = self.index.cells_of(asked.vectors[rows])
                    rows = rows[np.argsort(near, kind="stable")]
                else:  # those of the same time read the same rows of a cell
                    rows = rows[np.argsort(asked.before[rows], kind="stable")]
            sorted_ = VectorQueries(**{name: value[rows] for name, value in asked.parts().items()})
            posts[start + rows], similarity[start + rows] = self.index.search(sorted_, count, whose)
        return posts, similarity

    def _asked(self, queries: PostQueries) -> tuple[VectorQueries, np.ndarray]:
        """Posts as queries of the index, and which of them can be compared."""
        vectors, comparable = joined_vectors(queries, self.omega)
        times = queries.times if self._timed else None
        return VectorQueries(vectors, queries.users, times, queries.posts[:, None]), comparable


def with_fresh_posts(
    table: InvertedTable,
    before: Corpus,
    corpus: Corpus,
    text_vectors: np.ndarray,
    visual: np.ndarray | None = None,
    omega: float = 0.5,
) -> InvertedTable | None:
    """Rows over a corpus as those over another that holds its train posts: appended, not rebuilt.

    Args:
        table: of an `InvertedPostIndex` over `before`.
        before: the corpus that its rows are named by.
        corpus: the larger one, whose posts may stand in another order.
        text_vectors, visual, omega: as of an `InvertedPostIndex` over `corpus`.

    Returns:
        The table, whose probes are to be chosen and whose recall is to be measured anew; or None
        where a train post is gone: centres that were made of it are not kept.

    Raises:
        DataError: from the vectors.
    """
    named = [before.post_ids[post] for post in table.ids.tolist()]
    ids = Texts.of(corpus.post_ids).places(named).astype(np.int32)
    if np.any(ids < 0) or np.any(corpus.split_of_post[ids] != Split.TRAIN):
        return None
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN).astype(np.int32)
    fresh = train[~np.isin(train, ids)]
    dtype: Any = table.codes.dtype.name
    found = dataclasses.replace(table, ids=ids, **_known_of(corpus, ids)).appended(
        _JoinedRows(corpus, fresh, text_vectors, visual),
        fresh,
        **_known_of(corpus, fresh),
        digest=digest_of_posts(corpus, text_vectors, visual, omega, dtype),
    )
    return dataclasses.replace(found, recall=None)


def _known_of(corpus: Corpus, posts: np.ndarray) -> dict[str, Any]:
    """What the index is told of posts besides their vectors."""
    times = None if corpus.timestamps is None else corpus.timestamps[posts]
    return {"groups": corpus.user_of_post[posts], "times": times}


def digest_of_posts(
    corpus: Corpus,
    text_vectors: np.ndarray,
    visual: np.ndarray | None,
    omega: float,
    dtype: CodeType,
) -> str:
    """What an index of these posts is known by: the corpus, the share, and some of the vectors."""
    digest = hashlib.sha256(f"{corpus.digest} {omega} {dtype} {len(corpus)}".encode())
    for vectors in (text_vectors, visual):
        if vectors is not None:
            some = vectors[:: max(1, len(vectors) // 4096)]
            digest.update(str(vectors.shape).encode() + np.ascontiguousarray(some).tobytes())
    return digest.hexdigest()


class _JoinedRows:
    """The joined vectors of posts, gathered when they are asked for; a `VectorSource`."""

    def __init__(
        self,
        corpus: Corpus,
        posts: np.ndarray,
        text_vectors: np.ndarray,
        visual: np.ndarray | None,
    ) -> None:
        self._arguments = corpus, posts, text_vectors, visual
        self.widths = widths_of(PostQueries.of_corpus(corpus, posts[:0], text_vectors, visual))
        self.shape = (len(posts), sum(self.widths))

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        corpus, posts, text, visual = self._arguments
        found = joined_vectors(PostQueries.of_corpus(corpus, posts[rows], text, visual))[0]
        let_go(text)
        return found
