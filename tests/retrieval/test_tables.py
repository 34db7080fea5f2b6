"""Bounded rows, ages and factors, by hand and by another library."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.retrieval.tables import ages, factors, newest


def test_newest_of_every_row_by_sorting_it():
    rng = np.random.default_rng(0)
    rows = Rows.from_lists([rng.permutation(50)[: rng.integers(0, 9)] for _ in range(20)])
    age = rng.integers(0, 4, len(rows.values))
    found = newest(rows, age, 3)
    for row in range(20):
        places = range(rows.offsets[row], rows.offsets[row + 1])
        order = sorted(places, key=lambda at: (age[at], -at))[:3]
        wanted = rows.values[order].tolist() + [-1] * (3 - len(order))
        assert found.values[row].tolist() == wanted
        slots = [order.index(at) if at in order else -1 for at in places]
        assert found.slot_of_value[places.start : places.stop].tolist() == slots


@pytest.mark.parametrize("width, count", [(0, 2), (1, 3)])
def test_newest_refuses(width, count):
    with pytest.raises(DataError, match="`age` must hold 2 numbers"):
        newest(Rows.from_lists([[1, 2]]), np.zeros(count), width)


def test_ages():
    assert ages(np.array([0, 0, 1]), np.array([5, 9, 2])).tolist() == [4, 0, 7]
    assert ages(np.array([1, 0, 1, 1]), None).tolist() == [2, 0, 1, 0]


def test_factors_are_the_singular_vectors():
    rng = np.random.default_rng(0)
    hidden = rng.random((60, 4)) @ rng.random((4, 40))
    shared = scipy.sparse.csr_matrix(np.where(rng.random((60, 40)) < 0.5, hidden, 0))
    alone = scipy.sparse.diags(rng.random(60)).tocsr()  # columns with a single entry
    table = scipy.sparse.hstack([shared, alone[:, 3:]]).tocsr()
    found = factors(table, 4)
    assert found.shape == (97, 4) and found.dtype == np.float32
    _, values, right = scipy.sparse.linalg.svds(table, 4)
    np.testing.assert_allclose(np.linalg.norm(table @ found, axis=0), values[::-1], rtol=0.01)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-2)
    assert np.abs(found[:, 0] @ right[-1]) > 0.999  # the first factor is the same vector
    assert np.array_equal(found, factors(table, 4))
    assert np.all(factors(scipy.sparse.csr_matrix((3, 5)), 4) == 0)
