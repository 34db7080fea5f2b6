"""From exceptions to gRPC statuses."""

import functools
import logging

import grpc

from tfhashtag.serving.status import RequestError, cut

logger = logging.getLogger(__name__)


def answering(method):
    """Makes a servicer method answer a `RequestError` with its status.

    Any other exception is a fault of the server: it is logged with its traceback and answered
    INTERNAL (an uncaught one would be UNKNOWN).
    """

    @functools.wraps(method)
    def answer(self, request, context):
        try:
            return method(self, request, context)
        except RequestError as error:
            code, message = error.code, error.message
        except Exception as error:
            logger.exception("%s failed", method.__name__)
            code, message = grpc.StatusCode.INTERNAL, cut(f"{type(error).__name__}: {error}")
        # `abort` ends the call by an exception of its own.
        context.abort(code, message)

    return answer
