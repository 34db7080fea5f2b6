"""The recommended model of posts as an export, and asked in the process that trained it."""

import json

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.explain.explanation import Items
from tfhashtag.recommenders.post_ranker.explanation import words_of
from tfhashtag.recommenders.post_ranker.servable import CLOCK
from tfhashtag.recommenders.post_ranker.signals import signal_names
from tfhashtag.recommenders.post_ranker.time_signals import TIMES
from tfhashtag.serving.runtime.servable import Servable


@pytest.fixture(scope="module")
def newest(post_run):
    """The newest post, which is of the test split: nothing that is known is younger."""
    corpus = post_run("posts").corpus
    post = int(np.argmax(corpus.timestamps))
    assert corpus.split_of_post[post] == Split.TEST
    return post


def test_is_exported_and_asked(post_run, ranker_version):
    """With the moment as a signal: by the clock, which a training process would refuse."""
    run = post_run("posts")
    assert set(TIMES) <= set(run.recommender.present.signals.signals)
    card = json.loads((ranker_version / "assets.extra" / "model_card.json").read_text())
    assert CLOCK in card["limits"]
    found = run.recommend(user=run.corpus.users[0], text=run.corpus.messages[3], k=4)
    assert len(found) == 4


def test_the_export_explains_as_the_recommender_does(post_run, ranker_version, newest):
    run = post_run("posts")
    corpus = run.corpus
    told = run.explain(post=corpus.post_ids[newest])
    user, text = corpus.users[corpus.user_of_post[newest]], corpus.message_of_post[newest]
    folder = run.folder.parent / "corpus"
    pictures = [(folder / name).read_bytes() for name in corpus.images[newest]]
    asked = {
        "text": [corpus.messages[text], "", "no such"],
        "images": [[*pictures, b""], *[[b""] * (len(pictures) + 1)] * 2],
        "user": [user, "", ""],
        "hashtag": [told.about["hashtag"], told.about["hashtag"], "nope"],
    }
    asked = {
        name: np.array([v.encode() if isinstance(v, str) else v for v in values], object)
        for name, values in asked.items()
    }
    servable = Servable(ranker_version, "posts", 1)
    try:
        found = servable.predict(asked, "explain")
        trending = servable.predict({"k": np.array(3, np.int32)}, "trending")
    finally:
        servable.close()
    assert found["known"][0] and not found["known"][2]
    signals = told.panel("all_signals", Items)
    for key, column in (("values", "value"), ("parts", "part of the logit")):
        expected = dict(zip(signals.column("name"), signals.column(column), strict=True))
        given = dict(zip(found["signals"][0].astype(str), found[key][0], strict=True))
        assert given == pytest.approx(expected, abs=1e-3)
    assert found["logit"][0] == pytest.approx(told.about["logit"], abs=1e-3)
    assert not found["parts"][2].any() and not any(found["similar"][2])
    for kind in ("text", "picture"):
        panel = told.panel(f"similar_{kind}", Items)
        shown = [
            (place, *(panel.column(name)[place - 1] for name in ("hashtags", "similarity")))
            for place in (row + 1 for row in panel.marked)
        ]
        own = found["similar_by"][0] == kind.encode()
        given = zip(
            *(found[name][0][own] for name in ("place", "similar", "similarity")), strict=True
        )
        given = [one for one in given if one[0] <= len(panel.column("post"))]
        assert [one[0] for one in given] == [one[0] for one in shown]
        for (_, tags, similarity), (_, expected, wanted) in zip(given, shown, strict=True):
            assert set(tags.decode().split()) <= set(expected.split())  # those that are ranked
            assert f"#{told.about['hashtag']}" in tags.decode().split()
            assert similarity == pytest.approx(wanted, abs=1e-4)
    assert trending["hashtags"].tolist() == [b"weekend"] and trending["low"] > 1


def test_every_signal_has_words():
    names = signal_names(("text", "picture"), timed=True)
    assert len({words_of(name) for name in names}) == len(names)
