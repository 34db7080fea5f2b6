"""The processes that train one model: who they are, and waiting until all of them have come."""

import contextlib
import dataclasses
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.errors import ConfigError, WorkerError

VARIABLE = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
)
_GREETING = "tfhashtag workers"
_PAUSE = 0.2  # seconds between two looks for somebody who is not there yet
_PATIENCE = 5.0  # seconds for an answer of somebody who is there
_JOBS = ("chief", "worker")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a training; the first is the chief, who alone writes.

    Attributes:
        addresses: `host:port` of each.
        index: which of them this process is.
    """

    addresses: tuple[str, ...]
    index: int

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> "Cluster":
        """The cluster that `TF_CONFIG` describes, as TensorFlow reads it.

        Example:

        >>> Cluster.of_environment({"TF_CONFIG": EXAMPLE})
        Cluster(addresses=('host0:2222', 'host1:2222'), index=0)

        Raises:
            ConfigError: it is missing, or not what it should be.
        """
        found = environment.get(VARIABLE)
        if not found:
            raise ConfigError(
                f"`{VARIABLE}` is not set, by which `--strategy multi_worker` knows the workers. "
                f"Set it for each of them, such as {EXAMPLE} for the first."
            )
        try:
            config = json.loads(found)
        except ValueError as error:
            raise _wrong(f"is not JSON ({error})") from error
        jobs, task = _checked_parts(config)
        addresses = [address for job in _JOBS for address in jobs.get(job, ())]
        job, number = task.get("type"), task.get("index")
        if job not in jobs:
            raise _wrong(f"has a task of type {job!r}, which `cluster` does not list")
        if not isinstance(number, int) or not 0 <= number < len(jobs[job]):
            raise _wrong(
                f"has a task of index {number!r}; the cluster has {len(jobs[job])} of type `{job}`"
            )
        before = len(jobs.get("chief", ())) if job == "worker" else 0
        return cls(tuple(addresses), before + number)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    def name(self, index: int) -> str:
        """What a worker is called in messages."""
        role = ", the chief," if index == 0 else ""
        return f"worker {index} of {len(self.addresses)} ({self.addresses[index]}){role}"

    def meet(self, seconds: float) -> None:
        """Waits until all workers are there and reach one another.

        The chief calls each at its address and tells all of them what came of it, so that all go
        on or all give up. The addresses are free again afterwards: TensorFlow takes them.

        Args:
            seconds: that are waited at most.

        Raises:
            WorkerError: somebody did not come, has another `TF_CONFIG` or does not reach another;
                or the own port is taken.
        """
        with self._open() as server:
            if self.is_chief:
                self._gather(time.monotonic() + seconds, seconds)
            else:
                self._follow(server, time.monotonic() + seconds, seconds)

    @contextlib.contextmanager
    def _open(self) -> Iterator[socket.socket]:
        """Listens at the own address."""
        port = _endpoint(self.addresses[self.index])[1]
        family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        both = family == socket.AF_INET6
        try:
            server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
        except OSError as error:
            raise WorkerError(
                f"{self.name(self.index)}: cannot listen at its port ({error.strerror}). End what "
                f"uses it, or give all workers a `{VARIABLE}` with another."
            ) from error
        with server:
            yield server

    def _gather(self, deadline: float, seconds: float) -> None:
        """The chief's part."""
        here: dict[int, _Line] = {}
        reasons: dict[int, str] = {}
        others = range(1, len(self.addresses))
        with contextlib.ExitStack() as stack:
            while len(here) < len(others):
                for index in others:
                    if index not in here:
                        try:
                            line = stack.enter_context(_Line.dial(self.addresses[index], deadline))
                            line.send([_GREETING, index, self.addresses])
                            answer = line.receive(_PATIENCE)
                        except OSError as error:
                            reasons[index] = _reason(error)
                            continue
                        here[index] = line
                        if answer != "here":
                            self._give_up(here, f"{self.name(index)}: {answer}")
                if len(here) < len(others) and time.monotonic() > deadline:
                    (first, *more) = [index for index in others if index not in here]
                    also = f", nor {len(more)} more," if more else ""
                    self._give_up(here, self._missing(first, seconds, reasons[first], also))
                time.sleep(0 if len(here) == len(others) else _PAUSE)
            for index, line in here.items():
                line.send("look")
                found = self._answer(line, index)
                if found != "reached":
                    self._give_up(here, str(found))
            for line in here.values():
                line.send("go")

    def _answer(self, line: "_Line", index: int) -> Any:
        try:
            return line.receive(_PATIENCE * len(self.addresses))
        except OSError as error:
            return f"{self.name(index)} came and went ({_reason(error)}). Start all workers again."

    def _give_up(self, here: Mapping[int, "_Line"], why: str) -> None:
        for line in here.values():
            with contextlib.suppress(OSError):  # who has gone needs no word
                line.send({"error": why})
        raise WorkerError(why)

    def _follow(self, server: socket.socket, deadline: float, seconds: float) -> None:
        """The part of the others."""
        while (left := deadline - time.monotonic()) > 0:
            server.settimeout(left)
            try:
                connection, _ = server.accept()
                with _Line(connection) as line:
                    verdict = self._greeted(line, seconds)
            except OSError:  # the time is over, or whoever called has gone: the chief calls again
                continue
            if verdict == "go":
                return
            if isinstance(verdict, dict):
                raise WorkerError(str(verdict.get("error")))
        raise WorkerError(self._missing(0, seconds, "nobody called"))

    def _greeted(self, line: "_Line", seconds: float) -> Any:
        """What the chief says in the end; None where it is somebody else who called."""
        heard = line.receive(_PATIENCE)
        if not isinstance(heard, list) or heard[:1] != [_GREETING]:
            return None
        if heard[1:] != [self.index, list(self.addresses)]:
            wrong = f"has another `{VARIABLE}` than the chief. Give all the same `cluster`, each "
            line.send(wrong + "its own `index`.")
        else:
            line.send("here")
        heard = line.receive(seconds + _PATIENCE)  # the chief may have come later than this one
        if heard == "look":
            line.send(self._look())
            heard = line.receive(_PATIENCE * len(self.addresses) ** 2)
        return heard

    def _look(self) -> str:
        """Whether all others can be reached from here."""
        for index, address in enumerate(self.addresses):
            if index != self.index:
                try:
                    _Line.dial(address, time.monotonic() + _PATIENCE).close()
                except OSError as error:
                    return (
                        f"{self.name(self.index)} does not reach {self.name(index)} "
                        f"({_reason(error)}). Each must reach each; check names, ports, firewalls."
                    )
        return "reached"

    def _missing(self, index: int, seconds: float, reason: str, also: str = "") -> str:
        return (
            f"{self.name(index)} did not come within {seconds:g} s{also} ({reason}). Start the "
            f"same command there with its own `{VARIABLE}`, or wait longer by `--worker-timeout`."
        )


