"""Time as signals: planted trends, decay and seasons are foreseen with them and not without.

That takes two whole trainings and is slow; `test_signals`, where loops say what each signal of time
is, and the clock of who answers are its fast twins.
"""

import dataclasses
import time

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic import THEMES
from tfhashtag.corpus.synthetic_trends import synthetic_trends
from tfhashtag.corpus.trends import DAY
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.post_ranker.recommender import PostRankerRecommender
from tfhashtag.recommenders.post_ranker.servable import RankerAnswers, RankerContext
from tfhashtag.recommenders.post_ranker.time_signals import TIMES
from tfhashtag.runs.answers import clock_allowed
from tfhashtag.training.options import TrainingOptions

SMALL = (
    "text_encoder=t.npy",
    "data.hashtag_names=none",
    "data.taste_width=8",
    "data.minimum_posts=3",
    "data.other_posts=50",
    "network.members=2",
    "network.hidden=[32]",
    "training.futures=[[0.75, 1.0]]",
    "training.epochs=8",
    "training.refit=false",
    "training.learning_rate=5e-3",
)


@pytest.fixture(scope="module")
def made():
    return synthetic_trends(posts=700, users=30, seed=0)


def encoded(corpus):
    """Each word has a vector of its own, a text their sum."""
    words = sorted({word for theme in THEMES.values() for word in theme.split()})
    vectors = dict(zip(words, np.random.default_rng(0).normal(size=(len(words), 24)), strict=True))
    texts = [sum(vectors[word] for word in text.split()) for text in corpus.messages]
    return EncodedCorpus(corpus, np.array(texts, np.float32), None, None, "t.npy", "none")


def fitted(data, *sets):
    settings = load_settings("posts", (*SMALL, *sets))
    recommender = PostRankerRecommender(settings, TrainingOptions(progress=False))
    recommender.fit(data)
    return recommender


def places_by_kind(recommender, made):
    """Mean reciprocal place of the right hashtag of valid posts, by what the hashtag does."""
    corpus = made.corpus
    posts = np.flatnonzero(corpus.split_of_post == Split.VALID)
    posts = recommender.labels.answerable(posts)
    labels = recommender.labels.rows.take(posts).values
    scores = recommender.score_posts(posts)
    before = (scores > scores[np.arange(len(posts)), labels][:, None]).sum(axis=1)
    tags = [corpus.hashtags[tag] for tag in recommender.labels.hashtags[labels]]
    kinds = np.array([made.kinds[tag] for tag in tags])
    found = {kind: (1 / (1 + before[kinds == kind])).mean() for kind in set(kinds.tolist())}
    return found | {"first": (before == 0).mean()}


@pytest.fixture(scope="module")
def timed(made):
    return fitted(encoded(made.corpus), "training.epochs=2", "network.hidden=[8]")


@pytest.mark.slow
def test_planted_seasons_trends_and_decay_are_foreseen():
    made = synthetic_trends(posts=3000, users=60, seed=0)
    timed = fitted(encoded(made.corpus))
    without = fitted(encoded(made.corpus), "data.time=off")
    assert not set(TIMES) & set(without.present.signals.signals)
    assert set(TIMES) <= set(timed.present.signals.signals)
    found, plain = places_by_kind(timed, made), places_by_kind(without, made)
    for kind in sorted(found):  # the table of the guide
        print(f"| {kind} | {plain[kind]:.2f} | {found[kind]:.2f} |")
    assert found["weekly"] > plain["weekly"] + 0.2
    assert found["daily"] > plain["daily"] + 0.3
    assert found["rising"] > plain["rising"] + 0.05
    assert found["first"] > plain["first"] + 0.05


def test_who_answers_asks_the_clock(made, timed):
    """At the moment of a post what is answered is what is evaluated; on another day it differs."""
    corpus, at = made.corpus, timed.present
    valid = np.flatnonzero(corpus.split_of_post == Split.VALID)
    assert corpus.timestamps[valid[0]] > at.moment.time_of_post.max()
    context, answers = RankerContext(timed), RankerAnswers(timed)
    with clock_allowed():  # the fit before makes TensorFlow refuse it
        assert abs(float(context.clock()) - time.time()) < 60
    for post in valid[:3]:
        query = at.query(np.array([post]))
        user = query["users"] if query["users"][0] < len(context.users) else np.array([-1])
        post_of = {name: tf.constant(query[name]) for name in ("tokens", "text")}
        logits = []
        for moment in (corpus.timestamps[post] + np.arange(7) * DAY).tolist():
            context.clock = lambda moment=moment: tf.constant(moment, tf.int64)
            asked = context(post_of, tf.constant(query["texts"]), tf.constant(user, tf.int32))
            logits.append(answers(asked).numpy()[0])
        np.testing.assert_allclose(logits[0], timed.score_posts(np.array([post]))[0], atol=1e-4)
        assert max(np.abs(other - logits[0]).max() for other in logits[1:]) > 0.1


def test_without_times_nothing_changes(made):
    """And to ask for what is not there is refused."""
    corpus = dataclasses.replace(made.corpus, timestamps=None)
    data = encoded(corpus)
    recommender = PostRankerRecommender(load_settings("posts", SMALL))
    recommender._read(data)
    assert not set(TIMES) & set(recommender.present.signals.signals)
    recommender = PostRankerRecommender(load_settings("posts", (*SMALL, "data.time=on")))
    with pytest.raises(
        ConfigError, match=r"`data.time` is on, and the posts of trends-.* no times"
    ):
        recommender._read(data)
