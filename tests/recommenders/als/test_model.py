"""Collaborative filtering: the least-squares solution, honest about what it has never seen."""

import sys

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.recommenders.als.model import CollaborativeFilter
from tfhashtag.tasks.users.episode import evaluation_episode

pytest.importorskip("implicit", reason="implicit is not installed")


@pytest.fixture(scope="module")
def corpus(make_corpus):
    """Two circles of users; each user has tagged all but one hashtag of the circle."""
    posts = []
    for circle in "ab":
        for user in range(6):
            for tag in range(6):
                if tag != user:
                    posts.append((f"{circle}{user}", f"{circle}{user}{tag}", [f"{circle}{tag}"], 0))
    for circle in "ab":
        for user in range(6):
            tags = [f"{c}{tag}" for c in "ab" for tag in range(6)] + ["new"]
            posts.append((f"{circle}{user}", f"later {circle}{user}", tags, 2))
    posts.append(("newcomer", "hello", ["a0", "b0", "new"], 2))
    return make_corpus(posts)


@pytest.fixture(scope="module")
def trained(corpus):
    model = CollaborativeFilter(factors=2, regularization=0.5, confidence=5.0, iterations=60)
    model.fit(corpus)
    return model


def test_prefers_the_circle_and_scores_the_unseen_zero(corpus, trained):
    episode = evaluation_episode(corpus, Split.TEST, "full", minimum_contexts=1)
    lists, scores = episode.candidates, trained.score(episode)
    assert scores.dtype == np.float32 and len(scores) == len(lists.labels) > 50
    seen = set()
    for user, tag, score in zip(lists.user_of_value, lists.hashtags.values, scores, strict=True):
        name, hashtag = corpus.users[user], corpus.hashtags[tag]
        if hashtag == "new" or name == "newcomer":
            assert score == 0
            seen.add("cold")
        elif name[0] == hashtag[0]:
            assert score > 0.5, (name, hashtag)
            seen.add("same")
        else:
            assert abs(score) < 0.2
            seen.add("other")
    assert seen == {"cold", "same", "other"}


def test_solves_the_weighted_least_squares(corpus, trained):
    """Hashtags' factors are the ridge solution for the users' factors, by dense loops."""
    tagged = np.zeros((len(corpus.users), len(corpus.hashtags)))
    for post in np.flatnonzero(corpus.split_of_post == Split.TRAIN):
        tagged[corpus.user_of_post[post], corpus.hashtags_of_post(post)] = 1
    users = trained.users.astype("float64")
    for hashtag in range(len(corpus.hashtags)):
        left, right = 0.5 * np.eye(2), np.zeros(2)
        for user, factors in enumerate(users):
            weight = 5.0 if tagged[user, hashtag] else 1.0
            left += weight * np.outer(factors, factors)
            right += weight * tagged[user, hashtag] * factors
        expected = np.linalg.solve(left, right)
        np.testing.assert_allclose(trained.hashtags[hashtag], expected, atol=2e-3)


def test_one_seed_one_result_and_reading_back(corpus, trained, tmp_path):
    again = CollaborativeFilter(factors=2, regularization=0.5, confidence=5.0, iterations=60)
    again.fit(corpus)
    assert np.array_equal(again.hashtags, trained.hashtags)
    trained.save(tmp_path / "factors.npz")
    loaded = CollaborativeFilter(factors=2)
    loaded.load(tmp_path / "factors.npz")
    episode = evaluation_episode(corpus, Split.TEST, "full", minimum_contexts=1)
    assert np.array_equal(loaded.score(episode), trained.score(episode))
    with pytest.raises(ArtifactError, match="expected a width of 4"):
        CollaborativeFilter(factors=4).load(tmp_path / "factors.npz")
    (tmp_path / "factors.npz").write_bytes(b"no")
    with pytest.raises(ArtifactError, match="not readable"):
        loaded.load(tmp_path / "factors.npz")


def test_mistakes_are_named(corpus, make_corpus, monkeypatch):
    episode = evaluation_episode(corpus, Split.TEST, "full", minimum_contexts=1)
    with pytest.raises(ArtifactError, match="call `fit` or `load`"):
        CollaborativeFilter().score(episode)
    with pytest.raises(DataError, match="no train post has a hashtag"):
        CollaborativeFilter().fit(make_corpus([("u", "t", ["a"], 2)]))
    with pytest.raises(ConfigError, match=r"`factors` must be .* found 0"):
        CollaborativeFilter(factors=0)
    with pytest.raises(ConfigError, match="`confidence` must be positive, found 0"):
        CollaborativeFilter(confidence=0)
    monkeypatch.setitem(sys.modules, "implicit.als", None)
    with pytest.raises(ConfigError, match=r"tfhashtag\[baselines\]"):
        CollaborativeFilter().fit(corpus)
