"""Counting the calls of gRPC methods."""

import functools
import time

import grpc


def measured(api: str):
    """Counts the calls of a servicer method in the `metrics` of its object, where it has some.

    Stands outside of `answering`, so that it sees the status that the call ended with. The object
    has `metrics` (a `ServingMetrics` or None) and `model_name(request)`.

    Args:
        api: the label of the method.
    """

    def decorate(method):
        @functools.wraps(method)
        def measure(self, request, context):
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

        return measure

    return decorate
