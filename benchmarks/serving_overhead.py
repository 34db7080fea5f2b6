"""What the server adds to a run of the graph.

python -m benchmarks.serving_overhead MODELS/NAME/VERSION [--signature serving_default]
    [--calls 200] [--run RUN]

Three ways to the same answer, one caller at a time: "session" is the bare run of the graph with
arrays at hand; "predict" is `Servable.predict`, which reads the request's tensors and checks them;
"gRPC" is a call over loopback from another process, with everything between. The overhead of the
server is gRPC / predict. The ways take turns, so that a busy machine slows all of them. Requests
are made of the signature's example, whose text is encoded once; with RUN, for `serving_default`, of
distinct messages of its corpus, as in `serving_capacity`.
"""

import argparse
import contextlib
import functools
import multiprocessing
import statistics
import time
from concurrent import futures

import grpc
import numpy as np
from rich.console import Console
from rich.table import Table
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from benchmarks.serving_capacity import requests_of
from benchmarks.serving_process import machine
from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.runs.run import Run
from tfhashtag.serving.grpc.prediction_service import PredictionService
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.runtime.tensors import make_tensor, parse_tensor
from tfhashtag.tasks.posts import signatures as posts
from tfhashtag.tasks.users import signatures as users

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class OneServable:
    """As much of a model store as the service asks for."""

    def __init__(self, servable):
        self.servable = servable
        self.names = [servable.name]

    @contextlib.contextmanager
    def use(self, _):
        """The servable, whatever is asked for."""
        yield self.servable


def real_request(run, rows):
    """So many users, or posts, of a run's corpus in one request."""
    single = requests_of(Run.open(run), width=16)
    request = predict_pb2.PredictRequest(model_spec=single[0].model_spec)
    for name in single[0].inputs:
        values = [parse_tensor(one.inputs[name]) for one in single[:rows]]
        request.inputs[name].CopyFrom(make_tensor(np.concatenate(values)))
    return request


def request_of(servable, signature, rows):
    """A request of so many rows, made of the example that the signature has."""
    wanted = set(servable.signature(signature)[1].inputs)
    known = next(
        known
        for known in (*users.SIGNATURES, *posts.SIGNATURES)
        if known.name == signature and set(known.example) == wanted
    )
    request = predict_pb2.PredictRequest()
    request.model_spec.name = servable.name
    request.model_spec.signature_name = signature
    for tensor in known.inputs:
        dtype = object if tensor.dtype == "string" else tensor.dtype
        array = np.array(tensor.example, dtype)
        if tensor.rank:
            array = np.resize(array, (rows, *array.shape[1:]))
        request.inputs[tensor.name].CopyFrom(make_tensor(array))
    return request


@contextlib.contextmanager
def serving(servable, workers):
    server = grpc.server(futures.ThreadPoolExecutor(workers), options=UNLIMITED)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(OneServable(servable), ServingMetrics()), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(10).wait()


def one_caller(pipe):
    """A process that sends what it is given and says how long each answer took, seconds."""
    while (order := pipe.recv()) is not None:
        address, data, calls = order
        with grpc.insecure_channel(address, options=UNLIMITED) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            request = predict_pb2.PredictRequest.FromString(data)
            pipe.send(timed(functools.partial(stub.Predict, request, timeout=600), calls))


def timed(function, calls):
    function()
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return times


def overhead(servable, signature, request, calls, pipe):
    """Median seconds of the three ways."""
    data = request.SerializeToString()
    inputs = predict_pb2.PredictRequest.FromString(data).inputs
    call = servable._calls[signature]
    names, feeds = tuple(call.outputs.values()), call.read(inputs, None).arrays
    times = {"session": [], "predict": [], "gRPC": []}
    rounds = 5
    with serving(servable, 4) as address:
        for _ in range(rounds):
            times["session"] += timed(
                lambda: servable._run_names((tuple(feeds), names), feeds, None), calls // rounds
            )
            times["predict"] += timed(lambda: servable.predict(inputs, signature), calls // rounds)
            pipe.send((address, data, calls // rounds))
            times["gRPC"] += pipe.recv()
    return {way: statistics.median(found) for way, found in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--signature", default=DEFAULT_SIGNATURE)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--run")
    a = parser.parse_args()
    if a.run and a.signature != DEFAULT_SIGNATURE:
        parser.error(f"--run is for `{DEFAULT_SIGNATURE}`.")

    servable = Servable(a.model, "model", 1)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=one_caller, args=(theirs,))
    process.start()
    table = Table(title=f"{a.model}, {a.signature}, p50 in ms; {machine()}")
    for name in ("rows", "session", "predict", "gRPC", "gRPC / predict", "gRPC / session"):
        table.add_column(name, justify="right")
    for rows in (1, 32):
        request = real_request(a.run, rows) if a.run else request_of(servable, a.signature, rows)
        found = overhead(servable, a.signature, request, a.calls, ours)
        session, predict, remote = (found[way] * 1e3 for way in ("session", "predict", "gRPC"))
        values = (session, predict, remote, remote / predict, remote / session)
        table.add_row(str(rows), *(f"{value:.2f}" for value in values))
    Console().print(table)
    ours.send(None)
    process.join()

    servable.close()


if __name__ == "__main__":
    main()
