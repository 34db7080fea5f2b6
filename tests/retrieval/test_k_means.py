"""Centres: what is worked on in parts is what it is as a whole."""

import numpy as np
import pytest

from tfhashtag.retrieval import k_means as module


def whole(sample, cells, rng, iterations):
    """Spherical k-means as it is written down, all rows at once."""
    centres = sample[rng.choice(len(sample), cells, replace=False)]
    for _ in range(iterations):
        cell = (sample @ centres.T).argmax(axis=1)
        for one in range(cells):
            held = sample[cell == one]
            if len(held):
                total = held.sum(axis=0, dtype=np.float64)
                centres[one] = total / np.linalg.norm(total)
        lacking = np.setdiff1d(np.arange(cells), cell)
        centres[lacking] = sample[rng.choice(len(sample), len(lacking), replace=False)]
    return centres


@pytest.mark.parametrize("rows", [1, 7, 1 << 14])
def test_in_parts_as_the_whole(monkeypatch, rows):
    monkeypatch.setattr(module, "_ROWS", rows)
    vectors = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    vectors[[3, 50, 51, 119]] = 0  # are left out, as there are others
    found = module.k_means(vectors, 9, seed=4)
    rng = np.random.default_rng(4)
    sample = vectors[np.sort(rng.choice(120, 120, replace=False))]
    sample = sample[np.any(sample, axis=1)]
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    expected = whole(sample, 9, rng, module._ITERATIONS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
