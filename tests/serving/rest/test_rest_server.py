"""Slow clients, too many of them, and the end."""

import contextlib
import gzip
import http.client
import json
import socket
import threading

import pytest

from tfhashtag.serving.rest.rest_answer import RestAnswer
from tfhashtag.serving.rest.rest_server import BODIES_AT_A_TIME, RestServer
from tfhashtag.serving.runtime.worker_pool import WorkerPool


def echo(verb, path, body):
    return RestAnswer(200, body)


@contextlib.contextmanager
def serving(answer=echo, **options):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = RestServer(answer, listener, **options)
    server.start()
    try:
        yield server, listener.getsockname()
    finally:
        server.stop(5)


def connect(address):
    return http.client.HTTPConnection(*address, timeout=30)


def post(address, body=b"{}"):
    connection = connect(address)
    try:
        connection.request("POST", "/", body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def closed_by_server(client, trickle=b""):
    """Waits for the end of the connection, and sends a byte from time to time meanwhile."""
    client.settimeout(0.05)
    for _ in range(400):
        try:
            if client.recv(1000) == b"":
                return True
        except TimeoutError:
            pass
        except ConnectionError:
            return True
        with contextlib.suppress(OSError):
            client.send(trickle)
    return False


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHost: a\r\n"])
@pytest.mark.parametrize("trickle", [b"", b"a"])
def test_a_head_that_does_not_end_ends_the_connection(sent, trickle):
    with serving(header_timeout=0.3) as (_, address), socket.create_connection(address) as client:
        client.sendall(sent)
        assert closed_by_server(client, trickle)
        assert post(address) == (200, b"{}")


def test_a_second_head_that_does_not_end_ends_the_connection():
    with serving(header_timeout=0.3) as (_, address), socket.create_connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(b"POST / HT")
        assert closed_by_server(client, b"a")


def test_an_idle_connection_is_kept_longer_than_a_head_may_take():
    with serving(header_timeout=0.1) as (_, address):
        connection = connect(address)
        connection.request("POST", "/", b"1")
        first = connection.sock
        assert connection.getresponse().read() == b"1"
        first.settimeout(0.4)
        with pytest.raises(TimeoutError):
            first.recv(1)
        first.settimeout(30)
        connection.request("POST", "/", b"2")
        assert connection.getresponse().read() == b"2"
        assert connection.sock is first
        connection.close()


def test_a_body_that_does_not_end_is_answered_408():
    with serving(body_timeout=0.3) as (_, address), socket.create_connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        client.settimeout(30)
        answer = client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer
        assert closed_by_server(client)


def test_a_head_without_end_is_refused():
    with serving() as (_, address), socket.create_connection(address) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000)
        assert closed_by_server(client)


class Gate:
    """An answer that waits until the gate opens."""

    def __init__(self):
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self, verb, path, body):
        self.entered.release()
        self.opened.wait(30)
        return RestAnswer(200, body)


@contextlib.contextmanager
def waiting(address, gate, count, body=b"{}"):
    """So many requests wait behind the gate; gives the list of their answers."""
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(address, body))) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert gate.entered.acquire(timeout=30)
    yield answers
    gate.opened.set()
    for thread in threads:
        thread.join(30)


def test_more_requests_than_may_wait_are_answered_429():
    gate = Gate()

    def answer(verb, path, body):
        # What needs no model is at hand, and does not count.
        return RestAnswer(200, b"{}") if verb == "GET" else gate(verb, path, body)

    with serving(answer, max_concurrent=2) as (_, address):
        with waiting(address, gate, 2) as answers:
            for _ in range(3):
                connection = connect(address)
                connection.request("GET", "/")
                assert connection.getresponse().status == 200
                connection.close()
            status, text = post(address)
            assert status == 429
            assert json.loads(text) == {"error": "Too many requests at a time"}
        assert answers == [(200, b"{}")] * 2
        assert post(address) == (200, b"{}")


def test_bodies_share_a_budget_and_give_it_back():
    gate = Gate()
    with serving(gate, body_limit=100) as (_, address):
        with waiting(address, gate, BODIES_AT_A_TIME, b"a" * 100) as answers:
            status, text = post(address, b"a")
            assert status == 429
            assert json.loads(text) == {"error": "Too much data in requests at a time"}
        assert answers == [(200, b"a" * 100)] * BODIES_AT_A_TIME
        assert post(address, b"a") == (200, b"a")


def test_stop_finishes_running_requests():
    gate = Gate()
    with serving(gate) as (server, address), waiting(address, gate, 1) as answers:
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        gate.opened.set()
        stopping.join(30)
        with pytest.raises(OSError):
            post(address)
    assert answers == [(200, b"{}")]


