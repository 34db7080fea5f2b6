import threading

from tfhashtag.serving.grpc.accepted_calls import AcceptedCalls


def test_quiet_comes_after_the_last_call():
    accepted = AcceptedCalls()
    assert accepted.wait_for_quiet(0.001, 60)
    assert not accepted.wait_for_quiet(1, 0)


def test_calls_without_end_are_not_waited_for():
    accepted, stopped = AcceptedCalls(), threading.Event()

    def call():
        while not stopped.is_set():
            accepted.note()

    caller = threading.Thread(target=call)
    caller.start()
    quiet = accepted.wait_for_quiet(0.5, 0.6)
    stopped.set()
    caller.join()
    assert not quiet
