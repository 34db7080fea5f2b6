"""The gRPC server over loopback; what a stock server answers as well is asked in conformance/."""

import concurrent.futures
import contextlib
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.serving.asking import predict, refused
from tfhashtag.errors import ServingError
from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.config.transport import Transport
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.server import ModelServer

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def channel(server):
    limit = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.address, options=limit) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


X = np.ones([1, 2], np.float32)


def test_a_version_and_another_model_are_chosen(stub):
    first = stub.Predict(predict(version=1, x=X), timeout=20)
    assert tf.make_ndarray(first.outputs["y"]).tolist() == [[2.0, 2.0]]
    other = stub.Predict(predict("other", x=X), timeout=20)
    assert other.model_spec.version.value == 7
    assert tf.make_ndarray(other.outputs["y"]).tolist() == [[8.0, 8.0]]


def test_tables_from_assets_and_strings(stub):
    text, user = np.array(["green", "pink"], object), np.array(["é", "🎉"], object)
    response = stub.Predict(predict(signature="words", text=text, user=user), timeout=20)
    assert tf.make_ndarray(response.outputs["ids"]).tolist() == [1, -1]
    both = [value.decode() for value in tf.make_ndarray(response.outputs["both"])]
    assert both == ["greené", "pink🎉"]


def test_the_limit_of_a_message_holds(stub):
    code, _ = refused(stub.Predict, predict(x=np.ones([9 * 2**18, 2], np.float32)))
    assert code == Code.RESOURCE_EXHAUSTED


def test_the_deadline_ends_the_run_and_the_server_goes_on(stub):
    began = time.monotonic()
    code, _ = refused(stub.Predict, predict(signature="spin", steps=2**30), timeout=0.5)
    assert code == Code.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 10
    assert stub.Predict(predict(x=X), timeout=20).outputs


@pytest.mark.parametrize("batching", [None, BatchingParameters()], ids=["alone", "batched"])
def test_every_kind_of_deadline(models, batching):
    with (
        ModelServer(models, port=0, batching=batching, limits=Limits(seconds=0.5)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        endless = predict(signature="spin", steps=2**30)
        for timeout in (None, 60, 1e9):
            assert stub.Predict(predict(x=X), timeout=timeout).outputs
        # Without a deadline that of the limits holds.
        assert refused(stub.Predict, endless, timeout=None)[0] == Code.DEADLINE_EXCEEDED
        assert refused(stub.Predict, endless, timeout=0.001)[0] == Code.DEADLINE_EXCEEDED
        cancelled = stub.Predict.future(endless, timeout=None)
        cancelled.cancel()
        assert cancelled.code() == Code.CANCELLED
        assert stub.Predict(predict(x=X)).outputs


def test_concurrent_requests_get_their_own_answers(stub):
    def ask(i):
        response = stub.Predict(predict(x=np.full([1, 2], i, np.float32)), timeout=60)
        return float(tf.make_ndarray(response.outputs["y"])[0, 0])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(64))) == [i + 2.0 for i in range(64)]


def asked_by_examples(kind, **spec):
    request = kind()
    request.model_spec.name = "toy"
    for name, value in spec.items():
        setattr(request.model_spec, name, value)
    return request


def test_classify_and_regress_refuse_signatures_that_are_not_theirs(stub):
    for method, kind, word, name in (
        (stub.Classify, classification_pb2.ClassificationRequest, "classification", "classify"),
        (stub.Regress, regression_pb2.RegressionRequest, "regression", "regress"),
    ):
        assert refused(method, kind()) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")
        assert refused(method, asked_by_examples(kind)) == (
            Code.INVALID_ARGUMENT,
            f"Expected {word} signature method_name to be tensorflow/serving/{name}. "
            "Was: tensorflow/serving/predict",
        )
        assert refused(method, asked_by_examples(kind, signature_name="S")) == (
            Code.INVALID_ARGUMENT,
            "No signature was found with the name: S",
        )


