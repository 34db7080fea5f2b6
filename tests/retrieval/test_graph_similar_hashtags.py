"""The most used hashtags in the graph against those outside it."""

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic_posts import synthetic_posts
from tfhashtag.retrieval.graph_similar_hashtags import GraphSimilarHashtags
from tfhashtag.retrieval.similar_hashtags import similar_hashtags


@pytest.mark.parametrize("width, count", [(1, 10), (5, 3), (40, 60)])
def test_finds_what_similar_hashtags_finds(width, count):
    corpus = synthetic_posts(posts=150, users=12, seed=3, themes=2).corpus
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    posts = np.flatnonzero(corpus.split_of_post != Split.TRAIN)
    rng = np.random.default_rng(0)
    places = np.stack([rng.permutation(len(train))[:width] for _ in posts]).astype(np.int32)
    places[rng.random(places.shape) < 0.3] = -1
    places[0] = -1
    found = GraphSimilarHashtags(corpus, train)(tf.constant(places), count)
    expected = similar_hashtags(corpus, posts, np.where(places >= 0, train[places], -1), count)
    assert (expected >= 0).any(axis=0)[0] and (expected[0] == -1).all()
    np.testing.assert_array_equal(found, expected)


def test_no_posts():
    corpus = synthetic_posts(posts=60, users=6, seed=3, themes=2).corpus
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    assert GraphSimilarHashtags(corpus, train)(tf.zeros([0, 4], tf.int32), 3).shape == (0, 3)
