"""One line a request, for those who ask for it: it holds what users wrote."""

import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import text_format

logger = logging.getLogger(__name__)

MAXIMUM_CHARACTERS = 1000


class RequestLog(grpc.ServerInterceptor):
    """Logs requests of gRPC, as an interceptor of the server, and of REST, by `write`.

    A line is one JSON object: `method`, `code`, `ms`, and the first 1,000 characters of the
    `request`.
    """

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps methods with one request and one answer; streams are not logged."""
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        def logged(request: Any, context: grpc.ServicerContext) -> Any:
            began = time.perf_counter()
            code = grpc.StatusCode.UNKNOWN.name
            try:
                response = handler.unary_unary(request, context)
                code = grpc.StatusCode.OK.name
                return response
            finally:
                found = context.code()
                self.write(
                    handler_call_details.method,
                    getattr(found, "name", found) or code,
                    time.perf_counter() - began,
                    _readable(text_format.MessageToString(request, as_one_line=True)),
                )

        return grpc.unary_unary_rpc_method_handler(
            logged, handler.request_deserializer, handler.response_serializer
        )

    def around(self, answer: Callable[[str, str, bytes], Any]) -> Callable[[str, str, bytes], Any]:
        """The same function of verb, path and body, which logs each call."""

        def logged(verb: str, path: str, body: bytes) -> Any:
            began = time.perf_counter()
            found = answer(verb, path, body)
            text = body[: 4 * MAXIMUM_CHARACTERS].decode("utf-8", "replace")
            self.write(f"{verb} {path}", found.status, time.perf_counter() - began, text)
            return found

        return logged

    def write(self, method: str, code: str | int, seconds: float, text: str) -> None:
        """Writes a line."""
        line = {
            "method": method,
            "code": code,
            "ms": round(seconds * 1000, 3),
            "request": text[:MAXIMUM_CHARACTERS],
        }
        logger.info("%s", json.dumps(line, ensure_ascii=False))


def _readable(text: str) -> str:
    """Protobuf's text with the letters that it writes as octal bytes."""

    def letters(found: re.Match[str]) -> str:
        codes = found[0].split("\\")[1:]
        return bytes(int(code, 8) for code in codes).decode("utf-8", "replace")

    return re.sub(r"(?:\\[2-3][0-7]{2})+", letters, text)
