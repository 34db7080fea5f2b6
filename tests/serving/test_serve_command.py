"""The server and the client as programs of their own."""

import functools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import grpc
import jsonschema
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfhashtag.cli.output import schema_of
from tfhashtag.cli.serve import command
from tfhashtag.errors import ServingError
from tfhashtag.serving.client import ServingClient
from tfhashtag.serving.runtime.tensors import make_tensor, parse_tensor

ROOT = pathlib.Path(__file__).parents[2]


STEPS = np.array(2**30, np.int32)
FINISHED = "running requests are finished first.\n"


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tfhashtag.cli.main", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


STOCK_FLAGS = """
port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms
rest_api_enable_cors_support enable_batching allow_version_labels_for_unavailable_models
batching_parameters_file enable_per_model_batching_parameters model_config_file
model_config_file_poll_wait_seconds model_name model_base_path num_load_threads num_unload_threads
max_num_load_retries load_retry_interval_micros file_system_poll_wait_seconds
flush_filesystem_caches tensorflow_session_parallelism tensorflow_session_config_file
tensorflow_intra_op_parallelism tensorflow_inter_op_parallelism use_alts_credentials ssl_config_file
platform_config_file per_process_gpu_memory_fraction saved_model_tags grpc_channel_arguments
grpc_max_threads enable_model_warmup num_request_iterations_for_warmup version
monitoring_config_file remove_unused_fields_from_bundle_metagraph prefer_tflite_model
num_tflite_pools num_tflite_interpreters_per_pool enable_signature_method_name_check
xla_cpu_compilation_enabled xla_gpu_compilation_enabled enable_profiler
thread_pool_factory_config_file mixed_precision skip_initialize_tpu
enable_grpc_healthcheck_service enable_serialization_as_tensor_content
"""


def test_every_flag_of_the_stock_server_is_taken_or_told_why_not():
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    start, end = text.index("| flags of the stock server |"), text.index("Requests that shall be")
    told = re.findall(r"`(\w+)`", text[start:end])
    taken = {name for option in command.params for name in option.opts}
    for flag in STOCK_FLAGS.split():
        assert ("--" + flag.replace("_", "-") in taken) != (flag in told), flag
    assert set(told) <= set(STOCK_FLAGS.split()) | {"version"}


def test_switches_may_have_a_value():
    arguments = ["m", "--enable_batching=true", "--rest_api_enable_cors_support=false", "--host=x"]
    found = command.make_context("serve", arguments).params
    assert (found["batching"], found["rest_cors"], found["host"]) == (True, False, "x")


def test_serve_answers_the_client_and_a_second_signal_ends_it_at_once(models, capsys):
    server = start("serve", models, "--port", 0, "--rest-port", 0, "--log-requests", "--no-page")
    try:
        ready = server.stdout.readline()
        found = re.fullmatch(
            r"Ready: gRPC at (127\.0\.0\.1:\d+), REST at (http://127\.0\.0\.1:\d+), "
            r"models: other 7, toy 2\n",
            ready,
        )
        assert found, ready + server.stderr.read()
        with urllib.request.urlopen(f"{found[2]}/v1/models/toy", timeout=30) as answer:
            assert json.load(answer)["model_version_status"][0]["version"] == "2"
        code, out, err = run(
            capsys, "client", "predict", found[1], "--model", "toy", "--signature", "words",
            "--input", 'text=["blue"]', "--input", 'user=["é"]',
        )  # fmt: skip
        assert (code, json.loads(out)) == (0, {"ids": [2], "both": ["blueé"]}), err
        assert "é" in out
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(found[2], timeout=30)
        with ServingClient(found[1], timeout=100) as client, ThreadPoolExecutor() as pool:
            endless = pool.submit(client.predict, "toy", {"steps": STEPS}, "spin")
            client.predict("toy", {"x": [1, 2]})
            server.send_signal(signal.SIGTERM)
            lines = list(iter(server.stderr.readline, "Stopping: " + FINISHED))
            server.send_signal(signal.SIGTERM)
            with pytest.raises(ServingError):
                endless.result()
    finally:
        server.send_signal(signal.SIGKILL)
        _, err = server.communicate(timeout=60)
    assert server.returncode == 128 + signal.SIGTERM, err
    assert "Traceback" not in err
    logged = [json.loads(line) for line in lines if line.startswith('{"method"')]
    assert [line["method"] for line in logged][:2] == [
        "GET /v1/models/toy", "/tensorflow.serving.PredictionService/GetModelMetadata",
    ]  # fmt: skip


