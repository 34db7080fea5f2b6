import concurrent.futures

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tfhashtag.serving.grpc.model_health import HEALTH_NAMES, ModelHealth

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("name", HEALTH_NAMES)
def test_health_follows_the_models_and_the_end(name):
    ready = [False]
    health = ModelHealth(lambda: ready[0], seconds=0.01)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    health.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    health.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        said = stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=30)
        assert next(said).status == NOT_SERVING
        ready[0] = True
        assert next(said).status == SERVING
        ready[0] = False
        assert next(said).status == NOT_SERVING
        ready[0] = True
        assert next(said).status == SERVING
        health.stop()
        assert next(said).status == NOT_SERVING
    server.stop(0).wait()
