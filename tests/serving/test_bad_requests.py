"""What a client may send to hurt: the server says what is wrong, tells nobody else, and goes on."""

import gzip
import http.client
import logging
import pathlib
import re
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import zlib
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.serving.asking import predict
from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.grpc.calls import with_status
from tfhashtag.serving.grpc.prediction_service import PredictionService
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.rest.json_response import write_outputs
from tfhashtag.serving.rest.rest_handler import RestHandler
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.runtime.tensors import make_tensor
from tfhashtag.serving.server import ModelServer
from tfhashtag.serving.status import RequestError
from tfhashtag.serving.versions.model_store import ModelStore

ROOT = pathlib.Path(__file__).parents[2]
Code = grpc.StatusCode
MARKER = "only-between-us-7361"


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def answers(stub):
    response = stub.Predict(predict(x=np.zeros([1, 2], np.float32)), timeout=60)
    return tf.make_ndarray(response.outputs["y"]).tolist() == [[2.0, 2.0]]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff",
        b"\x0a\x7f",
        predict(x=np.zeros([1, 2], np.float32)).SerializeToString()[:-3],
        bytes(range(256)),
    ],
)
def test_what_is_no_request_is_refused_and_the_server_goes_on(server, stub, data):
    with grpc.insecure_channel(server.address) as channel:
        method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as error:
            method(data, timeout=60)
    assert error.value.code() in (Code.INTERNAL, Code.INVALID_ARGUMENT)
    assert answers(stub)


def test_text_of_a_failing_request_is_not_logged(models):
    """TensorFlow itself would log the words of the failing op; the command keeps it quiet."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tfhashtag.cli.main", "serve", str(models), "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        ready = ""
        while not (found := re.search(r"gRPC at (\S+?),", ready)):
            ready = server.stdout.readline()
            assert ready, server.poll()
        with grpc.insecure_channel(found[1]) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as error:
                stub.Predict(predict(signature="fail", text=np.array(MARKER, object)), timeout=60)
        # The one who sent it is told, as by a stock server.
        assert MARKER in error.value.details()
    finally:
        server.terminate()
        logged, _ = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Stopping" in logged and MARKER not in logged


def test_text_in_an_unexpected_exception_is_neither_logged_nor_answered(models, caplog, capfd):
    class Broken(PredictionService):
        @with_status
        def Predict(self, request, context):
            try:
                int(request.inputs["text"].string_val[0])
            except ValueError as error:
                raise KeyError(MARKER) from error

    caplog.set_level(logging.DEBUG)
    store = ModelStore(models)
    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Broken(store), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(predict(text=np.array([MARKER], object)), timeout=60)
    server.stop(None).wait()
    store.close()
    assert (error.value.code(), error.value.details()) == (
        Code.INTERNAL,
        "Internal error: KeyError",
    )
    out, err = capfd.readouterr()
    assert MARKER not in caplog.text + out + err
    assert "Predict failed: KeyError" in caplog.text
    assert "test_bad_requests.py" in caplog.text


def test_the_name_of_an_unknown_model_is_not_kept(models):
    store, metrics = ModelStore(models), ServingMetrics()
    service = PredictionService(store, metrics)
    assert service.model_name(predict()) == "toy"
    request = predict()
    request.model_spec.name = MARKER
    assert service.model_name(request) == ""
    store.close()


def claimed(shape, **fields):
    shape = tf.TensorShape(shape).as_proto()
    return TensorProto(dtype=tf.string.as_datatype_enum, tensor_shape=shape, **fields)


def highest_memory():
    """Peak of this process's memory since the last call, MiB."""
    status = pathlib.Path("/proc/self/status").read_text()
    # Begins a new peak.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def test_a_claimed_shape_takes_no_memory(models):
    servable = Servable(models / "toy" / "1", "toy", 1, limits=Limits())
    small = claimed([3, 2**26], string_val=[b"a"])
    highest_memory()
    before = highest_memory()
    with pytest.raises(RequestError, match="columns; this server takes at most 4096"):
        servable.predict({"text": small, "user": small}, "words")
    assert highest_memory() - before < 50
    servable.close()


def test_limits_hold_with_and_without_a_deadline_and_in_a_batch(models):
    limits = Limits(rows=2, seconds=0.2)
    servable = Servable(models / "toy" / "1", "toy", 1, limits=limits)
    with pytest.raises(RequestError) as error:
        servable.predict({"steps": np.array(2**30, np.int32)}, "spin")
    assert error.value.code == Code.DEADLINE_EXCEEDED
    servable.close()
    batched = Servable(models / "toy" / "1", "toy", 1, limits=limits, batching=BatchingParameters())
    x = np.ones([3, 2], np.float32)
    with pytest.raises(RequestError, match="Input `x` has 3 rows; this server takes at most 2"):
        batched.predict({"x": make_tensor(x)})
    assert batched.predict({"x": x[:2]}, output_filter=["z"])["z"].tolist() == [2, 2]
    batched.close()


