"""When hashtags were used: the graph says what the arrays say, and nothing of later uses."""

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.trends import DAY, HashtagTimes
from tfhashtag.retrieval.graph_hashtag_times import NEVER, GraphHashtagTimes


def asked(rng, times):
    hashtags = rng.integers(0, 12, 200)
    at = rng.integers(times.first - DAY, times.first + times.width, 200)
    return hashtags, at


def test_the_graph_says_what_the_arrays_say():
    rng = np.random.default_rng(0)
    times = HashtagTimes.of_uses(rng.integers(0, 11, 900), 10**9 + rng.integers(0, 40 * DAY, 900))
    graph = GraphHashtagTimes(times)
    hashtags, at = asked(rng, times)  # one hashtag was never used, some moments are before all uses
    given = tf.constant(hashtags, tf.int32), tf.constant(at, tf.int64)
    for found, expected in (
        (graph.count(*given, 3 * DAY), times.count(hashtags, at, 3 * DAY)),
        (graph.age(*given), np.minimum(times.age(hashtags, at), NEVER)),
        (graph.rising(*given, 7 * DAY), times.rising(hashtags, at, 7 * DAY)),
        (graph.weekly(*given), times.weekly(hashtags, at)),
        (graph.daily(*given), times.daily(hashtags, at)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_later_than_all_uses_is_right_after_the_last_one():
    """But weekday and hour are those of the moment."""
    times = HashtagTimes.of_uses(np.zeros(30, int), 3 * DAY + np.arange(30) * 7 * DAY)  # Sundays
    graph, hashtag = GraphHashtagTimes(times), tf.constant([0, 0])
    late = times.first + times.width + 700 * DAY
    at = tf.constant([times.first + times.width - 1, late], tf.int64)
    for ask in (graph.age, lambda *given: graph.rising(*given, DAY)):
        found = ask(hashtag, at).numpy()
        assert found[0] == found[1]
    assert graph.count(hashtag, at, DAY).numpy().tolist() == [1, 1]
    monday = tf.constant([late // DAY // 7 * 7 * DAY + 4 * DAY], tf.int64)
    assert (
        graph.weekly(hashtag[:1], monday - DAY)[0] > 1.5 and graph.weekly(hashtag[:1], monday) < 0
    )
