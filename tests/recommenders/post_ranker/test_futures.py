"""Imitated futures of models of posts."""

import numpy as np

from tests.conftest import corpus_of
from tfhashtag.corpus.corpus import Split
from tfhashtag.recommenders.post_ranker.posts_at import imitated_moment


def test_where_all_users_have_one_post_all_posts_are_cut_at_one_place():
    rows = [(f"u{n}", f"text {n}", ["tea"], Split.TRAIN) for n in range(20)]
    corpus, ahead = imitated_moment(corpus_of(rows), 0.5, 0.8, 0.0, seed=0)
    known = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    assert known.tolist() == list(range(10))
    assert ahead.tolist() == list(range(10, 16))


def test_else_each_users_posts_are_cut():
    rows = [(f"u{n % 2}", f"text {n}", ["tea"], Split.TRAIN) for n in range(20)]
    corpus, ahead = imitated_moment(corpus_of(rows), 0.5, 0.8, 0.0, seed=0)
    users = corpus.user_of_post[ahead]
    assert np.bincount(users).tolist() == [3, 3] and ahead.min() == 10
