"""The embedded server: gRPC and REST like TensorFlow Serving."""

import contextlib
import functools
import os
import socket

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.config.addresses import (
    add_grpc_port,
    add_grpc_socket,
    bound_socket,
    bracketed,
)
from tfhashtag.serving.config.monitoring import Monitoring
from tfhashtag.serving.config.tls import Tls
from tfhashtag.serving.config.transport import Transport
from tfhashtag.serving.config.watching import Watching
from tfhashtag.serving.grpc.accepted_calls import AcceptedCalls
from tfhashtag.serving.grpc.load_limit import LoadLimit
from tfhashtag.serving.grpc.model_health import ModelHealth
from tfhashtag.serving.grpc.model_service import ModelService
from tfhashtag.serving.grpc.prediction_service import PredictionService
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.page.page import Page
from tfhashtag.serving.request_log import RequestLog
from tfhashtag.serving.rest.rest_handler import RestHandler
from tfhashtag.serving.rest.rest_server import RestServer
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.memory import MemoryBudget
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.runtime.worker_pool import WorkerPool
from tfhashtag.serving.versions.model_config import ModelServerConfig
from tfhashtag.serving.versions.model_store import ModelStore

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

# Calls besides those for a model: health, states, reflection.
_PROBES = 64
# Seconds: when nothing came for so long all is accepted; how long to wait for that.
_QUIET, _MOST_QUIET = 0.2, 2.0


class ModelServer:
    """Loads the models of a folder and answers gRPC and REST requests until it is stopped.

    Args:
        models: folder with `NAME/<version>/saved_model.pb`, or a configuration, see
            `read_model_config`.
        host: address to bind; the default is reached from this machine alone.
        port: of gRPC; 0 picks a free one, see `address`.
        rest_port: 0 picks a free one, see `rest_address`; None for no REST.
        grpc_socket_path: a socket of the file system, where gRPC is answered as well; its rights
            are those that the process gives to files. None for none.
        tls: key and certificate of both ports; None for plain text.
        transport: sizes of messages, and how many requests at a time.
        watching: which versions, and how the folders are followed.
        batching: gather requests to batches; None runs each by itself.
        limits: what a request may hold; None for no limits.
        monitoring: where the metrics are found.
        log_requests: log a line with its text for each request.

    Raises:
        ServingError: no model, a model that does not load, or a port that is taken.
    """

    def __init__(
        self,
        models: ModelServerConfig | str | os.PathLike,
        host: str = "127.0.0.1",
        port: int = 8500,
        rest_port: int | None = None,
        grpc_socket_path: str | None = None,
        tls: Tls | None = None,
        transport: Transport | None = None,
        watching: Watching | None = None,
        batching: BatchingParameters | None = None,
        limits: Limits | None = None,
        monitoring: Monitoring | None = None,
        log_requests: bool = False,
    ) -> None:
        self._transport = transport or Transport()
        self._workers = self._transport.workers_for(None if batching is None else batching.requests)
        self._log = RequestLog() if log_requests else None
        self._accepted = AcceptedCalls()
        self.metrics = ServingMetrics()
        budget = MemoryBudget(self._transport.memory_mib * 2**20)
        load = functools.partial(
            Servable, batching=batching, limits=limits, budget=budget, metrics=self.metrics
        )
        self._rest: RestServer | None = None
        self.rest_address: str | None = None
        with contextlib.ExitStack() as undo:
            self._server = self._grpc_server()
            undo.callback(self._server.stop, None)
            self.port = add_grpc_port(self._server, host, port, tls)
            self.address = f"{bracketed(host)}:{self.port}"
            if grpc_socket_path is not None:
                add_grpc_socket(self._server, grpc_socket_path)
            listener = None
            if rest_port is not None:
                listener = bound_socket(host, rest_port)
                undo.callback(listener.close)
                self.rest_port = listener.getsockname()[1]
                scheme = "http" if tls is None else "https"
                self.rest_address = f"{scheme}://{bracketed(host)}:{self.rest_port}"
            self.store = ModelStore(models, watching, load)
            undo.callback(self.store.close)
            if listener is not None:
                handler = RestHandler(
                    self.store,
                    self._transport.rest_timeout,
                    self.metrics,
                    (monitoring or Monitoring()).path,
                    None if limits is None else limits.json_values,
                )
                self._rest = self._rest_server(handler, listener, tls)
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
        self._accepted.wait_for_quiet(min(_QUIET, grace), min(_MOST_QUIET, grace))
        stopped = self._server.stop(grace)
        if self._rest is not None:
            self._rest.stop(grace)
        stopped.wait()
        # What still runs had its time.
        self.store.close(0)

    def __enter__(self) -> "ModelServer":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _ready(self) -> bool:
        return all(self.store.available(name) for name in self.store.names)

    def _pool(self, name: str, entrypoint: str) -> WorkerPool:
        refused = functools.partial(self.metrics.record_refusal, entrypoint)
        return WorkerPool(self._workers, name, self._transport.max_wait, refused)

    def _grpc_server(self) -> grpc.Server:
        limit = self._transport.message_bytes
        pool, most = self._pool("request", "GRPC"), self._transport.max_concurrent
        return grpc.server(
            pool,
            interceptors=[
                LoadLimit(pool, most, self._accepted),
                *([self._log] if self._log else []),
            ],
            maximum_concurrent_rpcs=most + _PROBES,
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                # Two servers on one port would share its requests without a word.
                ("grpc.so_reuseport", 0),
                *_KEEPALIVE,
            ],
        )

    def _rest_server(
        self, handler: RestHandler, listener: socket.socket, tls: Tls | None
    ) -> RestServer:
        transport = self._transport
        answer = self._log.around(handler.answer) if self._log else handler.answer
        if transport.rest_page:
            answer = Page(self.store).around(answer)
        return RestServer(
            answer,
            listener,
            transport.message_bytes,
            self._pool("rest", "REST"),
            transport.max_concurrent,
            tls=tls,
            cors=transport.rest_cors,
        )

    def _add_services(self) -> None:
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.store, self.metrics), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self.store), self._server
        )
        self._health.add_to(self._server)
        reflection.enable_server_reflection(SERVICES, self._server)
