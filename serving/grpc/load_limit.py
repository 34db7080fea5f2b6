"""Sending away what would wait for too long, before it is read."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

import grpc

from tfhashtag.serving.grpc.accepted_calls import AcceptedCalls
from tfhashtag.serving.runtime.worker_pool import WorkerPool
from tfhashtag.serving.status import RequestError

_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
_ASKS = "/tensorflow.serving.PredictionService/"
# What a probe asks; it shall be answered by a server that is busy.
_PROBES = ("/grpc.health.v1.Health/Check", "/tensorflow.serving.ModelService/GetModelStatus")
# Milliseconds after which clients of gRPC that repeat by themselves come again.
_AGAIN = (("grpc-retry-pushback-ms", "1000"),)


class LoadLimit(grpc.ServerInterceptor):
    """Refuses requests for a run when they would wait too long, and answers probes past the queue.

    Args:
        pool: of the server.
        most: requests that may run or wait; more get RESOURCE_EXHAUSTED. Probes do not count.
        accepted: where every call is noted.
    """

    def __init__(self, pool: WorkerPool, most: int, accepted: AcceptedCalls) -> None:
        self._pool = pool
        self._most = most
        self._accepted = accepted
        self._side = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="side")

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Lets the call pass, or answers UNAVAILABLE in its place."""
        self._accepted.note()
        method = handler_call_details.method
        if method in _PROBES:
            handler = continuation(handler_call_details)
            return None if handler is None else self._beside(handler.unary_unary, handler)
        if method.startswith(_ASKS):
            try:
                if self._pool.unfinished >= self._most:
                    raise RequestError(_EXHAUSTED, "Concurrent RPC limit exceeded!")
                self._pool.check()
            except RequestError as error:
                return self._beside(_refusal(error))
        return continuation(handler_call_details)

    def _beside(self, method: Callable[..., Any], handler: Any = None) -> Any:
        """A handler whose calls wait for no thread of the pool."""

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            return method(request, context)

        answer.experimental_thread_pool = self._side  # type: ignore[attr-defined]
        return grpc.unary_unary_rpc_method_handler(
            answer,
            getattr(handler, "request_deserializer", None),
            getattr(handler, "response_serializer", None),
        )


def _refusal(error: RequestError) -> Callable[[Any, grpc.ServicerContext], None]:
    def refuse(_: Any, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata(_AGAIN)
        context.abort(error.code, error.message)

    return refuse
