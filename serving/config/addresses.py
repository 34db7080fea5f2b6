"""The ports that a server binds, with errors that say what to do."""

import socket

import grpc

from tfhashtag.errors import ServingError
from tfhashtag.serving.config.tls import Tls


def add_grpc_port(server: grpc.Server, host: str, port: int, tls: Tls | None) -> int:
    """Has a gRPC server listen; returns the port.

    Raises:
        ServingError: it is taken, or the address is not of this machine.
    """
    address = f"{bracketed(host)}:{port}"
    try:
        if tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, tls.grpc_credentials())
    except RuntimeError as error:
        raise _taken(address, "--port") from error


def add_grpc_socket(server: grpc.Server, path: str) -> None:
    """Has a gRPC server listen at a socket of the file system, without TLS.

    Raises:
        ServingError: there cannot be one.
    """
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise ServingError(
            f"cannot listen on the socket `{path}`: its folder is missing or not writable, it is "
            "taken, or the path is too long. Give another `--grpc-socket-path`."
        ) from error


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket for the REST server.

    Raises:
        ServingError: the port is taken, or the address is not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _taken(f"{bracketed(host)}:{port}", "--rest-port") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _taken(f"{bracketed(host)}:{port}", "--rest-port") from error
    return listener


def bracketed(host: str) -> str:
    """The host as it stands before a port.

    >>> bracketed("::1"), bracketed("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host


def _taken(address: str, option: str) -> ServingError:
    return ServingError(
        f"cannot listen on `{address}`: the port is taken or the address is not of this machine. "
        f"Give another `{option}` (0 picks a free one)."
    )
