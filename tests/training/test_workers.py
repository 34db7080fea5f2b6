"""Two processes train as one: the same weights, also after a kill; who stays away is named.

The two of users are the fast twins of that of posts, which shares its lists as `engagement` does.
"""

import functools
import json
import os
import socket
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
import tensorflow as tf

from tests.fixtures.training import ROOT, SMALL
from tfhashtag.cli.main import main
from tfhashtag.errors import ConfigError, WorkerError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.runs.run import Run
from tfhashtag.runs.train import train
from tfhashtag.training.cluster import Cluster
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.workers import Workers

# Trains what is described on the command line; a worker of which `kill_at` is asked ends itself
# there, after so many steps on shares of a batch.
WORKER = """
import json, os, signal, sys
from tfhashtag.cli.main import main
from tfhashtag.runs import train
from tfhashtag.training.monitor import TrainingMonitor

jobs, kill_at = json.loads(sys.argv[1])
report = TrainingMonitor.report
def killed(self, phase, epoch, step, values):
    report(self, phase, epoch, step, values)
    if step == kill_at and self.folder is None:
        os.kill(os.getpid(), signal.SIGKILL)
TrainingMonitor.report = killed
train.can_answer = lambda settings: False  # the table of vectors embeds no question
for arguments in jobs:
    try:
        main(["train", "--strategy", "multi_worker", "--worker-timeout", "120", *arguments])
    except SystemExit as ended:
        if ended.code:
            raise
"""
# Without dropout, whose draws differ. Shares of these batches are of unequal size. Steps are small:
# Adam moves a weight by the learning rate however small its gradient is, and one that is all
# rounding error goes another way when its parts are summed in another order.
JOBS = {
    "engagement": (
        "data.hashtag_names=messages",
        "data.taste_width=6",
        "network.members=2",
        "network.hidden=[8]",
        "network.trees=20",
        "network.dropout=0",
        "training.futures=[[0.6, 1.0]]",
        "training.batch_users=5",
        "training.epochs=2",
        "training.refit=false",
        "training.learning_rate=5e-5",
    ),
    "posts": (
        "image_encoder=none",
        "data.hashtag_names=none",
        "data.taste_width=6",
        "data.minimum_posts=3",
        "network.members=2",
        "network.hidden=[8]",
        "network.dropout=0",
        "training.futures=[[0.6, 1.0]]",
        "training.batch_posts=21",
        "training.epochs=2",
        "training.refit=false",
        "training.learning_rate=5e-5",
    ),
    "engagement_paper": (
        *SMALL,
        "training.batch_users=7",
        "training.epochs.topics=0",
        "training.epochs.joint=0",  # draws topics
        "training.learning_rate=5e-5",
    ),
}
# Models that the same two processes train, one after the other.
TOGETHER = (("engagement", "engagement_paper"), ("posts",))


def free_addresses(count):
    """Of this machine; their ports are free as long as nobody else takes them."""
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in with_ports]
    for server in with_ports:
        server.close()
    return tuple(f"127.0.0.1:{port}" for port in ports)


def config_of(addresses, index):
    cluster = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    return json.dumps(cluster)


def together(jobs, kill_at=None):
    """Runs two workers to their end; gives return code, stdout and stderr of each."""
    addresses, processes = free_addresses(2), []
    for index in range(2):
        mine = [
            [*job, "--out", str(out) if index == 0 else str(out.with_name("nowhere"))]
            for job, out in jobs
        ]
        command = [sys.executable, "-c", WORKER, json.dumps([mine, kill_at])]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment["TF_CONFIG"] = config_of(addresses, index)
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
    outputs = [process.communicate(timeout=300) for process in processes]
    return [(p.returncode, *found) for p, found in zip(processes, outputs, strict=True)]


@pytest.fixture(scope="module")
def commands(encoded_corpus):
    """The arguments of each training, and its settings."""
    folder, table = encoded_corpus
    found = {}
    for name, sets in JOBS.items():
        every = (f"text_encoder={table}", *sets)
        options = [argument for value in every for argument in ("--set", value)]
        found[name] = [name, "--data", str(folder), "--quiet", *options], every
    return found


