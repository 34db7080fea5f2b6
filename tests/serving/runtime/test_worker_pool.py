import threading
import time

import grpc
import pytest

from tfhashtag.serving.runtime.worker_pool import WorkerPool
from tfhashtag.serving.status import RequestError


@pytest.fixture
def gate():
    """An event that threads wait for; it is set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def test_the_queue_is_bounded_by_time(gate):
    refused = []
    pool = WorkerPool(2, "t", most_wait=0.05, refused=lambda: refused.append(1))
    pool.submit(time.sleep, 0.04).result()
    assert pool.expected_wait() == 0
    for count in range(4):
        assert pool.expected_wait() == pytest.approx(max(count - 2, 0) * 0.02, rel=0.5)
        pool.submit(gate.wait)
    pool.check()  # two wait, for about 0.04 s
    later = [pool.submit(gate.wait) for _ in range(4)]
    with pytest.raises(RequestError, match=r"overloaded: a request would wait for 0\.1 s") as error:
        pool.check()
    assert error.value.code == grpc.StatusCode.UNAVAILABLE and refused == [1]
    assert all(future.cancel() for future in later)
    pool.check()
    gate.set()
    pool.shutdown()
    assert pool.expected_wait() == 0


def test_what_fails_is_finished_too():
    pool = WorkerPool(1, "t")
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result()
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(print)
    assert pool.expected_wait() == 0
    pool.check()
