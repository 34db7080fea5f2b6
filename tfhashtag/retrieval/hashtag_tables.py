"""What is known of hashtags as tables: their companions and means."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import scipy.sparse

_BLOCK_ROWS = 8192  # vectors at a time
_BLOCK_PAIRS = 1 << 23  # pairs of columns at a time, 12 bytes each


class RowSource(Protocol):
    """Vectors that are gathered when they are asked for; an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, d)`."""

    def __getitem__(self, rows: np.ndarray) -> Any:
        """float `[m, d]` of rows int `[m]`."""


def widest(matrix: scipy.sparse.csr_matrix, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest values of each row, largest first.

    Args:
        matrix: `[n, m]`.
        width: how many of a row are kept, at least 1.

    Returns:
        columns int32 `[n, width]`, -1 pads, and values float32 `[n, width]`, 0 at the padding.

    Example:

    >>> columns, values = widest(scipy.sparse.csr_matrix([[0, 3, 1], [0, 0, 0]]), 2)
    >>> columns.tolist(), values.tolist()
    ([[1, 2], [-1, -1]], [[3.0, 1.0], [0.0, 0.0]])
    """
    matrix = scipy.sparse.csr_matrix(matrix)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    place = np.arange(len(rows)) - matrix.indptr[:-1][rows]
    kept = place < width
    columns = np.full((matrix.shape[0], width), -1, np.int32)
    values = np.zeros((matrix.shape[0], width), np.float32)
    columns[rows[kept], place[kept]] = matrix.indices[order][kept]
    values[rows[kept], place[kept]] = matrix.data[order][kept]
    return columns, values


def distinct(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> scipy.sparse.csr_matrix:
    """A matrix with 1 where a (row, column) pair stands at least once."""
    ones = np.ones(len(rows), np.float32)
    matrix = scipy.sparse.csr_matrix((ones, (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def used_together(
    used: scipy.sparse.csr_matrix, width: int, most: int = 1024
) -> tuple[np.ndarray, np.ndarray]:
    """For each column the others that stand in the same rows: cosine of the sets of rows.

    Pairs are counted for some columns at a time, so that memory is bounded.

    Args:
        used: `[n, m]` of zeros and ones, such as users by hashtags.
        width: how many others are kept.
        most: columns of a row that count; of one with more those that stand in the most rows. A row
            costs the square of its columns.

    Returns:
        As `widest`, of each column.

    Example:

    >>> columns, values = used_together(scipy.sparse.csr_matrix([[1, 1], [1, 0]]), 1)
    >>> columns.tolist(), np.float64(values).round(2).tolist()
    ([[1], [0]], [[0.71], [0.71]])
    """
    used = _at_most(scipy.sparse.csr_matrix(used), most)
    sizes = np.asarray(used.sum(axis=0)).ravel()
    scale = 1 / np.sqrt(np.maximum(sizes, 1))
    across, lengths = scipy.sparse.diags(scale), np.diff(used.indptr)
    columns = used.T.tocsr()
    pairs = np.asarray(columns @ lengths).ravel()  # of each column, if none stood twice
    parts = []
    for start, stop in blocks_of(pairs, _BLOCK_PAIRS):
        both = scipy.sparse.coo_matrix(
            scipy.sparse.diags(scale[start:stop]) @ (columns[start:stop] @ used) @ across
        )
        real = both.row + start != both.col
        both = scipy.sparse.csr_matrix(
            (both.data[real], (both.row[real], both.col[real])), both.shape
        )
        parts.append(widest(both, width))
    return _joined(parts, width)


def companions_of(
    stands: scipy.sparse.csr_matrix, used: scipy.sparse.csr_matrix, width: int, more: float
) -> tuple[np.ndarray, np.ndarray]:
    """For each column of one matrix those of another that stand in the same rows, and their share.

    Args:
        stands: `[n, v]` of zeros and ones, such as posts by words.
        used: `[n, m]` of zeros and ones, such as posts by hashtags.
        width: how many are kept.
        more: rows that are added to those of a column before shares are taken.

    Returns:
        As `widest`, of each column of `stands`; rows of which `used` has none do not count.
    """
    found = np.diff(used.indptr) > 0
    columns = stands[found].T.tocsr()
    used = used[found]
    rows = np.diff(columns.indptr).astype(np.float32)
    pairs = np.asarray(columns @ np.diff(used.indptr)).ravel()
    parts = []
    for start, stop in blocks_of(pairs, _BLOCK_PAIRS):
        both = scipy.sparse.csr_matrix(columns[start:stop] @ used)
        both.data = both.data / np.repeat(rows[start:stop] + more, np.diff(both.indptr))
        parts.append(widest(both, width))
    return _joined(parts, width)


def blocks_of(costs: np.ndarray, most: float) -> Iterator[tuple[int, int]]:
    """(first, last) of consecutive rows that cost at most so much together, or of one row.

    >>> list(blocks_of(np.array([3, 1, 9, 1]), 5))
    [(0, 2), (2, 3), (3, 4)]
    """
    ends = np.cumsum(costs, dtype=np.float64)
    start = 0
    while start < len(costs):
        before = ends[start - 1] if start else 0.0
        stop = max(int(np.searchsorted(ends, before + most, "right")), start + 1)
        yield start, stop
        start = stop


def _at_most(used: scipy.sparse.csr_matrix, most: int) -> scipy.sparse.csr_matrix:
    """The columns of each row that stand in the most rows, `most` of them."""
    lengths = np.diff(used.indptr)
    if lengths.max(initial=0) <= most:
        return used
    row = np.repeat(np.arange(used.shape[0]), lengths)
    order = np.lexsort((used.indices, -np.bincount(used.indices)[used.indices], row))
    kept = order[np.arange(len(row)) - used.indptr[:-1][row] < most]
    return scipy.sparse.csr_matrix((used.data[kept], (row[kept], used.indices[kept])), used.shape)


def _joined(
    parts: list[tuple[np.ndarray, np.ndarray]], width: int
) -> tuple[np.ndarray, np.ndarray]:
    columns = [np.zeros((0, width), np.int32), *(part[0] for part in parts)]
    values = [np.zeros((0, width), np.float32), *(part[1] for part in parts)]
    return np.concatenate(columns), np.concatenate(values)


def group_means(
    vectors: RowSource, groups: np.ndarray, count: int, rows: np.ndarray | None = None
) -> np.ndarray:
    """The mean vector of each group, float32 `[count, d]`, zeros of an empty one.

    Args:
        vectors: float `[n, d]`, gathered in blocks.
        groups: int `[p]`, 0 to `count` - 1.
        count: how many groups there are.
        rows: int `[p]`, the vector of each; default all in their order.
    """
    rows = np.arange(len(groups)) if rows is None else rows
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    for start in range(0, len(groups), _BLOCK_ROWS):
        held, group = np.unique(groups[start : start + _BLOCK_ROWS], return_inverse=True)
        size, number = len(held), np.arange(len(held) + len(group))
        # What was summed before comes first, so that a sum is that of one pass to the last digit.
        row = np.concatenate([np.arange(size), group])
        ones = scipy.sparse.csr_matrix((np.ones(len(number), np.float32), (row, number)))
        block = np.asarray(vectors[rows[start : start + _BLOCK_ROWS]], np.float32)
        sums[held] = ones @ np.concatenate([sums[held], block])
    sizes = np.bincount(groups, minlength=count)
    return sums / np.maximum(sizes, 1)[:, None].astype(np.float32)
