"""A server under requests that are meant to hurt, within bounded memory: nothing else may suffer.

python -m benchmarks.serving_fuzz MODELS/NAME/VERSION [--count 100000] [--memory-gib 3] [--seed 0]
    [--minutes M]

Starts `tfhashtag serve`, bounds the data that its process may hold (RLIMIT_DATA), and sends COUNT
bad requests over gRPC and REST, eight at a time: made-up bytes and tensors, tensors whose shape
claims what one string repeats, products of dimensions around every limit, texts of thousands of
words and hashtags, JSON that nests and repeats, and gzip of it, cut off, doubled, and inflating a
thousandfold. After every hundred comes a good one, whose answer is compared with that of the same
version in this process. Bad ones are made of the smallest half of the export's warm-up requests,
and few of them claim sizes that are large and yet allowed: those are good requests, and answering
them takes nearly all of the time. With `--minutes` no more are sent after that time.

Exit code 1 where a good request has another answer or none, a bad one an answer that none may
have, or the server ended.
"""

import argparse
import asyncio
import collections
import concurrent.futures
import functools
import gzip
import http.client
import itertools
import json
import pathlib
import random
import resource
import shutil
import tempfile
import threading
import time

import grpc
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving_bad_requests import FUZZ_HTTP, fuzzed, is_expected_of_fuzz
from benchmarks.serving_load import NAME, known_of, rest_body
from benchmarks.serving_process import is_same, machine, server_process
from tfhashtag.serving.runtime.tensors import parse_tensor

AT_A_TIME = 8
GOOD_EVERY = 100
SECONDS = 60  # deadline of a request
PREDICT = "/tensorflow.serving.PredictionService/Predict"
SIZES = (0, 1, 2, 16, 255, 256, 1024, 1025, 4096, 4097, 2**16, 2**20, 2**31, 2**62)
# Of the first dimension: hundreds of rows are seldom asked for, since most are allowed.
OFTEN = [0.02 if 16 < size <= 1024 else 1.0 for size in SIZES]


def claimed(request, chance):
    """A request whose tensors claim shapes, and repeat one string or number."""
    made = predict_pb2.PredictRequest()
    made.CopyFrom(request)
    for name in made.inputs:
        tensor = made.inputs[name]
        rank = len(tensor.tensor_shape.dim)
        del tensor.tensor_shape.dim[:]
        for place in range(rank + (chance.random() < 0.1)):
            size = chance.choice(SIZES) if place else chance.choices(SIZES, OFTEN)[0]
            tensor.tensor_shape.dim.add(size=size)
        if tensor.string_val:
            del tensor.string_val[:]
            word = chance.choice((b"a", b"#a ", b"\xff", b"word ", "é#".encode()))
            tensor.string_val.append(word * chance.choice((0, 1, 100, 10_000)))
    return made.SerializeToString()


@functools.cache
def repeated(inner, count):
    """JSON that says the same again and again, plain and as gzip; `count` 0 for spaces alone."""
    plain = b'{"inputs": [' + inner * count + b"1]}" if count else b" " * 2**26
    return plain, gzip.compress(plain, 1)


def swollen(body, chance):
    """A body of JSON that is larger than it looks, and how it is encoded."""
    inner = chance.choice((b"1,", b'"a",', b'["#a"],', b'[["a"]],', b"[", b'{"a":', b"NaN,", b" "))
    count = chance.choices((1, 1000, 200_000, 2_000_000, 0), (60, 34, 3, 2, 1))[0]
    kind, part = chance.randrange(6), chance.randrange(3)
    if part == 2:
        plain, packed = repeated(inner, count)
    else:
        plain = body[: chance.randrange(len(body))] if part else body
        packed = gzip.compress(plain, 1)
    if kind > 2:
        return plain, {}
    if kind == 1:
        packed = packed[: chance.randrange(1, len(packed))]
    if kind == 2:
        packed += packed
    return packed, {"Content-Encoding": "gzip"}


