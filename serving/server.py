"""The embedded server: gRPC like TensorFlow Serving, for models of one folder."""

import os
from collections.abc import Sequence
from concurrent import futures

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tfhashtag.errors import ServingError
from tfhashtag.serving.model_service import ModelService
from tfhashtag.serving.model_store import ModelStore
from tfhashtag.serving.prediction_service import PredictionService

HEALTH_NAMES = ("", "PredictionService", "ModelService")


class ModelServer:
    """Loads the models of a folder and answers gRPC requests until it is stopped.

    Args:
        models: folder with `NAME/<version>/saved_model.pb`.
        host: address to bind; the default is reached from this machine alone.
        port: 0 picks a free one, see `address`.
        message_mib: largest request and answer, MiB.
        workers: requests that run at the same time.
        versions: by model name, the versions to load instead of the newest.

    Raises:
        ServingError: no model, a model that does not load, or a port that is taken.
    """

    def __init__(
        self,
        models: str | os.PathLike,
        host: str = "127.0.0.1",
        port: int = 8500,
        message_mib: int = 64,
        workers: int = 16,
        versions: dict[str, Sequence[int]] | None = None,
    ):
        try:
            from grpc_health.v1 import health, health_pb2, health_pb2_grpc
        except ModuleNotFoundError as error:
            raise ServingError(
                "The server needs `grpcio-health-checking`: pip install 'tfhashtag[serve]'."
            ) from error
        if not 1 <= message_mib <= 2047:
            raise ServingError(f"`message_mib` is {message_mib}; expected 1 to 2047.")
        limit = message_mib * 2**20
        self._server = grpc.server(
            futures.ThreadPoolExecutor(workers, thread_name_prefix="request"),
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                # Two servers on one port would share its requests without a word.
                ("grpc.so_reuseport", 0),
            ],
        )
        bound = f"[{host}]" if ":" in host else host
        try:
            self.port = self._server.add_insecure_port(f"{bound}:{port}")
        except RuntimeError as error:
            raise ServingError(
                f"cannot listen on `{bound}:{port}`: the port is taken or the address is not of "
                "this machine. Give another `--port` (0 picks a free one)."
            ) from error
        self.address = f"{bound}:{self.port}"
        try:
            self.store = ModelStore(models, versions)
        except BaseException:
            self._server.stop(None)
            raise
        self._health = health.HealthServicer()
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.store), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self.store), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for name in HEALTH_NAMES:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def start(self) -> "ModelServer":
        """Starts to answer."""
        self._server.start()
        return self

    def stop(self, grace: float = 30.0) -> None:
        """Takes no more requests, waits for the running ones and unloads the models.

        Args:
            grace: seconds after which running requests are cancelled.
        """
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        self.store.close()

    def __enter__(self) -> "ModelServer":
        return self.start()

    def __exit__(self, *exception) -> None:
        self.stop()
