"""TLS of the client."""

import os
import pathlib
from dataclasses import dataclass

import grpc

from tfhashtag.errors import ServingError


@dataclass(frozen=True)
class ClientTls:
    """Whom to trust, and who the client is.

    Args:
        ca: PEM file with the certificates that sign the server's; None for those of the system.
        certificate: PEM file with the client's own chain, for a server that asks for it.
        key: PEM file with the key of `certificate`.
        server_name: name to expect in the server's certificate, where it is not the address.

    Raises:
        ServingError: only one of `certificate` and `key` is given.
    """

    ca: str | os.PathLike | None = None
    certificate: str | os.PathLike | None = None
    key: str | os.PathLike | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise ServingError(f"TLS: `{given}` is given without `{missing}`; give both or none.")

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel.

        Raises:
            ServingError: a file cannot be read or is no PEM.
        """
        return grpc.ssl_channel_credentials(
            _read(self.ca, "CERTIFICATE"),
            _read(self.key, "PRIVATE KEY"),
            _read(self.certificate, "CERTIFICATE"),
        )

    def options(self) -> list[tuple[str, str]]:
        """For a channel."""
        if self.server_name is None:
            return []
        return [("grpc.ssl_target_name_override", self.server_name)]


def _read(path: str | os.PathLike | None, kind: str) -> bytes | None:
    if path is None:
        return None
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ServingError(f"TLS: `{path}` cannot be read: {error.strerror}.") from error
    if f"{kind}-----".encode() not in content:
        raise ServingError(f"TLS: `{path}` holds no `{kind}` in PEM; expected -----BEGIN ...-----.")
    return content