def test_with_batching_an_operation_has_one_thread(models, monkeypatch, capsys, signals):
    """Said before the server loads its models; else TensorFlow chooses."""
    asked = []
    threads = "tensorflow.config.threading.set_intra_op_parallelism_threads"
    monkeypatch.setattr(threads, asked.append)  # too late in this process

    def told(*_, **__):
        raise ServingError(f"loading with {asked}")

    monkeypatch.setattr("tfhashtag.serving.server.ModelServer", told)
    batching = ["--enable-batching"]
    for options, said in (
        ([], "[]"),
        (batching, "[1]"),
        ([*batching, "--tensorflow-intra-op-parallelism", "3"], "[3]"),
    ):
        asked.clear()
        code, _, err = run(capsys, "serve", models, "--port", 0, *options)
        assert code == 1 and f"loading with {said}" in err


def test_a_taken_port_is_one_clear_line(models, capsys, signals):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, err = run(capsys, "serve", models, "--port", taken.getsockname()[1])
    assert (code, out, len(err.splitlines())) == (1, "", 1), err
    assert err.startswith("Error: cannot listen on `127.0.0.1:")


@pytest.fixture
def signals():
    changed = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in changed}
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


def test_a_wrong_path_is_told_before_a_taken_port(tmp_path, capsys, signals):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, error = run(capsys, "serve", tmp_path, "--port", port, "--rest-port", port)
    assert code == 1
    assert "no model found" in error and "--port" not in error


WRONG_USE = {
    "nothing to serve": ((), 2, "Give either MODELS or --model-config-file"),
    "a folder and a file": (
        [".", "--model-config-file", "models.config"],
        2,
        "Give either MODELS or --model-config-file",
    ),
    "a folder and a model": (
        [".", "--model-base-path", "."],
        2,
        "Give either MODELS or --model-config-file or --model-base-path",
    ),
    "no TLS": (("m", "--ssl-config-file", "none"), 1, "`none` cannot be read"),
    "no batching": (("m", "--batching-parameters-file", "none"), 1, "none"),
    "no monitoring": (("m", "--monitoring-config-file", "none"), 1, "`none` cannot be read"),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_is_one_clear_line(case, tmp_path, monkeypatch, capsys, signals):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m/toy/1").mkdir(parents=True)
    (tmp_path / "m/toy/1/saved_model.pb").touch()
    arguments, expected, words = WRONG_USE[case]
    code, out, err = run(capsys, "serve", *arguments)
    assert (code, out) == (expected, "")
    assert words in err


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


def ready_line(server):
    ready = server.stdout.readline()
    assert ready.startswith("Ready"), ready + server.stderr.read()
    return ready


@pytest.mark.parametrize(
    "options", [[], pytest.param(["--enable-batching"], marks=pytest.mark.slow)]
)
def test_flags_as_a_stock_server_has_them_and_nothing_else_is_printed(models, tmp_path, options):
    hidden = ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    socket_path = tmp_path / "grpc.sock"
    flags = [
        "--model_name=single", f"--model_base_path={models / 'toy'}", "--port=0",
        "--rest_api_port=0", f"--grpc_socket_path={socket_path}", "--rest_api_enable_cors_support",
        "--rest_api_num_threads=4", "--rest_api_timeout_in_ms=20000",
    ]  # fmt: skip
    with open(tmp_path / "out", "w+") as out, open(tmp_path / "err", "w+") as err:
        server = subprocess.Popen(
            [sys.executable, "-m", "tfhashtag.cli.main", "serve", *flags, *options],
            cwd=ROOT, stdout=out, stderr=err, env=environment,
        )  # fmt: skip
        try:
            until = time.monotonic() + 100
            while not (ready := (tmp_path / "out").read_text()) and server.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.05)
            assert ready.endswith("models: single 2\n"), (tmp_path / "err").read_text()
            with grpc.insecure_channel(f"unix:{socket_path}") as channel:
                stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                request = predict_pb2.PredictRequest()
                request.model_spec.name = "single"
                request.inputs["x"].CopyFrom(make_tensor(np.ones([1, 2], np.float32)))
                response = stub.Predict(request, timeout=60)
            assert parse_tensor(response.outputs["y"]).tolist() == [[3, 3]]
            rest = re.search(r"REST at (\S+),", ready)[1]
            asked = urllib.request.Request(f"{rest}/v1/models/single:predict", method="OPTIONS")
            for request in (asked, f"{rest}/v1/models/single"):
                with urllib.request.urlopen(request, timeout=30) as answer:
                    assert answer.headers["Access-Control-Allow-Origin"] == "*"
                    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
        finally:
            server.kill()
            server.wait()
    assert re.fullmatch(r"Ready: .*\n", (tmp_path / "out").read_text())
    assert (tmp_path / "err").read_text() == f"loading single, version 2\nStopping: {FINISHED}"


