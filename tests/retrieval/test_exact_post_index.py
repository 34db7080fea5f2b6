"""Exact search against plain loops over equation (13)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.errors import ConfigError, DataError
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.post_search import PostQueries


def corpus_with(make_corpus, seed, posts=24, times=False):
    """Random posts; some texts repeat, one is blank. Directly built, so that times may tie."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{rng.integers(4)}", rng.choice(["  ", *"abcdefghij"]), ["t"], rng.choice([0, 0, 0, 2]))
        for _ in range(posts)
    ]
    corpus = make_corpus(rows)
    if times:
        object.__setattr__(corpus, "timestamps", np.sort(rng.integers(0, 9, posts)))
    return corpus, rng


def reference(corpus, text, visual, omega, post, whose):
    """(similarity, candidate) pairs, best first, by loops."""

    def cosine(a, b):
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        return float(a @ b / lengths) if lengths else 0.0

    def parts(index):
        message = corpus.message_of_post[index]
        blank = not corpus.messages[message].strip()
        return (
            None if blank or not text[message].any() else text[message],
            None if visual is None or not visual[index].any() else visual[index],
        )

    own_text, own_visual = parts(post)
    found = []
    for other in range(len(corpus)):
        same = corpus.user_of_post[other] == corpus.user_of_post[post]
        if other == post or corpus.split_of_post[other] != 0:
            continue
        if (whose == "own" and not same) or (whose == "others" and same):
            continue
        if corpus.timestamps is not None and corpus.timestamps[other] >= corpus.timestamps[post]:
            continue
        if own_text is None and own_visual is None:
            if whose == "own":
                found.append((0.0, other))
            continue
        other_text, other_visual = parts(other)
        weight = {(True, True): omega, (True, False): 0.0, (False, True): 1.0}[
            own_text is not None, own_visual is not None
        ]
        value = 0.0
        if own_visual is not None and other_visual is not None:
            value += weight * cosine(own_visual, other_visual)
        if own_text is not None and other_text is not None:
            value += (1 - weight) * cosine(own_text, other_text)
        found.append((value, other))
    return sorted(found, key=lambda pair: (-round(pair[0] * 2**20), pair[1]))


@given(
    st.integers(0, 10_000),
    st.sampled_from(["own", "others", "all"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 9),
    st.sampled_from([(512, 8192), (5, 3), (1, 7)]),
)
@settings(max_examples=60, deadline=None)
def test_equal_to_loops(make_corpus, seed, whose, times, images, count, blocks):
    corpus, rng = corpus_with(make_corpus, seed, times=times)
    # Few values, so that many similarities are exactly equal; and posts without an image.
    text = rng.integers(-1, 2, (len(corpus.messages), 3)).astype(np.float32)
    visual = rng.integers(0, 2, (len(corpus), 2)).astype(np.float32) if images else None
    omega = float(rng.choice([0, 0.25, 1]))
    posts = rng.permutation(len(corpus))[:15]
    index = ExactPostIndex(corpus, text, visual, omega, *blocks)
    queries = PostQueries.of_corpus(corpus, posts, text, visual)
    found, similarity = index.search(queries, count, whose)
    assert found.dtype == np.int32 and similarity.dtype == np.float32
    for row, post in enumerate(posts):
        expected = reference(corpus, text, visual, omega, post, whose)[:count]
        places = len(expected)
        assert found[row, :places].tolist() == [other for _, other in expected]
        np.testing.assert_allclose(similarity[row, :places], [s for s, _ in expected], atol=2e-6)
        assert np.all(found[row, places:] == -1) and np.all(similarity[row, places:] == 0)


def test_blocks_and_batches_do_not_matter(make_corpus):
    corpus, rng = corpus_with(make_corpus, 3, posts=300)
    text = rng.normal(size=(len(corpus.messages), 32)).astype(np.float32)
    text[1] = text[2]
    queries = PostQueries.of_corpus(corpus, np.arange(300), text)
    whole = ExactPostIndex(corpus, text).search(queries, 7, "others")
    small = ExactPostIndex(corpus, text, block_queries=11, block_posts=13)
    for one, other in zip(whole, small.search(queries, 7, "others"), strict=True):
        np.testing.assert_array_equal(one, other)
    alone = PostQueries.of_corpus(corpus, np.array([42]), text)
    for one, other in zip(whole, small.search(alone, 7, "others"), strict=True):
        np.testing.assert_array_equal(one[42:43], other)


def test_a_post_outside_the_corpus(make_corpus):
    corpus = make_corpus([("u", "a", [], 0), ("v", "b", [], 0), ("u", "c", [], 2)])
    text = np.float32([[1, 0], [0, 1], [1, 1]])
    index = ExactPostIndex(corpus, text)
    stranger = PostQueries(np.float32([[0, 2]]), None, np.array([-1]), np.array([-1]), None)
    assert index.search(stranger, 2, "own")[0].tolist() == [[-1, -1]]
    found, similarity = index.search(stranger, 2, "others")
    assert found.tolist() == [[1, 0]] and similarity.tolist() == [[1, 0]]


def test_wrong_arguments(make_corpus):
    corpus = make_corpus([("u", "a", [], 0), ("v", "b", [], 0)])
    text = np.eye(2, dtype=np.float32)
    index = ExactPostIndex(corpus, text)
    queries = PostQueries.of_corpus(corpus, np.arange(2), text)
    with pytest.raises(ConfigError, match="omega"):
        ExactPostIndex(corpus, text, omega=1.1)
    with pytest.raises(ConfigError, match="block_posts"):
        ExactPostIndex(corpus, text, block_posts=0)
    with pytest.raises(ConfigError, match="count"):
        index.search(queries, 0, "own")
    with pytest.raises(ConfigError, match="whose"):
        index.search(queries, 1, "mine")
    with pytest.raises(DataError, match="widths"):
        index.search(PostQueries.of_corpus(corpus, np.arange(2), text, text), 1, "own")
    with pytest.raises(DataError, match="2 messages"):
        ExactPostIndex(corpus, text[:1])
    with pytest.raises(DataError, match="2 posts"):
        ExactPostIndex(corpus, text, text[:1])
    with pytest.raises(DataError, match="post 1 of those given"):
        ExactPostIndex(corpus, np.float32([[1, 0], [np.nan, 1]]))
    with pytest.raises(DataError, match="`users`"):
        PostQueries(text, None, np.array([0]), np.array([0, 1]), None)
