"""Exact search in vectors: what an inverted file is measured against."""

import numpy as np

from tfhashtag.retrieval.vector_search import STEP, VectorQueries, Whose

_BLOCK_VALUES = 1 << 23  # products at a time: 32 MiB


class ExactVectorIndex:
    """Every row is compared with every query, in blocks; a `VectorIndex`.

    Args:
        vectors: float `[P, d]`; row `i` is answered as id `i`.
        groups: int32 `[P]`, or None.
        times: int64 `[P]`, or None.

    Example:

    >>> index = ExactVectorIndex(np.eye(3, dtype="float32"))
    >>> index.search(VectorQueries(np.float32([[0, 1, 0.5]])), 2)[0].tolist()
    [[1, 2]]
    """

    def __init__(
        self,
        vectors: np.ndarray,
        groups: np.ndarray | None = None,
        times: np.ndarray | None = None,
    ) -> None:
        self.vectors, self.groups, self.times = vectors, groups, times

    def search(
        self, queries: VectorQueries, count: int, whose: Whose = "all"
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `VectorIndex.search`."""
        total, rows = len(queries.vectors), len(self.vectors)
        ids = np.full((total, count), -1, np.int32)
        similarity = np.zeros((total, count), np.float32)
        step = max(1, _BLOCK_VALUES // max(rows, 1))
        for start in range(0, total, step):
            part = queries.part(start, start + step)
            levels = np.rint(np.asarray(part.vectors, np.float32) @ self.vectors.T * STEP)
            levels[self._forbidden(part, whose)] = -np.inf
            order = np.argsort(-levels, axis=1, kind="stable")[:, :count]
            best = np.take_along_axis(levels, order, axis=1)
            real = best > -np.inf
            ids[start : start + step, : order.shape[1]] = np.where(real, order, -1)
            similarity[start : start + step, : order.shape[1]] = np.where(real, best, 0) / STEP
        return ids, similarity

    def _forbidden(self, queries: VectorQueries, whose: Whose) -> np.ndarray:
        no = np.zeros((len(queries.vectors), len(self.vectors)), bool)
        if whose != "all":
            same = np.asarray(queries.groups)[:, None] == np.asarray(self.groups)[None]
            no |= same if whose == "others" else ~same
        if queries.before is not None:
            no |= np.asarray(self.times)[None] >= np.asarray(queries.before)[:, None]
        if queries.without is not None:
            row, column = np.nonzero(np.asarray(queries.without) >= 0)
            no[row, np.asarray(queries.without)[row, column]] = True
        return no
