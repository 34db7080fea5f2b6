"""The REST API over HTTP; what a stock server answers as well is asked in ../conformance, too."""

import gzip
import http.client
import json
import urllib.parse

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
)

from tfhashtag.serving.rest.rest_handler import RestHandler

MODEL = "/v1/models/types"
PREDICT = MODEL + ":predict"


@pytest.fixture(scope="module")
def ask(rest_server):
    address = urllib.parse.urlsplit(rest_server.rest_address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)

    def ask(verb, path, body=None, headers=None):
        if isinstance(body, dict):
            body = json.dumps(body)
        connection.request(verb, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        if answer.headers["Content-Type"] != "application/json":
            return answer.status, text
        return answer.status, json.loads(text)

    yield ask
    connection.close()


def test_rows_in_rows_out_one_object_a_row(ask):
    status, answer = ask("POST", PREDICT, {"instances": [[1, 2], [3.5, 4]]})
    assert status == 200
    assert answer == {"predictions": [{"sum": 3.0, "y": [2.0, 4.0]}, {"sum": 7.5, "y": [7.0, 8.0]}]}
    named = ask("POST", PREDICT, {"instances": [{"x": [1, 2]}, {"x": [3.5, 4]}]})
    assert named == (200, answer)


def test_columns_in_columns_out(ask):
    answer = (200, {"outputs": {"sum": [3.0, 7.5], "y": [[2.0, 4.0], [7.0, 8.0]]}})
    assert ask("POST", PREDICT, {"inputs": [[1, 2], [3.5, 4]]}) == answer
    assert ask("POST", PREDICT, {"inputs": {"x": [[1, 2], [3.5, 4]]}}) == answer


def test_a_version_and_case_of_the_path(ask):
    path = "/V1/Models/types/Versions/3:PREDICT"
    assert ask("POST", path, {"instances": [[1, 2]]})[0] == 200
    assert ask("POST", "/v1/models/%74ypes:predict", {"instances": [[1, 2]]})[0] == 200


def test_gzip_is_taken(ask):
    body = gzip.compress(b'{"signature_name": "next", "instances": [1]}')
    answer = ask("POST", PREDICT, body, {"Content-Encoding": "gzip"})
    assert answer == (200, {"predictions": [2]})
    status, answer = ask("POST", PREDICT, body[:-4], {"Content-Encoding": "gzip"})
    assert (status, "gzip" in answer["error"]) == (400, True)
    status, answer = ask("POST", PREDICT, body, {"Content-Encoding": "br"})
    assert (status, answer["error"]) == (400, "Content-Encoding br is not supported")


REFUSALS = {
    "both keys": ({"instances": [1], "inputs": [1]}, 400, "expecting only one of"),
    "neither key": ({}, 400, "Missing 'inputs' or 'instances' key"),
    "no rows": ({"instances": []}, 400, "No values in 'instances' array"),
    "instances are no list": ({"instances": 1}, 400, "Expecting 'instances' to be an list/array"),
    "no JSON": ("{", 400, "JSON Parse error: "),
    "nothing": ("", 400, "JSON Parse error: The document is empty"),
    "no object": ("[1]", 400, "Is not object"),
    "not UTF-8": (b'{"a": "\xff"}', 400, "JSON Parse error: Not UTF-8 at offset: 7"),
    "nested too deep": ("[" * 100_000, 400, "JSON Parse error: Nested too deep"),
    "a number too large": ('{"inputs": [1e999]}', 400, "Number too big to be stored in double."),
    "half a surrogate pair": (
        r'{"signature_name": "strings", "inputs": {"text": ["\ud800"], "image": [""]}}',
        400,
        "JSON Parse error: The surrogate pair in string is invalid.",
    ),
    "signature is no string": ({"signature_name": 1}, 400, "key must be a string value."),
    "unknown signature": (
        {"signature_name": "S", "instances": [1]},
        400,
        'Serving signature name: "S" not found in signature def',
    ),
    "float for an integer": (
        {"signature_name": "next", "instances": [1, 2.0]},
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
        "2.0 Type: Number is not of expected type: int32",
    ),
    "integer too large": (
        {"signature_name": "next", "inputs": [2**31]},
        400,
        "JSON Value: 2147483648 Type: Number is not of expected type: int32",
    ),
    "string for a float": (
        {"inputs": [["a", 1]]},
        400,
        'JSON Value: "a" Type: String is not of expected type: float',
    ),
    "ragged rows": (
        {"instances": [[1, 2], [1, 2, 3]]},
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "tensor size: 2 but got: 3",
    ),
    "rows of other shapes": (
        {"signature_name": "same", "instances": [[1, 2], [[1, 2]]]},
        400,
        "Expecting shape [2] but got: [1,2]",
    ),
    "ragged columns": (
        {"inputs": [[1, 2], [3]]},
        400,
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "a list too deep": (
        {"inputs": [1, [2]]},
        400,
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    "a list missing": (
        {"inputs": [[1, 2], 3]},
        400,
        "JSON Value: 3 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    "plain rows for two inputs": (
        {"signature_name": "strings", "instances": ["a"]},
        400,
        "instances is a plain list, but expecting list of objects",
    ),
    "plain columns for two inputs": (
        {"signature_name": "strings", "inputs": ["a"]},
        400,
        "inputs is a plain value/list, but expecting an object",
    ),
    "an input is missing": (
        {"signature_name": "strings", "inputs": {"text": ["a"]}},
        400,
        "Missing named input: image in 'inputs' object.",
    ),
    "a row lacks an input": (
        {"signature_name": "strings", "instances": [{"text": "a"}]},
        400,
        "keys must be equal to: image,text",
    ),
    "a row has an unknown input": (
        {"instances": [{"x": [1, 2], "more": 1}]},
        400,
        "JSON object: does not have named input: more",
    ),
    "objects and lists mixed": (
        {"instances": [{"x": [1, 2]}, [1, 2]]},
        400,
        "Expecting object but got list at item 1 of input list",
    ),
    "lists and objects mixed": (
        {"instances": [[1, 2], {"x": [1, 2]}]},
        400,
        "Expecting value/list but got object at item 1 of input list",
    ),
    "base64 for a number": (
        {"signature_name": "next", "inputs": {"b64": "AAAA"}},
        400,
        "Type: Object is not of expected type: int32",
    ),
    "no base64": (
        {"signature_name": "strings", "inputs": {"text": [{"b64": "*"}], "image": [""]}},
        400,
        "Unable to base64 decode",
    ),
    "base64 with more keys": (
        {"signature_name": "strings", "inputs": {"text": [{"b64": "", "c": 1}], "image": [""]}},
        400,
        "not formatted correctly for base64 data",
    ),
    "null": ({"inputs": [[None, 1]]}, 400, "JSON Value: null Type: Null is not of expected type"),
    "a shape that an op refuses": ({"inputs": [1, 2]}, 400, ""),
    "rows from scalars": (
        {"signature_name": "spin", "instances": [1]},
        400,
        "",
    ),
    "a type without JSON": (
        {"signature_name": "half", "inputs": [1]},
        501,
        "Conversion of JSON Value: 1 to type: half",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_predict_refuses_with_status_and_words(ask, case):
    body, status, words = REFUSALS[case]
    found, answer = ask("POST", PREDICT, body)
    assert found == status, answer
    assert list(answer) == ["error"]
    assert words in answer["error"] and answer["error"]


PATHS = {
    "get on predict": ("GET", PREDICT, 400, f"Malformed request: GET {PREDICT}"),
    "post on status": ("POST", MODEL, 400, f"Malformed request: POST {MODEL}"),
    "another verb": ("PUT", MODEL, 400, f"Malformed request: PUT {MODEL}"),
    "unknown method": ("POST", MODEL + ":ask", 400, f"Malformed request: POST {MODEL}:ask"),
    "unknown path": ("GET", "/v1/things", 400, "Malformed request: GET /v1/things"),
    "outside of the API": ("GET", "/index.html", 404, "Malformed request: GET /index.html"),
    "no model": ("GET", "/v1/models", 400, "Missing model name in request."),
    "status of an unknown model": (
        "GET", "/v1/models/M", 404, "Could not find any versions of model M",
    ),
    "metadata of an unknown model": (
        "GET", "/v1/models/M/metadata", 404, "Servable not found for request: Latest(M)",
    ),
    "unknown model": (
        "POST", "/v1/models/M:predict", 404, "Servable not found for request: Latest(M)",
    ),
    "unknown version": (
        "POST", MODEL + "/versions/9:predict", 404,
        "Servable not found for request: Specific(types, 9)",
    ),
    "unknown label": (
        "POST", MODEL + "/labels/canary:predict", 400,
        "Unrecognized servable version label: canary",
    ),
    "classify without examples": (
        "POST", MODEL + ":classify", 400,
        'JSON Value: {"instances":[[1,2]]} When method is classify, '
        "key 'examples' is expected and was not found",
    ),
    "version beyond 64 bits": (
        "GET", MODEL + "/versions/99999999999999999999", 400,
        "Failed to convert version: 99999999999999999999 to numeric.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PATHS)
def test_paths_and_verbs(ask, case):
    verb, path, status, words = PATHS[case]
    found, answer = ask(verb, path, {"instances": [[1, 2]]} if verb != "GET" else None)
    assert (found, answer) == (status, {"error": words})


@pytest.mark.parametrize("api", ["classify", "regress"])
def test_signatures_for_examples_are_missed(ask, api):
    kind = {"classify": "classification", "regress": "regression"}[api]
    body = {"examples": [{"text": "a"}]}
    status, answer = ask("POST", f"{MODEL}:{api}", body)
    assert (status, answer["error"]) == (
        400,
        f"Expected {kind} signature method_name to be tensorflow/serving/{api}. "
        "Was: tensorflow/serving/predict",
    )
    status, answer = ask("POST", f"{MODEL}:{api}", {"examples": []})
    assert (status, "'examples' value is an empty array" in answer["error"]) == (400, True)
    status, answer = ask("POST", f"{MODEL}:{api}", {"examples": 1})
    assert (status, "value to be an list/array" in answer["error"]) == (400, True)


def test_requests_are_counted_where_prometheus_looks(ask, rest_server):
    body = {"signature_name": "next", "instances": [1]}
    ask("POST", PREDICT, body)
    ask("POST", "/v1/models/never-heard-of:predict", body)
    status, page = ask("GET", "/monitoring/prometheus/metrics")
    assert status == 200
    assert b':tensorflow:serving:request_count{model_name="types",status="OK"}' in page
    assert b'API="predict",entrypoint="REST",model_name="types"' in page
    assert b'model_name="",status="NOT_FOUND"' in page
    assert b"never-heard-of" not in page


def test_metadata_holds_the_signatures(ask):
    status, answer = ask("GET", MODEL + "/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "types", "signature_name": "", "version": "3"}
    found = json_format.ParseDict(
        answer["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    )
    assert found.signature_def["next"].inputs["id"].dtype == tf.int32.as_datatype_enum
    assert "__saved_model_init_op" in found.signature_def


def test_six_mebibytes(ask):
    rows = np.random.default_rng(0).random([160_000, 2])
    body = json.dumps({"inputs": rows.tolist()})
    assert len(body) > 6 * 2**20
    status, answer = ask("POST", PREDICT, body)
    assert status == 200
    doubled = np.array(answer["outputs"]["y"], np.float32)
    assert (doubled == 2 * rows.astype(np.float32)).all()


def test_larger_than_the_limit_is_refused_and_the_server_goes_on(ask):
    status, answer = ask("POST", PREDICT, b" " * (16 * 2**20 + 1))
    assert (status, answer) == (413, {"error": "The request is larger than 16777216 bytes"})
    bomb = gzip.compress(b" " * (17 * 2**20))
    status, answer = ask("POST", PREDICT, bomb, {"Content-Encoding": "gzip"})
    assert (status, answer) == (413, {"error": "The request is larger than 16777216 bytes"})
    assert ask("POST", PREDICT, {"instances": [[1, 2]]})[0] == 200


def test_probes(ask):
    for path in ("/healthz", "/readyz"):
        assert ask("GET", path) == (200, {"status": "ok"})
        assert ask("POST", path, "{}")[0] == 404


def test_a_model_without_versions_is_not_ready():
    class Store:
        names = ("good", "bad")

        def available(self, name):
            return [1] if name == "good" else []

    handler = RestHandler(Store())
    assert handler.answer("GET", "/healthz").status == 200
    found = handler.answer("GET", "/readyz")
    assert (found.status, json.loads(found.body)) == (
        503,
        {"error": "No version available of: bad"},
    )


def test_no_page_of_another_origin_may_ask_unless_told(rest_server):
    address = urllib.parse.urlsplit(rest_server.rest_address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    connection.request("OPTIONS", PREDICT)
    answer = connection.getresponse()
    assert answer.status == 400 and "Access-Control-Allow-Origin" not in answer.headers
    connection.close()
