"""Where hashtags are taken by lot, no signal may tell who takes them."""

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.recommenders.audience.audience import Widths, audience_of
from tfhashtag.recommenders.audience.scoring import AudienceScoring
from tfhashtag.recommenders.audience.signals import SIGNALS, USER_SIGNALS
from tfhashtag.tasks.users.episode import evaluation_episode, imitated_future

USERS, HASHTAGS, LEAST = 200, 300, 2
COLUMNS = [*SIGNALS, *(f"z of {name}" for name in SIGNALS), *USER_SIGNALS]


@pytest.fixture(scope="module")
def by_lot(make_corpus):
    rng = np.random.default_rng(0)
    users = [f"u{number}" for number in range(USERS)]
    posts = [
        (user, f"{user} {split.name} {number}", [f"h{rng.integers(HASHTAGS)}"], split)
        for user in users
        for split, count in ((Split.TRAIN, 6), (Split.TEST, 3))
        for number in range(count)
    ]
    return make_corpus(posts, users)


@pytest.mark.parametrize("moment", ["test", "imitated"])
def test_no_signal_tells_what_was_taken_by_lot(by_lot, moment):
    """As a hashtag that nobody but the user has used of late told, whose own use is hidden."""
    episode = (
        evaluation_episode(by_lot, Split.TEST, "full", minimum_contexts=LEAST)
        if moment == "test"
        else imitated_future(by_lot, 0.5, minimum_contexts=LEAST, negatives=60)
    )
    rng = np.random.default_rng(1)
    vectors, names = (
        rng.normal(size=(count, 8)).astype(np.float32)
        for count in (len(by_lot.messages), len(by_lot.hashtags))
    )
    audience = audience_of(episode, vectors, names, Widths(taste=8, reference=16))
    lists = AudienceScoring(vectors).features(episode, audience)
    taken = lists.labels > 0
    assert taken.sum() > 300
    for name, values in zip(COLUMNS, lists.features["all"][:].T, strict=True):
        order = np.argsort(values, kind="stable")
        edges = np.flatnonzero(np.diff(values[order])) + 1
        found = np.cumsum(taken[order])
        for count, hits in (
            (edges, found[edges - 1]),
            (len(order) - edges, found[-1] - found[edges - 1]),
        ):
            lift = hits / count / taken.mean()
            # Of fewer than 50, who are the same users again and again, lot brings more together.
            assert lift[hits >= 50].max(initial=1) < 2.5, name
