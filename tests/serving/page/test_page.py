"""The page as files and as a route: what HTTP says of them."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import sys
import threading
import time

import pytest

from tfhashtag.cli.demo import serve_page
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


@pytest.mark.parametrize("display", ["", ":0"])
def test_a_demo_ends_with_the_page_until_ctrl_c(models, monkeypatch, tmp_path, display):
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(opened)!r}, 'w').write(sys.argv[1])"
    )
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    seen, out = [], io.StringIO()

    def leave():
        while not (found := re.search(r"page +(http://127\.0\.0\.1:(\d+)/\S+)", out.getvalue())):
            time.sleep(0.05)
        while display and not (opened.exists() and opened.read_text()):
            time.sleep(0.05)
        connection = http.client.HTTPConnection("127.0.0.1", int(found[2]), timeout=30)
        connection.request("GET", "/")
        seen.extend([found[1], connection.getresponse().status])
        connection.close()
        os.kill(os.getpid(), signal.SIGINT)

    leaving = threading.Thread(target=leave)
    leaving.start()
    try:
        with contextlib.redirect_stdout(out):
            serve_page(models, model="toy", history="one #two\nthree")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    leaving.join()
    assert seen[0].endswith("/#model=toy&history=one+%23two%0Athree") and seen[1] == 200
    assert (opened.read_text() if opened.exists() else "") == (seen[0] if display else "")