def test_multi_inference_names_the_task_that_is_wrong(stub):
    def asked(*tasks):
        request = inference_pb2.MultiInferenceRequest()
        for model, signature, method in tasks:
            task = request.tasks.add(method_name=method)
            task.model_spec.name = model
            task.model_spec.signature_name = signature
        return refused(stub.MultiInference, request)

    classify = "tensorflow/serving/classify"
    assert asked() == (Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
    assert asked(("", "", classify), ("toy", "", classify)) == asked()
    assert asked(("toy", "S", classify)) == (
        Code.INVALID_ARGUMENT,
        "Requested signature not found in model graph: S",
    )
    assert asked(("toy", "", "predict")) == (
        Code.UNIMPLEMENTED,
        "Unsupported signature method_name: predict",
    )
    code, words = asked(("toy", "", classify))
    assert (code, words.split(" to ")[0]) == (
        Code.INVALID_ARGUMENT,
        "Expected classification signature method_name",
    )


@pytest.mark.parametrize("name", ["", "PredictionService", "ModelService"])
def test_health(channel, name):
    stub = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_batching_and_limits_hold_on_both_ports(models):
    batching = BatchingParameters(max_batch_size=8, batch_timeout_micros=20_000)
    with (
        ModelServer(
            models, port=0, rest_port=0, batching=batching, limits=Limits(rows=2)
        ) as server,
        grpc.insecure_channel(server.address) as channel,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        code, details = refused(stub.Predict, predict(x=np.ones([3, 2], np.float32)))
        assert code == Code.INVALID_ARGUMENT
        assert details == "Input `x` has 3 rows; this server takes at most 2."

        def by_rest(x):
            request = urllib.request.Request(
                f"{server.rest_address}/v1/models/toy:predict",
                json.dumps({"inputs": x}).encode(),
                method="POST",
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.load(answer)["outputs"]["y"]
            except urllib.error.HTTPError as error:
                return json.load(error)["error"]

        assert by_rest([[1, 2]] * 3) == details

        def by_grpc(x):
            response = stub.Predict(predict(x=np.array(x, np.float32)), timeout=30)
            return tf.make_ndarray(response.outputs["y"]).tolist()

        rows = [[[i, i + 1]] for i in range(32)]
        expected = [[[i + 2.0, i + 3.0]] for i in range(32)]
        assert list(pool.map(by_grpc, rows)) == expected
        assert list(pool.map(by_rest, rows)) == expected
        page = server.metrics.expose().decode()
        runs = re.search(r'wrapped_run_count\{model_name="toy"\} (\S+)', page)[1]
        assert 0 < float(runs) < 64


def test_with_batching_there_are_workers_for_a_full_batch(models):
    an_hour = 3_600_000_000
    batching = BatchingParameters(
        max_batch_size=40, batch_timeout_micros=an_hour, num_batch_threads=1
    )
    with (
        ModelServer(models, port=0, batching=batching) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        asked = [stub.Predict.future(predict(x=X), timeout=30) for _ in range(40)]
        for answer in asked:  # a smaller batch would wait for the hour
            assert tf.make_ndarray(answer.result().outputs["y"]).shape == (1, 2)


def test_reflection_tells_the_services(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([asked]), timeout=20)
    assert {service.name for service in answer.list_services_response.service} == {
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    asked = reflection_pb2.ServerReflectionRequest(
        file_containing_symbol="tensorflow.serving.PredictRequest"
    )
    (answer,) = stub.ServerReflectionInfo(iter([asked]), timeout=20)
    assert answer.file_descriptor_response.file_descriptor_proto


def test_more_requests_than_may_run_or_wait_are_refused(models):
    with (
        ModelServer(models, port=0, transport=Transport(max_concurrent=1)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        endless = predict(signature="spin", steps=2**30)
        running = stub.Predict.future(endless, timeout=60)
        while refused_or_none(stub) is None:
            if running.done():  # it was the one too many itself
                running = stub.Predict.future(endless, timeout=60)
        assert refused(stub.Predict, predict(x=X))[0] == Code.RESOURCE_EXHAUSTED
        probe = health_pb2_grpc.HealthStub(channel)
        assert probe.Check(health_pb2.HealthCheckRequest(), timeout=20).status == 1
        running.cancel()


def test_a_server_with_too_much_to_do_sends_away_and_answers_probes(models):
    with (
        ModelServer(models, port=0, transport=Transport(workers=1, max_wait=0.1)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        endless = predict(signature="spin", steps=2**30)
        with pytest.raises(grpc.RpcError):
            stub.Predict(endless, timeout=0.3)  # so long does a request take
        calls = [stub.Predict.future(endless, timeout=2)]
        while not calls[-1].done():
            calls.append(stub.Predict.future(endless, timeout=2))
            with contextlib.suppress(grpc.FutureTimeoutError):
                calls[-1].exception(0.1)
        error = calls[-1].exception()
        assert error.code() == Code.UNAVAILABLE and "is overloaded" in error.details()
        assert ("grpc-retry-pushback-ms", "1000") in error.trailing_metadata()
        assert 2 <= len(calls) <= 4
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=1).status == 1
        assert b'refused_requests{entrypoint="GRPC"} 1.0' in server.metrics.expose()
        for call in calls:
            call.cancel()


def refused_or_none(stub):
    try:
        stub.Predict(predict(x=X), timeout=20)
    except grpc.RpcError as error:
        return error.code()
    return None


def test_a_taken_rest_port_is_an_error(models, server, tmp_path):
    with pytest.raises(ServingError, match=rf"127.0.0.1:{server.port}.*taken.*--rest-port"):
        ModelServer(models, port=0, rest_port=server.port)
    with pytest.raises(ServingError, match=r"cannot listen on `no\.such\.host:0`"):
        ModelServer(models, host="no.such.host", port=0, rest_port=0)


def test_a_taken_port_is_an_error(models):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=rf"127.0.0.1:{port}.*taken"):
            ModelServer(models, port=port)


def test_a_second_server_on_the_port_is_an_error(models, server):
    with pytest.raises(ServingError, match="taken"):
        ModelServer(models, port=server.port)


def test_stop_finishes_running_requests(models):
    server = ModelServer(models, port=0).start()
    with grpc.insecure_channel(server.address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        stub.Predict(predict(signature="spin", steps=1), timeout=20)
        running = stub.Predict.future(predict(signature="spin", steps=3000), timeout=60)
        time.sleep(0.2)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert tf.make_ndarray(running.result().outputs["value"]) == pytest.approx(1.0, rel=1e-3)
        stopping.join(60)
        assert refused(stub.Predict, predict(x=X), timeout=2)[0] == Code.UNAVAILABLE
