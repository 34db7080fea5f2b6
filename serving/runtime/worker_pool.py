"""Threads that say how long a request would wait for one of them."""

import concurrent.futures
import threading
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
        self._lock = threading.Lock()
        self._unfinished = 0
        self._mean = 0.0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """As that of the class above."""
        with self._lock:
            self._unfinished += 1
        try:
            future = super().submit(self._timed, fn, *args, **kwargs)
        except BaseException:
            self._finish(None)
            raise
        future.add_done_callback(self._given_up)
        return future

    @property
    def unfinished(self) -> int:
        """Requests that wait or are worked at."""
        return self._unfinished

    def expected_wait(self) -> float:
        """Seconds until a thread would begin with a request that came now."""
        # Those that the threads work at are done by a half, in the mean.
        waiting = max(self._unfinished - self._workers, 0)
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

    def _timed(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        try:
            return fn(*args, **kwargs)
        finally:
            self._finish(time.monotonic() - began)

    def _given_up(self, future: concurrent.futures.Future[Any]) -> None:
        if future.cancelled():  # before a thread began with it
            self._finish(None)

    def _finish(self, seconds: float | None) -> None:
        with self._lock:
            self._unfinished -= 1
            if seconds is not None:
                self._mean += _SHARE * (seconds - self._mean) if self._mean else seconds
