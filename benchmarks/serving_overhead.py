"""What the server adds to a run of the graph, and what gathering requests to batches gains.

python benchmarks/serving_overhead.py MODELS/NAME/VERSION [--signature serving_default]
    [--calls 200] [--clients 64] [--seconds 10]
    [--max-batch-size 64] [--timeout-micros 2000] [--batch-threads 2]

Three ways to the same answer, one caller at a time: "session" is the bare run of the graph with
arrays at hand; "predict" is `Servable.predict`, which reads the request's tensors and checks them;
"gRPC" is a call over loopback from another process, with everything between. The overhead of the
server is gRPC / predict. The ways take turns, so that a busy machine slows all of them.

Then CLIENTS callers in another process send requests of one row, each waiting for its answer, to a
server without and with batching. Requests are made of the signature's example.
"""

import argparse
import asyncio
import contextlib
import functools
import itertools
import multiprocessing
import os
import re
import statistics
import time
from concurrent import futures

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfhashtag.export import signatures
from tfhashtag.serving.batching_parameters import BatchingParameters
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.prediction_service import PredictionService
from tfhashtag.serving.servable import Servable
from tfhashtag.serving.tensors import make_tensor

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


def request_of(servable, signature, rows):
    """A request of so many rows, made of the example that the signature has."""
    wanted = set(servable.signature(signature)[1].inputs)
    known = next(
        known
        for known in (*signatures.ENGAGEMENT, *signatures.POSTS)
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


def overhead(servable, signature, rows, calls, pipe):
    """Median seconds of the three ways."""
    request = request_of(servable, signature, rows)
    data = request.SerializeToString()
    inputs = predict_pb2.PredictRequest.FromString(data).inputs
    call = servable._calls[signature]
    names, feeds = tuple(call.outputs.values()), servable._feeds(call, inputs)
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


def many_callers(address, data, clients, seconds, pipe):
    """A process with so many callers; sends the seconds that each answer took."""

    async def call_all():
        async with grpc.aio.insecure_channel(address, options=UNLIMITED) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            request = predict_pb2.PredictRequest.FromString(data)
            await stub.Predict(request, timeout=600)
            end = time.perf_counter() + seconds

            async def call():
                times = []
                while (began := time.perf_counter()) < end:
                    await stub.Predict(request, timeout=600)
                    times.append(time.perf_counter() - began)
                return times

            began = time.perf_counter()
            found = await asyncio.gather(*(call() for _ in range(clients)))
            return list(itertools.chain(*found)), time.perf_counter() - began

    pipe.send(asyncio.run(call_all()))


def throughput(servable, signature, clients, seconds):
    """Answers a second, p50 and p99 in milliseconds."""
    data = request_of(servable, signature, 1).SerializeToString()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    with serving(servable, 2 * clients) as address:
        process = multiprocessing.get_context("spawn").Process(
            target=many_callers, args=(address, data, clients, seconds, theirs)
        )
        process.start()
        times, wall = ours.recv()
        process.join()
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    return len(times) / wall, p50, p99


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--signature", default=signatures.DEFAULT_SIGNATURE)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--max-batch-size", type=int, default=64)
    parser.add_argument("--timeout-micros", type=int, default=2000)
    parser.add_argument("--batch-threads", type=int, default=os.cpu_count())
    a = parser.parse_args()

    servable = Servable(a.model, "model", 1)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=one_caller, args=(theirs,))
    process.start()
    print(f"{a.model}, signature {a.signature}, {os.cpu_count()} processors")
    print("p50, ms           session  predict     gRPC   gRPC/predict  gRPC/session")
    for rows in (1, 32):
        found = overhead(servable, a.signature, rows, a.calls, ours)
        session, predict, remote = (found[way] * 1e3 for way in ("session", "predict", "gRPC"))
        print(
            f"batch {rows:<10d} {session:8.2f} {predict:8.2f} {remote:8.2f} "
            f"{remote / predict:14.2f} {remote / session:13.2f}",
            flush=True,
        )
    ours.send(None)
    process.join()

    parameters = BatchingParameters(
        max_batch_size=a.max_batch_size,
        batch_timeout_micros=a.timeout_micros,
        max_enqueued_batches=a.clients,
        num_batch_threads=a.batch_threads,
    )
    metrics = ServingMetrics()
    batched = Servable(a.model, "model", 1, batching=parameters, metrics=metrics)
    print(f"\n{a.clients} clients        answers/s  p50, ms  p99, ms")
    rates = []
    for name, candidate in (("unbatched", servable), ("batched", batched)):
        rate, p50, p99 = throughput(candidate, a.signature, a.clients, a.seconds)
        rates.append(rate)
        print(f"{name:<17s} {rate:9.1f} {p50:8.1f} {p99:8.1f}", flush=True)
    print(f"batched / unbatched = {rates[1] / rates[0]:.2f}")
    found = re.findall(rb"processed_batch_size_(sum|count)\{.*\} (.+)", metrics.expose())
    counts = {name: float(value) for name, value in found}
    print(f"rows a batch, mean  = {counts[b'sum'] / counts[b'count']:.1f}")
    batched.close()
    servable.close()


if __name__ == "__main__":
    main()
