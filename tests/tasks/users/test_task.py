"""What is new to a user goes by the key of a hashtag, not by its spelling."""

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
