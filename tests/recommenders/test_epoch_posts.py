"""Train posts take turns: each once in a pass, whatever the numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.recommenders.epoch_posts import EpochPosts, sample_of

COUNTS = st.integers(1, 60)


@given(posts=st.sets(st.integers(0, 500), min_size=1), most=COUNTS, seed=st.integers(0, 99))
def test_a_pass_takes_every_post_once_and_an_epoch_no_more_than_the_bound(posts, most, seed):
    every = np.array(sorted(posts))
    turns = EpochPosts(every, most, seed)
    for number in range(3):
        parts = [turns.of(number * turns.parts + part) for part in range(turns.parts)]
        sizes = [len(part) for part in parts]
        assert max(sizes) <= most and max(sizes) - min(sizes) <= 1
        assert all(np.all(np.diff(part) > 0) for part in parts)
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), every)
    assert turns.some == (len(every) > most)


@given(count=COUNTS, more=st.integers(0, 9))
def test_a_bound_that_is_no_smaller_or_none_takes_all_as_they_are(count, more):
    for most in (0, count + more):
        turns = EpochPosts(np.arange(count), most, seed=0)
        assert not turns.some
        np.testing.assert_array_equal(turns.of(5), np.arange(count))


def test_an_epoch_is_a_function_of_seed_and_number():
    first, again, other = (EpochPosts(np.arange(90), 30, seed) for seed in (1, 1, 2))
    later = first.of(4)
    np.testing.assert_array_equal(later, again.of(4))
    assert not np.array_equal(later, other.of(4))
    assert not np.array_equal(later, first.of(1))  # another pass is another permutation


@given(posts=st.sets(st.integers(0, 500)), most=COUNTS, seed=st.integers(0, 99))
def test_a_sample_is_all_or_so_many_in_their_order(posts, most, seed):
    every = np.array(sorted(posts), int)
    found = sample_of(every, most, seed)
    assert len(found) == min(len(every), most)
    assert np.all(np.diff(found) > 0) and np.all(np.isin(found, every))
    np.testing.assert_array_equal(found, sample_of(every, most, seed))
