"""TLS and mutual TLS on both ports, with certificates made here."""

import datetime
import json
import pathlib
import ssl
import urllib.error
import urllib.request

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tfhashtag.errors import ServingError
from tfhashtag.serving.config.tls import Tls
from tfhashtag.serving.server import ModelServer


def pem(*blobs):
    return b"".join(blob.bytes() for blob in blobs).decode()


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(scope="module")
def issued(ca):
    return ca.issue_cert("127.0.0.1")


def config(issued, **more):
    fields = {
        "server_key": pem(issued.private_key_pem),
        "server_cert": pem(*issued.cert_chain_pems),
        **more,
    }
    return "\n".join(
        f"{name}: {json.dumps(value) if isinstance(value, str) else str(value).lower()}"
        for name, value in fields.items()
    )


@pytest.fixture(scope="module", params=["server alone", "both sides"])
def secured(request, tmp_path_factory, models, ca, issued):
    """A server, and whether it wants certificates of its clients."""
    mutual = request.param == "both sides"
    path = tmp_path_factory.mktemp("tls") / "ssl.config"
    path.write_text(
        config(issued, custom_ca=pem(ca.cert_pem), client_verify=True) if mutual else config(issued)
    )
    with ModelServer(models, port=0, rest_port=0, tls=Tls.from_file(path)) as server:
        yield server, mutual


def grpc_check(address, credentials):
    """SERVING, or the code of the failure."""
    with grpc.secure_channel(address, credentials) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            return stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status
        except grpc.RpcError as error:
            return error.code()


def rest_check(address, context):
    with urllib.request.urlopen(f"{address}/v1/models/toy", timeout=20, context=context) as answer:
        return answer.status


def context(trusted, client=None, folder=None):
    context = ssl.create_default_context(cadata=pem(trusted.cert_pem))
    if client is not None:
        path = folder / "client.pem"
        client.private_key_and_cert_chain_pem.write_to_path(path)
        context.load_cert_chain(path)
    return context


def credentials(trusted, client=None):
    pair = {}
    if client is not None:
        pair = {
            "private_key": client.private_key_pem.bytes(),
            "certificate_chain": pem(*client.cert_chain_pems).encode(),
        }
    return grpc.ssl_channel_credentials(trusted.cert_pem.bytes(), **pair)


def test_the_right_certificates_are_let_in(secured, ca, tmp_path):
    server, mutual = secured
    client = ca.issue_cert("client@example.org") if mutual else None
    assert grpc_check(server.address, credentials(ca, client)) == 1
    assert server.rest_address.startswith("https://")
    assert rest_check(server.rest_address, context(ca, client, tmp_path)) == 200


def test_a_client_without_certificate_is_let_in_only_where_none_is_asked_for(secured, ca):
    server, mutual = secured
    if not mutual:
        assert grpc_check(server.address, credentials(ca)) == 1
        return
    assert grpc_check(server.address, credentials(ca)) == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(OSError, match=r"certificate required|reset|closed|EOF|broken"):
        rest_check(server.rest_address, context(ca))


@pytest.mark.parametrize("secured", ["both sides"], indirect=True)
def test_a_client_of_another_authority_is_refused(secured, ca, tmp_path):
    server, _ = secured
    stranger = trustme.CA().issue_cert("client@example.org")
    found = grpc_check(server.address, credentials(ca, stranger))
    assert found == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(OSError, match=r"unknown ca|reset|closed|EOF|broken"):
        rest_check(server.rest_address, context(ca, stranger, tmp_path))


def test_a_server_of_another_authority_is_refused(secured, tmp_path):
    server, _ = secured
    other = trustme.CA()
    assert grpc_check(server.address, credentials(other)) == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        rest_check(server.rest_address, context(other))


def test_plain_text_is_refused(secured):
    server, _ = secured
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(OSError):
        rest_check(server.rest_address.replace("https", "http"), None)


def short_pair():
    """Key and certificate as they were made twenty years ago."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=512 * 2)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {"server_key": private.decode(), "server_cert": certificate.decode()}


def wrong_files(issued, other):
    return {
        "not a config": ("hello", "is not a SSLConfig"),
        "unknown field": (config(issued) + "\nserver_kee: 'a'", r"ssl.config:\d+` is not a SSLC"),
        "no key": ('server_cert: "a"', "`server_key` is empty"),
        "no certificate": ('server_key: "a"', "`server_cert` is empty"),
        "not PEM": ('server_key: "a" server_cert: "b"', "are not a PEM key"),
        "no pair": (config(issued, server_key=pem(other.private_key_pem)), "is not the key of"),
        "short key": (config(issued, **short_pair()), "too short to be safe; make one of 2,048"),
        "nobody to trust": (config(issued, client_verify=True), "`custom_ca` is empty"),
        "trust in nothing": (
            config(issued, client_verify=True, custom_ca="x"), "holds no PEM certificate",
        ),
    }  # fmt: skip


def test_wrong_files_are_named(tmp_path, ca, issued):
    path = tmp_path / "ssl.config"
    for name, (text, words) in wrong_files(issued, ca.issue_cert("other")).items():
        path.write_text(text)
        with pytest.raises(ServingError, match=words) as error:
            Tls.from_file(path)
        assert str(path) in str(error.value), name
        assert "PRIVATE" not in str(error.value)
    with pytest.raises(ServingError, match="cannot be read"):
        Tls.from_file(tmp_path / "none")
    path.write_text(config(issued))
    path.chmod(0o606)
    with pytest.raises(ServingError, match=r"may be written by everybody.*chmod o-w"):
        Tls.from_file(path)


def test_the_key_does_not_show_and_leaves_no_file(issued, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tls = Tls(pem(issued.private_key_pem), pem(*issued.cert_chain_pems))
    assert "PRIVATE" not in repr(tls)
    assert list(pathlib.Path(tmp_path).iterdir()) == []


def test_the_file_of_the_documentation_reads(tmp_path, issued):
    lines = pem(issued.private_key_pem).splitlines()
    text = "server_key:\n" + "\n".join(f'  "{line}\\n"' for line in lines)
    text += f"\nserver_cert: {json.dumps(pem(*issued.cert_chain_pems))}"
    path = tmp_path / "ssl.config"
    path.write_text(text)
    assert Tls.from_file(path).key == pem(issued.private_key_pem)
