"""The HTTP around the REST API."""

import asyncio
import concurrent.futures
import functools
import socket
import threading
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import grpc
import uvicorn

from tfhashtag.serving.config.tls import Tls
from tfhashtag.serving.rest.rest_answer import RestAnswer
from tfhashtag.serving.rest.timed_http_protocol import TimedHttpProtocol
from tfhashtag.serving.runtime.worker_pool import WorkerPool
from tfhashtag.serving.status import RequestError

# Bodies that are being received may together fill this many times the limit of one.
BODIES_AT_A_TIME = 8
MAXIMUM_HEAD = 64 * 2**10
IDLE_SECONDS = 60

# Bodies of more bytes are parsed by so many threads at a time.
_LARGE, _LARGE_AT_A_TIME = 2**20, 2

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"Content-Type, Content-Encoding"),
    (b"access-control-max-age", b"600"),
)

_EXHAUSTED, _UNSUPPORTED = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class RestServer:
    """Listens for HTTP requests and has them answered by threads.

    Args:
        answer: gives the answer to verb, path and body; called in threads.
        listener: bound socket; the server closes it.
        body_limit: largest request body, bytes, compressed or not.
        pool: threads that answer requests, and say when these would wait too long; None: 16 that
            never do.
        max_concurrent: requests for a model that may wait or be answered; more get status 429.
            The page's files, health, metrics and states of models are answered besides.
        connections: most connections at a time; requests on more get status 503.
        header_timeout: seconds in which the head of a request must come.
        body_timeout: seconds in which its body must come.
        tls: key and certificate; None for plain HTTP.
        cors: let pages of any origin ask.
    """

    def __init__(
        self,
        answer: Callable[[str, str, bytes], RestAnswer],
        listener: socket.socket,
        body_limit: int = 64 * 2**20,
        pool: WorkerPool | None = None,
        max_concurrent: int = 1024,
        connections: int = 1000,
        header_timeout: float = 10.0,
        body_timeout: float = 30.0,
        tls: Tls | None = None,
        cors: bool = False,
    ) -> None:
        self._handle = answer
        self._listener = listener
        self._body_limit = body_limit
        self._max_concurrent = max_concurrent
        self._body_timeout = body_timeout
        self._connections = connections
        self._shared_headers = list(_CORS) if cors else []
        self._running = 0
        self._large = asyncio.Semaphore(_LARGE_AT_A_TIME)
        self._budget = _Budget(BODIES_AT_A_TIME * body_limit)
        self._pool = pool or WorkerPool(16, "rest")
        # Probes and metrics wait for nobody.
        self._side = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="rest side")
        # A client that is gone without a word is found out by the kernel.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._server = _Server(
            uvicorn.Config(
                self._app,
                http=functools.partial(  # type: ignore[arg-type]
                    TimedHttpProtocol, header_timeout=header_timeout
                ),
                ws="none",
                loop="asyncio",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=IDLE_SECONDS,
                h11_max_incomplete_event_size=MAXIMUM_HEAD,
                ssl_context_factory=None if tls is None else lambda *_: tls.http_context(),
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="rest", daemon=True
        )

    def start(self) -> None:
        """Starts to answer; returns when connections are accepted."""
        self._thread.start()
        self._server.ready.wait()

    def stop(self, grace: float = 30.0) -> None:
        """Takes no more connections and waits for the running requests.

        Args:
            grace: seconds after which running requests are given up.
        """
        if self._thread.ident is None:
            self._listener.close()
        else:
            self._server.config.timeout_graceful_shutdown = grace  # type: ignore[assignment]
            self._server.should_exit = True
            self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._side.shutdown(wait=False, cancel_futures=True)

    async def _app(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        headers = dict(scope["headers"])
        # Two lengths that contradict each other: what follows may be anything.
        close = b"transfer-encoding" in headers and b"content-length" in headers
        with _Share(self._budget) as share:
            try:
                self._check_head(headers)
                body = await self._body(receive, share)
                if body is None:
                    return
                if self._shared_headers and scope["method"] == "OPTIONS":
                    answer = RestAnswer(200, b"")  # a browser asks whether it may ask
                else:
                    answer = await self._answer(scope, headers, body, share)
            except _Refused as refused:
                answer, close = refused.answer, True
            except asyncio.CancelledError:  # the grace of `stop` is over
                answer, close = _error(grpc.StatusCode.UNAVAILABLE, "The server stops"), True
        answer = answer.unless_held(headers.get(b"if-none-match", b""))
        sent = [
            *self._shared_headers,
            *answer.headers,
            (b"content-type", answer.content_type.encode()),
        ]
        if answer.status != 304:  # it would be the length of what is not sent
            sent.append((b"content-length", str(len(answer.body)).encode()))
        if answer.status in (429, 503):
            sent.append((b"retry-after", b"1"))
        if close:
            sent.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": answer.body})

    def _check_head(self, headers: dict[bytes, bytes]) -> None:
        """Refuses what needs no look at the body."""
        if len(self._server.server_state.connections) > self._connections:
            raise _Refused(_error(grpc.StatusCode.UNAVAILABLE, "Too many connections"))
        # A body that is a little too large is read, see below.
        if int(headers.get(b"content-length", b"0")) > 2 * self._body_limit:
            raise _Refused(self._too_large())

    async def _body(self, receive: _Receive, share: "_Share") -> bytes | None:
        """The body of a request; None where the client has gone."""
        parts: list[bytes] = []
        size = 0
        more = True
        try:
            async with asyncio.timeout(self._body_timeout):
                # A body that is too large is read on for a while: a client that is cut off while
                # it sends does not see the answer.
                while more and size <= 2 * self._body_limit:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    more = message["more_body"]
                    size += len(message["body"])
                    if size <= self._body_limit:
                        share.take(len(message["body"]))
                        parts.append(message["body"])
        except TimeoutError as error:
            late = grpc.StatusCode.DEADLINE_EXCEEDED
            raise _Refused(_error(late, "The request came too slowly", 408)) from error
        if size > self._body_limit:
            raise _Refused(self._too_large())
        return b"".join(parts)

    async def _answer(
        self, scope: _Scope, headers: dict[bytes, bytes], body: bytes, share: "_Share"
    ) -> RestAnswer:
        runs = scope["method"] == "POST"  # a model; what else is asked for is at hand
        pool = self._pool if runs else self._side
        if runs:
            if self._running >= self._max_concurrent:
                return _error(_EXHAUSTED, "Too many requests at a time")
            try:
                self._pool.check()
            except RequestError as error:
                return RestAnswer.of_error(error)
        self._running += runs
        run = functools.partial(asyncio.get_running_loop().run_in_executor, pool)
        try:
            encoding = headers.get(b"content-encoding", b"identity").lower()
            if encoding == b"gzip":
                # What it will be stands at the end; more than that is an error.
                share.take(min(int.from_bytes(body[-4:], "little"), self._body_limit))
                body = await run(self._inflated, body)
            elif encoding != b"identity":
                name = encoding.decode("ascii", "backslashreplace")
                return _error(_UNSUPPORTED, f"Content-Encoding {name} is not supported")
            path = scope["raw_path"].decode("ascii")
            if len(body) <= _LARGE:
                return await run(self._handle, scope["method"], path, body)
            # Few at a time: parsing holds the interpreter, and the threads are for all.
            async with self._large:
                return await run(self._handle, scope["method"], path, body)
        finally:
            self._running -= runs

    def _inflated(self, body: bytes) -> bytes:
        inflate = zlib.decompressobj(wbits=31)
        size = min(int.from_bytes(body[-4:], "little"), self._body_limit)
        try:
            plain = inflate.decompress(body, size + 1)
        except zlib.error as error:
            raise _Refused(_error(_UNSUPPORTED, "The body is not gzip")) from error
        if len(plain) > self._body_limit:
            raise _Refused(self._too_large())
        if not inflate.eof or inflate.unused_data:
            raise _Refused(_error(_UNSUPPORTED, "The body is not one whole gzip stream"))
        return plain

    def _too_large(self) -> RestAnswer:
        message = f"The request is larger than {self._body_limit} bytes"
        return _error(_EXHAUSTED, message, 413)


class _Server(uvicorn.Server):
    """Says when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _Budget:
    """How much the bodies of all requests together may hold."""

    def __init__(self, size: int) -> None:
        self.left = size


class _Share:
    """What one request holds of a budget; given back at the end of the block."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._taken = 0

    def __enter__(self) -> "_Share":
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.left += self._taken

    def take(self, size: int) -> None:
        """Takes more, or refuses the request."""
        if size > self._budget.left:
            raise _Refused(_error(_EXHAUSTED, "Too much data in requests at a time"))
        self._budget.left -= size
        self._taken += size


class _Refused(Exception):
    """A request whose body is not taken."""

    def __init__(self, answer: RestAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def _error(code: grpc.StatusCode, message: str, status: int | None = None) -> RestAnswer:
    return RestAnswer.of_error(RequestError(code, message), status)