class _Line:
    """JSON values, a line each, over a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")

    @classmethod
    def dial(cls, address: str, deadline: float) -> "_Line":
        left = min(max(deadline - time.monotonic(), 0.1), _PATIENCE)
        return cls(socket.create_connection(_endpoint(address), timeout=left))

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._connection.close()

    def send(self, value: Any) -> None:
        self._connection.sendall(json.dumps(value).encode() + b"\n")

    def receive(self, seconds: float) -> Any:
        """The next value; `OSError` where none comes."""
        self._connection.settimeout(seconds)
        line = self._file.readline(1 << 20)
        try:
            return json.loads(line)
        except ValueError as error:
            raise ConnectionError("the connection ended") from error


def _checked_parts(config: Any) -> tuple[dict[str, Sequence[str]], dict[str, Any]]:
    """`cluster` and `task` of what `TF_CONFIG` holds."""
    jobs = config.get("cluster") if isinstance(config, dict) else None
    if not isinstance(jobs, dict) or not jobs:
        raise _wrong("has no `cluster`")
    for job, addresses in jobs.items():
        if job not in _JOBS:
            raise _wrong(f"lists a job {job!r}; there are `chief` and `worker`")
        if not isinstance(addresses, list) or not addresses:
            raise _wrong(f"lists no addresses for `{job}`")
        for address in addresses:
            named = re.fullmatch(r".+:(\d{1,5})", address) if isinstance(address, str) else None
            if named is None or not 0 < int(named[1]) < 1 << 16:
                raise _wrong(f"lists the address {address!r}, expected `host:port`")
    every = [address for addresses in jobs.values() for address in addresses]
    if len(jobs.get("chief", ())) > 1:
        raise _wrong("lists several chiefs")
    if len(set(every)) < len(every):
        raise _wrong("lists an address twice")
    task = config.get("task")
    if not isinstance(task, dict):
        raise _wrong("has no `task`")
    return jobs, task


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"`{VARIABLE}` {what}. It should be such as {EXAMPLE}.")


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
