import threading

from tfhashtag.serving.arrivals import Arrivals


def test_quiet_comes_after_the_last_call():
    arrivals = Arrivals()
    assert arrivals.wait_for_quiet(0.001, 60)
    assert not arrivals.wait_for_quiet(1, 0)
    assert arrivals.intercept_service(lambda details: details + 1, 1) == 2


def test_calls_without_end_are_not_waited_for():
    arrivals, stopped = Arrivals(), threading.Event()

    def call():
        while not stopped.is_set():
            arrivals.intercept_service(lambda details: details, None)

    caller = threading.Thread(target=call)
    caller.start()
    quiet = arrivals.wait_for_quiet(0.5, 0.6)
    stopped.set()
    caller.join()
    assert not quiet
