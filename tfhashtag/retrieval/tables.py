"""Bounded tables: a row a hashtag or a user, of one width whatever the corpus."""

import dataclasses
from typing import Any

import numpy as np

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError

_PASSES = 6  # over the entries of a matrix: the spectrum of hashtags is flat


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
    """Right singular vectors of a sparse matrix, by randomised subspace iteration over its rows.

    A few passes over the entries, whatever the number of columns. Columns with a single entry,
    most of them where hashtags are columns, add to a row's own weight alone and are not walked
    through again.

    Args:
        matrix: `scipy.sparse.csr_matrix` `[n, m]`.
        width: vectors at most.
        seed: of the start.

    Returns:
        float32 `[m, k]`, `k <= width`; a single column of zeros for a matrix without entries.
    """
    table = matrix.astype(np.float32).tocsr()
    single = np.bincount(table.indices, minlength=table.shape[1]) == 1
    shared = table[:, np.flatnonzero(~single)]
    row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    alone = np.where(single[table.indices], np.square(table.data), 0)
    own = np.bincount(row, alone, table.shape[0]).astype(np.float32)[:, None]
    width = min(width, min(table.shape) - 1)
    if width < 1 or table.nnz == 0:
        return np.zeros((table.shape[1], 1), np.float32)

    def product(basis: np.ndarray) -> np.ndarray:
        return shared @ (shared.T @ basis) + own * basis

    start = np.random.default_rng(seed).normal(size=(len(own), min(width + 32, len(own))))
    basis = np.linalg.qr(product(start.astype(np.float32)))[0]
    for _ in range(_PASSES):
        basis = np.linalg.qr(product(basis))[0]
    squares, turn = np.linalg.eigh((basis.T @ product(basis)).astype(np.float64))
    lengths = np.sqrt(np.maximum(squares[::-1][:width], 0))
    kept = lengths > 1e-4 * lengths[0]
    left = basis @ turn[:, ::-1][:, :width][:, kept].astype(np.float32)
    return np.asarray(table.T @ left / lengths[kept], np.float32)
