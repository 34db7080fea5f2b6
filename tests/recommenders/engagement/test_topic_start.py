"""The topic model begun from clusters of bags."""

import numpy as np
import pytest
import scipy.sparse

from tfhashtag.layers import NeuralTopicModel
from tfhashtag.recommenders.engagement.topic_start import start_from_clusters


@pytest.fixture
def bags():
    """Sixty bags of three themes with ten words each, and five words of all."""
    rng = np.random.default_rng(0)
    bags = np.zeros((60, 35), np.int64)
    for at, bag in enumerate(bags):
        np.add.at(bag, at % 3 * 10 + rng.integers(0, 10, 20), 1)
        np.add.at(bag, 30 + rng.integers(0, 5, 20), 1)
    return scipy.sparse.csr_matrix(bags)


def started(bags, topics=3, seed=0):
    model = NeuralTopicModel(vocabulary_size=35, topics=topics, hidden=4)
    model.build((None, 35))
    start_from_clusters(model, bags, seed)
    return model


def test_each_topic_gets_the_words_of_one_theme(bags):
    words = np.argsort(-np.array(started(bags).topic_words()), axis=1)[:, :10]
    assert sorted(sorted(row.tolist()) for row in words) == [
        list(range(theme * 10, theme * 10 + 10)) for theme in range(3)
    ]


def test_same_seed_same_topics(bags):
    kernels = [np.array(started(bags, 8, seed).decoder_dense.kernel) for seed in (1, 1, 2)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_more_topics_than_bags_and_an_empty_bag():
    bags = scipy.sparse.csr_matrix(np.eye(3, 35, dtype=np.int64) * [[2], [1], [0]])
    assert np.isfinite(np.array(started(bags, 5).decoder_dense.kernel)).all()
