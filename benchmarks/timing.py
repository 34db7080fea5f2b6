"""Timing that the benchmarks share."""

import time


def best_of(function, repeat):
    """Seconds of the fastest of `repeat` calls, after one that does not count."""
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
