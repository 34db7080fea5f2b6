"""Figure 6 of the engagement paper: attention and parts that are the model's own."""

import numpy as np
import pytest

from tfhashtag.errors import ConfigError, DataError
from tfhashtag.recommenders.engagement.explanation import explain_engagement
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.pair import pair_episode


@pytest.mark.parametrize("name", ["engagement", "attention"])
def test_parts_add_up_to_what_the_recommender_scores(explained_user_run, name):
    run = explained_user_run(name)
    found = explain_engagement(run, "user1", "#tag2x0")
    opened = Run.open(run)
    episode, _, _ = pair_episode(opened.corpus, "user1", "tag2x0", "test", 5)
    score = opened.recommender.score_episode(episode)
    assert found.logit == pytest.approx(score[0], abs=1e-4)
    parts = [message.contribution for message in found.messages]
    assert found.bias + found.user_part + sum(parts) == pytest.approx(found.logit, abs=1e-4)
    weights = [message.attention for message in found.messages]
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert weights == sorted(weights, reverse=True)
    assert any(message.without != 0 for message in found.messages)


def test_topics_and_words(explained_user_run):
    found = explain_engagement(explained_user_run("engagement"), "user1", "tag2x0", "valid")
    assert len(found.topics) == 4
    assert sum(share for _, share, _ in found.topics) == pytest.approx(1, abs=1e-5)
    words = [word for message in found.messages for word in message.words]
    known = [word for word in words if word.topic is not None]
    assert known and all(0 < word.topic < 1 and 0 < word.likelihood < 1 for word in known)
    assert {word.text for word in words} >= {"word2x1"}


def test_without_topics_and_with_weights_of_the_history(explained_user_run):
    found = explain_engagement(explained_user_run("attention"), "user1", "tag2x0")
    assert found.topics == []
    assert all(word.topic is None for message in found.messages for word in message.words)
    assert sum(weight for _, weight in found.history) == pytest.approx(1, abs=1e-5)
    weights = np.array([message.attention for message in found.messages])
    assert np.allclose(weights, weights[0])  # the mean
    assert all(w is None for _, w in explain_engagement(
        explained_user_run("engagement"), "user1", "tag2x0"
    ).history)  # fmt: skip


def test_shows_nothing_that_the_user_must_not_see(explained_user_run):
    run = explained_user_run("engagement")
    corpus = Run.open(run).corpus
    user = corpus.users[0]
    own = {
        corpus.messages[corpus.message_of_post[post]]
        for post in np.flatnonzero(corpus.user_of_post == 0)
    }
    found = explain_engagement(run, user, "tag0x0")
    assert not own & {message.text for message in found.messages}


def test_errors_name_what_is_near(explained_user_run):
    run = explained_user_run("engagement")
    with pytest.raises(DataError, match=r"`user` 'user1x' is not in .*; nearest: user1"):
        explain_engagement(run, "user1x", "tag2x0")
    with pytest.raises(DataError, match=r"`hashtag` 'tag2y0' is not in .*; nearest: .*tag2x0"):
        explain_engagement(run, "user1", "tag2y0")
    with pytest.raises(ConfigError, match="`split` must be valid or test, found 'train'"):
        explain_engagement(run, "user1", "tag2x0", "train")
    with pytest.raises(ConfigError, match="needs a run of model engagement"):
        explain_engagement(explained_user_run("scorer"), "user1", "tag2x0")
