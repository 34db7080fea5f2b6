"""A server under mixed load with faults, a fuzzer, new versions and SIGTERM: what must hold.

python -m benchmarks.serving_load MODELS/NAME/VERSION [NEXT/VERSION] [--minutes 15] [--rate 10]
    [--fuzz 10000] [--no-batching] [--seed 0]

Starts `tfhashtag serve` and sends it, over loopback from this process, the warm-up requests of the
model: open loop, arrivals of a Poisson process at RATE a second whether answers come or not, by
gRPC and REST. Between them: requests that must be refused, FUZZ made-up ones (hypothesis, spread
over the time), calls that are cancelled, clients that send a byte at a time, stop in the middle of
a request, or hang up. After a third of the time NEXT (default: the same again) appears as version
2, after two thirds a version 3 that is broken; at the end SIGTERM comes while requests run.

Every answer is compared with that of the same version in this process, to 1e-5. Exit code 1 where
something does not hold.
"""

import argparse
import asyncio
import base64
import collections
import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import random
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field

import grpc
import numpy as np
from rich.console import Console
from rich.table import Table
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from benchmarks.serving_bad_requests import (
    FUZZ_HTTP,
    bad_requests,
    fuzzed,
    is_expected_of_fuzz,
)
from benchmarks.serving_process import (
    answers_in_process,
    is_same,
    machine,
    server_process,
    warm_up_requests,
)
from tfhashtag.serving.runtime.tensors import parse_tensor

Code = grpc.StatusCode
State = get_model_status_pb2.ModelVersionStatus.State
NAME = "model"
SECONDS = 60  # deadline of a request
BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 1000 }
"""
# Below this many samples of memory nothing is said about its course.
ENOUGH_SAMPLES = 30


@dataclass
class Outcome:
    """What came of the requests of one kind."""

    sent: int = 0
    as_expected: int = 0
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def record(self, fault: str | None, seconds: float | None = None) -> None:
        """Counts an answer; `fault` says what is wrong with it."""
        if fault is None:
            self.as_expected += 1
            if seconds is not None:
                self.seconds.append(seconds)
        else:
            self.wrong.append(fault)


@dataclass
class Known:
    """Requests in both forms, and by version what the answers to them are."""

    requests: list[predict_pb2.PredictRequest]
    bodies: list[bytes]
    answers: dict[int, list[dict[str, np.ndarray]]]


def known_of(versions) -> Known:
    """Computes, version after version, every answer in this process."""
    requests = warm_up_requests(versions[0])
    for request in requests:
        request.model_spec.name = NAME
    answers = {
        number: answers_in_process(version, requests) for number, version in enumerate(versions, 1)
    }
    return Known(requests, [rest_body(request) for request in requests], answers)


def post_predict(place, body: bytes, headers=()) -> tuple[int, bytes]:
    """Status and body of the answer at a host and port; 0 and the error where there is none."""
    connection = http.client.HTTPConnection(*place, timeout=SECONDS)
    try:
        connection.request("POST", f"/v1/models/{NAME}:predict", body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error).encode()
    finally:
        connection.close()


def rest_body(request) -> bytes:
    """The same request as columns of JSON; every string as base64, which pictures need."""
    columns = {name: parse_tensor(tensor).tolist() for name, tensor in request.inputs.items()}
    signature = request.model_spec.signature_name
    document = {"signature_name": signature, "inputs": {k: _b64(v) for k, v in columns.items()}}
    return json.dumps(document).encode()


def _b64(value):
    if isinstance(value, list):
        return [_b64(one) for one in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def rest_arrays(body: bytes, like: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs in an answer of REST, with the types of `like`."""
    outputs = json.loads(body)["outputs"]
    if len(like) == 1:
        outputs = {next(iter(like)): outputs}
    found = {}
    for name, value in outputs.items():
        array = np.array(value, like[name].dtype)
        if array.dtype.kind == "O":
            array = np.array([text.encode() for text in array.flat], object).reshape(array.shape)
        # JSON has no shape for what holds nothing.
        found[name] = array if array.size else array.reshape(like[name].shape)
    return found


