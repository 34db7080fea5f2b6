"""Case 23: REST, over HTTP."""

import json
import math
import urllib.error
import urllib.request

import pytest

PREDICT = "/v1/models/toy:predict"


@pytest.fixture(scope="module")
def ask(rest):
    """Status and document of an answer."""

    def ask(path, body=None):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        try:
            with urllib.request.urlopen(rest + path, data, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return ask


def test_23_rows_and_columns(ask):
    rows = [{"text": "a", "user": "é"}, {"text": "", "user": "b"}]
    assert ask(PREDICT, {"signature_name": "words", "instances": rows}) == (
        200,
        {"predictions": rows},
    )
    columns = {"text": ["a", ""], "user": ["é", "b"]}
    assert ask(PREDICT, {"signature_name": "words", "inputs": columns}) == (
        200,
        {"outputs": columns},
    )


def test_23_one_output_drops_its_name(ask):
    body = {"signature_name": "negate", "instances": [[1, 2]]}
    assert ask(PREDICT, body) == (200, {"predictions": [[-1.0, -2.0]]})
    body["instances"] = [{"x": [1, 2]}]
    assert ask(PREDICT, body) == (200, {"predictions": [[-1.0, -2.0]]})
    body = {"signature_name": "negate", "inputs": [[1, 2]]}
    assert ask(PREDICT, body) == (200, {"outputs": [[-1.0, -2.0]]})


def test_23_bytes(ask):
    body = {"signature_name": "picture", "instances": [{"b64": "AP8="}, "a"]}
    assert ask(PREDICT, body) == (200, {"predictions": [{"b64": "AP8="}, {"b64": "YQ=="}]})
    body = {"signature_name": "words", "inputs": {"text": [{"b64": "w6k="}], "user": ["é"]}}
    assert ask(PREDICT, body) == (200, {"outputs": {"text": ["é"], "user": ["é"]}})


def test_23_nan_and_infinity(ask):
    status, answer = ask(PREDICT, b'{"signature_name": "negate", "inputs": [[NaN, Infinity]]}')
    assert status == 200
    assert math.isnan(answer["outputs"][0][0])
    assert answer["outputs"][0][1] == -math.inf


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"instances": [[1, 2]], "inputs": [[1, 2]]}, "expecting only one of"),
        ({"signature_name": "negate"}, "Missing 'inputs' or 'instances' key"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [[1, "a"]]}, "is not of expected type: float"),
        (b"{", "JSON Parse error"),
    ],
)
def test_23_wrong_bodies(ask, body, words):
    status, answer = ask(PREDICT, body)
    assert status == 400
    assert words in answer["error"]


def test_23_wrong_verbs_and_unknown_models(ask):
    assert ask(PREDICT) == (400, {"error": f"Malformed request: GET {PREDICT}"})
    status, answer = ask("/v1/models/none:predict", {"instances": [[1, 2]]})
    assert status == 404
    assert "Servable not found for request: Latest(none)" in answer["error"]
    status, answer = ask("/v1/models/none")
    assert (status, answer["error"]) == (404, "Could not find any versions of model none")


def test_23_status_and_versions(ask):
    status, answer = ask("/v1/models/toy")
    assert status == 200
    assert answer["model_version_status"] == [
        {
            "version": version,
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        for version in ("2", "1")
    ]
    status, answer = ask("/v1/models/toy/versions/1/metadata")
    assert (status, answer["model_spec"]["version"]) == (200, "1")
    body = {"instances": [[1, 2]]}
    assert ask("/v1/models/toy/versions/1:predict", body)[1]["predictions"][0]["y"] == [2.0, 3.0]
