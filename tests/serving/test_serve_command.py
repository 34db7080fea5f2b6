"""The server and the client as programs of their own."""

import json
import pathlib
import re
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tfhashtag.cli.main", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_the_client_and_ends_cleanly(models, number):
    server = start("serve", models, "--port", 0)
    try:
        ready = server.stdout.readline()
        found = re.fullmatch(r"Ready: gRPC at (127\.0\.0\.1:\d+), models: other 7, toy 2\n", ready)
        assert found, ready + server.stderr.read()
        client = start(
            "client", "predict", found[1], "--model", "toy", "--signature", "words",
            "--input", 'text=["blue"]', "--input", 'user=["é"]',
        )  # fmt: skip
        out, err = client.communicate(timeout=120)
        assert client.returncode == 0, err
        assert json.loads(out) == {"ids": [2], "both": ["blueé"]}
        assert "é" in out
    finally:
        server.send_signal(number)
    _, err = server.communicate(timeout=60)
    assert server.returncode == 0, err
    assert "Traceback" not in err


def test_a_folder_without_models_is_one_clear_line(tmp_path):
    server = start("serve", tmp_path, "--port", 0)
    out, err = server.communicate(timeout=120)
    assert (server.returncode, out) == (1, "")
    assert "Error: " in err and "no model found" in err and "Traceback" not in err
