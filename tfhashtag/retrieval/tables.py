"""Bounded tables: a row a hashtag or a user, of one width whatever the corpus."""

import dataclasses
from typing import Any

import numpy as np

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError


@dataclasses.dataclass(frozen=True)
class BoundedRows:
    """The first values of ragged rows as a rectangle, and where each value went.

    Attributes:
        values: int32 `[rows, width]`, padded with -1 at the end.
        slot_of_value: int32, aligned with the values of the ragged rows: the column of each, -1
            for one that was left out.
    """

    values: np.ndarray
    slot_of_value: np.ndarray


def newest(rows: Rows, age: np.ndarray, width: int) -> BoundedRows:
    """The `width` newest values of every row, newest first.

    Args:
        rows: the values.
        age: `[values]`, comparable within a row; lower is newer. The later of equal ones is newer.
        width: columns, at least 1.

    Raises:
        DataError: `age` does not fit the values, or `width` is below 1.

    Example:

    >>> found = newest(Rows.from_lists([[4, 7, 9], [5]]), np.array([2, 0, 1, 0]), 2)
    >>> found.values.tolist(), found.slot_of_value.tolist()
    ([[7, 9], [5, -1]], [-1, 0, 1, 0])
    """
    if len(age) != len(rows.values) or width < 1:
        raise DataError(
            f"`age` must hold {len(rows.values)} numbers and `width` be at least 1, found "
            f"{len(age)} and {width}."
        )
    row = rows.row_of_value
    order = np.lexsort((-np.arange(len(age)), age, row))
    rank = np.arange(len(order)) - rows.offsets[row[order]]
    kept = order[rank < width]
    slots = np.full(len(order), -1, np.int32)
    slots[kept] = rank[rank < width]
    values = np.full((len(rows), width), -1, np.int32)
    values[row[kept], slots[kept]] = rows.values[kept]
    return BoundedRows(values, slots)


def ages(users: np.ndarray, timestamps: np.ndarray | None) -> np.ndarray:
    """How old posts are, float64 `[posts]`: seconds before the newest, where times are known.

    Without times, the number of posts that the same user wrote after it: what a user wrote last is
    as new as what any other wrote last.

    Args:
        users: int `[posts]`, who wrote each; the posts of a user in time order.
        timestamps: seconds `[posts]`, or None.

    >>> ages(np.array([0, 0, 1, 0]), None).tolist()
    [2.0, 1.0, 0.0, 0.0]
    """
    if timestamps is not None:
        return (timestamps.max(initial=0) - timestamps).astype(np.float64)
    order = np.argsort(users, kind="stable")
    counts = np.bincount(users)
    place = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    found = np.empty(len(users))
    found[order] = counts[users[order]] - 1 - place
    return found


def factors(matrix: Any, width: int, seed: int = 0) -> np.ndarray:
    """Right singular vectors of a sparse matrix, by Lanczos iterations: passes over its entries.

    Args:
        matrix: `scipy.sparse.csr_matrix` `[n, m]`.
        width: vectors at most; there are no more than the matrix has.
        seed: of the start.

    Returns:
        float32 `[m, k]`, `k <= width`; a single column of zeros for a matrix without entries.

    Example:

    >>> import scipy.sparse
    >>> found = factors(scipy.sparse.csr_matrix(np.diag([3.0, 2.0, 1.0])), 1)
    >>> np.abs(found).round(3).tolist()
    [[1.0], [0.0], [0.0]]
    """
    import scipy.sparse.linalg

    width = min(width, min(matrix.shape) - 1)
    if width < 1 or matrix.nnz == 0:
        return np.zeros((matrix.shape[1], 1), np.float32)
    start = np.random.default_rng(seed).uniform(-1, 1, min(matrix.shape))
    matrix = matrix.astype(np.float64)
    wide = matrix.shape[1] > matrix.shape[0]
    rows, columns = (matrix.T.tocsr(), matrix) if wide else (matrix, matrix.T.tocsr())
    # Of the two products with itself the smaller one; `svds` would also work out what is dropped.
    product = scipy.sparse.linalg.LinearOperator(
        (len(start), len(start)), lambda vector: columns @ (rows @ vector), dtype=np.float64
    )
    squares, vectors = scipy.sparse.linalg.eigsh(product, k=width, v0=start)
    kept = np.flatnonzero(squares > 1e-12 * squares.max())[::-1]  # the largest first
    right = vectors[:, kept]
    if wide:
        right = rows @ right / np.sqrt(squares[kept])
    return np.ascontiguousarray(right, np.float32)
