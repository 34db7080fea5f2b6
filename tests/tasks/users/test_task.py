"""Questions about users: which messages are sent, and what is new to somebody."""

import dataclasses
import types

import numpy as np

from tfhashtag.corpus.splits import AT_RANDOM, split_at_random
from tfhashtag.tasks.users.task import USERS, UserQuestion

CATALOGUE = np.array([b"Bug", b"bug", "café".encode(), b"tea", b"milk"])


def test_new_only_goes_by_keys():
    asked = []

    def call(name, history, k):
        asked.append(k)
        shown = np.stack([CATALOGUE[:k]] * len(history))
        return {"hashtags": shown, "scores": np.linspace(1, 0, len(shown[0]))[None]}

    settings = types.SimpleNamespace(data=types.SimpleNamespace(history_length=5))
    question = UserQuestion(None, ("crash #BUG", "good #cafe\u0301"), True)
    (found,) = USERS.answer(call, [question], 2, lambda: None, settings)
    assert [name for name, _ in found] == ["tea", "milk"]
    assert asked == [4, 8]


def test_of_a_long_history_the_newest_messages_are_sent(make_corpus):
    posts = [("ann", f"message {number}", ["tea"], 0) for number in range(5)]
    posts[0] = ("ann", "at first", ["milk"], 0)
    posts += [("ann", " ", [], 0)] * 3  # says nothing: two older ones are read
    corpus = make_corpus([*posts, ("bob", "not hers", [], 0)])
    sent = []

    def call(name, history, k):
        sent.extend(history)
        return {
            "hashtags": CATALOGUE[None, :k],
            "scores": np.linspace(1, 0, len(CATALOGUE[:k]))[None],
        }

    settings = types.SimpleNamespace(data=types.SimpleNamespace(history_length=2))
    (found,) = USERS.answer(call, [UserQuestion("ann", (), True)], 5, lambda: corpus, settings)
    assert sent == [["message 3 #tea", "message 4 #tea"]]
    # What is new to her is not in any of her posts.
    assert {name for name, _ in found} == {"Bug", "café", "bug"}


def test_a_random_split_stays_as_it_was_drawn(make_corpus):
    corpus = make_corpus([("ann", f"message {number}", ["tea"], 0) for number in range(40)])
    drawn = split_at_random(40, seed=7)
    new = np.arange(40) >= 20
    corpus = dataclasses.replace(corpus, split_of_post=drawn)
    found = USERS.splits_when_grown(corpus, AT_RANDOM, new)
    assert (found[~new] == drawn[~new]).all() and (corpus.split_of_post == drawn).all()
    assert np.bincount(found[new]).tolist() == [16, 2, 2]
    assert USERS.splits_when_grown(corpus, "own-time", new).tolist() == [0] * 32 + [1] * 4 + [2] * 4
