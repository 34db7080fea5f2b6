"""When hashtags were used, in the graph: `HashtagTimes` for models and what is exported of them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfhashtag.corpus.trends import (
    DAY,
    EIGHTHS,
    PRIOR,
    WEEKDAYS,
    HashtagTimes,
    eighth_of,
    weekday_of,
)
from tfhashtag.retrieval.shared_tables import constant

NEVER = 10 * 365 * DAY
"""The age of a hashtag that was never used, seconds; older ones count as old."""


class GraphHashtagTimes(tf.Module):
    """The same figures as `HashtagTimes` with times, of tensors.

    What is asked of a moment later than the last known use is what was true right after it: of what
    came since nothing is known. Weekday and hour are those of the moment all the same.

    Args:
        times: of the known uses.

    Example:

    >>> import numpy as np
    >>> times = HashtagTimes.of_uses(np.array([0, 0, 1]), np.array([10, 40, 60]))
    >>> graph = GraphHashtagTimes(times)
    >>> hashtags, at = tf.constant([0, 1]), tf.constant([50, 9000], tf.int64)
    >>> graph.count(hashtags, at, 20).numpy().tolist()
    [1, 1]
    """

    def __init__(self, times: HashtagTimes) -> None:
        super().__init__(name="hashtag_times")
        self.first, self.width = times.first, times.width
        self.last = times.first + times.width - 2
        self.tables = {
            name: constant(name, getattr(times, name))
            for name in ("uses", "of_hashtag", "of_weekday", "of_hour")
        }

    def trackables(self) -> list[Any]:
        """What a SavedModel must hold."""
        return list(self.tables.values())

    def seen(self, at: tf.Tensor) -> tf.Tensor:
        """Moments, none later than right after the last known use."""
        return tf.minimum(at, self.last + 1)

    def count(self, hashtags: tf.Tensor, at: tf.Tensor, span: int) -> tf.Tensor:
        """See `HashtagTimes.count`; int32."""
        at = self.seen(at)
        return self._between("of_hashtag", hashtags, at - span, at)

    def age(self, hashtags: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
        """See `HashtagTimes.age`; int64, `NEVER` where there was none."""
        at, rows = self.seen(at), tf.cast(hashtags, tf.int64)
        keys = tf.convert_to_tensor(self.tables["of_hashtag"])
        place = tf.searchsorted(keys, self._key(rows, at)) - 1
        last = tf.gather(keys, tf.maximum(place, 0))
        same = (place >= 0) & (last // self.width == rows)
        return tf.where(same, tf.minimum(at - self.first - last % self.width, NEVER), NEVER)

    def rising(self, hashtags: tf.Tensor, at: tf.Tensor, span: int, back: int = 4) -> tf.Tensor:
        """See `HashtagTimes.rising`; float32."""
        at = self.seen(at)
        now = self.count(hashtags, at, span)
        before = self._between("of_hashtag", hashtags, at - span * (back + 1), at - span)
        uses = tf.convert_to_tensor(self.tables["uses"])
        ends = [tf.searchsorted(uses, at - span * count) for count in (0, 1, back + 1)]
        now, before, all_now, all_before = (
            tf.cast(count, tf.float32)
            for count in (now, before, ends[0] - ends[1], ends[1] - ends[2])
        )
        share = (all_before + 2 * PRIOR) / (all_now + 2 * PRIOR)
        return tf.math.log((now + PRIOR) / (before + PRIOR) * share)

    def weekly(self, hashtags: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
        """See `HashtagTimes.weekly`; float32."""
        return self._season("of_weekday", hashtags, at, weekday_of, WEEKDAYS)

    def daily(self, hashtags: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
        """See `HashtagTimes.daily`; float32."""
        return self._season("of_hour", hashtags, at, eighth_of, EIGHTHS)

    def _season(
        self, table: str, hashtags: tf.Tensor, at: tf.Tensor, part_of: Callable, parts: int
    ) -> tf.Tensor:
        rows, seen = tf.cast(hashtags, tf.int64), self.seen(at)
        start = tf.fill(tf.shape(at), tf.constant(self.first, tf.int64))
        here = self._between(table, rows * parts + part_of(at), start, seen)
        every = self._between("of_hashtag", rows, start, seen)
        here, every = tf.cast(here, tf.float32), tf.cast(every, tf.float32)
        return tf.math.log((here + 1) / (every + parts) * parts)

    def _key(self, rows: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
        within = tf.clip_by_value(times - self.first, 0, self.width - 1)
        return tf.cast(rows, tf.int64) * self.width + within

    def _between(self, table: str, rows: tf.Tensor, start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        keys = tf.convert_to_tensor(self.tables[table])
        first = tf.searchsorted(keys, self._key(rows, start))
        return tf.searchsorted(keys, self._key(rows, stop)) - first
