"""Splits by time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.data.corpus import Split
from tfhashtag.data.splits import split_by_time


@given(st.lists(st.integers(0, 5), max_size=120))
def test_no_user_has_a_train_post_after_a_test_post(users):
    users = np.array(users, int)
    splits = split_by_time(users)
    for user in np.unique(users):
        mine = splits[users == user]
        assert np.all(np.diff(mine) >= 0)
        assert mine[0] == Split.TRAIN
        assert abs(np.sum(mine == Split.TEST) - 0.1 * len(mine)) <= 0.5


def test_shares_of_ten_posts():
    assert split_by_time(np.zeros(10, int)).tolist() == [0] * 8 + [1, 2]


def test_bad_fractions():
    with pytest.raises(ValueError, match="add up to 1"):
        split_by_time(np.zeros(3, int), (0.5, 0.1, 0.1))
