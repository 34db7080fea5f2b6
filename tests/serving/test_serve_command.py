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


def test_serve_answers_the_client_and_ends_cleanly(models):
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
        server.send_signal(signal.SIGTERM)
    _, err = server.communicate(timeout=60)
    assert server.returncode == 0, err
    assert "Traceback" not in err


def test_ctrl_c_ends_cleanly(models):
    server = start("serve", models, "--port", 0)
    ready = server.stdout.readline()
    server.send_signal(signal.SIGINT)
    _, err = server.communicate(timeout=60)
    assert ready.startswith("Ready"), err
    assert server.returncode == 0, err
    assert "Traceback" not in err


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(capsys, *arguments):
    from tfhashtag.cli.main import main

    try:
        main([str(argument) for argument in arguments])
        code = 0
    except SystemExit as ended:
        code = ended.code
    return code, *capsys.readouterr()


def test_a_folder_without_models_is_one_clear_line(tmp_path, capsys, signals):
    code, out, err = run(capsys, "serve", tmp_path, "--port", 0)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and "no model found" in err
    assert len(err.splitlines()) <= 2


def test_client_commands(server, capsys):
    code, out, _ = run(capsys, "client", "status", server.address, "--model", "toy")
    assert (code, [entry["version"] for entry in json.loads(out)]) == (0, [2, 1])
    code, out, _ = run(capsys, "client", "metadata", server.address, "--model", "toy")
    assert (code, json.loads(out)["version"]) == (0, 2)
    asked = ("client", "predict", server.address, "--model", "toy", "--input")
    code, out, _ = run(capsys, *asked, "x=[1, 2]", "--version", 1, "--output", "y")
    assert (code, json.loads(out)) == (0, {"y": [[2.0, 3.0]]})
    code, out, err = run(capsys, *asked, "x=[oops]")
    assert (code, out) == (1, "") and "is not JSON" in err
    code, out, err = run(capsys, "client", "status", server.address, "--model", "none")
    assert (code, out) == (1, "") and "NOT_FOUND" in err
    code, out, err = run(capsys, "client", "predict", server.address, "--model", "toy")
    assert (code, out) == (2, "") and "--input" in err
