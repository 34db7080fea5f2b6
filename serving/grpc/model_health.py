"""The gRPC health service."""

import threading
from collections.abc import Callable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

HEALTH_NAMES = ("", "PredictionService", "ModelService")


class ModelHealth:
    """Says SERVING while every model can answer, under the names that a stock server uses.

    Args:
        ready: whether every model has an available version.
        seconds: how often to ask.
    """

    def __init__(self, ready: Callable[[], bool], seconds: float = 1.0) -> None:
        self._ready = ready
        self._seconds = seconds
        self._servicer = health.HealthServicer()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)
        self._said: int | None = None
        self._say()

    def add_to(self, server: grpc.Server) -> None:
        """Registers the service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def start(self) -> None:
        """Starts to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Says NOT_SERVING from now on."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._servicer.enter_graceful_shutdown()

    def _watch(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._say()

    def _say(self) -> None:
        answer = health_pb2.HealthCheckResponse
        status = answer.SERVING if self._ready() else answer.NOT_SERVING
        if status != self._said:
            for name in HEALTH_NAMES:
                self._servicer.set(name, status)
            self._said = status
