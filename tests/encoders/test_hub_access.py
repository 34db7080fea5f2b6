"""The Hugging Face hub: nothing leads to it, or it answers."""

import http.server
import socket
import threading

import pytest
from huggingface_hub import constants

from tfhashtag.encoders.hub_access import check_hugging_face
from tfhashtag.encoders.load import load_image_encoder, load_text_encoder
from tfhashtag.errors import EncoderError

PLACE = "/{repo_id}/resolve/{revision}/{filename}"
MODEL = "hf://no-such-owner/no-such-model"


@pytest.fixture
def nobody(monkeypatch):
    """The hub's address is one that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # taken, and never listening
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + PLACE)
        yield address


@pytest.mark.parametrize("load", [load_text_encoder, load_image_encoder])
def test_no_way_to_the_hub_is_one_line(nobody, load):
    with pytest.raises(EncoderError) as refused:
        load(MODEL)
    message = str(refused.value)
    assert f"`{MODEL}` is not in the Hugging Face cache" in message
    assert nobody in message and "Connection refused" in message and "HF_HOME" in message
    assert "\n" not in message


def test_bertweet_names_its_own_way_out(nobody, monkeypatch):
    monkeypatch.delenv("TFHASHTAG_BERTWEET", raising=False)
    monkeypatch.setattr("tfhashtag.encoders.load._BERTWEET_HUB", MODEL)
    with pytest.raises(EncoderError, match="TFHASHTAG_BERTWEET"):
        load_text_encoder("bertweet")


def test_a_hub_that_answers_is_left_to_its_client(monkeypatch):
    class Unknown(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments):
            """Says nothing."""

    asked = []
    with http.server.HTTPServer(("127.0.0.1", 0), Unknown) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + PLACE)
        check_hugging_face(MODEL, "It", "Do this.")
        server.shutdown()
    assert asked == ["/no-such-owner/no-such-model/resolve/main/config.json"]


def test_what_is_not_of_the_hub_passes(nobody, tmp_path):
    check_hugging_face(str(tmp_path), "It", "Do this.")
    check_hugging_face("kaggle://owner/model/keras/variant", "It", "Do this.")
