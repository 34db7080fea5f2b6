"""Threads that say how long a request would wait for one of them."""

import collections
import concurrent.futures
import time
from collections.abc import Callable
from typing import Any

import grpc

from tfhashtag.serving.status import RequestError

# Of a new measurement in the mean.
_SHARE = 0.05


class WorkerPool(concurrent.futures.ThreadPoolExecutor):
    """A thread pool with a queue that is bounded by time, measured while it works.

    A server that takes more than it can do answers everything late and in the end nothing in time.
    So what would wait longer than `most_wait` is to be sent away at once: `check` says so, by the
    requests that wait and the mean time that threads took for the last ones.

    Args:
        workers: threads.
        name: begins the names of the threads.
        most_wait: seconds; None for any.
        refused: called for each request that is sent away.

    Example:

    >>> pool = WorkerPool(2, "example", most_wait=1.0)
    >>> pool.submit(time.sleep, 0).result(), pool.expected_wait()
    (None, 0.0)
    """

    def __init__(
        self,
        workers: int,
        name: str,
        most_wait: float | None = None,
        refused: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(workers, thread_name_prefix=name)
        self._workers = workers
        self._most_wait = most_wait
        self._refused = refused
        # An entry a request: a lock would have the threads wait for one another.
        self._unfinished: collections.deque[None] = collections.deque()
        self._mean = 0.0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """As that of the class above."""
        self._unfinished.append(None)
        try:
            future = super().submit(self._timed, fn, *args, **kwargs)
        except BaseException:
            self._unfinished.pop()
            raise
        future.add_done_callback(self._finished)
        return future

    @property
    def unfinished(self) -> int:
        """Requests that wait or are worked at."""
        return len(self._unfinished)

    def expected_wait(self) -> float:
        """Seconds until a thread would begin with a request that came now."""
        # Those that the threads work at are done by a half, in the mean.
        waiting = max(self.unfinished - self._workers, 0)
        return waiting * self._mean / self._workers

    def check(self) -> None:
        """Whether a request may come.

        Raises:
            RequestError: UNAVAILABLE, it would wait for too long.
        """
        wait = self.expected_wait()
        if self._most_wait is None or wait <= self._most_wait:
            return
        if self._refused is not None:
            self._refused()
        raise RequestError(
            grpc.StatusCode.UNAVAILABLE,
            f"The server is overloaded: a request would wait for {wait:.1f} s; send it again later",
        )

    def _finished(self, _: object) -> None:
        self._unfinished.pop()

    def _timed(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        try:
            return fn(*args, **kwargs)
        finally:
            seconds = time.monotonic() - began
            # Of two threads at once one may be lost, which a mean does not mind.
            self._mean += _SHARE * (seconds - self._mean) if self._mean else seconds
