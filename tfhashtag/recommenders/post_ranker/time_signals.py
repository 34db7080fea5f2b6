"""What the moment of a post says for its candidates."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.trends import DAY
from tfhashtag.retrieval.graph_hashtag_times import NEVER, GraphHashtagTimes
from tfhashtag.retrieval.sources import CandidateRows

TIMES = (
    "time_age",
    "time_day",
    "time_week",
    "time_rising_day",
    "time_rising_week",
    "time_weekday",
    "time_hour",
    "time_own_age",
    "time_pause",
)

_FORESEEN = 7 * DAY  # seconds after the last known use that a user's ages go on for


def time_signals(
    uses: GraphHashtagTimes, state: dict[str, Any], rows: CandidateRows
) -> dict[str, tf.Tensor]:
    """`TIMES` of candidates, float32 `[c]` each.

    Args:
        uses: when the hashtags were used.
        state: of the posts: `moments` int64 `[B]`; the users' own posts `own_posts` `[B, H]`, -1
            pads, with `own_times`, and how many they are, `size`; `own`, the pairs with their
            hashtags, whose values have `own_hours`.
        rows: the candidates.
    """
    own, tags = state["own"], rows.hashtags
    at = tf.gather(state["moments"], rows.queries)
    never = float(np.log1p(NEVER / 3600))
    mine = rows.largest(rows.places(own.keys), -own.values["hours"][:, None], -never)
    return {
        "time_age": _log_hours(uses.age(tags, at)),
        "time_day": tf.math.log1p(tf.cast(uses.count(tags, at, DAY), tf.float32)),
        "time_week": tf.math.log1p(tf.cast(uses.count(tags, at, 7 * DAY), tf.float32)),
        "time_rising_day": uses.rising(tags, at, DAY),
        "time_rising_week": uses.rising(tags, at, 7 * DAY),
        "time_weekday": uses.weekly(tags, at),
        "time_hour": uses.daily(tags, at),
        "time_own_age": -mine[:, 0],
        "time_pause": tf.gather(_pauses(uses, state), rows.queries),
    }


def own_hours(uses: GraphHashtagTimes, state: dict[str, Any]) -> tf.Tensor:
    """log(1 + hours) since the users' own posts, float32 `[B, H]`."""
    return _log_hours(_late(uses, state)[:, None] - state["own_times"])


def _pauses(uses: GraphHashtagTimes, state: dict[str, Any]) -> tf.Tensor:
    """How long users have been silent, in their own usual pauses; 0 with fewer than 2 posts."""
    known, times, size = state["own_posts"] >= 0, state["own_times"], state["size"]
    last = tf.reduce_max(tf.where(known, times, 0), axis=1)
    first = tf.reduce_min(tf.where(known, times, tf.int64.max), axis=1)
    silent = tf.cast(tf.maximum(_late(uses, state) - last, 0), tf.float32)
    usual = tf.cast(tf.maximum(last - first, 0), tf.float32) / tf.maximum(size - 1, 1.0)
    return tf.where(size >= 2, tf.math.log1p(silent / tf.maximum(usual, 1.0)), 0.0)


def _late(uses: GraphHashtagTimes, state: dict[str, Any]) -> tf.Tensor:
    return tf.minimum(state["moments"], uses.last + _FORESEEN)


def _log_hours(seconds: tf.Tensor) -> tf.Tensor:
    return tf.math.log1p(tf.cast(tf.maximum(seconds, 0), tf.float32) / 3600)
