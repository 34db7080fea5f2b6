"""Plain rules on posts: by hand, and on the Twitter data."""

import json
import os
import pathlib

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.encoders import Proposals
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.evaluation import evaluate_posts
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.recommenders.rules.posts import (
    NearestPosts,
    OwnHashtags,
    PopularHashtags,
    SumOfScorers,
    own_and_nearest,
)
from tfhashtag.tasks.posts.labels import PostLabels

AT_9 = ("HitRate@9", "Precision@9", "Recall@9", "F1@9")


def small(make_corpus):
    corpus = make_corpus(
        [
            ("u", "p", ["x", "y"], 0),
            ("u", "q", ["y"], 0),
            ("v", "r", ["z", "y"], 0),
            ("v", "s", ["x"], 2),
        ]
    )
    text = np.float32([[1, 0], [0, 1], [0.8, 0.6], [-1, 0]])
    return corpus, PostLabels.of_corpus(corpus, 1), text


def test_rules_by_hand(make_corpus):
    corpus, labels, text = small(make_corpus)
    posts = np.array([3, 0])
    assert PopularHashtags(corpus, labels).score(posts).tolist() == [[1, 3, 1], [1, 3, 1]]
    own = OwnHashtags(corpus, labels, by_popularity=False).score(posts)
    assert own.tolist() == [[0, 1, 1], [0, 1, 0]]  # post 0 does not count itself
    np.testing.assert_allclose(
        OwnHashtags(corpus, labels).score(posts), [[0.25, 1.75, 1.25], [0.25, 1.75, 0.25]]
    )
    near = NearestPosts(corpus, labels, text, count=2).score(posts)
    # Post 3 is opposite to the nearest two, whose cosine counts nothing; post 0 finds 2 and 1.
    np.testing.assert_allclose(near, [[0, 0, 0], [0, 0.8, 0.8]], atol=2e-6)
    total = own_and_nearest(corpus, labels, text, 2).score(posts)
    np.testing.assert_allclose(total, own + near)


@pytest.mark.parametrize(
    "config, expected",
    [
        ("post_popularity", [1, 3, 1]),
        ("post_own", [0.25, 1.75, 1.25]),
        ("post_nearest_text", [0, 0, 0]),
        ("post_nearest_image", [0, 0.8, 0]),
        ("post_own_nearest", [0, 1, 1]),
    ],
)
def test_rules_as_recommenders(config, expected, make_corpus, tmp_path):
    corpus, _, text = small(make_corpus)
    pictures = np.float32([[[1, 0]], [[0, 1]], [[0.6, 0.8]]])
    rows = np.array([0, 1, -1, 2], np.int32)
    found = Proposals(pictures, pathlib.Path(), encoded=3, reused=0, rows_of_post=rows[:, None])
    data = EncodedCorpus(corpus, text, proposals=found)
    settings = load_settings(config, ["data.minimum_posts=1", "data.similar_posts=1"])
    recommender = recommender_class(settings.model)(settings)
    queries = recommender.task.queries(corpus, settings.data, Split.TEST)
    with pytest.raises(ArtifactError, match="nothing is learned yet"):
        recommender.score(queries)
    recommender.fit(data)
    np.testing.assert_allclose(recommender.score(queries), [expected], atol=2e-6)
    recommender.save(tmp_path)
    loaded = type(recommender).load(tmp_path, settings, data)
    np.testing.assert_array_equal(loaded.score(queries), recommender.score(queries))
    (best,) = recommender.rank(queries).best(1).values()
    assert best[0][1] == pytest.approx(max(expected))


def test_the_nearest_by_image_need_pictures():
    with pytest.raises(ConfigError, match=r"`rank_by` is nearest_image.*`image_encoder`"):
        load_settings("post_nearest_image", ["image_encoder=none"])


def test_nearest_by_image(make_corpus):
    corpus, labels, text = small(make_corpus)
    visual = np.float32([[1, 0], [0, 1], [0, 0], [0.6, 0.8]])
    found = NearestPosts(corpus, labels, text, visual, omega=1.0, count=1).score(np.array([3]))
    np.testing.assert_allclose(found, [[0, 0.8, 0]], atol=2e-6)


def test_wrong_arguments(make_corpus):
    corpus, labels, text = small(make_corpus)
    with pytest.raises(ConfigError, match="count"):
        NearestPosts(corpus, labels, text, count=0)
    with pytest.raises(ConfigError, match="no `visual`"):
        NearestPosts(corpus, labels, text, omega=0.5)
    with pytest.raises(ConfigError, match="at least one"):
        SumOfScorers()


def measured(corpus, labels, scorer):
    test = np.flatnonzero(corpus.split_of_post == Split.TEST)
    result = evaluate_posts(labels.rows.take(test), scorer.score(test), cutoffs=(9,))
    assert (result["posts"], result["labels"]) == (2833, 1572)
    return [result["metrics"][name] for name in AT_9]


def test_counting_rules_on_the_twitter_data(howyoutag_corpus):
    labels = PostLabels.of_corpus(howyoutag_corpus)
    popular = measured(howyoutag_corpus, labels, PopularHashtags(howyoutag_corpus, labels))
    assert popular == pytest.approx([0.138, 0.016, 0.082, 0.027], abs=0.001)
    own = measured(howyoutag_corpus, labels, OwnHashtags(howyoutag_corpus, labels))
    assert own == pytest.approx([0.567, 0.105, 0.459, 0.170], abs=0.002)


def test_similar_posts_on_the_twitter_data(howyoutag_corpus):
    """With MiniLM vectors made beforehand: TFHASHTAG_VECTORS holds minilm.npy and texts.json."""
    folder = os.environ.get("TFHASHTAG_VECTORS")
    if folder is None:
        pytest.skip("TFHASHTAG_VECTORS is not set; the vectors of all texts take minutes to make")
    texts = json.loads((pathlib.Path(folder) / "texts.json").read_text(encoding="utf-8"))
    assert texts == howyoutag_corpus.messages
    vectors = np.load(pathlib.Path(folder) / "minilm.npy")
    labels = PostLabels.of_corpus(howyoutag_corpus)
    nearest = NearestPosts(howyoutag_corpus, labels, vectors)
    near = measured(howyoutag_corpus, labels, nearest)
    assert near == pytest.approx([0.431, 0.078, 0.353, 0.128], abs=0.002)
    own = OwnHashtags(howyoutag_corpus, labels, by_popularity=False)
    total = measured(howyoutag_corpus, labels, SumOfScorers(own, nearest))
    assert total == pytest.approx([0.629, 0.115, 0.525, 0.189], abs=0.003)
