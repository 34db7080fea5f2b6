"""What rises, in an export as the command says it."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.runs.trending import trending
from tfhashtag.tasks.rising import RisingHashtags


def test_the_table_answers_what_the_command_does():
    corpus = synthetic_corpus(posts=2000, users=50, seed=0)
    rows = list(trending(types.SimpleNamespace(corpus=corpus), k=1000))
    table = RisingHashtags(corpus)
    assert len(rows) > 2
    for k, most in ((2, 2), (10**6, len(rows)), (-1, 0)):
        found = {name: value.numpy() for name, value in table(tf.constant(k)).items()}
        assert found.pop("hashtags").astype(str).tolist() == [r["hashtag"] for r in rows[:most]]
        for name, values in found.items():
            assert values.tolist() == pytest.approx([row[name] for row in rows[:most]], rel=1e-6)
    assert "1970" not in table.limits[0] and "up to 20" in table.limits[0]


def test_where_nothing_can_be_compared_nothing_rises():
    corpus = synthetic_corpus(posts=80, users=8, seed=0)
    at_once = dataclasses.replace(corpus, timestamps=np.zeros(len(corpus), np.int64))
    assert RisingHashtags(at_once)(tf.constant(5))["hashtags"].shape == (0,)
    untimed = RisingHashtags(dataclasses.replace(corpus, timestamps=None))
    assert "the newest post" in untimed.limits[0]
