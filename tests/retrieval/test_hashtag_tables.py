"""Tables of bounded width against plain loops."""

import numpy as np
import pytest
import scipy.sparse

from tfhashtag.retrieval import hashtag_tables as module
from tfhashtag.retrieval.hashtag_tables import (
    companions_of,
    distinct,
    group_means,
    used_together,
    widest,
)

RNG = np.random.default_rng(0)


def test_used_together_is_the_cosine_of_sets():
    used = (RNG.random((12, 6)) < 0.4).astype("float32")
    columns, values = used_together(scipy.sparse.csr_matrix(used), 6)
    for one in range(6):
        wanted = {}
        for other in set(range(6)) - {one}:
            both = (used[:, one] * used[:, other]).sum()
            if both:
                wanted[other] = both / np.sqrt(used[:, one].sum() * used[:, other].sum())
        found = {c: v for c, v in zip(columns[one], values[one], strict=True) if c >= 0}
        assert found == pytest.approx(wanted, rel=1e-6)
        assert np.all(np.diff(values[one]) <= 0)


def test_widest_keeps_the_largest_in_order():
    matrix = RNG.integers(0, 4, (5, 7))
    columns, values = widest(scipy.sparse.csr_matrix(matrix), 3)
    for row, (places, kept) in enumerate(zip(columns, values, strict=True)):
        order = [c for c in np.argsort(-matrix[row], kind="stable") if matrix[row, c]][:3]
        assert places.tolist() == order + [-1] * (3 - len(order))
        assert kept.tolist() == [*matrix[row, order], *[0] * (3 - len(order))]


def test_group_means():
    vectors, groups = RNG.normal(size=(6, 2)), np.array([0, 2, 2, 0, 0, 2])
    found = group_means(vectors, groups, 4)
    for group in range(4):
        mine = vectors[groups == group]
        np.testing.assert_allclose(found[group], mine.mean(0) if len(mine) else 0, atol=1e-6)


def test_blocks_change_nothing(monkeypatch):
    """To the last digit: sums of a group go on where the block before ended."""
    used = distinct(RNG.integers(0, 300, 4000), RNG.integers(0, 90, 4000) ** 2 // 90, (300, 90))
    words = distinct(RNG.integers(0, 300, 9000), RNG.integers(0, 200, 9000), (300, 200))
    vectors = RNG.normal(size=(500, 7)).astype("float32")
    groups, rows = RNG.integers(0, 60, 3000) ** 2 // 60, RNG.integers(0, 500, 3000)

    def made():
        means = group_means(vectors, groups, 70, rows)
        return [*used_together(used, 9), *companions_of(words, used, 5, 3.0), means]

    whole = made()
    mean = group_means(vectors[rows], np.zeros(3000, int), 1)
    np.testing.assert_array_equal(mean[0], vectors[rows].mean(axis=0))
    monkeypatch.setattr(module, "_BLOCK_PAIRS", 700)
    monkeypatch.setattr(module, "_BLOCK_ROWS", 11)
    for found, expected in zip(made(), whole, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


def test_of_a_row_with_many_columns_the_most_common_count():
    used = scipy.sparse.csr_matrix(np.float32([[1, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]]))
    columns, values = used_together(used, 3, most=2)
    assert columns.tolist() == [[-1] * 3, [2, -1, -1], [1, -1, -1], [-1] * 3]
    assert values[1].tolist() == pytest.approx([1, 0, 0])


def test_companions_are_shares_of_the_rows_that_have_any():
    stands = scipy.sparse.csr_matrix(np.float32([[1, 0], [1, 1], [1, 1]]))
    used = scipy.sparse.csr_matrix(np.float32([[1, 0, 1], [1, 0, 0], [0, 0, 0]]))
    columns, share = companions_of(stands, used, 2, more=2.0)
    assert columns.tolist() == [[0, 2], [0, -1]]
    np.testing.assert_allclose(share, [[2 / 4, 1 / 4], [1 / 3, 0]])
