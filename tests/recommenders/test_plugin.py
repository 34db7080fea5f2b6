"""A package of somebody else adds a recommender: every command takes it, no line changes here."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

from tfhashtag.testing.small_world import small_world

TOY = pathlib.Path(__file__).parent / "toy"
CONFIG = "model: toy\ntext_encoder: {encoder}\npower: 0.5\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The toy package installed beside ours, an encoded corpus, a configuration."""
    folder = tmp_path_factory.mktemp("plugin")
    corpus, encoder = small_world("users", folder)
    (folder / "toy.yaml").write_text(CONFIG.format(encoder=encoder))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    copied = folder / "source"
    copied.mkdir()
    for path in TOY.iterdir():
        if path.is_file():
            (copied / path.name).write_bytes(path.read_bytes())
    subprocess.run(
        [*command, "--no-build-isolation", "--target", str(folder / "site"), str(copied)],
        check=True,
    )
    return folder, corpus


@pytest.fixture(scope="module")
def command(world):
    """Runs the command line with the toy package on the path; gives what it printed."""
    folder, _ = world
    root = pathlib.Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(folder / "site")])

    def run(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "tfhashtag.cli.main", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="module")
def run(world, command):
    """The run folder of a trained toy."""
    command("train", "toy.yaml", "--data", world[1], "--out", "run", "--quiet")
    return world[0] / "run"


def test_it_is_evaluated(run, command):
    assert "MAP" in command("eval", "run")
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 < metrics["averages"]["all"]["MAP"] < 1


def test_it_recommends_and_explains(run, command):
    found = json.loads(command("recommend", "run", "--user", "user0003", "--k", "3", "--json"))
    assert len(found) == 3
    assert found[0]["score"] == 1.0
    command(
        *("explain", "run", "--user", "user0003"),
        *("--hashtag", found[0]["hashtag"], "--out", "why"),
    )
    assert "how often it was tagged" in (run.parent / "why" / "explanation.html").read_text()


def test_it_is_exported_and_serves(run, command):
    version = run.parent / "models" / "toy" / "1"
    assert command("export", "run", "--out", "models/toy").strip().endswith("models/toy/1")
    from tfhashtag.runs.answers import Answers

    found = Answers(version)("top_k", history=[["anything"]], k=2)
    asked = json.loads(command("recommend", "run", "--history", "x", "--k", "2", "--json"))
    assert [bytes(name).decode() for name in found["hashtags"][0]] == [
        row["hashtag"] for row in asked
    ]


def test_it_is_compared(run, command):
    encoder = yaml.safe_load((run.parent / "toy.yaml").read_text())["text_encoder"]
    command(
        *("compare", "engagement", "--data", "corpus", "--out", "compared", "--seeds", "1"),
        *("--systems", "popular,toy.yaml", "--set", f"text_encoder={encoder}", "--quiet"),
    )
    found = json.loads((run.parent / "compared" / "comparison.json").read_text())
    assert any("toy" in name for name in found["systems"])


def test_it_keeps_the_contract(world, command):
    code = (
        "from tfhashtag.testing import check_recommender\n"
        "from tfhashtag.recommenders.configuration import load_settings\n"
        "import pathlib, sys, tempfile\n"
        "def settings(encoder):\n"
        "    return load_settings('toy.yaml', [f'text_encoder={encoder}'])\n"
        "check_recommender(settings, pathlib.Path(tempfile.mkdtemp()))\n"
    )
    folder, _ = world
    root = pathlib.Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(folder / "site")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
