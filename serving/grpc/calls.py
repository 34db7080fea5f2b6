"""What every method of a gRPC service does around its work: statuses for failures, and counts."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

import grpc

from tfhashtag.serving.faults import fault_message, log_fault
from tfhashtag.serving.status import RequestError

logger = logging.getLogger(__name__)

Method = Callable[[Any, Any, grpc.ServicerContext], Any]


def with_status(method: Method) -> Method:
    """Makes a servicer method answer a `RequestError` with its status.

    Any other exception is a fault of the server: it is logged and answered INTERNAL (an uncaught
    one would be UNKNOWN).
    """

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except RequestError as error:
            code, message = error.code, error.message
        except Exception as error:
            log_fault(logger, method.__name__, error)
            code, message = grpc.StatusCode.INTERNAL, fault_message(error)
        # `abort` ends the call by an exception of its own.
        context.abort(_seen(code, context), message)

    return answer


def _seen(code: grpc.StatusCode, context: grpc.ServicerContext) -> grpc.StatusCode:
    """The code that the client sees, which ends a call itself when its deadline is over."""
    left = context.time_remaining()
    return code if left is None or left > 0 else grpc.StatusCode.DEADLINE_EXCEEDED


def counted(api: str) -> Callable[[Method], Method]:
    """Counts the calls of a servicer method in the `metrics` of its object, where it has some.

    Stands outside of `with_status`, so that it sees the status that the call ended with. The
    object has `metrics` (a `ServingMetrics` or None) and `model_name(request)`.

    Args:
        api: the label of the method.
    """

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def count(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
            if self.metrics is None:
                return method(self, request, context)
            began = time.perf_counter()
            try:
                return method(self, request, context)
            finally:
                status = context.code() or grpc.StatusCode.OK
                self.metrics.record(
                    self.model_name(request), api, status.name, time.perf_counter() - began
                )

        return count

    return decorate
