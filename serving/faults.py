"""Exceptions that nobody expected: what is logged of them, and what the client is told."""

import logging
import traceback


def log_fault(log: logging.Logger, what: str, error: BaseException) -> None:
    """Logs where an unexpected exception came from, and not what it says.

    The message of an exception, and of those before it, can hold what a user wrote.

    Args:
        log: where to.
        what: what failed.
        error: the exception.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", what, type(error).__name__, frames.rstrip())


def fault_message(error: BaseException) -> str:
    """What the client is told of an unexpected exception: its type alone, for the same reason."""
    return f"Internal error: {type(error).__name__}"
