"""Signals of labels in the graph against those outside it."""

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.hashtag import hashtag_key
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.synthetic_posts import synthetic_posts
from tfhashtag.retrieval.similar_posts import find_similar_posts
from tfhashtag.tasks.posts.graph_label_signals import GraphLabelSignals
from tfhashtag.tasks.posts.inputs import people
from tfhashtag.tasks.posts.label_signals import (
    OTHER_POSTS,
    OWN_POSTS,
    SIGNALS,
    label_signals,
    named_labels,
)
from tfhashtag.tasks.posts.labels import PostLabels


def test_signals_are_those_of_label_signals():
    corpus = synthetic_posts(posts=200, users=12, seed=3, themes=2, newcomers=0.2).corpus
    rng = np.random.default_rng(0)
    text = rng.normal(size=(len(corpus.messages), 5)).astype("float32")
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    posts = np.flatnonzero(corpus.split_of_post != Split.TRAIN)
    labels = PostLabels.of_corpus(corpus, 2)
    similar = find_similar_posts(corpus, posts, text, k=OWN_POSTS, mu=OTHER_POSTS)
    place = np.full(len(corpus) + 1, -1, np.int32)
    place[train] = np.arange(len(train))
    users, user_of_post = people(corpus, train)
    names = [corpus.hashtags[hashtag] for hashtag in labels.hashtags]
    signals = GraphLabelSignals(labels.rows.take(train), user_of_post, names)
    answer = signals(
        tf.constant([corpus.messages[message] for message in corpus.message_of_post[posts]]),
        tf.constant(
            [
                users.index(corpus.users[user]) if corpus.users[user] in users else -1
                for user in corpus.user_of_post[posts]
            ]
        ),
        tf.constant(place[similar.own]),
        tf.constant(similar.own_similarity),
        tf.constant(place[similar.others]),
        tf.constant(similar.others_similarity),
    )
    expected = label_signals(corpus, labels, posts, text, similar)
    rows = expected.rows
    dense = np.zeros((len(posts), len(labels), len(SIGNALS)), np.float32)
    dense[rows.row_of_value, rows.values] = expected.signals
    np.testing.assert_allclose(answer, dense, atol=2e-6)


def test_hashtags_named_in_a_text():
    names = ["blacklivesmatter", "Vote", "vote", "東京", "a'b", "é", "Москва", "STRASSE"]
    signals = GraphLabelSignals(Rows.from_lists([[0]]), np.array([0]), names)
    texts = ["Vote, VOTE: Black lives matter!", "", "x 東京 A'B É", "black lives do matter"]
    texts.append("Я люблю МОСКВА, e\u0301 und die Straße")
    # Of hashtags that are one by their keys the first one counts.
    expected = [[0, 1], [], [3, 4, 5], [], [5, 6, 7]]
    found = signals.named(tf.constant(texts)).numpy()
    assert [np.flatnonzero(row).tolist() for row in found] == expected


def test_names_in_the_graph_are_those_outside_it():
    words = [
        "one",
        "two",
        "three",
        "don't",
        "東",
        "É",
        "Ярь",
        "42",
        "#",
        "-",
        "\u2014",
        "\t",
        "MiXed",
    ]
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(words, rng.integers(0, 9))) for _ in range(60)]
    pick = [rng.choice(words, rng.integers(1, 5)) for _ in range(80)]
    names = sorted({"".join(part).lower() for part in pick})
    signals = GraphLabelSignals(Rows.from_lists([[0]]), np.array([0]), names)
    found = signals.named(tf.constant(texts)).numpy()
    table = {hashtag_key(name): label for label, name in reversed(list(enumerate(names)))}
    for text, row in zip(texts, found, strict=True):
        assert np.flatnonzero(row).tolist() == named_labels(text, table).tolist(), text
    assert found.sum() > 60
