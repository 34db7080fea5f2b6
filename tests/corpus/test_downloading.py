"""Download against a real server on loopback: resume, broken transfers, wrong content."""

import hashlib
import http.server
import json
import threading

import pytest

from tfhashtag.cli.main import main
from tfhashtag.corpus import downloading
from tfhashtag.corpus.downloading import Dataset, download
from tfhashtag.errors import DataError

CONTENT = bytes(range(256)) * 2000


class Handler(http.server.BaseHTTPRequestHandler):
    ranges, break_after, status, body = True, None, None, CONTENT
    chunked = False
    protocol_version = "HTTP/1.1"
    requests: list

    def do_GET(self):
        cls = type(self)
        cls.requests.append(self.headers.get("Range"))
        if cls.status:
            self.send_error(cls.status)
            return
        start = 0
        if cls.chunked:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"fa0\r\n" + cls.body[:1000])
            return
        if cls.ranges and self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(cls.body) - start))
        self.end_headers()
        end = len(cls.body) if cls.break_after is None else start + cls.break_after
        self.wfile.write(cls.body[start:end])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    handler = type("OneTest", (Handler,), {"requests": []})
    files = {"a.csv": hashlib.sha256(CONTENT).hexdigest()}
    monkeypatch.setitem(downloading.DATASETS, "toy", Dataset("http://127.0.0.1:9/", files))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        handler.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield handler
        running.shutdown()
        thread.join()


def test_fetches_and_leaves_a_right_file_alone(server, tmp_path, capsys):
    (path,) = download("toy", tmp_path, url=server.url)
    assert path.read_bytes() == CONTENT
    main(["data", "download", "toy", "--out", str(tmp_path), "--url", server.url, "--json"])
    assert json.loads(capsys.readouterr().out) == {"folder": str(tmp_path), "files": ["a.csv"]}
    assert len(server.requests) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_transfers_go_on(server, tmp_path, ranges):
    server.ranges, server.break_after = ranges, 200_000
    if ranges:
        (path,) = download("toy", tmp_path, url=server.url)
        assert path.read_bytes() == CONTENT
        assert server.requests == [None, "bytes=200000-", "bytes=400000-"]
    else:
        with pytest.raises(DataError, match=r"not fetched after 3 tries"):
            download("toy", tmp_path, url=server.url)
        assert not (tmp_path / "a.csv").exists()
        server.break_after = None
        (path,) = download("toy", tmp_path, url=server.url)
        assert path.read_bytes() == CONTENT


def test_broken_chunked_transfer_leaves_no_file(server, tmp_path):
    server.chunked = True
    with pytest.raises(DataError, match=r"not fetched after 3 tries"):
        download("toy", tmp_path, url=server.url)
    assert not (tmp_path / "a.csv").exists()


def test_wrong_content_never_gets_the_name(server, tmp_path):
    server.body = CONTENT[:-1] + b"x"
    with pytest.raises(DataError, match=r"SHA-256"):
        download("toy", tmp_path, url=server.url)
    assert list(tmp_path.iterdir()) == []


def test_part_of_something_else_is_replaced(server, tmp_path):
    (tmp_path / "a.csv.part").write_bytes(b"x" * 1000)
    (path,) = download("toy", tmp_path, url=server.url)
    assert path.read_bytes() == CONTENT


def test_other_file_under_the_name_is_kept(server, tmp_path):
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(DataError, match=r"not the pinned file"):
        download("toy", tmp_path, url=server.url)
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_missing_on_the_server(server, tmp_path):
    server.status = 404
    with pytest.raises(DataError, match=r"answers 404.*--url"):
        download("toy", tmp_path, url=server.url)


def test_wrong_arguments(tmp_path):
    with pytest.raises(DataError, match=r"'toys' is not known"):
        download("toys", tmp_path)
    with pytest.raises(DataError, match=r"http, https or file"):
        download("howyoutag", tmp_path, url="ftp://x")


def test_pinned_sums_are_those_of_the_data(howyoutag, tmp_path):
    paths = download("howyoutag", tmp_path, url=howyoutag.absolute().as_uri())
    assert [path.name for path in paths] == ["train.csv", "valid.csv", "test.csv"]
