"""Encoding and answers on two executors: the local ones; also where an executor is killed."""

import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import tfhashtag as th
from tests.test_door import SMALL
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts
from tfhashtag.encoders import elsewhere
from tfhashtag.engines import spark as engines_spark
from tfhashtag.engines.spark import SparkEngine
from tfhashtag.errors import ConfigError, DataError, EngineError
from tfhashtag.runs import prepare as runs_prepare
from tfhashtag.testing.small_world import write_word_encoder

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return write_word_encoder(tmp_path_factory.mktemp("spark") / "words")


def tables(folder):
    """Every table of vectors of a corpus folder, by its path, and what is said of it."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("vectors.npy"))
    return {
        str(path.parent): (
            np.load(folder / path),
            (folder / path).with_name("keys.npy").read_bytes(),
            json.loads((folder / path).with_name("meta.json").read_text()),
        )
        for path in paths
    }


def same_tables(here, there):
    ours, theirs = tables(here), tables(there)
    assert ours.keys() == theirs.keys() and ours
    for name, (vectors, keys, meta) in ours.items():
        assert (keys, meta) == theirs[name][1:]
        assert np.array_equal(vectors, theirs[name][0])


@pytest.mark.slow  # the next test compares vectors, too
def test_the_same_vectors(spark, words, tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "TEXTS", 40)
    monkeypatch.setattr(elsewhere, "PICTURES", 10)
    made = synthetic_posts(posts=90, users=9, seed=0, themes=2, picture_size=24)
    for name, engine in (("here", "local"), ("there", spark)):
        write_synthetic_posts(made, tmp_path / name)
        th.encode(tmp_path / name, words, "pixels", proposals=4, progress=False, engine=engine)
    same_tables(tmp_path / "here", tmp_path / "there")


def executors():
    """Processes of executors of this process's Spark, by what the system says of them."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
            environment = (entry / "environ").read_bytes() if command else b""
        except OSError:
            continue
        mine = f"PYTEST_SPARK={os.getpid()}".encode() in environment
        if b"CoarseGrainedExecutorBackend" in command and mine:
            found.append(int(entry.name))
    return found


def test_a_killed_executor_changes_nothing(spark, words, tmp_path, monkeypatch):
    """Killed when a part of the vectors is in the table and blocks are being encoded."""
    monkeypatch.setattr(elsewhere, "TEXTS", 20)
    corpus = synthetic_corpus(900, 30, 1)
    for name in ("here", "there"):
        write_corpus(corpus, tmp_path / name)
    th.encode(tmp_path / "here", words, progress=False)
    running = executors()
    assert len(running) == 2
    kept, each = [], spark.each

    def killing_each(work, items):
        blocks = each(functools.partial(_late, work), items)
        for block in blocks:
            yield block
            if not kept:  # the table has this block: asked for the next
                os.kill(running[0], signal.SIGKILL)
            kept.append(len(block[0]))

    monkeypatch.setattr(spark, "each", killing_each)
    th.encode(tmp_path / "there", words, progress=False, engine=spark)
    assert len(kept) > 2 and running[0] not in executors()
    same_tables(tmp_path / "here", tmp_path / "there")


def _late(work, item):
    """A block takes long enough that one is under way when the executor dies."""
    time.sleep(0.05)
    return work(item)


@pytest.mark.slow  # the fast twin is `test_the_same_lists`: what blocks give, in their order
def test_the_same_answers(spark, words, tmp_path):
    write_corpus(synthetic_corpus(600, 30, 0), tmp_path / "corpus")
    th.encode(tmp_path / "corpus", words, progress=False)
    values = {"text_encoder": words, **SMALL}
    run = th.train("engagement", tmp_path / "corpus", tmp_path / "run", **values)
    queries = [{"user": f"user{n % 30:04}"} for n in range(150)]
    queries += [{"history": ["good tea #tea", "more"], "id": "new"}]
    lines = [json.dumps(query) + "\n" for query in queries]
    (tmp_path / "q.jsonl").write_text("".join(lines))
    for name, engine in (("here", "local"), ("there", spark)):
        count = th.recommend(
            run.folder, tmp_path / "q.jsonl", tmp_path / f"{name}.jsonl", k=3, engine=engine
        )
        assert count == 151
    here, there = ((tmp_path / f"{name}.jsonl").read_text() for name in ("here", "there"))
    assert here == there and here.count("\n") == 453
    (tmp_path / "bad.jsonl").write_text("".join(lines[:70]) + '{"usr": "ann"}\n')
    told = []
    for engine in ("local", spark):
        with pytest.raises(DataError) as error:
            th.recommend(run, tmp_path / "bad.jsonl", tmp_path / "bad_out.csv", engine=engine)
        told.append(str(error.value))
    assert told[0] == told[1] and "bad.jsonl:71" in told[0]
    assert not (tmp_path / "bad_out.csv").exists()