@pytest.fixture(scope="module")
def shared(commands, tmp_path_factory):
    """A function from a model to what two workers trained."""
    folder = tmp_path_factory.mktemp("workers")

    @functools.cache
    def trained(names):
        for code, _, errors in together([(commands[name][0], folder / name) for name in names]):
            assert code == 0, errors
        assert not (folder / "nowhere").exists()
        return {name: Run.open(folder / name) for name in names}

    return lambda name: trained(next(names for names in TOGETHER if name in names))[name]


def weights_of(run):
    with np.load(run.weights / "model.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name.startswith("model/")}


def epochs_of(run):
    lines = map(json.loads, run.log_file.read_text().splitlines())
    return [line for line in lines if "phase" in line]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "posts")) for n in JOBS]
)
def test_two_workers_learn_what_one_process_learns(
    name, commands, shared, encoded_corpus, tmp_path
):
    options = TrainingOptions(progress=False)
    one = train(
        name, encoded_corpus[0], tmp_path / "run", overrides=commands[name][1], options=options
    )
    other = shared(name)
    alone, together = weights_of(one), weights_of(other)
    assert alone.keys() == together.keys()
    for key, values in alone.items():
        np.testing.assert_allclose(together[key], values, atol=1e-5, rtol=1e-5, err_msg=key)
    for mine, theirs in zip(epochs_of(one), epochs_of(other), strict=True):
        assert theirs == pytest.approx(mine, abs=1e-4)
    moved = [np.abs(values).max() for key, values in alone.items() if "bias" in key]
    assert max(moved) > 1e-4  # they start at 0: there was something to go wrong by
    assert other.info["options"]["strategy"] == "multi_worker"


@pytest.mark.slow  # `test_a_lost_worker_is_told` is the fast twin, and `test_train` of resuming
@pytest.mark.timeout(600)
def test_a_killed_worker_is_told_and_the_training_goes_on(commands, shared, tmp_path):
    arguments, out = commands["engagement"][0], tmp_path / "run"
    (code, _, errors), (killed, _, _) = together([(arguments, out)], kill_at=0)
    assert killed == -9 and code == 1
    assert "worker 1 of 2" in errors and "lost" in errors and "--resume" in errors
    assert "Traceback" not in errors and len(errors.strip().splitlines()) == 1, errors
    assert not Run.open(out).complete and len(epochs_of(Run.open(out))) == 1
    (code, _, errors), (other, printed, more) = together([([*arguments, "--resume"], out)])
    assert code == other == 0, errors + more
    assert "the chief has written the run" in printed
    assert epochs_of(Run.open(out)) == epochs_of(shared("engagement"))
    for key, values in weights_of(shared("engagement")).items():
        np.testing.assert_array_equal(weights_of(Run.open(out))[key], values, err_msg=key)


def test_a_lost_worker_is_told():
    """By what TensorFlow says of it, here in its own words."""
    addresses = free_addresses(3)
    nobody = Workers(Cluster(addresses, 0), None)
    with pytest.raises(WorkerError) as told, nobody.told_when_lost("Go on with `--resume`."):
        raise tf.errors.UnavailableError(None, None, "Collective ops is aborted")
    assert str(told.value) == "a worker was lost (unavailable). Go on with `--resume`."
    alike = {"worker": list(addresses)}
    led = {"chief": [addresses[0]], "worker": list(addresses[1:])}
    for jobs, job, task, place in (
        (alike, "worker", 2, 2),
        (led, "chief", 0, 0),
        (led, "worker", 1, 2),
    ):
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(tf.train.ClusterSpec(jobs))
        workers = Workers(Cluster(addresses, 0), types.SimpleNamespace(cluster_resolver=resolver))
        words = (
            f"/job:{job}/replica:0/task:{task} is down. last error: "
            "UNAVAILABLE: failed to connect: Connection refused\nmore"
        )
        with pytest.raises(WorkerError) as told, workers.told_when_lost("Go on."):
            raise tf.errors.UnavailableError(None, None, words)
        assert str(told.value) == (
            f"{workers.cluster.name(place)} was lost (connection refused). Go on."
        )


def test_who_does_not_come_is_named(commands, tmp_path, monkeypatch, capsys):
    addresses = free_addresses(2)
    monkeypatch.setenv("TF_CONFIG", config_of(addresses, 0))
    out = tmp_path / "run"
    arguments = [*commands["engagement"][0], "--strategy", "multi_worker", "--out", str(out)]
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments, "--worker-timeout", "0.3"])
    told = capsys.readouterr().err.strip()
    assert ended.value.code == 1 and len(told.splitlines()) == 1
    assert f"worker 1 of 2 ({addresses[1]}) did not come within 0.3 s" in told
    assert "connection refused" in told and "--worker-timeout" in told
    assert not out.exists()
    monkeypatch.setenv("TF_CONFIG", config_of(addresses, 1))
    with pytest.raises(SystemExit):
        main(["train", *arguments, "--worker-timeout", "0.3"])
    told = capsys.readouterr().err.strip()
    assert f"worker 0 of 2 ({addresses[0]}), the chief, did not come within 0.3 s" in told


