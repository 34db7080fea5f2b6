"""Inputs of a post from the posts around it; and that its own hashtags never are among them."""

import collections
import dataclasses
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.retrieval.similar_hashtags import similar_hashtags
from tfhashtag.retrieval.similar_posts import SimilarPosts, find_similar_posts
from tfhashtag.tasks.posts.label_counts import LabelCounts
from tfhashtag.tasks.posts.labels import PostLabels

TAGS = [f"t{number}" for number in (5, 3, 11, 0, 8, 2, 7)]


def random_corpus(make_corpus, seed, times, posts=40):
    """Random posts; `frame` posts hold every hashtag, so that the label space never changes."""
    rng = np.random.default_rng(seed)
    frame = [("frame", f"text {tag}", [tag], 0) for tag in TAGS]
    rows = frame + [
        (
            f"u{rng.integers(4)}",
            f"text {rng.integers(12)}",
            rng.choice(TAGS, rng.integers(0, 4), replace=False).tolist(),
            int(rng.choice([0, 0, 1, 2])),
        )
        for _ in range(posts)
    ]
    corpus = make_corpus(rows)
    if times:
        stamps = np.sort(rng.integers(0, 20, len(rows)))
        corpus = dataclasses.replace(corpus, timestamps=stamps)
    text = rng.integers(-1, 2, (len(corpus.messages), 3)).astype(np.float32)
    return corpus, text, rng


def inputs(corpus, text, posts):
    """Everything that a model may be given about the posts besides their own text and image."""
    labels = PostLabels.of_corpus(corpus, 1)
    similar = find_similar_posts(corpus, posts, text, k=3, mu=4)
    rows = np.arange(len(posts))
    return {
        "own": similar.own,
        "own similarity": similar.own_similarity,
        "others": similar.others,
        "others similarity": similar.others_similarity,
        "own hashtags": similar_hashtags(corpus, posts, similar.own, 4),
        "others hashtags": similar_hashtags(corpus, posts, similar.others, 4),
        "history": LabelCounts.of_user_history(corpus, labels, posts).dense(rows, len(labels)),
        "own counts": LabelCounts.of_similar_posts(
            labels, similar.own, similar.own_similarity
        ).dense(rows, len(labels)),
        "others counts": LabelCounts.of_similar_posts(
            labels, similar.others, similar.others_similarity
        ).dense(rows, len(labels)),
    }


def retagged(corpus, post, tags):
    """The corpus with other hashtags for one post."""
    rows = [corpus.hashtags_of_post(index) for index in range(len(corpus))]
    rows[post] = np.asarray(tags, np.int32)
    changed = Rows.from_lists(rows)
    return dataclasses.replace(
        corpus, hashtag_offsets=changed.offsets, hashtag_values=changed.values
    )


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_hashtags_of_a_post_never_reach_its_own_inputs(make_corpus, seed, times):
    corpus, text, rng = random_corpus(make_corpus, seed, times)
    post = int(rng.integers(len(TAGS), len(corpus)))  # of train, valid or test
    before = inputs(corpus, text, np.array([post]))
    for tags in ([], rng.permutation(len(TAGS))[:3], np.arange(len(TAGS))):
        after = inputs(retagged(corpus, post, tags), text, np.array([post]))
        for name in before:
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_the_leak_test_can_fail(make_corpus):
    """Another train post's hashtags do reach the inputs, by every path that is tested."""
    reached = set()
    for seed in range(6):
        corpus, text, _ = random_corpus(make_corpus, seed, times=False)
        posts = np.arange(len(TAGS), len(corpus))
        before = inputs(corpus, text, posts)
        post = int(posts[corpus.split_of_post[posts] == 0][0])
        after = inputs(retagged(corpus, post, np.arange(len(TAGS))), text, posts)
        reached |= {name for name in before if not np.array_equal(before[name], after[name])}
    assert reached == {
        "own hashtags", "others hashtags", "history", "own counts", "others counts"
    }  # fmt: skip


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_held_out_posts_reach_nobody(make_corpus, seed):
    corpus, text, rng = random_corpus(make_corpus, seed, times=False)
    posts = np.arange(len(corpus))
    before = inputs(corpus, text, posts)
    held_out = np.flatnonzero(corpus.split_of_post != 0)
    changed = retagged(corpus, int(rng.choice(held_out)), np.arange(len(TAGS)))
    after = inputs(changed, text, posts)
    for name in before:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    for name in ("own", "others"):
        assert np.all((before[name] < 0) | (corpus.split_of_post[before[name]] == 0))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_with_timestamps_only_earlier_posts_are_seen(make_corpus, seed):
    corpus, text, _ = random_corpus(make_corpus, seed, times=True)
    posts = np.arange(len(corpus))
    similar = find_similar_posts(corpus, posts, text, k=3, mu=4)
    for found in (similar.own, similar.others):
        later = corpus.timestamps[found] >= corpus.timestamps[:, None]
        assert not np.any(later & (found >= 0))


