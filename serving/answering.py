"""From exceptions to gRPC statuses."""

import functools
import logging
import traceback

import grpc

from tfhashtag.serving.status import RequestError

logger = logging.getLogger(__name__)


def answering(method):
    """Makes a servicer method answer a `RequestError` with its status.

    Any other exception is a fault of the server: it is logged and answered INTERNAL (an uncaught
    one would be UNKNOWN).
    """

    @functools.wraps(method)
    def answer(self, request, context):
        try:
            return method(self, request, context)
        except RequestError as error:
            code, message = error.code, error.message
        except Exception as error:
            log_fault(logger, method.__name__, error)
            code, message = grpc.StatusCode.INTERNAL, fault_message(error)
        # `abort` ends the call by an exception of its own.
        context.abort(code, message)

    return answer


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
