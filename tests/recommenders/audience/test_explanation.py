"""Signals of a score: parts that add up, and a model whose parts are known."""

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.recommenders.audience.explanation import _contributions, explain_audience
from tfhashtag.recommenders.audience.model import FEATURES
from tfhashtag.recommenders.audience.signals import SIGNALS, USER_SIGNALS
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.episode import evaluation_episode
from tfhashtag.tasks.users.pair import pair_episode


@pytest.fixture(scope="module")
def hashtag(explained_user_run):
    """One that others than user1 used, and that the test split ranks."""
    corpus = Run.open(explained_user_run("audience")).corpus
    episode = evaluation_episode(corpus, Split.TEST)
    user = corpus.users.index("user1")
    used = [corpus.hashtags_of_post(post) for post in episode.history[user]]
    return next(
        corpus.hashtags[tag]
        for tag in episode.catalogue
        if corpus.hashtags[tag].startswith("tag1") or tag not in np.concatenate(used)
    )


def test_parts_add_up_to_what_the_recommender_scores(explained_user_run, hashtag):
    run = explained_user_run("audience")
    found = explain_audience(run, "user1", hashtag)
    opened = Run.open(run)
    episode, _, _ = pair_episode(opened.corpus, "user1", hashtag, "test", 5)
    score = opened.recommender.score_episode(episode)
    assert found.logit == pytest.approx(score[0], abs=1e-4)
    parts = [part.contribution for part in found.signals]
    assert found.baseline + sum(parts) == pytest.approx(found.logit, abs=1e-4)
    assert {part.signal for part in found.signals} == {*SIGNALS, *USER_SIGNALS}
    assert np.all(np.diff(np.abs(parts)) <= 0)


def test_parts_of_a_linear_model():
    """Each signal's part is then its weight times its distance from the mean, without error."""
    rng = np.random.default_rng(0)
    weights, features, mean = rng.normal(size=(3, FEATURES))

    class Linear:
        class standardizer:
            pass

        def __call__(self, steps, training):
            return np.asarray(steps, np.float64) @ weights

    Linear.standardizer.mean = mean.astype("float32")
    baseline, logit, parts, errors = _contributions(Linear(), features)
    each = weights * (features - mean)
    count = len(SIGNALS)
    wanted = np.concatenate([each[:count] + each[count : 2 * count], each[2 * count :]])
    assert np.allclose(parts, wanted, atol=1e-5) and errors.max() < 1e-5
    assert baseline == pytest.approx(weights @ mean, abs=1e-4)
    assert logit == pytest.approx(weights @ features, abs=1e-4)


def test_messages_and_authors(explained_user_run, hashtag):
    run = explained_user_run("audience")
    found = explain_audience(run, "user1", hashtag, count=200)
    corpus = Run.open(run).corpus
    assert sum(message.weight for message in found.messages) == pytest.approx(1, abs=1e-5)
    assert "user1" not in {message.author for message in found.messages}
    by_signal = {part.signal: part.value for part in found.signals}
    assert max(m.cosine for m in found.messages) == pytest.approx(by_signal["text_max"], abs=1e-4)
    closest = max(author.closeness for author in found.authors)
    assert closest == pytest.approx(by_signal["authors_all_max"], abs=1e-4)
    taggers = {message.author for message in found.messages}
    assert {author.user for author in found.authors} == taggers
    assert taggers <= set(corpus.users)


def test_errors(explained_user_run):
    run = explained_user_run("audience")
    with pytest.raises(DataError, match="`hashtag` 'tagg' is not in"):
        explain_audience(run, "user1", "tagg")
    with pytest.raises(ConfigError, match=r"`model` is scorer; .* needs a run of model aud"):
        explain_audience(explained_user_run("scorer"), "user1", "tag1x0")
