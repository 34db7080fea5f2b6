"""A server as a program of its own, and the requests and answers that are known for its models."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfhashtag.export.warmup import WARMUP_FILE
from tfhashtag.serving.runtime.servable import Servable

ROOT = pathlib.Path(__file__).parent.parent
TOLERANCE = 1e-5


@dataclass
class ServerProcess:
    """A running `tfhashtag serve`.

    Args:
        process: it.
        address: of gRPC.
        rest_address: `http://HOST:PORT`.
        seconds: from its start until it said that it is ready.
        log: what it wrote on stderr, line by line.
    """

    process: subprocess.Popen
    address: str
    rest_address: str
    seconds: float
    log: list[str]

    def resident_mib(self) -> float:
        """Memory that it holds now."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


@contextlib.contextmanager
def server_process(models, *options, root=ROOT):
    """Starts a server with free ports, and ends it if it still runs afterwards.

    Args:
        models: folder of models.
        options: of `tfhashtag serve`.
        root: checkout whose server it is.
    """
    # Everything that is sent is to be answered, unless a benchmark says otherwise.
    waits = ("--max-wait", "60") if root == ROOT else ()
    began = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tfhashtag.cli.main", "serve", str(models), "--port", "0"),
            *("--rest-port", "0", "--file-system-poll-wait-seconds", "0.2"),
            *(*waits, *map(str, options)),
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log: list[str] = []
    reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        ready = process.stdout.readline()
        found = re.match(r"Ready: gRPC at (\S+), REST at (\S+), models", ready)
        if found is None:
            process.wait(60)
            reader.join(60)
            raise RuntimeError("the server does not start:\n" + "".join(log))
        seconds = time.perf_counter() - began
        yield ServerProcess(process, found[1], found[2], seconds, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(60)


def warm_up_requests(version) -> list[predict_pb2.PredictRequest]:
    """The requests that an export brings with it, for every signature."""
    records = tf.data.TFRecordDataset(str(pathlib.Path(version) / WARMUP_FILE))
    return [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        for record in records
    ]


def answers_in_process(version, requests) -> list[dict[str, np.ndarray]]:
    """What a version answers, each request run by itself in this process."""
    servable = Servable(version, "known", 1)
    found = [servable.predict(request.inputs, request.model_spec.signature_name)
             for request in requests]  # fmt: skip
    servable.close()
    return found


def is_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    """Numbers are equal to 1e-5, strings are equal; hashtags with equal scores may swap."""
    if found.keys() != expected.keys():
        return False
    for name, value in expected.items():
        given = found[name]
        if given.shape != value.shape:
            return False
        if value.dtype.kind == "f":
            if not np.allclose(given, value, rtol=0, atol=TOLERANCE):
                return False
        elif np.any((given != value) & ~_ties(expected, name)):
            return False
    return True


def _ties(expected, name) -> np.ndarray | bool:
    scores = expected.get("scores")
    if name != "hashtags" or scores is None or scores.shape != expected[name].shape:
        return False
    close = np.abs(np.diff(scores, axis=-1)) < 2 * TOLERANCE
    ends = np.zeros((*scores.shape[:-1], 1), bool)
    # The last one may have changed places with one that is not in the answer.
    return np.concatenate([ends, close], -1) | np.concatenate([close, ~ends], -1)


def machine() -> str:
    """Processors and how busy they are, so that a reader can judge the figures."""
    one, five, fifteen = os.getloadavg()
    return f"{os.cpu_count()} processors, load {one:.1f} {five:.1f} {fifteen:.1f} (1, 5, 15 min)"
