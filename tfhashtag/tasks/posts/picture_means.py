"""One vector for the pictures of a post: the mean of their proposals."""

from typing import Any

import numpy as np

_BLOCK = 1024  # pictures at a time


def picture_means(proposals: np.ndarray, rows_of_post: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean vectors of sets of pictures, each once, and which of them is a post's.

    Args:
        proposals: float32 `[rows, m, a]`, of the pictures; may be memory-mapped.
        rows_of_post: int32 `[posts, P]`, the pictures of each post, -1 pads.

    Returns:
        float32 `[n, a]`, and int32 `[posts]`, the row of each post in it, -1 for no picture.

    Example:

    >>> vectors = np.array([[[0.0, 2.0]], [[4.0, 2.0]]], "float32")
    >>> table, row = picture_means(vectors, np.array([[0, 1], [1, -1], [-1, -1]]))
    >>> table[row[:2]].tolist(), int(row[2])
    ([[2.0, 2.0], [4.0, 2.0]], -1)
    """
    means = np.zeros((len(proposals), proposals.shape[-1]), np.float32)
    for start in range(0, len(means), _BLOCK):
        means[start : start + _BLOCK] = proposals[start : start + _BLOCK].mean(axis=1)
    if rows_of_post.shape[1] == 1:
        return means, rows_of_post[:, 0]
    sets, place = np.unique(rows_of_post, axis=0, return_inverse=True)
    real: Any = sets >= 0
    table = np.zeros((len(sets), means.shape[1]), np.float32)
    for column in range(sets.shape[1]):
        table[real[:, column]] += means[sets[real[:, column], column]]
    table /= np.maximum(real.sum(axis=1, keepdims=True), 1)
    return table, np.where(real.any(axis=1)[place.ravel()], place.ravel(), -1).astype(np.int32)


def mean_proposals(proposals: np.ndarray, rows_of_post: np.ndarray) -> np.ndarray:
    """The mean vector of each post's pictures, float32 `[posts, a]`, zeros without a picture.

    Arguments as `picture_means`.
    """
    table, row = picture_means(proposals, rows_of_post)
    return np.where((row >= 0)[:, None], table[np.maximum(row, 0)], np.float32(0))
