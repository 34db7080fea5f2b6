"""A column of strings behaves as a list of them."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.corpus import texts as module
from tfhashtag.corpus.texts import Texts


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.integers(-9, 9))
def test_as_the_list(strings, place):
    texts = Texts.of(strings)
    assert len(texts) == len(strings) and list(texts) == strings
    assert texts == strings and strings == texts and texts != [*strings, ""]
    assert texts[place:] == strings[place:] and texts[::2] == strings[::2]
    assert texts[5:2] == strings[5:2]
    if -len(strings) <= place < len(strings):
        assert texts[place] == texts[np.int32(place)] == strings[place]
        assert texts.index(strings[place]) == strings.index(strings[place])
    else:
        with pytest.raises(IndexError):
            texts[place]
    assert Texts.of(texts) is texts
    order = np.arange(len(strings))[::-1]
    assert texts.take(order) == strings[::-1]


def test_loops_read_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 3)
    strings = [str(number) for number in range(10)]
    texts = Texts.of(strings)
    assert list(texts) == strings and "7" in texts
    assert texts != "0123456789" and repr(texts) == "Texts(10 strings)"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_digests_are_of_the_bytes(strings):
    texts, part = Texts.of(strings), Texts.of(["before", *strings])[1:]
    right = [hashlib.sha256(text.encode()).digest()[:16] for text in strings]
    assert [row.tobytes() for row in part.digests] == right and part.digest == texts.digest
    order = np.arange(len(strings) + 1)[::-1]
    moved = part.joined(["more"]).take(order)
    assert "digests" in vars(moved)  # not made again
    assert [row.tobytes() for row in moved.digests[1:]] == right[::-1]
    assert texts.joined(["", "a"]).digest != texts.joined(["a", ""]).digest