def test_signatures_with_a_scalar_and_requests_that_do_not_fit_run_alone(models):
    metrics = ServingMetrics()
    servable = Servable(
        models / "toy" / "1", "toy", 1, batching=BatchingParameters(), metrics=metrics
    )
    assert servable.predict({"steps": np.array(1, np.int32)}, "spin")["value"] > 0
    assert servable.predict({"x": np.ones([2, 2, 2], np.float32)})["y"].shape == (2, 2, 2)
    assert servable.predict({"x": np.ones([0, 2], np.float32)})["y"].shape == (0, 2)
    assert b"wrapped_run_count{" not in metrics.expose()
    assert servable.predict({"x": np.ones([1, 2], np.float32)})["y"].shape == (1, 2)
    assert b'wrapped_run_count{model_name="toy"} 1.0' in metrics.expose()
    servable.close()


def png(size):
    """A black picture of `size` x `size` in a few kilobytes."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    line = b"\0" * (1 + (size + 7) // 8)
    squeeze = zlib.compressobj(1)
    data = b"".join(squeeze.compress(line) for _ in range(size)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_no_picture_and_takes_no_memory(tmp_path):
    from tfhashtag.encoders.image_decoding import decode_images

    class Pictures(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image")])
        def look(self, image):
            pixels, valid = decode_images(image, 8)
            return {"valid": valid, "mean": tf.reduce_mean(pixels, [1, 2, 3])}

    module = Pictures()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.look)
    servable = Servable(tmp_path / "1", "pictures", 1, limits=Limits())
    good, bomb = png(64), png(12_000)
    assert len(bomb) < 2**20
    images = np.array([good, b"", b"no picture"], object)
    assert servable.predict({"image": images})["valid"].tolist() == [True, False, False]
    highest_memory()
    before = highest_memory()
    answer = servable.predict({"image": np.array([bomb, good, bomb], object)})
    assert answer["valid"].tolist() == [False, True, False]
    # 12,000 x 12,000 pixels are 549 MiB.
    assert highest_memory() - before < 200
    with pytest.raises(RequestError, match="A picture has"):
        servable.predict({"image": np.array([b"a" * (17 * 2**20)], object)})
    servable.close()


def test_a_cancelled_request_that_waits_is_not_computed(models, monkeypatch):
    """The only batch thread is held; who waits behind it goes away."""
    entered, go, computed = threading.Semaphore(0), threading.Event(), []
    run = Servable._run

    def held(self, feeds, fetches, timeout):
        entered.release()
        assert go.wait(60)
        computed.append(next(iter(feeds.values())).tolist())
        return run(self, feeds, fetches, timeout)

    monkeypatch.setattr(Servable, "_run", held)
    batching = BatchingParameters(num_batch_threads=1)
    with (
        ModelServer(models, port=0, batching=batching) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask(value):
            return stub.Predict.future(predict(x=np.full([1, 2], value, np.float32)), timeout=60)

        try:
            first = ask(1)
            assert entered.acquire(timeout=60)
            leaves = ask(2)
            wait_for_metric(server, "queued_requests", 1)
            assert leaves.cancel()
            wait_for_metric(server, "queued_requests", 0)
            last = ask(3)
        finally:
            go.set()
        assert tf.make_ndarray(first.result(60).outputs["y"]).tolist() == [[3.0, 3.0]]
        assert tf.make_ndarray(last.result(60).outputs["y"]).tolist() == [[5.0, 5.0]]
    assert computed == [[[1.0, 1.0]], [[3.0, 3.0]]]


def wait_for_metric(server, name, value):
    line = f':tensorflow:serving:{name}{{model_name="toy"}} {float(value)}'.encode()
    end = time.monotonic() + 60
    while line not in server.metrics.expose():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_small_body_that_inflates_holds_nobody_up(models):
    numbers = b'{"inputs": [' + b"1," * 15_000_000 + b"1]}"
    bomb = gzip.compress(numbers, 6)
    assert len(bomb) < 60_000
    with ModelServer(models, port=0, rest_port=0, limits=Limits()) as server:
        address = urllib.parse.urlsplit(server.rest_address)

        def ask(body, encoding):
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
            connection.request(
                "POST", "/v1/models/toy:predict", body, {"Content-Encoding": encoding}
            )
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            return answer.status, text

        small = b'{"inputs": [[1, 2]]}'
        assert ask(small, "identity")[0] == 200
        highest_memory()
        before = highest_memory()
        began = time.process_time()
        with futures.ThreadPoolExecutor(7) as pool:
            bombs = [pool.submit(ask, bomb, "gzip") for _ in range(6)]
            for _ in range(20):
                assert ask(small, "identity")[0] == 200
            for answer in bombs:
                status, text = answer.result()
                assert (status, b"more than 1048576 values" in text) == (400, True)
        assert time.process_time() - began < 6
        assert highest_memory() - before < 700


def test_the_time_of_a_rest_request_runs_while_it_is_parsed(models, monkeypatch):
    store = ModelStore(models)
    handler = RestHandler(store, timeout=0.01)
    row = b"[" + b"1," * 100_000 + b"1]"
    found = handler.answer("POST", "/v1/models/toy:predict", b'{"inputs": [' + row + b"]}")
    assert found.status == 504
    store.close()


def test_a_scalar_string_is_an_answer(models):
    servable = Servable(models / "toy" / "1", "toy", 1)
    found = servable.predict({"text": np.array(b"", object)}, "fail")
    assert (found["text"].shape, found["text"].item()) == ((), b"")
    assert write_outputs(found, rows=False) == b'{"outputs": ""}'
    servable.close()
