"""Every recommender of ours keeps the contract, and the check notices one that does not.

The fast ones are the recommended model of users, all rules, and in `test_plugin` a toy. Of the slow
ones the rest of the tests say the same: that they are equal when resumed `runs/test_train`, one by
one as in a batch their `test_model` and both `test_servable`, as loaded and as exported these two,
blind to the truth `users/test_episode` and `posts/test_inputs`.
"""

import random

import numpy as np
import pytest

from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.rules.recommender import ScorerRecommender
from tfhashtag.testing import check_recommender

pytestmark = pytest.mark.usefixtures("memory_is_given_back")

USERS = {
    "random": (),
    "popular": (),
    "popular_contexts": (),
    "bert_sim": (),
    "cf": ("training.factors=4", "training.iterations=2"),
    "tfidf": ("training.trees=3", "data.vocabulary_size=50"),
    "lda": ("training.trees=3", "data.vocabulary_size=50", "data.topics=3", "data.topic_passes=1"),
    "engagement": (
        "network.members=2",
        "network.hidden=[8]",
        "network.trees=20",
        "training.epochs=2",
        "data.taste_width=6",
        "training.futures=[[0.6, 1.0]]",
    ),
    "engagement_paper": (
        "data.vocabulary_size=60",
        "data.contexts_length=6",
        "data.ranking_contexts_length=6",
        "network.topics=4",
        "network.topic_hidden=8",
        "network.hidden=4",
        "network.head_hidden=8",
        "network.user=mean",  # an LSTM takes seconds to trace
        "training.epochs.topics=1",
        "training.epochs.warmup=1",
        "training.epochs.joint=0",
    ),
}
_POSTS = (
    "image_encoder=pixels",
    "network.proposals=4",
    "data.vocabulary_size=50",
    "network.features=6",
    "training.epochs=1",
)
_PHR = (*_POSTS, "network.hidden=8", "network.projection=7", "data.own_posts=3")
POSTS = {
    "posts": (
        "image_encoder=pixels",
        "network.proposals=4",
        "network.members=2",
        "network.hidden=[8]",
        "data.vocabulary_size=50",
        "data.taste_width=6",
        "data.minimum_posts=3",
        "training.futures=[[0.6, 1.0]]",
        "training.epochs=1",
    ),
    "phr": (*_PHR, "network.sides=[visual, textual, own]"),  # each pair of sides is traced
    "tagnet": (*_PHR, "network.embedding_width=5", "network.text=encoder"),
    "macon": (*_POSTS, "network.embedding_width=5"),
    "post_own_nearest": (),
}


SLOW = ("engagement_paper", "posts", "phr", "tagnet", "macon")


def names_of(configurations):
    return [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in configurations]


def settings_of(config, overrides):
    return lambda encoder: load_settings(config, [f"text_encoder={encoder}", *overrides])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("config", names_of(USERS))
def test_recommenders_of_users_keep_the_contract(config, tmp_path):
    check_recommender(settings_of(config, USERS[config]), tmp_path)


@pytest.mark.timeout(1800)  # three trainings, each traced anew, on a machine that others use
@pytest.mark.parametrize("config", names_of(POSTS))
def test_recommenders_of_posts_keep_the_contract(config, tmp_path):
    check_recommender(settings_of(config, POSTS[config]), tmp_path, task="posts")


@pytest.mark.parametrize(
    "broken, told",
    [
        (lambda self, queries: np.asarray(queries.truth.labels, np.float32), "the truth"),
        (lambda self, queries: np.arange(len(queries.truth.labels)), "order of queries"),
        (lambda self, queries: np.full(len(queries.truth.labels), np.nan), "finite"),
    ],
)
def test_the_check_notices(broken, told, tmp_path, monkeypatch):
    monkeypatch.setattr(ScorerRecommender, "score", broken)
    with pytest.raises(AssertionError, match=told):
        check_recommender(settings_of("bert_sim", ()), tmp_path)


def test_what_needs_no_tensorflow_draws_by_its_seed_as_well():
    def drawn(seed):
        ScorerRecommender.seeded(load_settings("popular", [f"seed={seed}"]))
        return random.random(), np.random.random()

    assert not ScorerRecommender.uses_tensorflow
    first, again, other = (drawn(seed) for seed in (1, 1, 2))
    assert first == again and not set(first) & set(other)
