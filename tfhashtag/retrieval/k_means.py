"""Centres of vectors: spherical k-means in NumPy, or with FAISS where it is asked for."""

from typing import Any, Literal, Protocol

import numpy as np

from tfhashtag.errors import ConfigError, required

Builder = Literal["numpy", "faiss"]

_ITERATIONS = 6
_SAMPLE = 48  # vectors a centre that it is learned from, at most
_ROWS = 1 << 14  # vectors that are read at a time
_BLOCK_VALUES = 1 << 22  # products at a time: 16 MiB


class VectorSource(Protocol):
    """Rows of float vectors: an array, or anything that gathers rows as one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(rows, width)`."""

    def __getitem__(self, rows: Any) -> Any:
        """float `[n, width]` of the given rows, int `[n]`."""


def k_means(
    vectors: VectorSource, cells: int, seed: int = 0, builder: Builder = "numpy"
) -> np.ndarray:
    """Centres by spherical k-means over a sample of at most 48 vectors a centre.

    NumPy is the default: it needs no further package, and its centres serve as well (the recall is
    measured afterwards, whoever made them).

    Args:
        vectors: float `[n, d]`; rows of zeros are left out where there are others.
        cells: number of centres, 1 to `n`.
        seed: of the sample and the first centres.
        builder: `"numpy"`, or `"faiss"` (`pip install 'tfhashtag[ann]'`).

    Returns:
        float32 `[cells, d]`, of length 1 (zeros where all vectors are zeros).

    Raises:
        ConfigError: `cells` or `builder` is not possible, or FAISS is not installed.

    Example:

    >>> corners = np.repeat(np.eye(3, dtype="float32"), 5, axis=0)
    >>> sorted(k_means(corners, 3).argmax(axis=1).tolist())
    [0, 1, 2]
    """
    count = vectors.shape[0]
    if not 1 <= cells <= max(count, 1):
        raise ConfigError(f"`cells` must be 1 to the number of vectors, {count}, found {cells}.")
    if builder not in ("numpy", "faiss"):
        raise ConfigError(f"`builder` must be 'numpy' or 'faiss', found {builder!r}.")
    if not count:
        return np.zeros((cells, vectors.shape[1]), np.float32)
    rng = np.random.default_rng(seed)
    size = min(count, _SAMPLE * cells)
    rows = np.sort(rng.choice(count, size, replace=False))
    sample = np.empty((size, vectors.shape[1]), np.float32)
    for start in range(0, size, _ROWS):
        some = slice(start, start + _ROWS)
        sample[some] = unit(np.asarray(vectors[rows[some]], np.float32))
    real = np.any(sample, axis=1)
    if cells <= real.sum() < size:
        kept = np.flatnonzero(real)
        for start in range(0, len(kept), _ROWS):  # up within the same memory
            sample[start : start + _ROWS][: len(kept) - start] = sample[kept[start : start + _ROWS]]
        sample = sample[: len(kept)]
    if builder == "faiss":
        return unit(_by_faiss(sample, cells, seed))
    return _by_numpy(sample, cells, rng)


def nearest_centre(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The centre with the largest product, the first of equals, int32 `[n]`."""
    found = np.empty(len(vectors), np.int32)
    step = max(1, _BLOCK_VALUES // len(centres))
    for start in range(0, len(vectors), step):
        products = np.asarray(vectors[start : start + step], np.float32) @ centres.T
        found[start : start + step] = products.argmax(axis=1)
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return (vectors / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)


def _by_numpy(sample: np.ndarray, cells: int, rng: np.random.Generator) -> np.ndarray:
    centres = sample[rng.choice(len(sample), cells, replace=False)]
    for _ in range(_ITERATIONS):
        cell = nearest_centre(sample, centres)
        order = np.argsort(cell, kind="stable")
        held, starts = np.unique(cell[order], return_index=True)
        centres[held] = unit(_sums(sample, order, starts))
        lacking = np.setdiff1d(np.arange(cells), held)
        # A centre that nobody is near takes any vector: a large cell is the likeliest to give it.
        centres[lacking] = sample[rng.choice(len(sample), len(lacking), replace=False)]
    return centres


def _sums(sample: np.ndarray, order: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums of runs of rows in some order, by where each begins; some thousand rows at a time."""
    found = np.empty((len(starts), sample.shape[1]), sample.dtype)
    ends = np.append(starts[1:], len(order))
    first = 0
    while first < len(starts):
        begin = starts[first]
        last = max(first + 1, int(np.searchsorted(ends, begin + _ROWS, "right")))
        rows = sample[order[begin : ends[last - 1]]]
        found[first:last] = np.add.reduceat(rows, starts[first:last] - begin, axis=0)
        first = last
    return found


def _by_faiss(sample: np.ndarray, cells: int, seed: int) -> np.ndarray:
    faiss = required("faiss", "an index that is built with FAISS needs it", "ann", ConfigError)
    means = faiss.Kmeans(
        sample.shape[1],
        cells,
        niter=_ITERATIONS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_SAMPLE,
    )
    means.train(sample)
    return np.asarray(means.centroids, np.float32)