class Load:
    """The load, its faults, and what came of it.

    Args:
        server: a `ServerProcess`.
        known: requests and answers.
        base: folder of the model's versions.
        seed: of what is drawn.
    """

    def __init__(self, server, known: Known, base: pathlib.Path, seed: int):
        self.server, self.known, self.base = server, known, base
        self.random = random.Random(seed)
        self.outcomes = collections.defaultdict(Outcome)
        self.refusals = list(bad_requests(known.requests[0]).items())
        self.memory: list[tuple[float, float]] = []
        self.stopping = False
        self.problems: list[str] = []
        self.recent: collections.deque[bytes] = collections.deque(maxlen=30)
        self._host, self._rest_port = server.rest_address.removeprefix("http://").split(":")
        self._threads = concurrent.futures.ThreadPoolExecutor(64)
        self._held: collections.deque[socket.socket] = collections.deque()

    async def run(self, seconds: float, rate: float, made_up, least: int = 0) -> None:
        """Everything: `seconds` of load, and longer until `least` arrivals were sent."""
        limit = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        async with grpc.aio.insecure_channel(self.server.address, options=limit) as channel:
            self.stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            self.models = model_service_pb2_grpc.ModelServiceStub(channel)
            self.raw = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            self.began = time.monotonic()
            watch = asyncio.create_task(self._watch_memory())
            tasks = [asyncio.create_task(self._versions(seconds))]
            for_grpc, for_rest = made_up
            count = len(for_grpc) + len(for_rest)
            mixed = [(self._fuzz_grpc, data) for data in for_grpc]
            mixed += [(self._fuzz_rest, data) for data in for_rest]
            self.random.shuffle(mixed)
            pace = count / seconds
            tasks.append(asyncio.create_task(self._arrivals(pace, iter(mixed), seconds, count)))
            good = self._good(least)
            tasks.append(asyncio.create_task(self._arrivals(rate, good, seconds, least)))
            load = asyncio.gather(*tasks)
            await asyncio.wait({load, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                load.cancel()
                await watch  # raises: the server ended
            await load
            watch.cancel()
            await self._terminate()
        while self._held:
            self._held.pop().close()
        self._threads.shutdown()

    async def _arrivals(self, rate, calls, seconds, least) -> None:
        """Open loop: starts calls at their times, and waits for all of them in the end."""
        running, due = set(), time.monotonic()
        for sent, (function, *arguments) in enumerate(calls, 1):
            due += self.random.expovariate(rate)
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.create_task(function(*arguments))
            running.add(task)
            task.add_done_callback(running.discard)
            if sent >= least and time.monotonic() > self.began + seconds:
                break
        await asyncio.gather(*running)

    def _good(self, least):
        kinds = [self._grpc, self._rest, self._refused, self._cancelled, self._faulty_client]
        # The first ones are of each kind in turn, so that a short load has all of them.
        yield from ((kinds[place % len(kinds)],) for place in range(least))
        while True:
            yield (self.random.choices(kinds, [60, 25, 8, 4, 3])[0],)

    async def _grpc(self, outcome="gRPC") -> None:
        place = self.random.randrange(len(self.known.requests))
        count = self.outcomes[outcome]
        count.sent += 1
        began = time.perf_counter()
        try:
            answer = await self.stub.Predict(self.known.requests[place], timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            if self.stopping and error.code() == Code.UNAVAILABLE:
                self.outcomes["refused while stopping"].sent += 1
                self.outcomes["refused while stopping"].record(None)
                count.sent -= 1
                return
            count.record(f"{error.code().name}: {error.details()[:200]}")
            return
        seconds = time.perf_counter() - began
        version = answer.model_spec.version.value
        arrays = {name: parse_tensor(tensor) for name, tensor in answer.outputs.items()}
        expected = self.known.answers.get(version)
        right = expected is not None and is_same(arrays, expected[place])
        signature = self.known.requests[place].model_spec.signature_name
        fault = None if right else f"version {version}, {signature}: another answer"
        count.record(fault, seconds)

    async def _rest(self) -> None:
        place = self.random.randrange(len(self.known.bodies))
        count = self.outcomes["REST"]
        count.sent += 1
        began = time.perf_counter()
        status, body = await self._post(self.known.bodies[place])
        seconds = time.perf_counter() - began
        if status != 200:
            count.record(f"{status}: {body[:200]!r}")
            return
        # REST does not say which version answered.
        expected = [answers[place] for answers in self.known.answers.values()]
        right = any(is_same(rest_arrays(body, answer), answer) for answer in expected)
        count.record(None if right else "another answer", seconds)

    async def _refused(self) -> None:
        name, (request, code) = self.random.choice(self.refusals)
        count = self.outcomes["to be refused"]
        count.sent += 1
        try:
            await self.stub.Predict(request, timeout=SECONDS)
            count.record(f"{name}: OK, expected {code.name}")
        except grpc.aio.AioRpcError as error:
            right = error.code() == code
            count.record(None if right else f"{name}: {error.code().name}, expected {code.name}")

    async def _cancelled(self) -> None:
        count = self.outcomes["cancelled"]
        count.sent += 1
        call = self.stub.Predict(self.random.choice(self.known.requests), timeout=SECONDS)
        await asyncio.sleep(self.random.uniform(0, 0.03))
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        count.record(None if call.done() else "the call goes on")

    async def _faulty_client(self) -> None:
        """A client of REST or gRPC that never finishes its request; the last 50 stay open."""
        count = self.outcomes["faulty clients"]
        count.sent += 1
        fault = self.random.randrange(4)
        port = self._rest_port if fault < 3 else self.server.address.split(":")[1]
        connection = socket.create_connection((self._host, int(port)), 10)
        head = f"POST /v1/models/{NAME}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n"
        begun = [head, head + "\r\n", head + '\r\n{"inputs', "PRI * HTTP/2.0\r\n"]
        connection.sendall(begun[fault].encode())
        if fault == 1:
            for byte in b"slow":
                await asyncio.sleep(0.2)
                with contextlib.suppress(OSError):
                    connection.sendall(bytes([byte]))
        if fault == 2:
            # A reset in the middle of a request.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        else:
            self._held.append(connection)
        while len(self._held) > 50:
            self._held.popleft().close()
        count.record(None)

    async def _fuzz_grpc(self, data: bytes) -> None:
        count = self.outcomes["fuzz, gRPC"]
        count.sent += 1
        self.recent.append(data)
        code = Code.OK
        try:
            await self.raw(data, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            code = error.code()
        count.record(None if is_expected_of_fuzz(data, code) else f"{code.name} for {data[:80]!r}")

    async def _fuzz_rest(self, body: bytes) -> None:
        count = self.outcomes["fuzz, REST"]
        count.sent += 1
        self.recent.append(body)
        status, answer = await self._post(body)
        good = status in FUZZ_HTTP
        count.record(None if good else f"{status} {answer[:80]!r} for {body[:80]!r}")

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, post_predict, (self._host, self._rest_port), body
        )

    async def _versions(self, seconds: float) -> None:
        """Version 2 after a third of the time, a broken version 3 after two thirds."""
        await asyncio.sleep(seconds / 3)
        (self.base / "2").symlink_to(self.next_version)
        await self._wait_for({1: "END", 2: "AVAILABLE"})
        self.swapped = time.monotonic()
        await asyncio.sleep(max(0, self.began + 2 * seconds / 3 - time.monotonic()))
        aside = self.base / ".3"
        aside.mkdir()
        (aside / "saved_model.pb").write_bytes(b"no model")
        aside.rename(self.base / "3")
        await self._wait_for({2: "AVAILABLE", 3: "END"})

    async def _wait_for(self, wanted: dict[int, str]) -> None:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = NAME
        until = time.monotonic() + 300
        while time.monotonic() < until:
            answer = await self.models.GetModelStatus(request, timeout=SECONDS)
            found = {one.version: State.Name(one.state) for one in answer.model_version_status}
            if wanted.items() <= found.items():
                return
            await asyncio.sleep(0.05)
        self.problems.append(f"versions are {found}, expected {wanted}")

    async def _watch_memory(self) -> None:
        while self.server.process.poll() is None:
            self.memory.append((time.monotonic(), self.server.resident_mib()))
            await asyncio.sleep(1)
        made_up = "".join(f"{data!r}\n" for data in self.recent)
        raise RuntimeError(
            f"the server ended with {self.server.process.returncode}; the newest made-up requests:"
            f"\n{made_up}its log ends with\n{''.join(self.server.log[-20:])}"
        )

    async def _terminate(self) -> None:
        """SIGTERM when the first of many requests has its answer; the others are under way."""
        running = [asyncio.create_task(self._grpc("running at SIGTERM")) for _ in range(32)]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        self.stopping = True
        self.answered_before = self.outcomes["running at SIGTERM"].as_expected
        self.server.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*running)
        loop = asyncio.get_running_loop()
        code = await loop.run_in_executor(None, lambda: self.server.process.wait(120))
        if code != 0:
            self.problems.append(f"SIGTERM ended the server with {code}, expected 0")

    def growth_mib(self) -> float | None:
        """Memory of the last fifth of the load less that of the fifth after the swap."""
        after = [mib for moment, mib in self.memory if moment > self.swapped + 5]
        if len(after) < ENOUGH_SAMPLES:
            return None
        part = len(after) // 5
        return float(np.median(after[-part:]) - np.median(after[:part]))

    def faults(self) -> list[str]:
        """What did not hold."""
        found = list(self.problems)
        for kind, outcome in self.outcomes.items():
            lost = outcome.sent - outcome.as_expected - len(outcome.wrong)
            if lost:
                found.append(f"{kind}: {lost} without an answer")
            for words, count in collections.Counter(outcome.wrong).most_common(5):
                found.append(f"{kind}: {count} times {words}")
        grown = self.growth_mib()
        if grown is not None and grown > 0.05 * self.memory[-1][1]:
            found.append(f"memory grew by {grown:.0f} MiB after the new version was loaded")
        if any("Traceback" in line for line in self.server.log):
            found.append("a traceback on stderr")
        return found


def report(load: Load, seconds: float) -> Table:
    table = Table(title=f"{seconds:.0f} s of load; {machine()}")
    for name in ("kind", "sent", "as expected", "otherwise", "p50, ms", "p99, ms"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for kind, outcome in load.outcomes.items():
        times = np.percentile(outcome.seconds, [50, 99]) * 1e3 if outcome.seconds else []
        table.add_row(
            kind,
            str(outcome.sent),
            str(outcome.as_expected),
            str(outcome.sent - outcome.as_expected),
            *(f"{value:.1f}" for value in times),
        )
    return table


def put_under_load(
    versions, seconds, rate, fuzz, batching=True, seed=0, least=0, grace=30.0
) -> Load:
    """Starts a server with `versions[0]`, loads it, and gives what came of it; the server ended.

    Args:
        versions: the version folder that is served, and the one that replaces it.
        seconds: of load.
        rate: arrivals a second, without those of the fuzzer.
        fuzz: made-up requests, spread over the time.
        batching: whether the server gathers requests.
        seed: of what is drawn.
        least: arrivals that are sent at least, also if that takes longer.
        grace: seconds that the server waits in the end for clients that never finish.
    """
    known = known_of(versions)
    made_up = fuzzed(fuzz, known.requests, known.bodies, seed)
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder, "models", NAME)
        base.mkdir(parents=True)
        (base / "1").symlink_to(pathlib.Path(versions[0]).absolute())
        file = pathlib.Path(folder, "batching.txt")
        file.write_text(BATCHING)
        options = ["--grace", grace]
        options += ["--batching-parameters-file", file] if batching else []
        with server_process(base.parent, *options) as server:
            load = Load(server, known, base, seed)
            load.next_version = pathlib.Path(versions[1]).absolute()
            asyncio.run(load.run(seconds, rate, made_up, least))
    return load


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version")
    parser.add_argument("next", nargs="?")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--fuzz", type=int, default=10_000)
    parser.add_argument("--no-batching", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    console = Console()
    versions = [a.version, a.next or a.version]
    seconds = 60 * a.minutes
    load = put_under_load(versions, seconds, a.rate, a.fuzz, not a.no_batching, a.seed)
    console.print(report(load, seconds))
    levels = [mib for _, mib in load.memory]
    grown = load.growth_mib()
    console.print(
        f"resident memory, MiB: {levels[0]:.0f} at first, {max(levels):.0f} at most, "
        f"{levels[-1]:.0f} at the end"
        + ("" if grown is None else f", {grown:+.1f} since version 2")
    )
    answered = load.outcomes["running at SIGTERM"].as_expected - load.answered_before
    console.print(f"answered after SIGTERM: {answered}")
    faults = load.faults()
    for fault in faults:
        console.print(f"DOES NOT HOLD: {fault}", markup=False)
    console.print("Everything held." if not faults else f"{len(faults)} faults.")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
