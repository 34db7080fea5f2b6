import concurrent.futures
import json

import grpc
import numpy as np
import pytest
import trustme
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from tfhashtag.errors import ServingError
from tfhashtag.serving.client import ServingClient, parse_input
from tfhashtag.serving.config.client_tls import ClientTls
from tfhashtag.serving.config.tls import Tls
from tfhashtag.serving.server import ModelServer


@pytest.fixture
def client(server):
    with ServingClient(server.address) as client:
        yield client


def test_lists_take_the_declared_type_and_a_missing_batch_dimension(client):
    assert client.predict("toy", {"x": [1, 2]})["y"].tolist() == [[3.0, 4.0]]
    assert client.predict("toy", {"x": [[1, 2]]}, version=1)["y"].tolist() == [[2.0, 3.0]]
    answer = client.predict("toy", {"text": ["red"], "user": ["é"]}, "words", output_filter=["ids"])
    assert {name: value.tolist() for name, value in answer.items()} == {"ids": [0]}


def test_arrays_are_sent_as_they_are(client):
    with pytest.raises(ServingError, match=r"INVALID_ARGUMENT: Expects arg\[0\] to be float"):
        client.predict("toy", {"x": np.ones([1, 2], np.int64)})


@pytest.mark.parametrize(
    ("inputs", "signature", "words"),
    [
        ({"y": 1}, "serving_default", "no input `y`; it has `x`"),
        ({"steps": 1.5}, "spin", "does not fit the declared type int32"),
        ({"steps": 2**40}, "spin", "does not fit the declared type int32"),
        ({"x": [["a", "b"]]}, "serving_default", "does not fit the declared type float32"),
        ({"x": [[1, 2], [3]]}, "serving_default", "unequal lengths"),
        ({"x": [[1, 2]]}, "S", "no signature `S`; it has `fail`"),
    ],
)
def test_wrong_inputs_are_named(client, inputs, signature, words):
    with pytest.raises(ServingError, match=words):
        client.predict("toy", inputs, signature)


def test_status_and_metadata(client):
    assert client.status("toy") == [
        {"version": version, "state": "AVAILABLE", "error": ""} for version in (2, 1)
    ]
    found = client.metadata("toy")
    assert found["version"] == 2
    assert found["signatures"]["serving_default"]["inputs"] == {
        "x": {"dtype": "float32", "shape": [None, 2]}
    }
    with pytest.raises(ServingError, match=r"NOT_FOUND.* its models stand in its line `Ready"):
        client.status("none")
    with pytest.raises(ServingError, match=r"NOT_FOUND.* it has version 2 AVAILABLE, version 1 AV"):
        client.predict("toy", {"x": np.ones([1, 2], np.float32)}, version=9)


@pytest.mark.parametrize(
    "address",
    ["localhost", "localhost:", ":8500", "localhost:grpc", "localhost:65536", "http://a:8500"],
)
def test_an_address_has_a_host_and_a_port(address):
    with pytest.raises(ServingError, match=rf"`{address}` is not .* expected HOST:PORT"):
        ServingClient(address)


@pytest.fixture(scope="module")
def ports(models, tmp_path_factory):
    """Addresses where something else listens than a server of gRPC that is ready."""
    ca = trustme.CA()
    own, folder = ca.issue_cert("127.0.0.1"), tmp_path_factory.mktemp("tls")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    tls = Tls(own.private_key_pem.bytes().decode(), own.cert_chain_pems[0].bytes().decode())
    loading = grpc.server(concurrent.futures.ThreadPoolExecutor(1))  # as before it is started
    port = loading.add_insecure_port("127.0.0.1:0")
    with (
        ModelServer(models, port=0, rest_port=0) as plain,
        ModelServer(models, port=0, tls=tls) as secured,
    ):
        yield {
            "nothing": "127.0.0.1:1",
            "loading": f"127.0.0.1:{port}",
            "REST": plain.rest_address.removeprefix("http://"),
            "plain": plain.address,
            "secured": secured.address,
            "ca": ClientTls(folder / "ca.pem"),
        }
    loading.stop(None).wait()


@pytest.mark.parametrize(
    ("where", "secured", "words"),
    [
        ("nothing", False, "nothing listens there. Start `tfhashtag serve MODELS`"),
        ("loading", False, "while it loads its models. Wait for its line `Ready: ...`"),
        ("REST", False, "answers HTTP, as the REST port does; this client speaks gRPC. Give the p"),
        ("plain", True, "speaks gRPC without TLS. Leave out"),
        ("secured", False, "speaks TLS. Give `--tls`, or `--ca PEM`"),
    ],
)
def test_what_is_found_instead_of_a_server_that_is_ready_is_said(ports, where, secured, words):
    tls = ports["ca"] if secured else None
    with (
        ServingClient(ports[where], timeout=1, attempts=1, tls=tls) as client,
        pytest.raises(ServingError) as error,
    ):
        client.status("toy")
    assert words in str(error.value) and f"`{ports[where]}`" in str(error.value)


