"""Tables of bounded width against plain loops."""

import numpy as np
import pytest
import scipy.sparse

from tfhashtag.retrieval.hashtag_tables import group_means, used_together, widest

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
