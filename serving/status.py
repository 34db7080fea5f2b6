"""Failures of a request: TensorFlow's code, which is also gRPC's, and the words of the answer."""

import re
from typing import Any

import grpc

# As TensorFlow Serving cuts its messages.
MAXIMUM_MESSAGE = 1024

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_NODES = re.compile(r"\{\{function_node [^}]*\}\} ?|\s*\[\[\{\{node .*", re.DOTALL)


class RequestError(Exception):
    """A request that cannot be answered.

    Args:
        code: the gRPC status.
        message: what was wrong, in the words of TensorFlow Serving where it has words for it.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = cut(message)


def cut(message: str) -> str:
    """The first 1,024 characters, and a mark where there were more.

    >>> len(cut("a" * 2000)), cut("short")
    (1036, 'short')
    """
    return (
        message if len(message) <= MAXIMUM_MESSAGE else message[:MAXIMUM_MESSAGE] + "...TRUNCATED"
    )


def from_tensorflow(error: Any) -> RequestError:
    """The same failure as a `RequestError`; the codes of TensorFlow are those of gRPC.

    Args:
        error: a `tf.errors.OpError`.
    """
    code = _CODES.get(error.error_code, grpc.StatusCode.UNKNOWN)
    return RequestError(code, without_nodes(error.message))


def without_nodes(message: str) -> str:
    """Words of an operation without the names that it has in the graph, which tell no client.

    >>> without_nodes("{{function_node f}} assertion failed: [no rows]\\n\\t [[{{node f/Assert}}]]")
    'assertion failed: [no rows]'
    """
    return _NODES.sub("", message)


def invalid(message: str) -> RequestError:
    """INVALID_ARGUMENT."""
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> RequestError:
    """NOT_FOUND."""
    return RequestError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> RequestError:
    """FAILED_PRECONDITION."""
    return RequestError(grpc.StatusCode.FAILED_PRECONDITION, message)
