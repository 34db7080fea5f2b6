"""When the last gRPC call was accepted."""

import math
import time


class AcceptedCalls:
    """Notes every gRPC call that is accepted, so that a server can stop between two.

    A gRPC server that is stopped cancels the calls that it has received and not yet accepted. Who
    has seen that it is NOT_SERVING sends no more; what is under way is accepted first.
    """

    def __init__(self) -> None:
        # Written without a lock, at which the threads of many clients would wait for one another.
        self._last = -math.inf

    def note(self) -> None:
        """A call is accepted now."""
        self._last = time.monotonic()

    def wait_for_quiet(self, quiet: float, most: float) -> bool:
        """Waits until no call has come for `quiet` seconds, at most `most`; whether it is quiet."""
        began = time.monotonic()
        while (until := max(self._last, began) + quiet) <= began + most:
            if (left := until - time.monotonic()) <= 0:
                return True
            time.sleep(left)
        return False
