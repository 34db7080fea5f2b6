"""The recommended model of posts with an inverted file in place of the exact search."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError
from tfhashtag.recommenders.post_ranker import posts_at
from tfhashtag.recommenders.post_ranker.posts_at import PostsAt
from tfhashtag.recommenders.post_ranker.recommender import PostRankerRecommender
from tfhashtag.retrieval.inverted_file import InvertedFile, recall_of
from tfhashtag.retrieval.post_search import PostQueries

KINDS = ("text", "picture")


@pytest.fixture(scope="module")
def indexed(post_run):
    """A trained run with the index forced."""
    run = post_run("posts")
    data = run.settings.data.model_copy(update={"index": "inverted"})
    settings = run.settings.model_copy(update={"data": data})
    return PostRankerRecommender.load(run.weights, settings, run.data)


def test_finds_what_the_exact_search_finds_and_nothing_later(indexed):
    """Train posts are asked about, too: none finds itself or what came after it."""
    at, corpus = indexed.present, indexed.corpus
    data = at.data.model_copy(update={"index": "exact"})
    kept = {kind: vectors.classifiers for kind, vectors in at.moment.kinds.items()}
    exact = PostsAt(corpus, at.reads, data, classifiers=kept)
    assert set(at.inverted) == set(KINDS) and not exact.inverted
    posts = np.arange(len(corpus))
    found, expected = at.query(posts), exact.query(posts)
    for kind in KINDS:
        near = found[f"{kind}_near"]
        row, column = np.nonzero(near >= 0)
        asked, answer = posts[row], at.moment.posts[near[row, column]]
        assert (corpus.user_of_post[answer] != corpus.user_of_post[asked]).all()
        assert (corpus.timestamps[answer] < corpus.timestamps[asked]).all()
        assert (corpus.split_of_post[answer] == Split.TRAIN).all()
        ours, theirs = (
            (query[f"{kind}_near"][:, :10], query[f"{kind}_similarity"][:, :10])
            for query in (found, expected)
        )
        # In 16 bits a vector is a little longer or shorter.
        assert recall_of((ours[0], ours[1] + 1e-3), theirs) >= 0.9
        told = at.inverted[kind].recall
        assert told["at"] == 10 and told["found"] >= 0.85


def test_the_graph_finds_what_the_process_does(indexed):
    at, corpus = indexed.present, indexed.corpus
    posts = np.arange(0, len(corpus), 3)
    query = at.query(posts)
    users = at.moment.user_places(corpus.user_of_post[posts])
    users = np.where(users == len(at.moment.users), -1, users)
    for kind in KINDS:
        text = query["text"] if kind == "text" else query["text"][:, :0]
        visual = None if kind == "text" else query["picture"]
        nobody = np.full(len(posts), -1, np.int32)
        asked = PostQueries(text, visual, corpus.user_of_post[posts], nobody, None)
        expected, similarity = at.indexes[kind].search(asked, 9, "others")
        search = at.graph_search(kind)
        _, _, near, found = tf.function(
            lambda *given, search=search: search(given[0], None, given[1], own=1, others=9),
            autograph=False,
        )(tf.constant(query[kind]), tf.constant(users))
        answers = np.where(near >= 0, at.moment.posts[np.maximum(near, 0)], -1)
        some = np.any(query[kind], axis=1)
        assert np.mean(answers[some] == expected[some]) > 0.99  # but for ties
        np.testing.assert_allclose(found[some], similarity[some], atol=2e-6)
    told = [limit for limit in indexed.servable(5).limits if "inverted file" in limit]
    assert [line.split(" by others")[0] for line in told] == [
        "Posts of similar text",
        "Posts of similar pictures",
    ]
    recall = at.inverted["text"].recall["found"]
    assert f"recall@10 {recall:.3f} against the exact search" in told[0]


def test_is_kept_and_grows_without_being_built(indexed, tmp_path, monkeypatch):
    indexed.save(tmp_path)
    assert {"similar_posts", "similar_pictures"} <= {path.name for path in tmp_path.iterdir()}
    monkeypatch.delattr("tfhashtag.retrieval.inverted_table.k_means")
    again = PostRankerRecommender.load(tmp_path, indexed.settings, indexed.data)
    posts = np.flatnonzero(indexed.corpus.split_of_post == Split.TEST)
    expected = indexed.score_posts(posts)
    monkeypatch.setattr(posts_at, "_BLOCK", 5)
    monkeypatch.setattr(posts_at, "_SEARCHED", 12)
    np.testing.assert_allclose(again.score_posts(posts), expected, rtol=1e-5, atol=1e-5)
    assert isinstance(again.present.indexes["text"].index, InvertedFile)
    # At another moment, here one before the last train posts, these are not found.
    splits, train = indexed.corpus.split_of_post.copy(), again.present.moment.posts
    splits[train[-20:]] = Split.TEST
    monkeypatch.undo()
    earlier = dataclasses.replace(indexed.corpus, split_of_post=splits)
    data = dataclasses.replace(indexed.data, corpus=earlier)
    moment = PostRankerRecommender.load(tmp_path, indexed.settings, data).present
    assert np.array_equal(np.sort(moment.indexes["text"].index.table.ids), train[:-20])
    again._tables = {"text": again._tables["picture"], "picture": again._tables["picture"]}
    del again.present
    with pytest.raises(ArtifactError, match="of other vectors"):
        _ = again.present
