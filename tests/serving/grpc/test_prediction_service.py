import threading
import time

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.serving.asking import predict
from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.grpc.prediction_service import PredictionService
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.server import ModelServer
from tfhashtag.serving.versions.model_store import ModelStore


@pytest.fixture
def served(models):
    """A stub, and the metrics of its server."""
    from concurrent import futures

    store, metrics = ModelStore(models), ServingMetrics()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(store, metrics), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel), metrics
    server.stop(None).wait()
    store.close()


def test_a_time_out_in_the_queue_is_counted_as_what_the_client_got(models):
    batching = BatchingParameters(batch_timeout_micros=60_000_000)
    with (
        ModelServer(models, port=0, batching=batching) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(predict("toy", x=np.ones([1, 2], np.float32)), timeout=0.3)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        counted = b':tensorflow:serving:request_count{model_name="toy",status="'
        end = time.monotonic() + 20
        while counted not in (text := server.metrics.expose()) and time.monotonic() < end:
            time.sleep(0.02)  # the answer leaves before the call is counted
        assert counted + b'DEADLINE_EXCEEDED"} 1.0' in text


def test_calls_are_counted_by_model_and_status(served):
    stub, metrics = served
    counted = threading.Event()
    record = metrics.record

    def recorded(*arguments):
        record(*arguments)
        counted.set()

    # The answer leaves before the call is counted.
    metrics.record = recorded
    for request in (predict("toy", x=np.ones([1, 2], np.float32)), predict("toy"), predict("no")):
        counted.clear()
        call = stub.Predict.future(request, timeout=60)
        call.exception()
        assert counted.wait(60)
    text = metrics.expose().decode()
    for labels in (
        'model_name="toy",status="OK"',
        'model_name="toy",status="INVALID_ARGUMENT"',
        'model_name="",status="NOT_FOUND"',
    ):
        assert f":tensorflow:serving:request_count{{{labels}}} 1.0" in text
    assert 'request_latency_count{API="predict",entrypoint="GRPC",model_name="toy"} 2.0' in text
    assert 'model_name="no"' not in text
