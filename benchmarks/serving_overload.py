"""A server at twice what it can do: how much of its capacity still answers in time.

python -m benchmarks.serving_overload MODELS/NAME/VERSION [--minutes 10] [--parts 5] [--times 2]
    [--deadline 2] [--max-wait 0.5] [--batching] [--seed 0]

Capacity: closed loop for 20 s, over gRPC and loopback from this process, with as many calls under
way as the server has threads; answers a second. Then a part of the overload, open loop: a Poisson
process of TIMES as many requests a second, whether answers come or not, each with DEADLINE seconds.
Goodput is what was answered OK within the deadline, against the mean of the capacity before and
after it, since a shared machine can do now more, now less. So five times two minutes, under full
load without a pause.

Requests are the warm-up requests of `serving_default` with one row, serialised once; answers are
not parsed, so that the clients, which share the processors with the server, cost little.
Exit code 1 where goodput is below 90 % of the capacity, or where the memory of the server grew by
more than 256 MiB.
"""

import argparse
import asyncio
import collections
import pathlib
import random
import shutil
import statistics
import tempfile
import time

import grpc

from benchmarks.serving_process import machine, server_process, warm_up_requests

THREADS = 16
PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Clients:
    """Calls over one channel, and how they ended."""

    def __init__(self, address, requests, deadline):
        self.channel = grpc.aio.insecure_channel(address)
        self.call = self.channel.unary_unary(PREDICT)
        self.requests, self.deadline = requests, deadline
        self.ended = collections.Counter()
        self.latencies = []

    async def ask(self):
        """One call."""
        began = time.perf_counter()
        try:
            await self.call(random.choice(self.requests), timeout=self.deadline)
        except grpc.aio.AioRpcError as error:
            self.ended[error.code().name] += 1
        else:
            self.ended["OK"] += 1
            self.latencies.append(time.perf_counter() - began)

    async def closed(self, seconds):
        """As many calls as the server has threads, one after another; answers a second."""
        end = time.perf_counter() + seconds

        async def loop():
            while time.perf_counter() < end:
                await self.ask()

        await asyncio.gather(*(loop() for _ in range(THREADS)))
        return self.ended["OK"] / seconds

    async def open(self, rate, seconds, each_second):
        """Calls at moments of a Poisson process."""
        tasks = set()
        began = at = told = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            while at <= now:
                task = asyncio.create_task(self.ask())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                at += random.expovariate(rate)
            if now >= told + 1:
                told = now
                each_second()
            await asyncio.sleep(max(at - time.perf_counter(), 0))
        await asyncio.gather(*tasks)


def described(clients, rate, seconds):
    """One line for people."""
    slow = sorted(clients.latencies) or [0.0]
    middle, late = slow[len(slow) // 2], slow[int(len(slow) * 0.99)]
    others = ", ".join(f"{name} {n}" for name, n in clients.ended.most_common() if name != "OK")
    return (
        f"offered {rate:.0f}/s, goodput {clients.ended['OK'] / seconds:.1f}/s, "
        f"p50 {middle * 1000:.0f} ms, p99 {late * 1000:.0f} ms; {others or 'no other ends'}"
    )


async def capacity_of(server, requests):
    """Answers a second of a server that is asked no more than it can do."""
    clients = Clients(server.address, requests, 60)
    return await clients.closed(20)


async def measure(server, requests, arguments):
    """Capacity, overload and capacity again, part by part; whether all that must hold does."""
    await Clients(server.address, requests, 60).closed(5)
    capacity = await capacity_of(server, requests)
    print(f"capacity {capacity:.1f}/s ({THREADS} calls at a time); {machine()}")
    before, memory, shares = server.resident_mib(), [], []
    seconds = arguments.minutes * 60 / arguments.parts
    for _ in range(arguments.parts):
        rate = arguments.times * capacity
        clients = Clients(server.address, requests, arguments.deadline)
        await clients.open(rate, seconds, lambda: memory.append(server.resident_mib()))
        after = await capacity_of(server, requests)
        shares.append(clients.ended["OK"] / seconds / (capacity + after) * 2)
        told = described(clients, rate, seconds)
        print(f"overload, {seconds:.0f} s: {told}; capacity after it {after:.1f}/s; {machine()}")
        capacity = after
    share = statistics.median(shares)
    listed = ", ".join(f"{100 * one:.1f}" for one in shares)
    print(f"goodput {100 * share:.1f} % of the capacity (median of {listed})")
    print(f"memory of the server {before:.0f} MiB before, {max(memory):.0f} MiB at most")
    return share >= 0.9 and max(memory) <= before + 256


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--parts", type=int, default=5)
    parser.add_argument("--times", type=float, default=2)
    parser.add_argument("--deadline", type=float, default=2)
    parser.add_argument("--max-wait", type=float, default=0.5)
    parser.add_argument("--batching", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    requests = []
    for request in warm_up_requests(arguments.version):
        shapes = [value.tensor_shape.dim for value in request.inputs.values()]
        signature = request.model_spec.signature_name or "serving_default"
        if signature == "serving_default" and all(shape[0].size == 1 for shape in shapes):
            request.model_spec.name = "model"
            requests.append(request.SerializeToString())
    with tempfile.TemporaryDirectory() as models:
        shutil.copytree(arguments.version, pathlib.Path(models, "model", "1"))
        options = ["--max-wait", arguments.max_wait]
        options += ["--enable-batching"] if arguments.batching else []
        with server_process(models, *options) as server:
            held = asyncio.run(measure(server, requests, arguments))
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
