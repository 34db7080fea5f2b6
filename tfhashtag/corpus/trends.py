"""Hashtags over time: how often now against before, at which hours, and what rises.

Everything is as seen at a moment: posts at it and after it do not count. Where a corpus has no
times, the order of its posts stands for time, a post a unit.
"""

import dataclasses
from typing import Any

import numpy as np
import scipy.stats

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.rows import sorted_distinct
from tfhashtag.errors import ConfigError, DataError

DAY = 86_400
WEEKDAYS, EIGHTHS = 7, 8  # of a week and of a day
BACK = 4  # spans that a span is compared with
PRIOR = 0.5  # of Jeffreys, for rates of Poisson


class HashtagTimes:
    """When each hashtag was used: counts in spans of time before any moment.

    All methods take hashtags and moments of equal length and cost two binary searches a question.

    Args:
        corpus: the posts.

    Attributes:
        moments: int64 `[posts]`, seconds, or the places of the posts where there are no times.
        timed: whether there are times; else `weekly` and `daily` know nothing.
        first, width: the first use, and how many moments there are up to the one after the last.
        uses: int64 `[uses]`, sorted, moments of all uses.
        of_hashtag, of_weekday, of_hour: int64 `[uses]`, sorted: row of a use * `width` + its time
            since `first`. Rows are hashtags, or hashtags by weekday or eighth of a day.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=100, users=10, seed=0)
    >>> times = HashtagTimes(corpus)
    >>> end = times.moments.max() + 1
    >>> int(times.count(np.array([0]), np.array([end]), span=10**9)[0])  # all uses of hashtag 0
    2
    """

    def __init__(self, corpus: Corpus) -> None:
        moments = np.arange(len(corpus)) if corpus.timestamps is None else corpus.timestamps
        self.moments = np.asarray(moments, np.int64)
        posts, hashtags = corpus.taggings()
        self._sort(hashtags, self.moments[posts], corpus.timestamps is not None)

    @classmethod
    def of_uses(cls, hashtags: np.ndarray, times: np.ndarray) -> "HashtagTimes":
        """Of uses at times in seconds, int `[uses]` each; `moments` are those of the uses."""
        found = cls.__new__(cls)
        found.moments = np.asarray(times, np.int64)
        found._sort(np.asarray(hashtags, np.int64), found.moments, True)
        return found

    def _sort(self, hashtags: np.ndarray, times: np.ndarray, timed: bool) -> None:
        self.timed = timed
        self.first = int(times.min()) if len(times) else 0
        self.width = int(times.max(initial=self.first)) - self.first + 2
        self.uses = np.sort(times)
        hashtags = hashtags.astype(np.int64)
        self.of_hashtag = self._keys(hashtags, times)
        self.of_weekday = self._keys(hashtags * WEEKDAYS + weekday_of(times), times)
        self.of_hour = self._keys(hashtags * EIGHTHS + eighth_of(times), times)

    def count(self, hashtags: np.ndarray, at: np.ndarray, span: int) -> np.ndarray:
        """Uses of hashtags in the `span` before moments, int64 `[n]`."""
        return self._between(self.of_hashtag, hashtags, np.asarray(at) - span, at)

    def age(self, hashtags: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Time since the last use before moments, float64 `[n]`; infinity where there was none."""
        at = np.asarray(at, np.int64)
        place = np.searchsorted(self.of_hashtag, self._key(hashtags, at)) - 1
        last = self.of_hashtag[np.maximum(place, 0)]
        same = (place >= 0) & (last // self.width == hashtags)
        return np.where(same, at - self.first - last % self.width, np.inf)

    def rising(
        self, hashtags: np.ndarray, at: np.ndarray, span: int, back: int = BACK
    ) -> np.ndarray:
        """Log of a hashtag's share of all uses in the last `span` to that in `back` spans before.

        Smoothed by half a use on either side, so that one use alone says little. Above 0 it rises,
        below 0 it fades.

        Returns:
            float64 `[n]`.
        """
        at = np.asarray(at, np.int64)
        now = self.count(hashtags, at, span)
        before = self.count(hashtags, at - span, span * back)
        all_now = self._total(at - span, at)
        all_before = self._total(at - span * (back + 1), at - span)
        share = (all_before + 2 * PRIOR) / (all_now + 2 * PRIOR)
        return np.log((now + PRIOR) / (before + PRIOR) * share)

    def weekly(self, hashtags: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Log of how much more often a hashtag was used on that weekday than evenly over the week.

        Smoothed by a week of even use. Zeros without times.
        """
        return self._season(self.of_weekday, hashtags, at, weekday_of, WEEKDAYS)

    def daily(self, hashtags: np.ndarray, at: np.ndarray) -> np.ndarray:
        """The same of the eighths of a day (UTC)."""
        return self._season(self.of_hour, hashtags, at, eighth_of, EIGHTHS)

    def _season(self, keys: Any, hashtags: Any, at: Any, part_of: Any, parts: int) -> np.ndarray:
        hashtags, at = np.asarray(hashtags, np.int64), np.asarray(at, np.int64)
        if not self.timed:
            return np.zeros(len(hashtags))
        here = self._between(keys, hashtags * parts + part_of(at), self.first, at)
        every = self._between(self.of_hashtag, hashtags, self.first, at)
        return np.log((here + 1) / (every + parts) * parts)

    def _total(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        first, last = np.searchsorted(self.uses, start), np.searchsorted(self.uses, stop)
        return last - first

    def _keys(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        return np.sort(self._key(rows, times))

    def _key(self, rows: Any, times: Any) -> np.ndarray:
        within = np.clip(np.asarray(times, np.int64) - self.first, 0, self.width - 1)
        return np.asarray(rows, np.int64) * self.width + within

    def _between(self, keys: np.ndarray, rows: Any, start: Any, stop: Any) -> np.ndarray:
        first = np.searchsorted(keys, self._key(rows, start))
        return np.searchsorted(keys, self._key(rows, stop)) - first


def user_pause(corpus: Corpus, users: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How long users have been silent before moments, in their own usual pauses.

    Args:
        corpus: the posts, with times.
        users: int `[n]`, corpus users.
        at: int64 `[n]`, seconds.

    Returns:
        float64 `[n]`: time since the last post over the mean time between the posts before; NaN
        with fewer than two posts before.

    Raises:
        DataError: the corpus has no times.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=100, users=1, seed=0)  # a post a minute
    >>> user_pause(corpus, np.array([0]), corpus.timestamps[-1:] + 120).tolist()
    [2.0]
    """
    if corpus.timestamps is None:
        raise DataError(f"{corpus.name}: its posts have no times.")
    order = np.lexsort((corpus.timestamps, corpus.user_of_post))
    times, owner = corpus.timestamps[order], corpus.user_of_post[order]
    starts = np.searchsorted(owner, users)
    width = int(times.max(initial=0)) + 2
    keys = owner.astype(np.int64) * width + times
    last = (
        np.searchsorted(keys, np.asarray(users, np.int64) * width + np.minimum(at, width - 1)) - 1
    )
    count = last - starts
    known = count >= 1
    safe = np.clip(last, 0, max(len(times) - 1, 0))
    usual = (times[safe] - times[np.minimum(starts, safe)]) / np.maximum(count, 1)
    return np.where(known, (at - times[safe]) / np.maximum(usual, 1), np.nan)


@dataclasses.dataclass(frozen=True)
class Trend:
    """A hashtag now against before.

    Attributes:
        hashtag: corpus index.
        now, before: uses in the last span, and in the spans before it.
        users: who used it in the last span.
        ratio: smoothed ratio of its share of all uses now to its share before.
        low, high: ends of the interval of that ratio in which it lies with 95 %.
    """

    hashtag: int
    now: int
    before: int
    users: int
    ratio: float
    low: float
    high: float


def trends(
    corpus: Corpus, span: int | None = None, back: int = BACK, at: int | None = None, least: int = 3
) -> list[Trend]:
    """Every hashtag that is used now, what rises most surely first.

    A hashtag's uses now and before are counts; given their sum, those of now are binomial, and the
    interval is that of Jeffreys: of a ratio, so that a hashtag seen three times does not pass for
    one that rose. Growth of the whole is taken off: shares are compared.

    Args:
        corpus: the posts.
        span: how long now is, seconds (posts where there are no times); None for a week, or for a
            tenth of all time where that is shorter or there are no times.
        back: how many spans before it are compared.
        at: the moment; None for the end.
        least: fewer users now are left out.

    Returns:
        Sorted by `low`, falling.

    Raises:
        ConfigError: `span` or `back` below 1.
        DataError: nothing was used in the span, or nothing before it.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=2000, users=50, seed=0)
    >>> best = trends(corpus)[0]
    >>> best.low > 1
    True
    """
    moments = HashtagTimes(corpus).moments
    if not len(moments):
        raise DataError(f"{corpus.name}: no posts.")
    end = int(moments.max()) + 1 if at is None else at
    if span is None:
        tenth = max(1, (end - int(moments.min())) // 10)
        span = tenth if corpus.timestamps is None else min(7 * DAY, tenth)
    if span < 1 or back < 1:
        raise ConfigError(f"`span` and `back` must be at least 1, found {span} and {back}.")
    posts, hashtags = corpus.taggings()
    times = moments[posts]
    is_now = (times >= end - span) & (times < end)
    is_before = (times >= end - span * (back + 1)) & (times < end - span)
    if not is_now.any() or not is_before.any():
        raise DataError(
            f"{corpus.name}: no hashtag {'now' if not is_now.any() else 'before'} to compare; "
            "choose another span (`days`, on the command line --days)."
        )
    count = len(corpus.hashtags)
    now = np.bincount(hashtags[is_now], minlength=count)
    before = np.bincount(hashtags[is_before], minlength=count)
    pairs = sorted_distinct(
        hashtags[is_now].astype(np.int64) * len(corpus.users) + corpus.user_of_post[posts[is_now]]
    )
    users = np.bincount(pairs // len(corpus.users), minlength=count)
    share = before.sum() / now.sum()
    kept = np.flatnonzero(users >= least)
    n, b = now[kept] + PRIOR, before[kept] + PRIOR
    low, high = (_odds(scipy.stats.beta.ppf(level, n, b)) * share for level in (0.025, 0.975))
    order = np.lexsort((kept, -low))
    return [
        Trend(
            int(kept[row]), int(now[kept[row]]), int(before[kept[row]]), int(users[kept[row]]),
            float(n[row] / b[row] * share), float(low[row]), float(high[row]),
        )
        for row in order
    ]  # fmt: skip


def rising(
    corpus: Corpus, span: int | None = None, least: int = 3
) -> list[tuple[str, dict[str, float]]]:
    """Hashtags whose share of all uses has surely risen, what rises most surely first.

    Args:
        corpus: the posts.
        span: as `trends` takes it.
        least: fewer users now are left out.

    Returns:
        Names, and of each the uses `now` and `before` (a span), `users` now, the smoothed `ratio`
        of shares and its 95 % interval `low` to `high`, all of them with `low` above 1.

    Raises:
        ConfigError, DataError: as `trends`.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> name, said = rising(synthetic_corpus(posts=2000, users=50, seed=0))[0]
    >>> sorted(said)
    ['before', 'high', 'low', 'now', 'ratio', 'users']
    """
    return [
        (
            corpus.hashtags[row.hashtag],
            {
                "now": row.now,
                "before": row.before / BACK,
                "users": row.users,
                "ratio": row.ratio,
                "low": row.low,
                "high": row.high,
            },
        )
        for row in trends(corpus, span, BACK, least=least)
        if row.low > 1
    ]


def _odds(share: np.ndarray) -> np.ndarray:
    return share / np.maximum(1 - share, 1e-12)


def weekday_of(times: Any) -> Any:
    """0 for Monday to 6, of seconds since 1970 in UTC; arrays and tensors alike."""
    return (times // DAY + 3) % WEEKDAYS  # the first of January 1970 was a Thursday


def eighth_of(times: Any) -> Any:
    """Which three hours of the day, 0 to 7, likewise."""
    return times % DAY // (DAY // EIGHTHS)
