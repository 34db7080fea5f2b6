"""When a server that stops may: nothing came for a while."""

import threading
import types

import pytest

from tfhashtag.serving.grpc.accepted_calls import AcceptedCalls
from tfhashtag.serving.grpc.load_limit import LoadLimit
from tfhashtag.serving.runtime.worker_pool import WorkerPool

CALL = types.SimpleNamespace(method="/tensorflow.serving.PredictionService/Predict")


@pytest.fixture
def accepted():
    return AcceptedCalls()


@pytest.fixture
def limit(accepted):
    """What all calls pass."""
    return LoadLimit(WorkerPool(1, "calls"), 8, accepted)


def test_quiet_comes_after_the_last_call(accepted, limit):
    assert accepted.wait_for_quiet(0.001, 60)
    assert not accepted.wait_for_quiet(1, 0)
    assert limit.intercept_service(lambda details: details.method, CALL) == CALL.method


def test_calls_without_end_are_not_waited_for(accepted, limit):
    stopped = threading.Event()

    def call():
        while not stopped.is_set():
            limit.intercept_service(lambda details: details, CALL)

    caller = threading.Thread(target=call)
    caller.start()
    quiet = accepted.wait_for_quiet(0.5, 0.6)
    stopped.set()
    caller.join()
    assert not quiet
