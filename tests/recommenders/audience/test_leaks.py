"""Where hashtags are taken by lot, no signal may tell who takes them."""

import pytest

from tests.fixtures.lots import corpus_by_lot, lifts, vectors_by_lot
from tfhashtag.corpus.corpus import Split
from tfhashtag.recommenders.audience.audience import Widths, audience_of
from tfhashtag.recommenders.audience.scoring import AudienceScoring
from tfhashtag.recommenders.audience.signals import SIGNALS, USER_SIGNALS
from tfhashtag.tasks.users.episode import evaluation_episode, imitated_future

COLUMNS = [*SIGNALS, *(f"z of {name}" for name in SIGNALS), *USER_SIGNALS]
BY_LOT = corpus_by_lot(users=200, hashtags=300, train=6, test=3)


@pytest.mark.parametrize("moment", ["test", "imitated"])
def test_no_signal_tells_what_was_taken_by_lot(moment):
    """As a hashtag that nobody but the user has used of late told, whose own use is hidden."""
    episode = (
        evaluation_episode(BY_LOT, Split.TEST, "full", minimum_contexts=2)
        if moment == "test"
        else imitated_future(BY_LOT, 0.5, minimum_contexts=2, negatives=60)
    )
    vectors, names = vectors_by_lot(BY_LOT, 8)
    audience = audience_of(episode, vectors, names, Widths(taste=8, reference=16))
    lists = AudienceScoring(vectors).features(episode, audience)
    assert lists.labels.sum() > 300
    found = dict(zip(COLUMNS, lifts(lists, "all"), strict=True))
    assert {name: lift for name, lift in found.items() if lift > 2.5} == {}
