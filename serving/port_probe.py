"""What listens at an address, for people whose request got no answer."""

import socket
import ssl
from typing import Literal

Listener = Literal[
    "nobody", "unknown host", "out of reach", "silent", "HTTP", "TLS", "gRPC", "something else"
]

_SECONDS = 2.0
_ASK = b"GET /readyz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
_SETTINGS = b"\x04"  # type of the first frame that a server of HTTP/2 sends


def what_listens(address: str) -> Listener:
    """Connects once, without TLS, and looks at the first bytes that come.

    Args:
        address: `HOST:PORT`, `[::1]:PORT`.

    Returns:
        `silent` takes connections and says nothing: a server that loads its models has its gRPC
        port bound, and answers when it is ready.

    Example:

    >>> listener = socket.create_server(("127.0.0.1", 0))
    >>> address = "127.0.0.1:{}".format(listener.getsockname()[1])
    >>> listener.close()
    >>> what_listens(address)
    'nobody'
    """
    host, _, port = address.rpartition(":")
    place = host.strip("[]"), int(port)
    try:
        with socket.create_connection(place, _SECONDS) as connection:
            start = _first_bytes(connection)
        if start is None:
            return "silent"
        kind: Listener = "something else"
        if start.startswith(b"HTTP/"):
            kind = "HTTP"
        elif start[3:4] == _SETTINGS:
            kind = "gRPC"
        elif _speaks_tls(place):
            kind = "TLS"
    except socket.gaierror:
        kind = "unknown host"
    except ConnectionRefusedError:
        kind = "nobody"
    except OSError:
        kind = "out of reach"
    return kind


def _first_bytes(connection: socket.socket) -> bytes | None:
    """What comes first in answer to HTTP; None where nothing does."""
    try:
        connection.sendall(_ASK)
        return connection.recv(16)
    except TimeoutError:
        return None
    except OSError:  # whoever expects something else may hang up
        return b""


def _speaks_tls(place: tuple[str, int]) -> bool:
    """Whether it shakes hands, whoever it is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(place, _SECONDS) as connection:
        try:
            context.wrap_socket(connection).close()
        except (OSError, ssl.SSLError):
            return False
    return True
