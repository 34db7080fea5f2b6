"""The embedded server: gRPC and REST like TensorFlow Serving."""

import contextlib
import functools
import os
import socket
from collections.abc import Sequence
from concurrent import futures

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from tfhashtag.errors import ServingError
from tfhashtag.serving.arrivals import Arrivals
from tfhashtag.serving.batching_parameters import BatchingParameters
from tfhashtag.serving.limits import Limits
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.model_config import ModelServerConfig
from tfhashtag.serving.model_health import ModelHealth
from tfhashtag.serving.model_service import ModelService
from tfhashtag.serving.model_store import ModelStore
from tfhashtag.serving.monitoring import Monitoring
from tfhashtag.serving.prediction_service import PredictionService
from tfhashtag.serving.request_log import RequestLog
from tfhashtag.serving.rest.rest_handler import RestHandler
from tfhashtag.serving.rest.rest_server import RestServer
from tfhashtag.serving.servable import Servable
from tfhashtag.serving.tls import Tls

SERVICES = (
    prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
    reflection.SERVICE_NAME,
)

# A connection whose other end is gone is closed after the two times together. Clients may ask
# whether the server is there as often as their proxies do.
_KEEPALIVE = [
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    # A client that connects and says nothing.
    ("grpc.server_handshake_timeout_ms", 10_000),
]

_WORKERS = 16

# Seconds: when nothing came for so long all is accepted; how long to wait for that.
_QUIET, _MOST_QUIET = 0.2, 2.0


class ModelServer:
    """Loads the models of a folder and answers gRPC and REST requests until it is stopped.

    Args:
        models: folder with `NAME/<version>/saved_model.pb`, or a configuration, see
            `read_model_config`.
        host: address to bind; the default is reached from this machine alone.
        port: of gRPC; 0 picks a free one, see `address`.
        message_mib: largest request and answer, MiB.
        workers: requests that run at the same time, by gRPC and as many by REST; None: 16, or
            with batching as many as fill the batches that run and the next one.
        versions: by model name, the versions to load instead of the newest.
        rest_port: 0 picks a free one, see `rest_address`; None for no REST.
        max_concurrent: requests, by gRPC and by REST, that may wait or run; more are refused.
        rest_timeout: seconds that a run may take that REST asks for.
        tls: key and certificate of both ports; None for plain text.
        monitoring: where the metrics are found.
        batching: gather requests to batches; None runs each by itself.
        limits: what a request may hold; None for no limits.
        log_requests: log a line with its text for each request.
        poll_seconds: how often the folders are looked at for new versions; 0 for never.
        allow_unavailable_labels: let labels point to versions that are not available.

    Raises:
        ServingError: no model, a model that does not load, or a port that is taken.
    """

    def __init__(
        self,
        models: ModelServerConfig | str | os.PathLike,
        host: str = "127.0.0.1",
        port: int = 8500,
        message_mib: int = 64,
        workers: int | None = None,
        versions: dict[str, Sequence[int]] | None = None,
        rest_port: int | None = None,
        max_concurrent: int = 1024,
        rest_timeout: float = 30.0,
        tls: Tls | None = None,
        monitoring: Monitoring | None = None,
        batching: BatchingParameters | None = None,
        limits: Limits | None = None,
        log_requests: bool = False,
        poll_seconds: float = 1.0,
        allow_unavailable_labels: bool = False,
    ):
        if not 1 <= message_mib <= 2047:
            raise ServingError(f"`message_mib` is {message_mib}; expected 1 to 2047.")
        if workers is None:
            workers = _WORKERS if batching is None else min(batching.requests, max_concurrent)
        limit = message_mib * 2**20
        log = RequestLog() if log_requests else None
        self._arrivals = Arrivals()
        self.metrics = ServingMetrics()
        metrics_path = (monitoring or Monitoring()).path
        load = functools.partial(Servable, batching=batching, limits=limits, metrics=self.metrics)
        self._rest: RestServer | None = None
        self.rest_address: str | None = None
        with contextlib.ExitStack() as undo:
            self._server = grpc.server(
                futures.ThreadPoolExecutor(workers, thread_name_prefix="request"),
                interceptors=[self._arrivals, *([log] if log else [])],
                maximum_concurrent_rpcs=max_concurrent,
                options=[
                    ("grpc.max_receive_message_length", limit),
                    ("grpc.max_send_message_length", limit),
                    # Two servers on one port would share its requests without a word.
                    ("grpc.so_reuseport", 0),
                    *_KEEPALIVE,
                ],
            )
            undo.callback(self._server.stop, None)
            self.port = _add_port(self._server, host, port, tls)
            self.address = f"{_bracketed(host)}:{self.port}"
            listener = None
            if rest_port is not None:
                listener = _listen(host, rest_port)
                undo.callback(listener.close)
                self.rest_port = listener.getsockname()[1]
                scheme = "http" if tls is None else "https"
                self.rest_address = f"{scheme}://{_bracketed(host)}:{self.rest_port}"
            self.store = ModelStore(models, versions, load, poll_seconds, allow_unavailable_labels)
            undo.callback(self.store.close)
            if listener is not None:
                handler = RestHandler(self.store, rest_timeout, self.metrics, metrics_path)
                answer = log.around(handler.answer) if log else handler.answer
                self._rest = RestServer(answer, listener, limit, workers, max_concurrent, tls=tls)
            self._health = ModelHealth(self._ready)
            self._add_services()
            undo.pop_all()

    def start(self) -> "ModelServer":
        """Starts to answer."""
        self._server.start()
        if self._rest is not None:
            self._rest.start()
        self._health.start()
        self.store.start()
        return self

    def stop(self, grace: float = 30.0) -> None:
        """Takes no more requests, waits for the running ones and unloads the models.

        Args:
            grace: seconds after which running requests are cancelled.
        """
        self._health.stop()
        self._arrivals.wait_for_quiet(min(_QUIET, grace), min(_MOST_QUIET, grace))
        stopped = self._server.stop(grace)
        if self._rest is not None:
            self._rest.stop(grace)
        stopped.wait()
        # What still runs had its time.
        self.store.close(0)

    def __enter__(self) -> "ModelServer":
        return self.start()

    def __exit__(self, *exception) -> None:
        self.stop()

    def _ready(self) -> bool:
        return all(self.store.available(name) for name in self.store.names)

    def _add_services(self) -> None:
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.store, self.metrics), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self.store), self._server
        )
        self._health.add_to(self._server)
        reflection.enable_server_reflection(SERVICES, self._server)


def _add_port(server: grpc.Server, host: str, port: int, tls: Tls | None) -> int:
    address = f"{_bracketed(host)}:{port}"
    try:
        if tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, tls.grpc_credentials())
    except RuntimeError as error:
        raise _taken(address, "--port") from error


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _taken(f"{_bracketed(host)}:{port}", "--rest-port") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _taken(f"{_bracketed(host)}:{port}", "--rest-port") from error
    return listener


def _taken(address: str, option: str) -> ServingError:
    return ServingError(
        f"cannot listen on `{address}`: the port is taken or the address is not of this machine. "
        f"Give another `{option}` (0 picks a free one)."
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
