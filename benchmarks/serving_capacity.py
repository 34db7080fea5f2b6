"""What a server can do: cold start, memory, throughput with and without batching, latency at 70 %.

python -m benchmarks.serving_capacity MODELS/NAME/VERSION --run RUN
    [--clients 64] [--rounds 5] [--seconds 8] [--width 16] [--starts 3]
    [--batch-rows 32] [--batch-threads 2] [--timeout-micros 2000]

The server is `tfhashtag serve`, a process of its own; this process sends, over loopback, requests
of one row for `serving_default`, made of the messages of the run's corpus: each user's newest
messages, padded to WIDTH, or one post each. No two of them are alike until all were sent.

- cold start: from the start of the process to its "Ready" (with the warm-up requests of the export)
  and to the first answer; the median of STARTS; resident memory then, and after the load;
- four servers: each request by itself or batched, with the default of threads of an operation (all
  processors; batched one) or with the other one's. All run; one is asked at a time, in turns, so
  that what else the machine does meets them alike: ROUNDS times SECONDS;
- saturation: CLIENTS callers, each waiting for its answer; the median of the rounds;
- 70 %: open loop, arrivals of a Poisson process at 70 % of the saturation; latency counts from the
  moment at which a request was due.
"""

import argparse
import asyncio
import contextlib
import itertools
import pathlib
import random
import statistics
import tempfile
import time

import grpc
import numpy as np
from rich.console import Console
from rich.table import Table
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from benchmarks.serving_process import machine, server_process
from tfhashtag.runs.run import Run
from tfhashtag.serving.runtime.tensors import make_tensor
from tfhashtag.tasks.users.task import history_strings

NAME = "model"
SHARE = 0.7
BATCHING = """\
max_batch_size {{ value: {rows} }}
batch_timeout_micros {{ value: {micros} }}
num_batch_threads {{ value: {threads} }}
max_enqueued_batches {{ value: 100 }}
"""


def requests_of(run: Run, width: int, most: int = 2000):
    """Requests of one row, shuffled."""
    corpus = run.corpus
    is_engagement = "history_length" in run.settings.data.model_dump()
    rows = []
    if is_engagement:
        order = np.argsort(corpus.user_of_post, kind="stable")
        ends = np.flatnonzero(np.diff(corpus.user_of_post[order])) + 1
        for posts in np.split(order, ends):
            texts = history_strings(corpus, corpus.user_of_post[posts[0]], np.sort(posts)[-width:])
            rows.append({"history": [texts + [""] * (width - len(texts))]})
    else:
        rows = [
            {"text": [corpus.messages[message]], "images": [[""]], "user": [corpus.users[user]]}
            for message, user in zip(corpus.message_of_post, corpus.user_of_post, strict=True)
        ]
    random.Random(0).shuffle(rows)
    return [_request(row) for row in rows[:most]]


def _request(row) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    for name, value in row.items():
        encode = np.vectorize(lambda text: text.encode("utf-8", "replace"), otypes=[object])
        request.inputs[name].CopyFrom(make_tensor(encode(np.array(value, object))))
    return request