def test_a_deadline(server):
    with (
        ServingClient(server.address, timeout=0.5) as client,
        pytest.raises(ServingError, match=r"no answer within 0\.5 s"),
    ):
        client.predict("toy", {"steps": np.array(2**30, np.int32)}, "spin")


def test_parse_input():
    assert parse_input("k=3") == ("k", 3)
    with pytest.raises(ServingError, match="expected NAME=JSON"):
        parse_input("history")
    with pytest.raises(ServingError, match="is not JSON"):
        parse_input("history=[a]")


class Reluctant(model_service_pb2_grpc.ModelServiceServicer):
    """Refuses some requests before it takes one."""

    def __init__(self, code, refusals):
        self.code = code
        self.left = refusals
        self.calls = 0

    def GetModelStatus(self, request, context):
        self.calls += 1
        if self.left:
            self.left -= 1
            context.abort(self.code, "not now")
        return get_model_status_pb2.GetModelStatusResponse()


@pytest.fixture
def reluctant():
    servers = []

    def start(code, refusals):
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        servicer = Reluctant(code, refusals)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return servicer, f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(0).wait()


def test_unavailable_is_tried_again_and_nothing_else(reluctant):
    servicer, address = reluctant(grpc.StatusCode.UNAVAILABLE, 2)
    with ServingClient(address) as client:
        assert client.status("toy") == []
    assert servicer.calls == 3
    servicer, address = reluctant(grpc.StatusCode.UNAVAILABLE, 9)
    with (
        ServingClient(address, attempts=2) as client,
        pytest.raises(ServingError, match=r"\(UNAVAILABLE\): not now"),
    ):
        client.status("toy")
    assert servicer.calls == 2
    for code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED):
        servicer, address = reluctant(code, 1)
        with (
            ServingClient(address) as client,
            pytest.raises(ServingError, match=f"answered {code.name}: not now"),
        ):
            client.status("toy")
        assert servicer.calls == 1


def test_attempts_and_a_version_beside_a_label_are_checked(client):
    with pytest.raises(ServingError, match="`attempts` is 6; expected 1 to 5"):
        ServingClient("127.0.0.1:1", attempts=6)
    with pytest.raises(ServingError, match="expected one of the two"):
        client.predict("toy", {"x": [1, 2]}, version=1, label="stable")
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: Unrecognized servable version label"):
        client.predict("toy", {"x": [1, 2]}, label="canary")


def test_mutual_tls_with_files(models, tmp_path, capsys):
    from tfhashtag.cli.main import main

    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine, own = ca.issue_cert("models.example.org"), ca.issue_cert("client@example.org")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls = Tls(
        mine.private_key_pem.bytes().decode(),
        mine.cert_chain_pems[0].bytes().decode(),
        ca.cert_pem.bytes().decode(),
        client_verify=True,
    )
    with ModelServer(models, port=0, tls=tls) as server:
        main([
            "client", "status", server.address, "--model", "other",
            "--ca", f"{tmp_path}/ca.pem", "--cert", f"{tmp_path}/cert.pem",
            "--key", f"{tmp_path}/key.pem", "--server-name", "models.example.org",
        ])  # fmt: skip
        assert json.loads(capsys.readouterr().out)[0]["version"] == 7
        files = ClientTls(tmp_path / "ca.pem", server_name="models.example.org")
        with (
            ServingClient(server.address, timeout=5, attempts=1, tls=files) as client,
            pytest.raises(ServingError, match="UNAVAILABLE"),
        ):
            client.status("other")


def test_wrong_files_of_tls_are_named(tmp_path):
    (tmp_path / "a.pem").write_text("x")
    with pytest.raises(ServingError, match="`certificate` is given without `key`"):
        ClientTls(certificate="a.pem")
    with pytest.raises(ServingError, match="holds no `CERTIFICATE` in PEM"):
        ServingClient("127.0.0.1:1", tls=ClientTls(tmp_path / "a.pem"))
    with pytest.raises(ServingError, match=r"none.pem` cannot be read"):
        ServingClient("127.0.0.1:1", tls=ClientTls(tmp_path / "none.pem"))
