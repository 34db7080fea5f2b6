import numpy as np
import pytest

from tfhashtag.recommenders.audience.model import FEATURES, AudienceModel

ROWS = np.array([0, 0, 0, 1, 1, 2])
NETWORKS = np.array([0.1, 0.5, 0.3, 2.0, 1.0, 7.0])
TREES = np.array([10.0, 30.0, 50.0, 0.0, 40.0, 90.0])


@pytest.fixture(scope="module")
def model():
    return AudienceModel(members=1, hidden=(2,), trees=1, leaves=2)


def spread(scores):
    """How far scores lie from the mean of their list, over all lists."""
    squares = []
    for row in set(ROWS):
        some = [score for score, its in zip(scores, ROWS, strict=True) if its == row]
        squares += [(score - sum(some) / len(some)) ** 2 for score in some]
    return np.sqrt(sum(squares) / len(squares))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_the_share_is_of_what_lies_as_far_apart(model, share):
    logits = model.blend(NETWORKS, TREES, ROWS, share)
    expected = NETWORKS / spread(NETWORKS) * share + TREES / spread(TREES) * (1 - share)
    np.testing.assert_allclose(logits, expected, rtol=1e-6)
    shares = share / spread(NETWORKS), (1 - share) / spread(TREES)
    np.testing.assert_allclose(model.shares, shares, rtol=1e-6)


def test_one_that_says_the_same_of_all_leaves_it_to_the_other(model):
    flat = np.full(len(ROWS), 3.0)
    model.blend(NETWORKS, flat, ROWS, 0.2)
    assert model.shares[0] > 0 == model.shares[1]
    model.blend(flat, TREES, ROWS, 0.2)
    assert model.shares[0] == 0 < model.shares[1]
    model.blend(flat, flat, ROWS, 0.2)
    assert np.array(model.shares).tolist() == [1, 0]
    features = np.random.default_rng(0).normal(size=(2, FEATURES)).astype(np.float32)
    alone = np.mean(model.member_logits(features), axis=-1)
    np.testing.assert_allclose(model(features), alone, rtol=1e-6)
