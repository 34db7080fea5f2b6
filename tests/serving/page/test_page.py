"""The page as files and as a route: what HTTP says of them."""

import http.client
import json

import pytest

from tfhashtag.serving.config.transport import Transport
from tfhashtag.serving.server import ModelServer


@pytest.fixture(scope="module")
def served(models):
    with ModelServer(models, port=0, rest_port=0) as running:
        yield running


def get(server, path, verb="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
    try:
        connection.request(verb, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind", "begins"),
    [
        ("/", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/page/page.css", "text/css; charset=utf-8", b":root"),
        ("/page/page.js", "text/javascript; charset=utf-8", b"// "),
        ("/page/icon.svg", "image/svg+xml", b"<svg"),
        ("/page/models", "application/json", b'{"models"'),
    ],
)
def test_each_file_has_its_type_and_is_sent_once(served, path, kind, begins):
    status, headers, body = get(served, path)
    assert (status, headers["content-type"], body[: len(begins)]) == (200, kind, begins)
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    again, kept, nothing = get(served, path, **{"If-None-Match": f'"other", W/{headers["etag"]}'})
    assert (again, nothing, kept["etag"]) == (304, b"", headers["etag"])
    status, told, nothing = get(served, path, verb="HEAD")
    assert (status, nothing, told["content-length"]) == (200, b"", str(len(body)))


@pytest.mark.parametrize("path", ["/page/", "/page/page.py", "/page/../server.py", "/page/none.js"])
def test_nothing_else_is_a_file(served, path):
    status, _, body = get(served, path)
    assert (status, json.loads(body)) == (404, {"error": f"Malformed request: GET {path}"})


def test_without_the_page_nothing_of_it_answers(models):
    with ModelServer(models, port=0, rest_port=0, transport=Transport(rest_page=False)) as bare:
        assert get(bare, "/")[0] == get(bare, "/page/models")[0] == 404
        assert get(bare, "/v1/models/toy")[0] == 200


def test_models_tell_their_versions_and_what_a_savedmodel_without_cards_tells(served):
    found = json.loads(get(served, "/page/models")[2])["models"]
    assert [model["name"] for model in found] == ["other", "toy"]
    (version,) = found[1]["versions"]
    assert (version["version"], version["state"], version["error"]) == ("2", "AVAILABLE", "")
    assert version["card"] is None and version["problems"] == []
    assert version["signatures"]["spin"]["inputs"] == {
        "steps": {"dtype": "int32", "shape": [], "meaning": "", "example": None}
    }
    assert version["signatures"]["serving_default"]["inputs"]["x"]["shape"] == ["?", 2]


def test_cards_are_told_and_a_broken_one_does_not_hide_the_model(served, models):
    cards = models / "other" / "7" / "assets.extra"
    cards.mkdir()
    try:
        (cards / "model_card.json").write_text('{"metrics": {"MAP": NaN}}', encoding="utf-8")
        (cards / "signatures.json").write_text("[1]", encoding="utf-8")
        body = get(served, "/page/models")[2]
        (version,) = json.loads(body)["models"][0]["versions"]
    finally:
        for path in cards.iterdir():
            path.unlink()
        cards.rmdir()
    assert b"NaN" not in body
    assert version["card"] == {"metrics": {"MAP": None}}
    assert version["problems"] == ["signatures.json cannot be read: expected an object"]
    assert "serving_default" in version["signatures"]