def bad_ones(known, count, seed):
    """`count` requests: (data, None) for gRPC, (data, headers) for REST."""
    chance = random.Random(seed)
    small = sorted(known.requests, key=lambda request: request.ByteSize())
    requests = small[: (len(small) + 1) // 2]
    bodies = [rest_body(request) for request in requests]
    by_grpc, by_rest = fuzzed(max(count // 10, 2), requests, bodies, seed)
    for _ in range(count):
        kind = chance.randrange(4)
        if kind == 0:
            yield chance.choice(by_grpc), None
        elif kind == 1:
            yield claimed(chance.choice(requests), chance), None
        elif kind == 2:
            yield chance.choice(by_rest), {}
        else:
            yield swollen(chance.choice(bodies), chance)


class Fuzz:
    """What is sent to a server, and what came of it."""

    def __init__(self, server, known, minutes):
        self.server, self.known = server, known
        self.ended = collections.Counter()
        self.wrong = []
        self.most_memory = 0.0
        self.sent = 0
        self.until = time.monotonic() + 60 * minutes
        self.connections = threading.local()  # kept alive, one a thread
        self.place = server.rest_address.removeprefix("http://").split(":")
        self.threads = concurrent.futures.ThreadPoolExecutor(AT_A_TIME)

    async def run(self, made):
        """Sends all of it."""
        limit = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        async with grpc.aio.insecure_channel(self.server.address, options=limit) as channel:
            self.call = channel.unary_unary(PREDICT)
            numbered = enumerate(made)
            await asyncio.gather(*(self._loop(numbered) for _ in range(AT_A_TIME)))

    async def _loop(self, numbered):
        for number, (data, headers) in numbered:
            if time.monotonic() > self.until:
                return
            self.sent += 1
            if number % 5000 == 0:
                print(f"{number} sent", flush=True)
            if number % GOOD_EVERY == 0:
                await self._good(number // GOOD_EVERY)
            if number % 100 == 0:
                self.most_memory = max(self.most_memory, self.server.resident_mib())
            await (self._grpc(data) if headers is None else self._rest(data, headers))

    async def _good(self, number):
        place = number % len(self.known.requests)
        data = self.known.requests[place].SerializeToString()
        for wait in itertools.count(1):
            try:
                answer = predict_pb2.PredictResponse.FromString(
                    await self.call(data, timeout=SECONDS)
                )
                break
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or wait == 20:
                    self.wrong.append(
                        f"a good request: {error.code().name} {error.details()[:200]}"
                    )
                    return
                self.ended["good, sent again"] += 1  # as clients do
                await asyncio.sleep(0.1 * wait)
        found = {name: parse_tensor(tensor) for name, tensor in answer.outputs.items()}
        self.ended["good"] += 1
        if not is_same(found, self.known.answers[1][place]):
            self.wrong.append(f"a good request, {place}: another answer")

    async def _grpc(self, data):
        code = grpc.StatusCode.OK
        try:
            await self.call(data, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            code = error.code()
        self.ended[code.name] += 1
        if not is_expected_of_fuzz(data, code):
            self.wrong.append(f"{code.name} for {data[:80]!r}")

    async def _rest(self, body, headers):
        loop = asyncio.get_running_loop()
        status, text = await loop.run_in_executor(self.threads, self._post, body, headers)
        self.ended[status] += 1
        if status not in FUZZ_HTTP:
            self.wrong.append(f"{status} {text[:80]!r} for {body[:80]!r}")

    def _post(self, body, headers):
        """Status and body of the answer; 0 and the error where there is none."""
        for is_new in (False, True):
            connection = getattr(self.connections, "open", None)
            if connection is None or is_new:
                connection = http.client.HTTPConnection(*self.place, timeout=SECONDS)
                self.connections.open = connection
            try:
                connection.request("POST", f"/v1/models/{NAME}:predict", body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()  # the server may close one that it kept open
                told = repr(error).encode()
        return 0, told


def put_under_fuzz(version, count, memory_gib=3.0, seed=0, minutes=float("inf")):
    """Runs it; the `Fuzz` and the exit status of the server, None where it still ran at the end."""
    with tempfile.TemporaryDirectory() as models:
        shutil.copytree(version, pathlib.Path(models, NAME, "1"))
        known = known_of([pathlib.Path(models, NAME, "1")])
        with server_process(models, "--max-wait", 0.5) as server:
            bound = int(memory_gib * 2**30)
            resource.prlimit(server.process.pid, resource.RLIMIT_DATA, (bound, bound))
            fuzz = Fuzz(server, known, minutes)
            asyncio.run(fuzz.run(bad_ones(known, count, seed)))
            return fuzz, server.process.poll()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--memory-gib", type=float, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    arguments = parser.parse_args()
    began = time.monotonic()
    fuzz, status = put_under_fuzz(
        arguments.version, arguments.count, arguments.memory_gib, arguments.seed, arguments.minutes
    )
    print(f"{fuzz.sent} bad requests in {time.monotonic() - began:.0f} s; {machine()}")
    print(json.dumps({str(name): count for name, count in fuzz.ended.most_common()}))
    print(f"memory of the server at most {fuzz.most_memory:.0f} MiB; status {status or 'runs'}")
    for fault in fuzz.wrong[:20]:
        print("-", fault)
    raise SystemExit(1 if fuzz.wrong or status is not None else 0)


if __name__ == "__main__":
    main()
