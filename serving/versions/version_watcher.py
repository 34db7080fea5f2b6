"""Looking for new versions, again and again."""

import logging
import threading
from collections.abc import Callable

from tfhashtag.serving.faults import log_fault

logger = logging.getLogger(__name__)


class VersionWatcher:
    """A thread that calls `look` until it is stopped; a fault is logged and ends nothing.

    Args:
        look: looks once.
        seconds: between the end of one look and the next; 0 for no thread at all.
    """

    def __init__(self, look: Callable[[], None], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)

    def start(self) -> None:
        """Starts the thread; a second call changes nothing."""
        if self._seconds and self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Waits for the look that is under way; there will be no other."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._look()
            except Exception as error:
                log_fault(logger, "looking for versions", error)
