import numpy as np
import pytest

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError

LISTS = Candidates(np.array([7, 3, 5]), Rows.from_lists([[1, 2], [], [4, 9, 2]]), [0, 0, 1, 2, 0])


def test_views_of_the_lists():
    assert LISTS.positives.tolist() == [0, 0, 2]
    assert LISTS.user_of_value.tolist() == [7, 7, 5, 5, 5]
    only = LISTS.answerable()
    assert only.users.tolist() == [5]
    assert only.hashtags.values.tolist() == [4, 9, 2] and only.labels.tolist() == [1, 2, 0]


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="a row for each of 1 users, found 2 rows"):
        Candidates(np.array([1]), Rows.from_lists([[], []]), [])
    with pytest.raises(DataError, match="one label for each of 1 candidates"):
        Candidates(np.array([1]), Rows.from_lists([[3]]), [0, 1])