def configuration(path, models, *names):
    """Writes a file of models; each serves all versions, of which one is called stable."""
    listed = "".join(
        f'config {{ name: "{name}" base_path: "{models}/toy" model_platform: "tensorflow" '
        'model_version_policy { all {} } version_labels { key: "stable" value: 1 } } '
        for name in names
    )
    path.write_text(f"model_config_list {{ {listed} }}")


def takes_changes(client, server, path, models, change):
    """A changed file is taken, one that cannot be read is told, and the next is taken again."""

    def wait_for(model):
        until = time.monotonic() + 60
        while True:
            change()
            try:
                return client.predict(model, {"x": np.ones([1, 2], np.float32)})
            except ServingError:
                assert time.monotonic() < until and server.poll() is None
                time.sleep(0.1)

    wait_for("first")
    configuration(path, models, "first", "second")
    wait_for("second")
    path.write_text("nonsense")
    change()
    assert "is not taken as it is" in server.stderr.readline()
    wait_for("second")
    configuration(path, models, "second", "third")
    wait_for("third")


def test_a_file_of_models_is_read_and_by_a_signal_once_more(models, tmp_path):
    path = tmp_path / "models.config"
    configuration(path, models, "first")
    server = start(
        "serve", "--model-config-file", path, "--port", 0, "--no-rest",
        "--model-config-file-poll-wait-seconds", 0, "--quiet",
        "--allow-version-labels-for-unavailable-models",
    )  # fmt: skip
    try:
        ready = ready_line(server)
        assert ready.endswith("models: first 2 1\n"), ready
        with ServingClient(re.search(r"gRPC at (\S+),", ready)[1], timeout=100) as client:
            assert client.predict("first", {"x": [1, 2]}, label="stable")["y"].tolist() == [[2, 3]]
            hang_up = functools.partial(server.send_signal, signal.SIGHUP)
            takes_changes(client, server, path, models, hang_up)
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc names the threads")
def test_a_file_is_looked_at_parallelism_and_a_clean_end_by_ctrl_c(models, tmp_path):
    """The threads that run operations are called `tf_Compute`, one for each at a time."""
    path = tmp_path / "models.config"
    configuration(path, models, "first")
    server = start(
        "serve", "--model-config-file", path, "--model-config-file-poll-wait-seconds", 0.05,
        "--port", 0, "--no-rest", "--json", "--quiet",
        "--allow-version-labels-for-unavailable-models",
        "--tensorflow-intra-op-parallelism", 1, "--tensorflow-inter-op-parallelism", 5,
    )  # fmt: skip
    try:
        ready = json.loads(server.stdout.readline() or server.stderr.read())
        jsonschema.validate(ready, schema_of(command))
        assert ready["rest"] is None and set(ready["models"]) == {"first"}
        tasks = pathlib.Path(f"/proc/{server.pid}/task").glob("*/comm")
        assert [task.read_text().strip() for task in tasks].count("tf_Compute") == 5
        with ServingClient(ready["grpc"], timeout=100) as client:
            takes_changes(client, server, path, models, lambda: None)
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=60)
        assert server.returncode == 0 and "Traceback" not in err, err
    finally:
        server.kill()
        server.communicate(timeout=60)
