"""TLS of the server, from the file that a stock server reads."""

import os
import pathlib
import ssl
import tempfile
from dataclasses import dataclass, field

import grpc

from tfhashtag.errors import ServingError
from tfhashtag.serving.config.private_message import make_message, read_message

_SSL_CONFIG = make_message(
    "SSLConfig", {"server_key": str, "server_cert": str, "custom_ca": str, "client_verify": bool}
)

_NO_PAIR = (
    "`server_key` and `server_cert` are not a PEM key without password and its PEM certificate."
)
# By OpenSSL's reason.
_WORDS = {
    "EE_KEY_TOO_SMALL": "the key of `server_cert` is too short to be safe; make one of 2,048 bits "
    "or more (RSA), or of 256 (EC).",
    "CA_KEY_TOO_SMALL": "a certificate of the chain in `server_cert` has a key too short to be "
    "safe; have it signed by one of 2,048 bits or more (RSA), or of 256 (EC).",
    "KEY_VALUES_MISMATCH": "`server_key` is not the key of `server_cert`; give the pair.",
}


@dataclass(frozen=True)
class Tls:
    """Key, certificate and whom to trust.

    Args:
        key: private key of the server, PEM.
        certificate: its chain, PEM, its own certificate first.
        ca: certificates that sign those of clients, PEM; empty for none.
        client_verify: refuse clients without a certificate of `ca`.

    Raises:
        ServingError: key and certificate are no pair, a part is no PEM, or clients shall be
            verified without `ca`.
    """

    key: str = field(repr=False)
    certificate: str
    ca: str = ""
    client_verify: bool = False

    def __post_init__(self) -> None:
        if not self.key or not self.certificate:
            missing = "server_key" if not self.key else "server_cert"
            raise ServingError(f"TLS: `{missing}` is empty; expected the contents of a PEM file.")
        if self.client_verify and not self.ca:
            raise ServingError(
                "TLS: `client_verify` is true and `custom_ca` is empty; give the certificates "
                "that sign those of the clients."
            )
        self.http_context()

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> "Tls":
        """What an `--ssl-config-file` says: an SSLConfig in protobuf's text format.

        Raises:
            ServingError: the file cannot be read, is no SSLConfig, or as for the class.
        """
        config = read_message(
            path, _SSL_CONFIG, 'server_key: "-----BEGIN ...", server_cert: "-----BEGIN ..."'
        )
        try:
            return cls(
                config.server_key, config.server_cert, config.custom_ca, config.client_verify
            )
        except ServingError as error:
            raise ServingError(f"`{path}`: {error}") from error

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a gRPC port."""
        return grpc.ssl_server_credentials(
            [(self.key.encode(), self.certificate.encode())],
            root_certificates=self.ca.encode() or None,
            require_client_auth=self.client_verify,
        )

    def http_context(self) -> ssl.SSLContext:
        """For an HTTP port; TLS 1.2 and newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            self._load_pair(context)
        except (ssl.SSLError, ValueError) as error:
            raise ServingError(
                f"TLS: {_WORDS.get(getattr(error, 'reason', ''), _NO_PAIR)}"
            ) from error
        if self.client_verify:
            try:
                context.load_verify_locations(cadata=self.ca)
            except (ssl.SSLError, ValueError) as error:
                raise ServingError("TLS: `custom_ca` holds no PEM certificate.") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _load_pair(self, context: ssl.SSLContext) -> None:
        # Python's ssl reads keys from files alone; nobody else may open this folder.
        with tempfile.TemporaryDirectory() as folder:
            pair = pathlib.Path(folder, "pair.pem")
            pair.touch(mode=0o600)
            pair.write_text(f"{self.key}\n{self.certificate}", encoding="ascii")
            # An empty password: OpenSSL would ask for one at the terminal.
            context.load_cert_chain(pair, password="")