def test_own_and_others(make_corpus):
    corpus, text, _ = random_corpus(make_corpus, 0, times=False)
    similar = find_similar_posts(corpus, np.arange(len(corpus)), text, k=3, mu=4)
    same = corpus.user_of_post[:, None]
    assert np.all((similar.own < 0) | (corpus.user_of_post[similar.own] == same))
    assert np.all((similar.others < 0) | (corpus.user_of_post[similar.others] != same))
    fewer = find_similar_posts(corpus, np.arange(len(corpus)), text, k=2, mu=1)
    joined = SimilarPosts.joined([fewer, similar.first(2, 1)])
    for name in ("own", "own_similarity", "others", "others_similarity"):
        np.testing.assert_array_equal(getattr(joined, name), np.tile(getattr(fewer, name), (2, 1)))


def test_another_index_can_take_over(make_corpus):
    corpus, text, _ = random_corpus(make_corpus, 0, times=False)

    class Rotten:
        def search(self, queries, count, whose):
            post = {"own": 1, "others": 2}[whose]
            shape = (len(queries), count)
            return np.full(shape, post, np.int32), np.full(shape, 0.5, np.float32)

    similar = find_similar_posts(corpus, np.arange(4), text, k=2, mu=3, index=Rotten())
    assert similar.own.tolist() == [[1, 1]] * 4 and similar.others.tolist() == [[2, 2, 2]] * 4


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_hashtags_and_counts_equal_loops(make_corpus, seed, times):
    corpus, text, rng = random_corpus(make_corpus, seed, times)
    posts = rng.permutation(len(corpus))[:12]
    labels = PostLabels.of_corpus(corpus, 2)
    similar = find_similar_posts(corpus, posts, text, k=3, mu=5)
    found = similar_hashtags(corpus, posts, similar.others, 3)
    weights = np.exp(similar.others_similarity)
    counted = LabelCounts.of_similar_posts(labels, similar.others, weights)
    history = LabelCounts.of_user_history(corpus, labels, posts)
    train = [index for index in range(len(corpus)) if corpus.split_of_post[index] == 0]
    for row, post in enumerate(posts):
        used = collections.Counter(
            tag for other in train if other != post for tag in corpus.hashtags_of_post(other)
        )
        around = collections.Counter()
        weighted = np.zeros(len(corpus.hashtags))
        for other, weight in zip(similar.others[row], weights[row], strict=True):
            if other >= 0:
                around.update(corpus.hashtags_of_post(other).tolist())
                weighted[corpus.hashtags_of_post(other)] += weight
        order = sorted(around, key=lambda t: (-around[t], -used[t], corpus.hashtags[t]))[:3]
        assert found[row].tolist() == order + [-1] * (3 - len(order))
        np.testing.assert_allclose(
            counted.dense([row], len(labels))[0], weighted[labels.hashtags], rtol=1e-5
        )
        expected = np.zeros(len(corpus.hashtags))
        for other in train:
            earlier = not times or corpus.timestamps[other] < corpus.timestamps[post]
            if other != post and corpus.user_of_post[other] == corpus.user_of_post[post]:
                expected[corpus.hashtags_of_post(other)] += earlier
        np.testing.assert_array_equal(
            history.dense([row], len(labels))[0], expected[labels.hashtags]
        )


def test_blocks_do_not_matter(make_corpus, monkeypatch):
    corpus, text, _ = random_corpus(make_corpus, 1, times=False)
    posts = np.arange(len(corpus))
    whole = inputs(corpus, text, posts)
    monkeypatch.setattr("tfhashtag.tasks.posts.label_counts._PAIRS", 3)
    # The module: in the package its name is that of the function.
    monkeypatch.setattr(sys.modules["tfhashtag.retrieval.similar_hashtags"], "_BLOCK", 2)
    for name, value in inputs(corpus, text, posts).items():
        np.testing.assert_array_equal(value, whole[name], err_msg=name)


def test_no_posts_and_wrong_arguments(make_corpus):
    corpus, text, _ = random_corpus(make_corpus, 0, times=False)
    assert all(len(value) == 0 for value in inputs(corpus, text, np.zeros(0, int)).values())
    labels = PostLabels.of_corpus(corpus, 1)
    with pytest.raises(ConfigError, match="count"):
        similar_hashtags(corpus, np.array([0]), np.array([[1]]), 0)
    with pytest.raises(DataError, match="shape"):
        LabelCounts.of_similar_posts(labels, np.array([[1]]), np.array([1.0]))
    with pytest.raises(DataError, match="2 values"):
        LabelCounts(Rows.from_lists([[0, 1]]), np.zeros(1))
