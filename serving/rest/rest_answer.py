"""An answer of the REST API."""

import dataclasses
import json

import grpc

from tfhashtag.serving.status import RequestError

JSON = "application/json"

_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


@dataclasses.dataclass(frozen=True)
class RestAnswer:
    """Status, body and type of an answer.

    Args:
        status: the HTTP status.
        body: as sent.
        content_type: of the body.
        headers: more of them, names in lower case.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = dataclasses.field(default=(), repr=False)

    @classmethod
    def of_error(cls, error: RequestError, status: int | None = None) -> "RestAnswer":
        """`{"error": message}` with the HTTP status that belongs to the code.

        Args:
            error: what went wrong.
            status: where HTTP has a closer one.

        Example:

        >>> RestAnswer.of_error(RequestError(grpc.StatusCode.NOT_FOUND, "no model"))
        RestAnswer(status=404, body=b'{"error": "no model"}', content_type='application/json')
        """
        text = json.dumps({"error": error.message}, ensure_ascii=False)
        # Half a surrogate pair in the request may come back in the message.
        body = text.encode("utf-8", "backslashreplace")
        return cls(status or _STATUS.get(error.code, 500), body)

    def unless_held(self, tags: bytes) -> "RestAnswer":
        """The same, or status 304 without a body where the client holds it already.

        Args:
            tags: the request's `If-None-Match`; empty for none.

        Example:

        >>> page = RestAnswer(200, b"page", headers=((b"etag", b'"1"'),))
        >>> page.unless_held(b'W/"0", W/"1"').status, page.unless_held(b'"2"').status
        (304, 200)
        """
        if not tags:
            return self
        own = dict(self.headers).get(b"etag")
        held = [tag.strip().removeprefix(b"W/") for tag in tags.split(b",")]
        if own is None or own not in held:
            return self
        return dataclasses.replace(self, status=304, body=b"")
