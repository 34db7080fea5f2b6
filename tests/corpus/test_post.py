"""One post: what its fields may be."""

import datetime

import pytest

from tfhashtag.corpus.post import checked_post
from tfhashtag.corpus.post_faults import BadPost

GOOD = {"user": "u", "text": "t", "hashtags": []}


@pytest.mark.parametrize(
    "value, expected",
    [
        (None, None),
        ("", None),
        ("nan", None),
        (float("nan"), None),
        (datetime.date(1970, 1, 3), 172_800),
        ("Thu Jan 01 00:00:07 +0000 1970", 7),
        ("Thu, 01 Jan 1970 01:00:08 +0100", 8),
        ("1970-01-01 00:00:09 UTC", 9),
        (5, 5),
        (5.9, 5),
        (-0.5, -1),
        ("12", 12),
        ("1970-01-02", 86_400),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:01:00Z", 60),
        (datetime.datetime(1970, 1, 1, 0, 0, 7), 7),
    ],
)
def test_timestamps(value, expected):
    assert checked_post({**GOOD, "timestamp": value}, "1").timestamp == expected


@pytest.mark.parametrize(
    "value", [True, float("inf"), 1700003600000, "1e99", "12:30", [1], "31.12.2020"]
)
def test_bad_timestamps(value):
    with pytest.raises(BadPost, match="seconds since 1970, ISO 8601, or a date"):
        checked_post({**GOOD, "timestamp": value}, "1")


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\u00a0", "\u2028", "\u3000"])
def test_white_space_in_a_hashtag(space):
    with pytest.raises(BadPost, match="has white space"):
        checked_post({**GOOD, "hashtags": [f"a{space}b"]}, "1")


@pytest.mark.parametrize(
    "field, value, reason",
    [
        ("user", " ", "empty user"),
        ("user", True, "wrong type"),
        ("text", 1.5, "wrong type"),
        ("text", "\ud800", "not UTF-8"),
        ("text", None, "missing field"),
        ("hashtags", {"a": 1}, "wrong type"),
        ("user", 2.0**53, "rounded id"),
        ("user", 1.5, "wrong type"),
        ("user", float("nan"), "missing field"),
        ("id", "1.23457E+18", "rounded id"),
        ("hashtags", [["a"]], "wrong type"),
        ("id", "", "empty id"),
        ("images", 1.5, "wrong type"),
        ("images", [False], "wrong type"),
    ],
)
def test_bad_fields(field, value, reason):
    with pytest.raises(BadPost) as caught:
        checked_post({**GOOD, field: value}, "1")
    assert caught.value.reason == reason
    assert f"`{field}`" in str(caught.value)


def test_hashtags_lose_their_signs_and_repeats():
    post = checked_post({**GOOD, "hashtags": ["#a", "a", "##b", "", "#"]}, "1")
    assert post.hashtags == ("a", "b")
    kept = checked_post({**GOOD, "hashtags": ["#A", "a", "##b", "#"]}, "1", keep_spelling=True)
    assert kept.hashtags == ("A", "a", "#b")


def test_splits_by_their_usual_names():
    given = ("train", "Training", "VALID", "validation", "dev", "val", "test", "testing", "", None)
    splits = [checked_post({**GOOD, "split": name}, "1").split for name in given]
    assert splits == [0, 0, 1, 1, 1, 1, 2, 2, None, None]


def test_whole_floats_are_ids():
    post = checked_post({**GOOD, "user": 12.0, "id": 7.0}, "1")
    assert (post.user, post.id) == ("12", "7")
