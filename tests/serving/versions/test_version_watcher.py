import logging
import threading

from tfhashtag.serving.versions.version_watcher import VersionWatcher


def test_it_looks_again_after_a_fault_and_logs_it(caplog):
    looked, again = [], threading.Event()

    def look():
        looked.append(threading.current_thread())
        if len(looked) == 1:
            raise ValueError("wrong")
        again.set()

    watcher = VersionWatcher(look, 0.001)
    with caplog.at_level(logging.ERROR):
        watcher.start()
        watcher.start()
        assert again.wait(20)
        watcher.stop()
    assert len(set(looked)) == 1
    assert not looked[0].is_alive()
    assert "looking for versions failed: ValueError" in caplog.text


def test_stop_waits_for_the_look_that_is_under_way():
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()

    def look():
        entered.set()
        leave.wait(20)
        left.set()

    watcher = VersionWatcher(look, 0.001)
    watcher.start()
    assert entered.wait(20)
    threading.Timer(0.05, leave.set).start()
    watcher.stop()
    assert left.is_set()


def test_never():
    watcher = VersionWatcher(lambda: None, 0)
    before = threading.active_count()
    watcher.start()
    assert threading.active_count() == before
    watcher.stop()
