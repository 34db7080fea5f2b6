import json

import jsonschema
import openapi_spec_validator
import pytest

from tfhashtag.serving.rest.rest_handler import RestHandler
from tfhashtag.serving.versions.model_store import ModelStore

BODIES = {
    '{"instances": [[1, 2.5]]}': True,
    '{"instances": [{"x": [1, 2.5]}]}': True,
    '{"inputs": {"x": [[1, 2]]}}': True,
    '{"signature_name": "serving_default", "inputs": [[1, 2]]}': True,
    '{"signature_name": "next", "instances": [1, 41]}': True,
    '{"signature_name": "strings", "instances": [{"text": "a", "image": {"b64": "YQ=="}}]}': True,
    '{"signature_name": "spin", "inputs": 1}': True,
    '{"signature_name": "next", "inputs": [1.5]}': False,
    '{"signature_name": "next", "inputs": [2147483648]}': False,
    '{"signature_name": "strings", "instances": [{"text": "a"}]}': False,
    '{"signature_name": "spin", "instances": [1]}': False,
    '{"signature_name": "none", "instances": [1]}': False,
    '{"instances": []}': False,
    '{"instances": [["a", "b"]]}': False,
    "{}": False,
}


@pytest.fixture(scope="module")
def handler(types_models):
    store = ModelStore(types_models)
    yield RestHandler(store)
    store.close()


def asked(handler):
    answer = handler.answer("GET", "/openapi.json")
    assert (answer.status, answer.content_type) == (200, "application/json")
    return json.loads(answer.body)


def test_the_document_is_one(handler):
    document = asked(handler)
    openapi_spec_validator.validate(document)
    assert "/v1/models/types:predict" in document["paths"]


def test_the_document_and_the_server_agree(handler):
    document = asked(handler)
    post = document["paths"]["/v1/models/types:predict"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    for body, good in BODIES.items():
        answer = handler.answer("POST", "/v1/models/types:predict", body.encode())
        assert (answer.status == 200) == good, body
        assert jsonschema.Draft202012Validator(schema).is_valid(json.loads(body)) == good, body
        answered = post["responses"][str(answer.status)]["content"]["application/json"]["schema"]
        checked = {"components": document["components"], **answered}
        jsonschema.validate(json.loads(answer.body), checked)
