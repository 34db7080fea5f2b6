import json
import logging
import urllib.request

import numpy as np
import pytest

from tfhashtag.errors import ServingError
from tfhashtag.serving.client import ServingClient
from tfhashtag.serving.server import ModelServer

SECRET = "my secret évening"


def ask(server):
    inputs = {"text": [SECRET], "user": ["me"]}
    with ServingClient(server.address) as client:
        client.predict("toy", inputs, "words")
        with pytest.raises(ServingError, match="NOT_FOUND"):
            client.predict("none", {"text": np.array([SECRET])})
    body = json.dumps({"signature_name": "words", "inputs": inputs}, ensure_ascii=False)
    request = urllib.request.Request(
        f"{server.rest_address}/v1/models/toy:predict", body.encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def test_requests_are_logged_for_those_who_ask(models, caplog):
    caplog.set_level(logging.INFO)
    with ModelServer(models, port=0, rest_port=0, log_requests=True) as server:
        ask(server)
    lines = [
        json.loads(record.getMessage())
        for record in caplog.records
        if record.name == "tfhashtag.serving.request_log"
    ]
    # A client asks for the signature, and which versions there are where it finds none.
    asked = [line for line in lines if line["method"].lower().endswith("predict")]
    assert [(line["method"], line["code"]) for line in asked] == [
        ("/tensorflow.serving.PredictionService/Predict", "OK"),
        ("/tensorflow.serving.PredictionService/Predict", "NOT_FOUND"),
        ("POST /v1/models/toy:predict", 200),
    ]
    assert all(SECRET in line["request"] and line["ms"] > 0 for line in asked)


def test_nothing_of_a_request_is_logged_else(models, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with ModelServer(models, port=0, rest_port=0) as server:
        ask(server)
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())
