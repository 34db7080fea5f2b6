"""Questions about users: which messages are sent, and what is new to somebody."""

import types

import numpy as np

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
    corpus = make_corpus([*posts, ("bob", "not hers", [], 0)])
    sent = UserQuestion("ann").messages(lambda: corpus, 2)
    assert sent == ["message 3 #tea", "message 4 #tea"]
