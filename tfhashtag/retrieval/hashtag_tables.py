"""What is known of hashtags as tables: their companions and means."""

import numpy as np
import scipy.sparse


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


def used_together(used: scipy.sparse.csr_matrix, width: int) -> tuple[np.ndarray, np.ndarray]:
    """For each column the others that stand in the same rows: cosine of the sets of rows.

    Args:
        used: `[n, m]` of zeros and ones, such as users by hashtags.
        width: how many others are kept.

    Returns:
        As `widest`, of each column.

    Example:

    >>> columns, values = used_together(scipy.sparse.csr_matrix([[1, 1], [1, 0]]), 1)
    >>> columns.tolist(), np.float64(values).round(2).tolist()
    ([[1], [0]], [[0.71], [0.71]])
    """
    sizes = np.asarray(used.sum(axis=0)).ravel()
    scale = scipy.sparse.diags(1 / np.sqrt(np.maximum(sizes, 1)))
    both = scipy.sparse.csr_matrix(scale @ (used.T @ used) @ scale)
    both.setdiag(0)
    both.eliminate_zeros()
    return widest(both, width)


def group_means(vectors: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """The mean vector of each group, float32 `[count, d]`, zeros of an empty one.

    Args:
        vectors: float `[n, d]`.
        groups: int `[n]`, 0 to `count` - 1.
        count: how many groups there are.
    """
    ones = scipy.sparse.csr_matrix(
        (np.ones(len(groups), np.float32), (groups, np.arange(len(groups)))),
        shape=(count, len(groups)),
    )
    sizes = np.bincount(groups, minlength=count)
    return np.asarray(ones @ vectors, np.float32) / np.maximum(sizes, 1)[:, None].astype(np.float32)