def meeting(configurations, seconds=3.0):
    """What each worker's `meet` ends with, as text; None where all is well."""
    found = [None] * len(configurations)

    def one(place, cluster):
        try:
            cluster.meet(seconds)
        except WorkerError as error:
            found[place] = str(error)

    threads = [
        threading.Thread(target=one, args=each, daemon=True) for each in enumerate(configurations)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_meeting():
    addresses = free_addresses(3)
    assert meeting([Cluster(addresses, index) for index in range(3)]) == [None] * 3
    # One is missing: those who are there are told who.
    told = meeting([Cluster(addresses, 0), Cluster(addresses, 2)], 0.6)
    assert told[0] == told[1] and f"worker 1 of 3 ({addresses[1]}) did not come" in told[0]
    # One has another list.
    other = (*addresses[:2], "127.0.0.1:1")
    told = meeting([Cluster(addresses[:2], 0), Cluster(other, 1)])
    assert told[0] and "has another `TF_CONFIG` than the chief" in told[0]
    # Somebody else listens at the port.
    with socket.create_server(("127.0.0.1", int(addresses[0].rpartition(":")[2]))):
        pass
    with socket.create_server(("", int(addresses[0].rpartition(":")[2]))):
        (told,) = meeting([Cluster(addresses, 0)])
        assert "cannot listen at its port" in told


def test_strangers_at_the_port_do_not_disturb():
    addresses = free_addresses(2)
    clusters = [Cluster(addresses, index) for index in range(2)]
    found = []
    thread = threading.Thread(target=lambda: found.extend(meeting(clusters[1:], 20)), daemon=True)
    thread.start()
    host, port = addresses[1].split(":")
    for _ in range(100):
        try:
            with socket.create_connection((host, int(port)), timeout=1) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            break
        except OSError:
            threading.Event().wait(0.02)
    assert meeting(clusters[:1]) == [None]
    thread.join(30)
    assert found == [None]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "`TF_CONFIG` is not set"),
        ("{", "is not JSON"),
        ("[]", "has no `cluster`"),
        ({"cluster": {"ps": ["a:1"]}}, "lists a job 'ps'"),
        ({"cluster": {"worker": []}}, "lists no addresses for `worker`"),
        ({"cluster": {"worker": ["host"]}}, "lists the address 'host', expected `host:port`"),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, "lists an address twice"),
        ({"cluster": {"chief": ["a:1", "b:1"]}}, "lists several chiefs"),
        ({"cluster": {"worker": ["a:1"]}}, "has no `task`"),
        ({"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}, "type 'chief'"),
        ({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}, "index 1;"),
    ],
)
def test_a_wrong_configuration_of_the_cluster(value, told):
    text = value if isinstance(value, str) or value is None else json.dumps(value)
    with pytest.raises(ConfigError, match="TF_CONFIG") as caught:
        Cluster.of_environment({} if text is None else {"TF_CONFIG": text})
    assert told in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_chief_comes_first():
    value = {
        "cluster": {"worker": ["b:1"], "chief": ["a:1"]},
        "task": {"type": "worker", "index": 0},
    }
    cluster = Cluster.of_environment({"TF_CONFIG": json.dumps(value)})
    assert cluster == Cluster(("a:1", "b:1"), 1) and not cluster.is_chief


@pytest.mark.parametrize(
    ("config", "more", "told"),
    [
        ("popular", {}, "`model` is scorer, which learns in one process"),
        ("engagement", {"xla": True}, "`--xla` compiles the step of one process"),
        ("engagement", {"strategy": "several"}, "expected one of `none`, `mirrored`"),
    ],
)
def test_what_workers_do_not_do(config, more, told, tmp_path):
    options = TrainingOptions(**{"strategy": "multi_worker", "progress": False, **more})
    with pytest.raises(ConfigError, match=told):
        train(load_settings(config), tmp_path, tmp_path / "run", options=options)
