"""Hashtags over time: planted trends and seasons are found, and nothing of the future is seen."""

import dataclasses

import numpy as np
import pytest

from tfhashtag.corpus.synthetic_trends import synthetic_trends, write_synthetic_trends
from tfhashtag.corpus.trends import DAY, HashtagTimes, trends, user_pause
from tfhashtag.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def made():
    return synthetic_trends(8000, 100, seed=0)


@pytest.fixture(scope="module")
def times(made):
    return HashtagTimes(made.corpus)


def of_kind(made, kind):
    return np.array([i for i, tag in enumerate(made.corpus.hashtags) if made.kinds[tag] == kind])


def test_counts_and_ages_are_those_of_plain_loops(made, times):
    corpus = made.corpus
    rng = np.random.default_rng(0)
    hashtags = rng.integers(0, len(corpus.hashtags), 40)
    at = rng.choice(corpus.timestamps, 40) + rng.integers(-1, 2, 40) * 50
    posts, tags = corpus.taggings()
    when = corpus.timestamps[posts]
    for hashtag, moment, count, age in zip(
        hashtags, at, times.count(hashtags, at, 5 * DAY), times.age(hashtags, at), strict=True
    ):
        used = when[(tags == hashtag) & (when < moment)]
        assert count == np.sum(used >= moment - 5 * DAY)
        assert age == (moment - used.max() if len(used) else np.inf)


@pytest.mark.parametrize("kind, sign", [("rising", 1), ("fading", -1), ("steady", 0)])
def test_what_was_planted_rises_and_fades(made, times, kind, sign):
    tags = of_kind(made, kind)
    middle = made.corpus.timestamps[0] + (70 if kind == "rising" else 28) * DAY
    found = times.rising(tags, np.full(len(tags), middle), span=7 * DAY)
    if sign:
        assert (np.sign(found) == sign).mean() > 0.9 and abs(found.mean()) > 0.4
    else:
        assert abs(found.mean()) < 0.4


def test_seasons_are_found_and_are_nothing_else(made, times):
    monday = (made.corpus.timestamps[0] // DAY - 4) // 7 * 7 + 4 + 56  # epoch days; a Monday
    assert np.datetime64(int(monday), "D").astype(object).weekday() == 0
    for kind, season, best, other in (
        ("weekly", times.weekly, monday * DAY + 43_000, monday * DAY + 43_000 + 3 * DAY),
        ("daily", times.daily, monday * DAY + 7 * 3600, monday * DAY + 19 * 3600),
    ):
        tags = of_kind(made, kind)
        here = season(tags, np.full(len(tags), best))
        there = season(tags, np.full(len(tags), other))
        assert here.min() > 0.5 and there.max() < -0.5, kind
        steady = of_kind(made, "steady")
        assert np.abs(season(steady, np.full(len(steady), other))).mean() < 0.4


def test_the_future_is_not_seen(made, times):
    corpus = made.corpus
    moment = int(corpus.timestamps[5000])
    known = corpus.timestamps < moment
    later = dataclasses.replace(
        corpus,  # all that follows is of one hashtag
        hashtag_values=np.where(known, corpus.hashtag_values, corpus.hashtag_values[0]),
    )
    tags = np.arange(len(corpus.hashtags))
    at = np.full(len(tags), moment)
    other = HashtagTimes(later)
    np.testing.assert_array_equal(times.rising(tags, at, 7 * DAY), other.rising(tags, at, 7 * DAY))
    for name in ("age", "weekly", "daily"):
        np.testing.assert_array_equal(
            getattr(times, name)(tags, at), getattr(other, name)(tags, at)
        )
    assert trends(corpus, at=moment) == trends(later, at=moment)


def test_trends_are_those_that_were_planted(made):
    found = trends(made.corpus, 14 * DAY)
    sure = [made.kinds[made.corpus.hashtags[row.hashtag]] for row in found if row.low > 1]
    assert len(sure) >= 10 and sure.count("rising") / len(sure) > 0.8
    assert all(row.low < row.ratio < row.high for row in found)
    assert [row.low for row in found] == sorted((row.low for row in found), reverse=True)
    steady = [row for row in found if made.kinds[made.corpus.hashtags[row.hashtag]] == "steady"]
    assert sum(row.low <= 1 for row in steady) >= 11
    for wish, told in (({"span": 0}, "at least 1"), ({"back": 0}, "at least 1")):
        with pytest.raises(ConfigError, match=told):
            trends(made.corpus, **wish)
    with pytest.raises(DataError, match="no hashtag before to compare"):
        trends(made.corpus, 400 * DAY)
    without = dataclasses.replace(made.corpus, timestamps=None)
    rising = trends(without)[0]
    assert made.kinds[without.hashtags[rising.hashtag]] == "rising"
    assert (HashtagTimes(without).weekly(np.array([0]), np.array([9])) == 0).all()


def test_pauses_of_users(make_corpus):
    corpus = make_corpus(
        [("ann", f"text {n}", ["tea"], 0) for n in range(4)] + [("bob", "b", [], 0)]
    )
    corpus = dataclasses.replace(corpus, timestamps=np.array([0, 10, 20, 30, 40]))
    users, at = np.array([0, 0, 0, 1]), np.array([50, 25, 10, 99])
    np.testing.assert_array_equal(user_pause(corpus, users, at), [2.0, 0.5, np.nan, np.nan])
    with pytest.raises(DataError, match="no times"):
        user_pause(dataclasses.replace(corpus, timestamps=None), users, at)


def test_what_is_written_says_what_was_planted(tmp_path):
    made = synthetic_trends(100, 10)
    write_synthetic_trends(made, tmp_path / "corpus")
    assert '"bookssteady": "steady"' in (tmp_path / "corpus" / "truth.json").read_text()
    with pytest.raises(DataError, match="`days` 28"):
        synthetic_trends(days=7)
