"""Similar posts by an inverted file against the exact search, outside a graph and in one."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic_posts import synthetic_posts
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.retrieval import choose_index, inverted_post_index, similar_posts
from tfhashtag.retrieval.choose_index import is_inverted, post_index
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.graph_inverted_search import GraphInvertedSearch
from tfhashtag.retrieval.graph_post_search import GraphPostSearch
from tfhashtag.retrieval.inverted_file import InvertedFile
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex, digest_of_posts
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.post_search import PostQueries
from tfhashtag.retrieval.similar_posts import find_similar_posts
from tfhashtag.tasks.posts.settings import PostData


@pytest.fixture(scope="module")
def corpus():
    made = synthetic_posts(posts=400, users=14, seed=3, themes=2, newcomers=0.2, without_text=0.1)
    return made.corpus


@pytest.fixture(scope="module")
def tables(corpus):
    """Coarse vectors, so that there are ties; zeros where nothing is there."""
    rng = np.random.default_rng(0)
    text = rng.integers(-2, 3, (len(corpus.messages), 5)).astype(np.float32)
    text[corpus.blank] = 0
    visual = rng.integers(-1, 2, (len(corpus), 3)).astype(np.float32)
    visual[[not image for image in corpus.images]] = 0
    return text, visual


@pytest.fixture(scope="module")
def rows(corpus, tables):
    """The rows of an index that rounds nothing."""
    return InvertedPostIndex(corpus, *tables, 0.3, dtype="float32").index.table


@pytest.fixture(scope="module")
def index(corpus, tables):
    return InvertedPostIndex(corpus, *tables, 0.3, recall=0.9)


def at_all_probes(index):
    index.index = InvertedFile(index.index.table, index.index.table.cells)
    return index


@pytest.mark.parametrize("with_images", [False, True])
def test_all_probes_are_the_exact_index(corpus, tables, rows, with_images, monkeypatch):
    monkeypatch.setattr(inverted_post_index, "_BLOCK", 90)
    monkeypatch.setattr(similar_posts, "_BLOCK", 170)
    text, visual = tables[0], tables[1] if with_images else None
    built = rows if with_images else None  # without: block by block
    index = at_all_probes(
        InvertedPostIndex(corpus, text, visual, 0.3, dtype="float32", table=built)
    )
    exact = ExactPostIndex(corpus, text, visual, 0.3)
    posts = np.arange(len(corpus))
    found, expected = (
        find_similar_posts(corpus, posts, text, visual, 0.3, 6, 7, each) for each in (index, exact)
    )
    for name in ("own", "others"):
        # Two libraries' products of equally similar posts may differ by a step.
        assert np.mean(getattr(found, name) == getattr(expected, name)) > 0.99
        similarity = f"{name}_similarity"
        np.testing.assert_allclose(
            getattr(found, similarity), getattr(expected, similarity), atol=2e-6
        )


def test_in_the_graph_as_the_exact_search_there(corpus, tables, rows):
    text, visual = tables
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    asked = np.flatnonzero(corpus.split_of_post != Split.TRAIN)
    users, user_of_post = np.unique(corpus.user_of_post[train], return_inverse=True)
    messages = corpus.message_of_post
    lengths = np.linalg.norm(text, axis=1)[messages[train]]
    search = GraphInvertedSearch(rows, train, user_of_post, lengths, text.shape[1], 0.3)
    search.index.exact = True
    images = dict(visual=visual[train], visual_row=np.arange(len(train)))
    exact = GraphPostSearch(text, messages[train], user_of_post, omega=0.3, **images)
    place = {user: place for place, user in enumerate(users)}
    who = tf.constant([place.get(user, -1) for user in corpus.user_of_post[asked]], tf.int32)
    question = tf.constant(text[messages[asked]]), tf.constant(visual[asked]), who
    answers = [
        tf.function(lambda *q, one=one: one(*q, own=4, others=6), autograph=False)(*question)
        for one in (search, exact)
    ]
    for found, expected in zip(*answers, strict=True):
        assert np.mean(np.isclose(found, expected, atol=2e-6)) > 0.99
    places = tf.constant([[0, 3, -1]])
    np.testing.assert_allclose(search.text_vectors(places), exact.text_vectors(places), atol=1e-6)
    with pytest.raises(ConfigError, match="omega"):
        GraphInvertedSearch(rows, train, user_of_post, lengths, text.shape[1], 1.5)


def test_the_recall_is_told_and_the_rows_are_those_of_this_corpus(corpus, tables, index, tmp_path):
    text, visual = tables
    assert 0.8 <= index.recall["found"] <= 1 and index.recall["target"] == 0.9
    assert f"recall@10 {index.recall['found']:.3f}" in index.told()
    index.index.table.write(tmp_path / "index")
    data = PostData(index="inverted", visual_share=0.3)
    digest = digest_of_posts(corpus, text, visual, 0.3, "float16")
    again = post_index(
        corpus, text, visual, data, 0.3, InvertedTable.read(tmp_path / "index", digest)
    )
    assert again.recall == index.recall and again.index.probes == index.index.probes
    for changed in ((text * 2, visual, 0.3, "float16"), (text, visual, 0.5, "float16")):
        with pytest.raises(ArtifactError, match="of other vectors"):
            InvertedTable.read(tmp_path / "index", digest_of_posts(corpus, *changed))


def test_posts_that_came_since_are_appended(make_corpus, monkeypatch):
    """The larger corpus names its posts anew; nothing is learned again, the recall is measured."""
    made = synthetic_posts(posts=300, users=9, seed=3, themes=2, newcomers=0.0).corpus
    text = np.random.default_rng(0).normal(size=(len(made.messages), 6)).astype("float32")
    order = np.random.default_rng(1).permutation(len(made))
    rows = [
        (f"u{made.user_of_post[post]}", made.messages[made.message_of_post[post]], [], 0)
        for post in order
    ]
    named = [f"p{post}" for post in order]
    whole = dataclasses.replace(make_corpus(rows), post_ids=named)
    before = dataclasses.replace(make_corpus(rows[:200]), post_ids=named[:200])
    place = {message: row for row, message in enumerate(made.messages)}
    of_whole, of_before = (text[[place[m] for m in c.messages]] for c in (whole, before))
    whole = dataclasses.replace(whole, post_ids=named[::-1])  # other posts behind the numbers
    turned = dataclasses.replace(
        whole,
        user_of_post=whole.user_of_post[::-1].copy(),
        message_of_post=whole.message_of_post[::-1].copy(),
    )
    table = InvertedPostIndex(before, of_before).index.table
    monkeypatch.delattr("tfhashtag.retrieval.inverted_table.k_means")
    grown = inverted_post_index.with_fresh_posts(table, before, turned, of_whole)
    assert sorted(grown.ids.tolist()) == list(range(300)) and grown.recall is None
    np.testing.assert_array_equal(
        np.unique(grown.centres, axis=0), np.unique(table.centres, axis=0)
    )
    np.testing.assert_array_equal(grown.groups, turned.user_of_post[grown.ids])
    unit = of_whole / np.linalg.norm(of_whole, axis=1, keepdims=True)
    unit[whole.blank] = 0
    np.testing.assert_allclose(grown.codes, unit[turned.message_of_post[grown.ids]], atol=1e-3)
    index = InvertedPostIndex(turned, of_whole, table=grown)
    assert index.recall["found"] >= 0.85
    gone = dataclasses.replace(turned, post_ids=[f"q{post}" for post in named[::-1]])
    assert inverted_post_index.with_fresh_posts(table, before, gone, of_whole) is None
    with pytest.raises(ArtifactError, match="of other vectors"):
        InvertedPostIndex(turned, of_whole, table=table)


def test_auto_is_exact_below_a_size(corpus, tables, monkeypatch):
    data = PostData()
    assert not is_inverted(corpus, data)
    assert isinstance(post_index(corpus, *tables, data, 0.5), ExactPostIndex)
    monkeypatch.setattr(choose_index, "EXACT_POSTS", 100)
    assert is_inverted(corpus, data) and not is_inverted(corpus, PostData(index="exact"))


def test_wrong_arguments(make_corpus, corpus, tables, index):
    few = make_corpus([("u", "a", [], 0), ("v", "b", [], 2)])
    with pytest.raises(ConfigError, match="two train posts"):
        InvertedPostIndex(few, np.eye(2))
    with pytest.raises(ConfigError, match="omega"):
        InvertedPostIndex(corpus, *tables, omega=-1)
    with pytest.raises(DataError, match="widths"):
        index.search(PostQueries.of_corpus(corpus, np.arange(2), tables[0]), 1, "own")
