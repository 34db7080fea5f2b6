"""Two states of the server beside each other: what a request costs, and what both can do.

python -m benchmarks.serving_beside OLD MODELS/NAME/VERSION [--rounds 40] [--seconds 3] [--only K]

OLD is a checkout of another state of this repository (`git worktree add OLD COMMIT`). Both servers
run at once and are asked in turns, in rounds whose order changes, so that a busy machine slows both
alike. Of each kind of request: milliseconds of processor that the server takes for one (of all its
threads, as the kernel counts them), the time until the answer is there, and answers a second of 16
clients. Figures are medians over the rounds of new / old in the same round, with the interval of
95 % of that median. Kinds: two numbers and 128 strings to a graph that does next to nothing, so
that the server itself is seen, and one and eight rows of the version's own `serving_default`;
`--only "2 numbers"` takes one of them.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import shutil
import statistics
import tempfile
import time
import urllib.parse

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from benchmarks.serving_overhead import request_of
from benchmarks.serving_process import machine, server_process
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.runtime.tensors import make_tensor, parse_tensor

CLIENTS = 16
ROUND = 0.3  # seconds of calls to a server at a time


def write_echo(folder):
    """A graph that gives back what it is given."""

    class Echo(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def numbers(self, x):
            return {"y": x + 1}

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, "texts")])
        def strings(self, texts):
            return {"same": tf.identity(texts)}

    echo = Echo()
    signatures = {"numbers": echo.numbers, "strings": echo.strings}
    tf.saved_model.save(echo, str(folder), signatures=signatures)


def request_for(model, signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(make_tensor(value))
    return request


def body_of(request):
    """The same request for REST."""

    def plain(values):
        if isinstance(values, list):
            return [plain(value) for value in values]
        return values.decode() if isinstance(values, bytes) else values

    inputs = {name: plain(parse_tensor(value).tolist()) for name, value in request.inputs.items()}
    name = request.model_spec.signature_name
    return json.dumps({"signature_name": name, "inputs": inputs}).encode()


def requests_of(version, models):
    """By what it is: the request."""
    rng = np.random.default_rng(0)
    texts = np.array([f"a message of {n} words {n * 7}".encode() for n in range(128)], object)
    servable = Servable(version, "model", 1)
    own = {f"model, {rows} rows": request_of(servable, "serving_default", rows) for rows in (1, 8)}
    servable.close()
    write_echo(models / "echo" / "1")
    numbers = rng.normal(size=(1, 2)).astype(np.float32)
    return {
        "2 numbers": request_for("echo", "numbers", x=numbers),
        "128 strings": request_for("echo", "strings", texts=texts.reshape(8, 16)),
        **own,
    }


class Asked:
    """A server under calls of one kind."""

    def __init__(self, server, request, by_rest):
        self.server = server
        self.stack = contextlib.ExitStack()
        if by_rest:
            place = urllib.parse.urlsplit(server.rest_address).netloc
            self.body, path = body_of(request), f"/v1/models/{request.model_spec.name}:predict"
            self.clients = [http.client.HTTPConnection(place, timeout=600) for _ in range(CLIENTS)]
            self.calls = [self._rest(client, path) for client in self.clients]
        else:
            # One channel would take turns in one thread.
            channels = [
                self.stack.enter_context(grpc.insecure_channel(server.address, [("n", n)]))
                for n in range(CLIENTS)
            ]
            stubs = [prediction_service_pb2_grpc.PredictionServiceStub(one) for one in channels]
            self.calls = [lambda stub=stub: stub.Predict(request, timeout=600) for stub in stubs]

    def _rest(self, client, path):
        def call():
            try:
                client.request("POST", path, self.body)
                answer = client.getresponse()
            except ConnectionError:  # it was idle while others were asked
                client.close()
                client.request("POST", path, self.body)
                answer = client.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(text)

        return call

    def processor(self):
        """Seconds of processor that the server's threads have had."""
        spent = 0
        for task in pathlib.Path(f"/proc/{self.server.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
                spent += int((task / "schedstat").read_text().split()[0])
        return spent / 1e9

    def one_client(self, seconds):
        """Seconds of processor and until the answer, for one request."""
        times, before = [], self.processor()
        end = time.perf_counter() + seconds
        while len(times) < 3 or time.perf_counter() < end:
            began = time.perf_counter()
            self.calls[0]()
            times.append(time.perf_counter() - began)
        return (self.processor() - before) / len(times), statistics.median(times)

    def many_clients(self, seconds, threads):
        """Answers a second."""
        end = time.perf_counter() + seconds

        def loop(call):
            count = 0
            while time.perf_counter() < end:
                call()
                count += 1
            return count

        began = time.perf_counter()
        count = sum(threads.map(loop, self.calls))
        return count / (time.perf_counter() - began)


def beside(old, new, rounds, seconds):
    """Medians of what both take: {what: [old, new, ratio, low, high]}."""
    found = {"processor, ms": [], "until answered, ms": [], "answers/s": []}
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as threads:
        for asked in (old, new):
            asked.many_clients(0.5, threads)
            asked.one_client(0.2)
        for number in range(rounds):
            pair = {}
            for name, asked in (("old", old), ("new", new))[:: 1 if number % 2 else -1]:
                pair[name] = [1e3 * value for value in asked.one_client(ROUND)]
            for what, *both in zip(found, pair["old"], pair["new"]):  # noqa: B905 the third follows
                found[what].append(both)
        for number in range(max(rounds // 3, 3) if seconds else 0):
            pair = {}
            for name, asked in (("old", old), ("new", new))[:: 1 if number % 2 else -1]:
                pair[name] = asked.many_clients(seconds, threads)
            found["answers/s"].append([pair["old"], pair["new"]])
    return {what: told(np.array(pairs)) for what, pairs in found.items() if pairs}


def told(pairs):
    """Medians, and the interval of the median ratio by drawing the rounds again."""
    ratios = pairs[:, 1] / pairs[:, 0]
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return [*np.median(pairs, axis=0), np.median(ratios), low, high]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("version", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", help="one kind of request")
    a = parser.parse_args()
    print(f"| request | what | old | new | new / old | 95 % |\n|{'---|' * 6}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        models = pathlib.Path(folder)
        shutil.copytree(a.version, models / "model" / "1")
        requests = requests_of(models / "model" / "1", models)
        with (
            server_process(models, root=a.old.absolute()) as old,
            server_process(models) as new,
        ):
            for kind in requests if a.only is None else [a.only]:
                request = requests[kind]
                for way in ("gRPC", "REST"):
                    pair = [Asked(server, request, way == "REST") for server in (old, new)]
                    for what, found in beside(*pair, a.rounds, a.seconds).items():
                        row = [*(f"{value:.3f}" for value in found[:3])]
                        row.append(" to ".join(f"{value:.3f}" for value in found[3:]))
                        print(f"| {way}, {kind} | {what} | {' | '.join(row)} |", flush=True)
                    for asked in pair:
                        asked.stack.close()
    print(f"{a.version}; {machine()}")


if __name__ == "__main__":
    main()
