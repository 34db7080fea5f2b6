"""HTTP connections that slow clients cannot hold."""

import asyncio
import http
import re
from typing import Any

import grpc
import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tfhashtag.serving.rest.rest_answer import RestAnswer
from tfhashtag.serving.status import RequestError

# More digits than h11 takes.
_ABSURD_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*[0-9]{21,}[ \t]*\r\n", re.IGNORECASE)


class TimedHttpProtocol(H11Protocol):
    """uvicorn's connection, which ends when the head of a request does not come in time.

    uvicorn itself limits the time between requests alone. A client that does not read its answer
    is given the same time.

    Args:
        header_timeout: seconds from the connection, or from the first byte of a later request,
            to the end of the request's head.
        **arguments: those of uvicorn's class.
    """

    def __init__(self, *, header_timeout: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._header_timeout = header_timeout
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the time."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Stops the time once the head is whole."""
        self._received = data
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the time."""
        self._stop()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Closes an idle connection, and drops it if the last answer was not read by then."""
        super().timeout_keep_alive_handler()
        self._timer = self.loop.call_later(self._header_timeout, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Says as the API does that the request is no HTTP, or that a length is absurd."""
        code, status = grpc.StatusCode.INVALID_ARGUMENT, 400
        if _ABSURD_LENGTH.search(self._received):
            msg = "The request is larger than any may be"
            code, status = grpc.StatusCode.RESOURCE_EXHAUSTED, 413
        invalid = RestAnswer.of_error(RequestError(code, msg), status)
        headers = [
            (b"content-type", invalid.content_type.encode()),
            (b"content-length", str(len(invalid.body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(
                status_code=status, headers=headers, reason=http.HTTPStatus(status).phrase
            ),
            h11.Data(data=invalid.body),
            h11.EndOfMessage(),
        ):
            if sent := self.conn.send(event):
                self.transport.write(sent)
        self.transport.close()

    def _watch(self) -> None:
        idle_time_runs = self.timeout_keep_alive_task is not None
        if self.conn.their_state is not h11.IDLE or idle_time_runs:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self._header_timeout, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