def _fails(item):
    raise {0: ConfigError("no"), 1: ZeroDivisionError("none")}[item]


def test_what_our_code_raises_is_raised_here(spark):
    with pytest.raises(ConfigError, match=r"^no$"):
        list(spark.each(_fails, [0]))
    with pytest.raises(EngineError, match="ZeroDivisionError") as error:
        list(spark.each(_fails, [1]))
    assert "\n" not in str(error.value)


def test_a_session_that_is_there_is_used_and_stays(spark):
    with pytest.raises(ConfigError, match="leave `master` and `spark_conf` out") as found:
        SparkEngine("local[1]")
    assert "\n" not in str(found.value) and spark.session.sparkContext.master in str(found.value)
    with SparkEngine() as lent:
        assert lent.session is spark.session
        assert list(lent.each(abs, [-1, 2])) == [1, 2]
    assert list(spark.each(abs, [-3])) == [3]


@pytest.mark.parametrize(
    "master, error, told",
    [
        (None, ConfigError, "needs --master URL"),
        ("local[x]", ConfigError, "no address of a master; expected spark://HOST:7077"),
        ("sc://host", ConfigError, "no address of a master"),
        ("yarn", ConfigError, "HADOOP_CONF_DIR names no folder"),
        ("spark://127.0.0.1:1", EngineError, r"nobody answers \(127.0.0.1:1: Connection refused"),
        ("k8s://https://127.0.0.1:1", EngineError, "nobody answers"),
    ],
)
def test_a_wrong_master_is_a_line(master, error, told, monkeypatch):
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "PYSPARK_GATEWAY_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(engines_spark, "_session_at_work", lambda: None)  # that of these tests
    with pytest.raises(error, match=told) as found:
        SparkEngine(master)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("version", [None, "11.0.2"])
def test_a_missing_or_old_java_is_a_line(version, tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engines_spark, "_session_at_work", lambda: None)
    if version is not None:
        java = tmp_path / "java"
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(0o755)
    found = "none" if version is None else 'openjdk version "11.0.2"'
    with pytest.raises(EngineError, match=f"needs Java 17 or newer, found {found}: install it"):
        SparkEngine("local[1]")


def test_a_command_says_nothing_of_spark(tmp_path):
    """Of the JVM nothing reaches the screen, and without pyspark there is one line."""
    rows = [{"user": "ann", "text": f"tea {n}", "hashtags": ["tea"]} for n in range(3)]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "tfhashtag.cli.main", "data", "import", "jsonl", "posts.jsonl"]
    command += ["--engine", "spark", "--master", "local[1]"]
    command += ["--spark-conf", "spark.sql.shuffle.partitions=1", "--out"]
    done = subprocess.run(
        [*command, "a"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "a: 3 posts"
    paths = [path for path in sys.path if not (pathlib.Path(path) / "pyspark").is_dir()]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        [*command, "b"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stderr == "Error: --engine spark needs pyspark: pip install 'tfhashtag[spark]'.\n"
    assert done.returncode == 1


@pytest.mark.parametrize("config", ["engagement", pytest.param("posts", marks=pytest.mark.slow)])
def test_the_same_lists(spark, config, words, tmp_path, monkeypatch):
    monkeypatch.setattr(runs_prepare, "_ROWS", 8)
    write_corpus(synthetic_corpus(600, 30, 0), tmp_path / "corpus")
    values = {"text_encoder": words, "data.taste_width": 6, "training.futures": [[0.6, 1.0]]}
    if config == "posts":
        values |= {"data.minimum_posts": 3, "image_encoder": "none"}
    for name, engine in (("here", "local"), ("there", spark)):
        where = tmp_path / "corpus", tmp_path / name
        parts = th.prepare(config, *where, progress=False, engine=engine, **values)
        assert min(parts.values()) > 8  # several blocks each
    files = [sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*.npy"))
             for n in ("here", "there")]  # fmt: skip
    assert files[0] == files[1] and len(files[0]) >= 8
    for file in files[0]:
        assert np.array_equal(np.load(tmp_path / "here" / file), np.load(tmp_path / "there" / file))
    about = [(tmp_path / name / "prepared.json").read_text() for name in ("here", "there")]
    assert about[0] == about[1]
