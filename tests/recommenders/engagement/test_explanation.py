"""Figure 6 of the engagement paper: attention and parts that are the model's own."""

import numpy as np
import pytest

from tfhashtag.errors import ConfigError, DataError
from tfhashtag.explain.explanation import HeatMap, Items
from tfhashtag.recommenders.engagement.explanation import explain_engagement
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.pair import pair_episode


@pytest.fixture(scope="module")
def recommenders(explained_user_run):
    """A function from `engagement` or `attention` to a trained recommender."""
    made = {}

    def recommender(name):
        if name not in made:
            made[name] = Run.open(explained_user_run(name)).recommender
        return made[name]

    return recommender


@pytest.mark.parametrize("name", ["engagement", "attention"])
def test_parts_add_up_to_what_the_recommender_scores(recommenders, name):
    recommender = recommenders(name)
    found = explain_engagement(recommender, "user1", "#tag2x0")
    episode, _, _ = pair_episode(recommender.corpus, "user1", "tag2x0", "test", 5)
    score = recommender.score_episode(episode)
    about, messages = found.about, found.panel("messages", Items)
    assert about["logit"] == pytest.approx(score[0], abs=1e-4)
    parts = messages.column("part of the logit")
    total = about["bias"] + about["user_part"] + sum(parts)
    assert total == pytest.approx(about["logit"], abs=1e-4)
    weights = messages.column("attention")
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert weights == sorted(weights, reverse=True)
    assert any(fall != 0 for fall in messages.column("fall without it"))
    assert found.panel("attention", HeatMap).weights == ("attention", weights)


def test_topics_and_words(recommenders):
    found = explain_engagement(recommenders("engagement"), "user1", "tag2x0", "valid")
    topics = found.panel("topics", Items)
    assert len(topics.column("topic")) == 4
    assert sum(topics.column("share")) == pytest.approx(1, abs=1e-5)
    words = [word for row in found.panel("messages", Items).column("message") for word in row]
    known = [number for _, number in words if number is not None]
    assert known and all(0 < number < 1 for number in known)
    assert {word for word, _ in words} >= {"word2x1"}
    seen = found.panel("attention", HeatMap)
    assert seen.cells[0] == [word for word, _ in words[: len(seen.cells[0])]]


def test_without_topics_and_with_weights_of_the_history(recommenders):
    found = explain_engagement(recommenders("attention"), "user1", "tag2x0")
    with pytest.raises(KeyError, match="no Items 'topics'"):
        found.panel("topics", Items)
    messages = found.panel("messages", Items)
    assert all(number is None for row in messages.column("message") for _, number in row)
    assert sum(found.panel("history", Items).column("weight")) == pytest.approx(1, abs=1e-5)
    weights = messages.column("attention")
    assert np.allclose(weights, weights[0])  # the mean
    plain = explain_engagement(recommenders("engagement"), "user1", "tag2x0")
    assert [column.name for column in plain.panel("history", Items).columns] == ["message"]


def test_shows_nothing_that_the_user_must_not_see(recommenders):
    recommender = recommenders("engagement")
    corpus = recommender.corpus
    own = {
        corpus.messages[corpus.message_of_post[post]]
        for post in np.flatnonzero(corpus.user_of_post == 0)
    }
    found = explain_engagement(recommender, corpus.users[0], "tag0x0")
    assert not own & set(found.panel("attention", HeatMap).rows)


def test_errors_name_what_is_near(recommenders):
    recommender = recommenders("engagement")
    with pytest.raises(DataError, match=r"`user` 'user1x' is not in .*; nearest: user1"):
        explain_engagement(recommender, "user1x", "tag2x0")
    with pytest.raises(DataError, match=r"`hashtag` 'tag2y0' is not in .*; nearest: .*tag2x0"):
        explain_engagement(recommender, "user1", "tag2y0")
    with pytest.raises(ConfigError, match="`split` must be one of now, valid, test, found 'train'"):
        explain_engagement(recommender, "user1", "tag2x0", "train")
    with pytest.raises(ConfigError, match="`hashtag` is missing"):
        recommender.explain("user1")
