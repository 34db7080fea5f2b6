"""`Servable.predict` of two states of this repository: processor time of one call.

python -m benchmarks.predict_beside OLD [--rounds 40] [--calls 200]

OLD is a checkout of another state (`git worktree add OLD COMMIT`). Each state has a process of its
own, with limits and metrics as in the server; they are asked in turns whose order changes, so that
a busy machine slows both alike. Microseconds of the whole process and of the calling thread,
medians over the rounds, and new / old with the interval of 95 % of its median.
"""

import argparse
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).parent.parent


def answer(folder):
    """Runs as many calls of a signature as a line of standard input asks for; prints their time."""
    try:
        from tfhashtag.serving.runtime.limits import Limits
        from tfhashtag.serving.runtime.memory import MemoryBudget
        from tfhashtag.serving.runtime.servable import Servable
        from tfhashtag.serving.runtime.tensors import make_tensor

        more = {"budget": MemoryBudget(2**31)}
    except ModuleNotFoundError:  # version 0.1
        from tfhashtag.serving.limits import Limits
        from tfhashtag.serving.servable import Servable
        from tfhashtag.serving.tensors import make_tensor

        more = {}
    from tfhashtag.serving.metrics import ServingMetrics

    servable = Servable(folder, "echo", 1, limits=Limits(), metrics=ServingMetrics(), **more)
    texts = [f"a message of {n} words {n * 7}".encode() for n in range(128)]
    inputs = {
        "numbers": {"x": make_tensor(np.ones([1, 2], np.float32))},
        "strings": {"texts": make_tensor(np.array(texts, object).reshape(8, 16))},
    }
    for line in sys.stdin:
        signature, calls = line.split()
        began = time.process_time(), time.thread_time()
        for _ in range(int(calls)):
            servable.predict(inputs[signature], signature, timeout=60.0)
        spent = time.process_time() - began[0], time.thread_time() - began[1]
        print(*(1e6 * seconds / int(calls) for seconds in spent), flush=True)


class State:
    """The process of a checkout."""

    def __init__(self, root, folder):
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).absolute()), "--answer", str(folder)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, signature, calls):
        """Microseconds of process and thread for one call."""
        self.process.stdin.write(f"{signature} {calls}\n")
        self.process.stdin.flush()
        return [float(value) for value in self.process.stdout.readline().split()]

    def close(self):
        """Lets it end."""
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=pathlib.Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        answer(arguments.answer)
        return
    from benchmarks.serving_beside import told, write_echo
    from benchmarks.serving_process import machine

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        write_echo(pathlib.Path(folder, "1"))
        states = [State(root, f"{folder}/1") for root in (arguments.old.absolute(), ROOT)]
        for state in states:
            stack.callback(state.close)
        for signature in ("numbers", "strings"):
            for state in states:
                state.ask(signature, arguments.calls)
            rounds = []
            for number in range(arguments.rounds):
                order = (0, 1) if number % 2 else (1, 0)
                spent = {place: states[place].ask(signature, arguments.calls) for place in order}
                rounds.append([spent[0], spent[1]])
            for place, what in enumerate(("process", "thread")):
                old, new, ratio, low, high = told(np.array(rounds)[:, :, place])
                print(
                    f"{signature}, {what}: {old:.1f} and {new:.1f} microseconds, "
                    f"new / old {ratio:.3f} ({low:.3f} to {high:.3f})"
                )
    print(machine())


if __name__ == "__main__":
    main()
