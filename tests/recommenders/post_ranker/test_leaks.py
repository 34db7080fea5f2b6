"""Where hashtags are taken by lot, no signal may tell which posts take them."""

import dataclasses

import numpy as np
import pytest

from tests.fixtures.lots import corpus_by_lot, lifts, vectors_by_lot
from tfhashtag.layers import WordIds
from tfhashtag.recommenders.post_ranker.posts_at import (
    PostReads,
    PostsAt,
    UnitTexts,
    imitated_moment,
)
from tfhashtag.recommenders.post_ranker.settings import RankerData
from tfhashtag.retrieval import softmax_classifier

BY_LOT = corpus_by_lot(users=150, hashtags=60, train=12, test=1)


@pytest.mark.parametrize("timed", [False, True])
def test_no_signal_tells_what_was_taken_by_lot(monkeypatch, timed):
    monkeypatch.setattr(softmax_classifier, "_LEAST_STEPS", 6)
    corpus = BY_LOT
    if timed:
        times = np.random.default_rng(2).integers(0, 10_000_000, len(corpus))
        corpus = dataclasses.replace(corpus, timestamps=times)
    vectors, names = vectors_by_lot(corpus, 8)
    ids = WordIds(["train"], oov_buckets=9, length=8)
    reads = PostReads(
        UnitTexts(corpus, vectors), names, ids.encode(corpus.messages), ids.vocabulary_size, None
    )
    known, ahead = imitated_moment(corpus, 0.5, 1.0, 0.0, seed=0)
    at = PostsAt(known, reads, RankerData(minimum_posts=2, taste_width=3, vocabulary_size=10))
    lists = at.lists(at.labels.answerable(ahead))
    assert lists.labels.sum() > 300
    found = dict(zip(at.signals.signals, lifts(lists, "signals"), strict=True))
    assert {name: lift for name, lift in found.items() if lift > 2.5} == {}
