"""Exact search for similar posts in blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError
from tfhashtag.retrieval.post_search import (
    STEP,
    PostQueries,
    Whose,
    check_search,
    joined_vectors,
    widths_of,
)

_NONE = np.iinfo(np.int32).min


class ExactPostIndex:
    """Train posts by similarity: thesis (2024), equation (13).

    Similarity is `omega * cos(visual) + (1 - omega) * cos(text)`. What a query lacks (no image, no
    text) cannot be compared, so the other part takes its full weight, and similarities of all
    queries stay in [-1, 1]. What the query has and the other post lacks counts 0 in its part: a
    post that shows no picture must not pass one whose picture is known to be alike. A query with
    neither is compared with nobody's posts; its user's own all have similarity 0.

    Equal similarities (in steps of 2^-20) are ordered by post, lower first. Memory beside the
    vectors is `4 * block_queries * block_posts` bytes and little more.

    Args:
        corpus: the posts; those of `Split.TRAIN` can be found.
        text_vectors: float `[messages, g]`, row `i` embeds message `i`.
        visual: float `[posts, w]`, zeros for a post without image; or None without images.
        omega: share of visual similarity, in [0, 1].
        block_queries, block_posts: int, size of the block that is compared at once.

    Raises:
        ConfigError: `omega` or a block size is out of range.
        DataError: vectors that do not fit the corpus or are not finite.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> vectors = np.random.default_rng(0).normal(size=(len(corpus.messages), 16))
    >>> index = ExactPostIndex(corpus, vectors)
    >>> queries = PostQueries.of_corpus(corpus, np.array([0, 1]), vectors)
    >>> posts, similarity = index.search(queries, 5, "others")
    >>> posts.shape, bool((similarity[:, 0] >= similarity[:, -1]).all())
    ((2, 5), True)
    """

    def __init__(
        self,
        corpus: Corpus,
        text_vectors: np.ndarray,
        visual: np.ndarray | None = None,
        omega: float = 0.5,
        block_queries: int = 512,
        block_posts: int = 8192,
    ) -> None:
        if not 0 <= omega <= 1:
            raise ConfigError(f"`omega` must be in [0, 1], found {omega}.")
        if block_queries < 1 or block_posts < 1:
            raise ConfigError(
                f"`block_queries` and `block_posts` must be at least 1, found {block_queries} and "
                f"{block_posts}."
            )
        self.omega = omega
        self.block_queries = block_queries
        self.block_posts = block_posts
        train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
        found = PostQueries.of_corpus(corpus, train, text_vectors, visual)
        self._posts, self._users, self._times = found.posts, found.users, found.times
        self._vectors = joined_vectors(found)[0]
        self._of_user = Rows.from_pairs(found.users, np.arange(len(train)), len(corpus.users))
        self._widths = widths_of(found)

    def search(
        self, queries: PostQueries, count: int, whose: Whose
    ) -> tuple[np.ndarray, np.ndarray]:
        """The most similar train posts of each query, as `PostIndex.search` says.

        Raises:
            ConfigError: `count` below 1 or another word for `whose`.
            DataError: vectors of other widths than the index's, or not finite.
        """
        check_search(queries, count, whose, self._widths)
        vectors, comparable = joined_vectors(queries, self.omega)
        posts = np.full((len(queries), count), -1, np.int32)
        levels = np.full((len(queries), count), _NONE, np.int32)
        for rows, places in self._plan(queries, comparable, whose):
            for start in range(0, len(rows), self.block_queries):
                block = rows[start : start + self.block_queries]
                posts[block], levels[block] = self._scan(
                    vectors[block], queries, block, places, count, whose
                )
        similarity = np.where(posts >= 0, levels, 0).astype(np.float32) / np.float32(STEP)
        return posts, similarity

    def _plan(
        self, queries: PostQueries, comparable: np.ndarray, whose: Whose
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """(query rows, places of the posts to compare them with, rising, or None for all)."""
        if whose != "own":
            yield np.flatnonzero(comparable), None
            return
        order = np.argsort(queries.users, kind="stable")
        users, starts = np.unique(queries.users[order], return_index=True)
        ends = np.append(starts, len(order))[1:]
        for user, start, end in zip(users.tolist(), starts, ends, strict=True):
            if 0 <= user < len(self._of_user) and len(self._of_user[user]):
                yield order[start:end], self._of_user[user]

    def _scan(
        self,
        vectors: np.ndarray,
        queries: PostQueries,
        rows: np.ndarray,
        places: np.ndarray | None,
        count: int,
        whose: Whose,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best posts of a block of queries and their levels (similarity in steps)."""
        total = len(self._posts) if places is None else len(places)
        best = np.full((len(rows), count), -1, np.int32)
        levels = np.full((len(rows), count), _NONE, np.int32)
        buffer = np.empty(len(rows) * min(total, self.block_posts), np.float32)
        for start in range(0, total, self.block_posts):
            stop = min(start + self.block_posts, total)
            chosen: Any = slice(start, stop) if places is None else places[start:stop]
            similarity = buffer[: len(rows) * (stop - start)].reshape(len(rows), stop - start)
            np.matmul(vectors, self._vectors[chosen].T, out=similarity)
            row, column = self._promising(similarity, levels, queries, rows, chosen, whose)
            level = np.rint(similarity[row, column] * np.float32(STEP)).astype(np.int32)
            _merge(best, levels, row, self._posts[chosen][column], level)
        return best, levels

    def _promising(
        self,
        similarity: np.ndarray,
        levels: np.ndarray,
        queries: PostQueries,
        rows: np.ndarray,
        chosen: Any,
        whose: Whose,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Allowed pairs (row, column) that may be among the best; changes `similarity`."""
        users, posts = self._users[chosen], self._posts[chosen]
        times = None if self._times is None else self._times[chosen]

        def forbidden(row: np.ndarray, column: np.ndarray) -> np.ndarray:
            no = posts[column] == queries.posts[rows[row]]
            if whose == "others":
                no |= users[column] == queries.users[rows[row]]
            if times is not None and queries.times is not None:
                no |= times[column] >= queries.times[rows[row]]
            return no

        # A row that is not full yet has no bound: its own best of this block give one.
        bound = np.where(levels[:, -1] == _NONE, -np.inf, (levels[:, -1] - 1.0) / STEP)
        open_rows = np.flatnonzero(np.isneginf(bound))
        count, width = levels.shape[1], similarity.shape[1]
        if len(open_rows):
            every = np.arange(width)
            block = similarity[open_rows]
            block[forbidden(open_rows[:, None], every[None, :])] = -np.inf
            similarity[open_rows] = block
            if width > count:
                bound[open_rows] = np.partition(block, -count, axis=1)[:, -count] - 2.0 / STEP
        bound = np.maximum(bound.astype(np.float32), np.finfo(np.float32).min)
        row, column = np.nonzero(similarity >= bound[:, None])
        allowed = ~forbidden(row, column)
        return row[allowed], column[allowed]


def _merge(
    best: np.ndarray, levels: np.ndarray, row: np.ndarray, posts: np.ndarray, level: np.ndarray
) -> None:
    """Puts new (row, post, level) into the best of each row, which stay sorted; in place."""
    if len(row) == 0:
        return
    count = best.shape[1]
    kept_row, kept_column = np.nonzero(best >= 0)
    row = np.concatenate([kept_row, row])
    posts = np.concatenate([best[kept_row, kept_column], posts])
    level = np.concatenate([levels[kept_row, kept_column], level])
    order = np.lexsort((posts, -level, row))
    row = row[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    order, row, place = (values[place < count] for values in (order, row, place))
    best[row, place] = posts[order]
    levels[row, place] = level[order]
