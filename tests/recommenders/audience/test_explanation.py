"""Signals of a score: parts that add up, and a model whose parts are known."""

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import DataError
from tfhashtag.explain.explanation import Bars, Items
from tfhashtag.recommenders.audience.explanation import WORDS, explain_audience, parts_of
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


@pytest.fixture(scope="module")
def recommender(explained_user_run):
    return Run.open(explained_user_run("audience")).recommender


def test_parts_add_up_to_what_the_recommender_scores(recommender, hashtag):
    found = explain_audience(recommender, "user1", hashtag)
    episode, _, _ = pair_episode(recommender.corpus, "user1", hashtag, "test", 5)
    score = recommender.score_episode(episode)
    assert found.about["logit"] == pytest.approx(score[0], abs=1e-4)
    signals = found.panel("all_signals", Items)
    parts = signals.column("part of the logit")
    assert found.about["baseline"] + sum(parts) == pytest.approx(found.about["logit"], abs=1e-4)
    assert set(signals.column("name")) == {*SIGNALS, *USER_SIGNALS} == set(WORDS)
    assert np.all(np.diff(np.abs(parts)) <= 0)
    assert len(set(WORDS.values())) == len(WORDS)
    drawn = found.panel("signals", Bars)
    assert drawn.rows == signals.column("signal")[:20]
    assert drawn.series["part"] == parts[:20]


def test_parts_of_a_linear_model():
    """Each signal's part is then its weight times its distance from the mean, without error."""
    rng = np.random.default_rng(0)
    weights, features, mean = rng.normal(size=(3, FEATURES))

    class Linear:
        class standardizer:
            pass

        def __call__(self, steps, training):
            return tf.cast(steps, tf.float64) @ weights[:, None]

    Linear.standardizer.mean = mean.astype("float32")
    found = parts_of(Linear(), features[None])
    baseline, logit, parts, errors = (value[0].numpy() for value in found)
    each = weights * (features - mean)
    count = len(SIGNALS)
    wanted = np.concatenate([each[:count] + each[count : 2 * count], each[2 * count :]])
    assert np.allclose(parts, wanted, atol=1e-5) and errors.max() < 1e-5
    assert baseline == pytest.approx(weights @ mean, abs=1e-4)
    assert logit == pytest.approx(weights @ features, abs=1e-4)


def test_messages_and_authors(recommender, hashtag):
    found = explain_audience(recommender, "user1", hashtag, count=200)
    corpus = recommender.corpus
    messages, authors = found.panel("messages", Items), found.panel("authors", Items)
    assert sum(messages.column("weight")) == pytest.approx(1, abs=1e-5)
    assert "user1" not in messages.column("author")
    signals = found.panel("all_signals", Items)
    values = dict(zip(signals.column("name"), signals.column("value"), strict=True))
    assert max(messages.column("cosine")) == pytest.approx(values["text_max"], abs=1e-4)
    closest = max(authors.column("closeness"))
    assert closest == pytest.approx(values["authors_all_max"], abs=1e-4)
    taggers = set(messages.column("author"))
    assert set(authors.column("author")) == taggers <= set(corpus.users)


def test_errors(recommender):
    with pytest.raises(DataError, match="`hashtag` 'tagg' is not in"):
        explain_audience(recommender, "user1", "tagg")
    corpus = recommender.corpus
    ranked = evaluation_episode(corpus, Split.TEST).catalogue
    rare = next(name for at, name in enumerate(corpus.hashtags) if at not in ranked)
    with pytest.raises(DataError, match="is not ranked at the moment `test`"):
        explain_audience(recommender, "user1", rare)
