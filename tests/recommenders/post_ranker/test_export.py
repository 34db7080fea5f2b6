"""The recommended model of posts as an export, and asked in the process that trained it."""

import json

from tfhashtag.recommenders.post_ranker.servable import CLOCK
from tfhashtag.recommenders.post_ranker.time_signals import TIMES


def test_is_exported_and_asked(post_run, tmp_path):
    """With the moment as a signal: by the clock, which a training process would refuse."""
    run = post_run("posts")
    assert set(TIMES) <= set(run.recommender.present.signals.signals)
    version = run.export(tmp_path / "posts", k=5)  # checked in a bare process
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert CLOCK in card["limits"]
    found = run.recommend(user=run.corpus.users[0], text=run.corpus.messages[3], k=4)
    assert len(found) == 4
