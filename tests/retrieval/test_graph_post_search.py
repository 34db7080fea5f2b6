"""The search in the graph against the one outside it."""

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic_posts import synthetic_posts
from tfhashtag.errors import ConfigError
from tfhashtag.retrieval import graph_post_search as post_search
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.graph_post_search import GraphPostSearch
from tfhashtag.retrieval.post_search import PostQueries


@pytest.fixture(scope="module")
def corpus():
    return synthetic_posts(posts=150, users=12, seed=3, themes=2, newcomers=0.2).corpus


def tables(corpus, dtype="float32"):
    """Few distinct coarse vectors, so that there are many ties; zeros where nothing is there."""
    rng = np.random.default_rng(0)
    text = rng.integers(-1, 2, (len(corpus.messages), 3)).astype(dtype)
    text[[not message.strip() for message in corpus.messages]] = 0
    visual = rng.integers(-1, 2, (len(corpus), 2)).astype(dtype)
    visual[[not image for image in corpus.images]] = 0
    return text, visual


@pytest.mark.parametrize("with_images", [False, True])
@pytest.mark.parametrize("block", [1, 300, 1 << 22])
def test_finds_what_the_exact_index_finds(corpus, with_images, block, monkeypatch):
    monkeypatch.setattr(post_search, "_BLOCK_VALUES", block)
    text, visual = tables(corpus)
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    posts = np.flatnonzero(corpus.split_of_post != Split.TRAIN)
    places = {user: place for place, user in enumerate(np.unique(corpus.user_of_post[train]))}
    user_of_post = np.array([places[user] for user in corpus.user_of_post[train]])
    messages = corpus.message_of_post
    images = dict(visual=visual[train], visual_row=np.arange(len(train))) if with_images else {}
    search = GraphPostSearch(text, messages[train], user_of_post, omega=0.3, **images)
    index = ExactPostIndex(corpus, text, visual if with_images else None, 0.3)
    queries = PostQueries.of_corpus(corpus, posts, text, visual if with_images else None)
    users = [places.get(user, -1) for user in corpus.user_of_post[posts]]
    assert -1 in users
    found = search(
        tf.constant(queries.text),
        tf.constant(queries.visual) if with_images else None,
        tf.constant(users, tf.int32),
        own=200,
        others=7,
    )
    for (at, similarity), count, whose in (
        (found[:2], 200, "own"),
        (found[2:], 7, "others"),
    ):
        expected, expected_similarity = index.search(queries, count, whose)
        np.testing.assert_array_equal(np.where(at >= 0, train[at.numpy()], -1), expected)
        np.testing.assert_allclose(similarity, expected_similarity, atol=2e-6)


def test_vectors_come_back_as_they_were():
    text = np.array([[3.0, 4.0], [0.0, 0.0]], "float32")
    search = GraphPostSearch(text, np.array([1, 0]), np.array([0, 0]))
    found = search.text_vectors(tf.constant([[1, 0, -1]]))
    np.testing.assert_allclose(found, [[[3, 4], [0, 0], [0, 0]]], rtol=1e-6)


def test_no_queries():
    search = GraphPostSearch(np.eye(2, dtype="float32"), np.array([1, 0]), np.array([0, 0]))
    found = search(tf.zeros([0, 2]), None, tf.zeros([0], tf.int32), own=3, others=2)
    assert [tuple(value.shape) for value in found] == [(0, 3), (0, 3), (0, 2), (0, 2)]


def test_omega_is_a_share():
    with pytest.raises(ConfigError, match="omega"):
        GraphPostSearch(np.eye(2), np.array([0]), np.array([0]), omega=1.5)
