"""Splits by time and at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.splits import (
    split_at_random,
    split_by_global_time,
    split_by_time,
    split_posts,
)
from tfhashtag.errors import DataError


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


def test_global_time():
    splits = split_by_global_time(100)
    assert splits.tolist() == [Split.TRAIN] * 80 + [Split.VALID] * 10 + [Split.TEST] * 10
    assert (split_by_global_time(1).tolist(), split_by_global_time(0).tolist()) == ([0], [])


def test_at_random():
    splits = split_at_random(1000, seed=3)
    assert np.bincount(splits).tolist() == [800, 100, 100]
    assert splits.tolist() == split_at_random(1000, seed=3).tolist()
    assert splits.tolist() != split_at_random(1000, seed=4).tolist()
    # Posts of test stand anywhere: their mean place is near the middle.
    assert abs(np.flatnonzero(splits == Split.TEST).mean() - 500) < 100


def test_by_name():
    users = np.repeat([0, 1], 10)
    assert split_posts("own-time", users).tolist() == split_by_time(users).tolist()
    assert split_posts("global-time", users).tolist() == [0] * 16 + [1] * 2 + [2] * 2
    assert split_posts("random-90-10", users, 5).tolist() == split_at_random(20, 5).tolist()
    with pytest.raises(DataError, match=r"'mine' is not known; expected own-time, global-time"):
        split_posts("mine", users)