def test_stop_gives_up_after_the_grace(caplog):
    """A request that runs, and one whose body does not end, are told so; nothing is an accident."""
    gate = Gate()
    half = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
    with serving(gate) as (server, address):
        running = socket.create_connection(address)
        running.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        assert gate.entered.acquire(timeout=30)
        slow = socket.create_connection(address)
        slow.sendall(half)
        server.stop(0.5)
        for client in (running, slow):
            with client:
                client.settimeout(30)
                assert client.recv(10_000).startswith(b"HTTP/1.1 503 ")
        gate.opened.set()
    assert not [record for record in caplog.records if record.exc_info]


def raw(address, data):
    """What the server answers to these bytes before it closes the connection."""
    with socket.create_connection(address) as client:
        client.settimeout(30)
        client.sendall(data)
        answer = b""
        while part := client.recv(10_000):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), body


@pytest.mark.parametrize(
    "data",
    [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"],
)
def test_what_is_no_http_is_answered_in_json(data):
    with serving() as (_, address):
        status, head, body = raw(address, data)
        assert (status, b"content-type: application/json" in head) == (400, True)
        assert list(json.loads(body)) == ["error"]
        assert post(address) == (200, b"{}")


def test_an_absurd_length_is_answered_at_once():
    with serving() as (_, address):
        for length in (b"100000000000000000000", b"999999999999"):
            status, head, body = raw(
                address, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + b"\r\n\r\n"
            )
            assert (status, b"connection: close" in head) == (413, True)
            assert "larger than" in json.loads(body)["error"]


def test_two_ways_to_tell_a_length_end_the_connection():
    with serving() as (_, address):
        status, head, body = raw(
            address,
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
            b"\r\n2\r\n{}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        assert (status, body) == (200, b"{}")
        assert b"connection: close" in head


def test_more_connections_than_there_may_be_get_503_in_json():
    with serving(connections=1) as (_, address), socket.create_connection(address) as first:
        first.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n")
        status, head, body = raw(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (status, b"retry-after: 1" in head) == (503, True)
        assert json.loads(body) == {"error": "Too many connections"}


def test_what_is_inflated_counts_for_the_budget():
    gate = Gate()
    body = gzip.compress(b" " * 100)
    headers = {"Content-Encoding": "gzip"}
    with serving(gate, body_limit=100) as (_, address), waiting(address, gate, 1, b"a" * 50):
        connections = [connect(address) for _ in range(BODIES_AT_A_TIME)]
        for connection in connections:
            connection.request("POST", "/", body, headers)
        statuses = []
        for connection in connections[-1:]:
            answer = connection.getresponse()
            statuses.append((answer.status, json.loads(answer.read())["error"]))
        gate.opened.set()
        for connection in connections:
            connection.close()
    assert statuses == [(429, "Too much data in requests at a time")]


def test_large_bodies_leave_threads_to_the_others():
    gate = Gate()

    def answer(verb, path, body):
        return gate(verb, path, body) if len(body) > 10 else RestAnswer(200, body)

    large = gzip.compress(b" " * (2 * 2**20))
    with serving(answer, pool=WorkerPool(4, "rest")) as (_, address):
        connections = [connect(address) for _ in range(6)]
        for connection in connections:
            connection.request("POST", "/", large, {"Content-Encoding": "gzip"})
        for _ in range(2):
            assert gate.entered.acquire(timeout=30)
        for _ in range(8):
            assert post(address) == (200, b"{}")
        assert not gate.entered.acquire(timeout=0.2)
        gate.opened.set()
        for connection in connections:
            assert connection.getresponse().status == 200
            connection.close()


def test_what_would_wait_too_long_is_sent_away_and_probes_are_answered():
    gate, begun = threading.Event(), threading.Event()

    def answer(verb, path, body):
        if verb == "POST":
            begun.set()
            gate.wait(30)
        return RestAnswer(200, body)

    pool = WorkerPool(1, "rest", most_wait=0.01)
    with serving(answer, pool=pool) as (_, address):
        pool.submit(threading.Event().wait, 0.05).result()
        connections = [connect(address) for _ in range(3)]
        try:
            for connection in connections[:2]:  # one is answered, one waits
                connection.request("POST", "/", b"{}")
                assert begun.wait(30)
            while pool.expected_wait() == 0:
                pass
            connections[2].request("POST", "/", b"{}")
            refused = connections[2].getresponse()
            assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
            assert "is overloaded" in json.loads(refused.read())["error"]
            connections[2].request("GET", "/healthz")  # on the same connection
            probed = connections[2].getresponse()
            assert (probed.status, probed.read()) == (200, b"")
            gate.set()
            assert [connection.getresponse().status for connection in connections[:2]] == [200, 200]
        finally:
            gate.set()
            for connection in connections:
                connection.close()
