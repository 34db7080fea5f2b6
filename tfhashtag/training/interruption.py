"""Ctrl-C between two batches."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


class Interruption:
    """Turns Ctrl-C into a `KeyboardInterrupt` at the next batch; a second one acts at once.

    An interrupt inside a running TensorFlow step can be lost or leave threads behind; between two
    steps it cannot.
    """

    def __init__(self) -> None:
        self._pending = False

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Catches the signal in this block; does nothing outside of the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def remember(number: int, frame: Any) -> None:
            if self._pending:
                raise KeyboardInterrupt
            self._pending = True
            print("\nStopping after this batch; Ctrl-C again stops at once.", file=sys.stderr)

        before = signal.signal(signal.SIGINT, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._pending = False

    def check(self) -> None:
        """Raises `KeyboardInterrupt` where Ctrl-C was pressed."""
        if self._pending:
            raise KeyboardInterrupt


interruption = Interruption()