async def saturate(address, requests, clients, seconds):
    """Answers a second, and the seconds that each took."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        endless = itertools.cycle(requests)
        began = time.perf_counter()
        times = []

        async def client():
            while (sent := time.perf_counter()) < began + seconds:
                await stub.Predict(next(endless), timeout=600)
                times.append(time.perf_counter() - sent)

        await asyncio.gather(*(client() for _ in range(clients)))
        return len(times) / (time.perf_counter() - began), times


async def arrive(address, requests, rate, seconds):
    """The seconds from when each request was due to its answer."""
    chance = random.Random(1)
    async with grpc.aio.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        times = []

        async def ask(request, due):
            await stub.Predict(request, timeout=600)
            times.append(time.perf_counter() - due)

        due = began = time.perf_counter()
        running = []
        for request in itertools.cycle(requests):
            due += chance.expovariate(rate)
            if due > began + seconds:
                break
            await asyncio.sleep(max(0, due - time.perf_counter()))
            running.append(asyncio.create_task(ask(request, due)))
        await asyncio.gather(*running)
        return times


def first_answer(address, request):
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        stub.Predict(request, timeout=600)


def cold_starts(models, request, count, console):
    ready, answered, memory = [], [], []
    for _ in range(count):
        began = time.perf_counter()
        with server_process(models) as server:
            first_answer(server.address, request)
            answered.append(time.perf_counter() - began)
            ready.append(server.seconds)
            memory.append(server.resident_mib())
    console.print(
        f"cold start, median of {count}: ready {statistics.median(ready):.1f} s, "
        f"first answer {statistics.median(answered):.1f} s; "
        f"resident memory {statistics.median(memory):.0f} MiB; {machine()}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", type=pathlib.Path)
    parser.add_argument("--run", required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--batch-rows", type=int, default=32)
    parser.add_argument("--batch-threads", type=int, default=2)
    parser.add_argument("--timeout-micros", type=int, default=2000)
    a = parser.parse_args()
    run, console = Run.open(a.run), Console()
    requests = requests_of(run, a.width)
    table = Table(title=f"{a.version}, one row a request, {a.clients} clients; {machine()}")
    for name in ("server", "load", "answers/s", "p50, ms", "p99, ms", "p99 / p50", "MiB"):
        table.add_column(name, justify="left" if name in ("server", "load") else "right")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        base = pathlib.Path(folder, "models", NAME)
        base.mkdir(parents=True)
        (base / "1").symlink_to(a.version.absolute())
        if a.starts:
            cold_starts(base.parent, requests[0], a.starts, console)
        file = pathlib.Path(folder, "batching.txt")
        file.write_text(
            BATCHING.format(rows=a.batch_rows, threads=a.batch_threads, micros=a.timeout_micros)
        )
        batched = ["--batching-parameters-file", file]
        threads = "--tensorflow-intra-op-parallelism"
        servers = {
            kind: stack.enter_context(server_process(base.parent, *options))
            for kind, options in (
                ("unbatched", []),
                ("batched", batched),
                ("unbatched, one thread an operation", [threads, 1]),
                ("batched, all threads an operation", [*batched, threads, 0]),
            )
        }

        def in_turns(measure):
            """What `measure` gives for each server, a list with a value a round."""
            found = {kind: [] for kind in servers}
            for _ in range(a.rounds):
                for kind, server in servers.items():
                    found[kind].append(measure(kind, server))
            return found

        for server in servers.values():
            asyncio.run(saturate(server.address, requests, a.clients, min(3, a.seconds)))
        found = in_turns(
            lambda _, server: asyncio.run(saturate(server.address, requests, a.clients, a.seconds))
        )
        rates = {}
        for kind, rounds in found.items():
            rates[kind] = statistics.median(rate for rate, _ in rounds)
            times = np.concatenate([times for _, times in rounds])
            _add(table, kind, "saturated", rates[kind], times, servers[kind])
        found = in_turns(
            lambda kind, server: asyncio.run(
                arrive(server.address, requests, SHARE * rates[kind], a.seconds)
            )
        )
        for kind, rounds in found.items():
            rate = SHARE * rates[kind]
            _add(table, kind, f"{SHARE:.0%}", rate, np.concatenate(rounds), servers[kind])
    console.print(table)
    for kind, rate in rates.items():
        console.print(f"{kind}: {rate / rates['unbatched']:.2f} times unbatched; {machine()}")


def _add(table, kind, load, rate, times, server) -> None:
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    table.add_row(
        kind, load, f"{rate:.1f}", f"{p50:.1f}", f"{p99:.1f}", f"{p99 / p50:.1f}",
        f"{server.resident_mib():.0f}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
