"""A server at twice what it can do: how much of its capacity still answers in time.

python -m benchmarks.serving_overload MODELS/NAME/VERSION [--minutes 10] [--times 2] [--deadline 2]
    [--max-wait 0.5] [--batching] [--seed 0]

Capacity first: closed loop for 20 s, over gRPC and loopback from this process, with as many calls
under way as the server has threads; answers a second. Then open loop: a Poisson process of TIMES
as many requests a second, whether answers come or not, each with DEADLINE seconds. Goodput is what
was answered OK within the deadline. Half a minute of the same rate as capacity comes at the end:
the server must be as it was.

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


async def measure(server, requests, arguments):
    """Capacity, overload and afterwards; whether all that must hold does."""
    clients = Clients(server.address, requests, 60)
    await clients.closed(5)
    clients = Clients(server.address, requests, 60)
    capacity = await clients.closed(20)
    print(f"capacity {capacity:.1f}/s ({THREADS} calls at a time); {machine()}")
    before = server.resident_mib()
    memory = []
    seconds, rate = arguments.minutes * 60, arguments.times * capacity
    clients = Clients(server.address, requests, arguments.deadline)
    await clients.open(rate, seconds, lambda: memory.append(server.resident_mib()))
    goodput = clients.ended["OK"] / seconds
    print(f"overload, {seconds:.0f} s: {described(clients, rate, seconds)}; {machine()}")
    print(f"goodput {100 * goodput / capacity:.1f} % of the capacity")
    print(f"memory of the server {before:.0f} MiB before, {max(memory):.0f} MiB at most")
    clients = Clients(server.address, requests, 60)
    after = await clients.closed(20)
    print(f"capacity afterwards {after:.1f}/s")
    return goodput >= 0.9 * capacity and max(memory) <= before + 256


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=10)
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
