import numpy as np
import pytest

from tfhashtag.errors import ServingError
from tfhashtag.serving.client import ServingClient, parse_input


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
    with pytest.raises(ServingError, match="NOT_FOUND"):
        client.status("none")


def test_no_server_and_a_deadline(server):
    with (
        ServingClient("127.0.0.1:1", timeout=5) as client,
        pytest.raises(ServingError, match=r"cannot reach a model server at `127.0.0.1:1`"),
    ):
        client.status("toy")
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
